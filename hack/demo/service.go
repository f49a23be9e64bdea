package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// tokenLifetime is short, so that there is something to see.
const tokenLifetime = 20 * time.Second

// service is an Avaya Spaces at its most severe: each renewal gives a new refresh
// token, and one that comes twice ends its grant.
type service struct {
	*fakespaces.Service
	url    string
	server *http.Server
	ended  chan error
}

func startService(ctx context.Context) (*service, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	spaces := fakespaces.New(
		fakespaces.WithTokenLifetime(tokenLifetime),
		fakespaces.WithGuestLifetime(tokenLifetime),
		fakespaces.WithRotation(fakespaces.RotateAlways),
		fakespaces.WithReuseDetection(true),
	)
	s := &service{
		Service: spaces,
		url:     "http://" + listener.Addr().String(),
		server:  &http.Server{Handler: spaces, ReadHeaderTimeout: 5 * time.Second},
		ended:   make(chan error, 1),
	}
	go func() { s.ended <- s.server.Serve(listener) }()
	return s, nil
}

func (s *service) stop() error {
	err := s.server.Close()
	if served := <-s.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
