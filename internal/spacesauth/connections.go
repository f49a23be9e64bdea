package spacesauth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"time"
)

// idleTimeout closes unused connections before the usual front ends do: a request
// written to a connection that is just being closed has an unknown outcome.
const idleTimeout = 15 * time.Second

// idleConnections are kept open to the accounts host: as many as calls usually run
// at once, so that a busy hour does not pay for a handshake with every call.
const idleConnections = 16

// handshakeTimeout ends a handshake that nobody waits for any more. A call that
// waits has a deadline of its own.
const handshakeTimeout = 10 * time.Second

// connections are those to the hosts of an environment.
type connections struct {
	transport *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (c *connections) RoundTrip(request *http.Request) (*http.Response, error) {
	// The transport judges a request before it looks for a connection.
	var sought atomic.Bool
	trace := &httptrace.ClientTrace{GetConn: func(string) { sought.Store(true) }}
	response, err := c.transport.RoundTrip(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err != nil && !sought.Load() {
		return nil, &unsendable{err}
	}
	return response, err
}

// CloseIdleConnections closes those that no call is using.
func (c *connections) CloseIdleConnections() { c.transport.CloseIdleConnections() }

// unsendable is the failure of a request for which no connection was asked for: it has
// something that no request can carry, or its call was over.
type unsendable struct{ cause error }

// Error implements error.
func (u *unsendable) Error() string { return u.cause.Error() }

// Unwrap tells the cause.
func (u *unsendable) Unwrap() error { return u.cause }

func isUnsendable(err error) bool {
	var never *unsendable
	return errors.As(err, &never)
}

// newTransport returns what makes connections to the hosts of an environment. It fails
// when the CA file or the proxy URL of the environment cannot be used.
func newTransport(environment Environment) (*http.Transport, error) {
	proxy, err := proxyFor(environment)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:               proxy,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: handshakeTimeout,
		ForceAttemptHTTP2:   true, // a TLSClientConfig of one's own turns it off
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     idleTimeout,
	}
	if environment.CAFile != "" {
		roots, err := rootsWith(environment.CAFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig.RootCAs = roots
	}
	return transport, nil
}

// rootsWith returns the system's roots and those of file.
func rootsWith(file string) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("caFile cannot be read: %w", err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("caFile %s holds no PEM certificate", file)
	}
	return roots, nil
}
