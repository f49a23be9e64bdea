package spacesauth_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// frameServer speaks HTTP/2 frame by frame, so that it can say what net/http's server never
// says. It counts what it was sent.
type frameServer struct {
	// onHeaders is run when a request begins, and onWhole when its body was read to the end.
	onHeaders, onWhole func(f *frames, stream uint32)
	// onPing is run when a ping was answered.
	onPing func(f *frames)

	url, caFile string

	mutex               sync.Mutex
	connections, begun  int
	whole               int
	connectionsToFinish sync.WaitGroup
}

// frames is one connection of a frameServer.
type frames struct {
	*http2.Framer
	conn net.Conn
	// number is 1 for the first connection of the server.
	number int
	// streams are those of this connection that began, in order.
	streams []uint32
	pings   int
}

// start serves until the test ends.
func (s *frameServer) start(t *testing.T) *frameServer {
	t.Helper()
	own := certificate(t, "localhost", longAgo, farOff)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{own}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	s.caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(s.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	s.url = "https://localhost:" + port
	var open []net.Conn
	t.Cleanup(func() {
		_ = listener.Close()
		s.mutex.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		s.mutex.Unlock()
		s.connectionsToFinish.Wait()
	})
	s.connectionsToFinish.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mutex.Lock()
			s.connections++
			open = append(open, conn)
			f := &frames{Framer: http2.NewFramer(conn, conn), conn: conn, number: s.connections}
			s.mutex.Unlock()
			s.connectionsToFinish.Go(func() { s.serve(f) })
		}
	})
	return s
}

// client is a client of the server alone.
func (s *frameServer) client(t *testing.T, timeoutSeconds int) *spacesauth.Client {
	t.Helper()
	environment := trusting(s.url, s.caFile)
	environment.TimeoutSeconds = timeoutSeconds
	return clientOf(t, environment)
}

func (s *frameServer) count(what *int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	*what++
}

// seen tells how many connections were made, and requests begun and read whole on them.
func (s *frameServer) seen() (connections, begun, whole int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.connections, s.begun, s.whole
}

// serve reads frames until the connection ends.
func (s *frameServer) serve(f *frames) {
	defer func() { _ = f.conn.Close() }()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := f.conn.Read(preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	_ = f.WriteSettings()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			_ = f.WritePing(true, frame.Data)
			if f.pings++; s.onPing != nil {
				s.onPing(f)
			}
		case *http2.HeadersFrame:
			f.streams = append(f.streams, frame.StreamID)
			s.count(&s.begun)
			if s.onHeaders != nil {
				s.onHeaders(f, frame.StreamID)
			}
		case *http2.DataFrame:
			if frame.StreamEnded() {
				s.count(&s.whole)
				if s.onWhole != nil {
					s.onWhole(f, frame.StreamID)
				}
			}
		}
	}
}

// answer grants a token.
func (f *frames) answer(stream uint32) {
	var head bytes.Buffer
	_ = hpack.NewEncoder(&head).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: head.Bytes(), EndHeaders: true})
	_ = f.WriteData(stream, true, []byte(`{"access_token":"at","refresh_token":"rt","expires_in":60}`))
}
