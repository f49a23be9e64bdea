package testbed

import (
	"errors"
	"net"
	"net/http"
	"time"
)

// headerTimeout is how long a visitor of a [Server] may take to say what it wants.
const headerTimeout = 5 * time.Second

// Server serves HTTP without TLS, on loopback only.
type Server struct {
	// URL has no path.
	URL string

	server *http.Server
	ended  chan error
}

// Serve begins to serve, at a port that is free.
func Serve(handler http.Handler) (*Server, error) {
	listener, err := net.Listen("tcp", anyPort)
	if err != nil {
		return nil, err
	}
	s := &Server{
		URL:    "http://" + listener.Addr().String(),
		server: &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout},
		ended:  make(chan error, 1),
	}
	go func() { s.ended <- s.server.Serve(listener) }()
	return s, nil
}

// Stop ends it and every connection at once. It is called once.
func (s *Server) Stop() error {
	err := s.server.Close()
	if served := <-s.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
