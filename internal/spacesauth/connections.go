package spacesauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// idleTimeout closes unused connections before the usual front ends do: a request
// written to a connection that is just being closed has an unknown outcome.
const idleTimeout = 15 * time.Second

// idleConnections are kept open to the accounts host: as many as calls usually run
// at once, so that a busy hour does not pay for a handshake with every call.
const idleConnections = 16

// longestSilence is the most that signOfLife gives: with the default timeout of a call a dead
// connection has cost ten of its fifteen seconds.
const longestSilence = 5 * time.Second

// handshakeTimeout ends a handshake that nobody waits for any more. A call that
// waits has a deadline of its own.
const handshakeTimeout = 10 * time.Second

// connections are those to the hosts of an environment. None is used again after a call on
// it timed out: a network that swallows packets keeps a dead one open for as long as calls
// come, and with HTTP/2 they all go over the same. Since whatever swallowed one has probably
// swallowed its neighbours, later calls dial anew. Calls under way on the others end in peace.
type connections struct {
	open func() *http.Transport

	mutex   sync.Mutex
	current *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (c *connections) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, transport := request.Context(), c.transport()
	// The transport judges a request before it looks for a connection.
	var sought, got atomic.Bool
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { sought.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
	}
	response, err := transport.RoundTrip(request.WithContext(httptrace.WithClientTrace(ctx, trace)))
	switch {
	case err == nil:
		response.Body = &watchedBody{ReadCloser: response.Body, ctx: ctx, timedOut: func() { c.leave(transport) }}
		return response, nil
	case !sought.Load():
		return nil, &unsendable{err}
	case got.Load() && timedOut(ctx):
		c.leave(transport)
	}
	return nil, err
}

// transport is what the next call goes over.
func (c *connections) transport() *http.Transport {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.current == nil {
		c.current = c.open()
	}
	return c.current
}

// leave has later calls dial anew, unless another call saw to that.
func (c *connections) leave(transport *http.Transport) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.current != transport {
		return
	}
	c.current = nil
	// Those that are in use now close themselves when they have been idle for a while.
	transport.CloseIdleConnections()
}

// CloseIdleConnections closes those that no call is using.
func (c *connections) CloseIdleConnections() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.current != nil {
		c.current.CloseIdleConnections()
	}
}

// timedOut tells whether a call is over because its time was. A deadline by another clock than
// the context's own stands in its cause.
func timedOut(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), context.DeadlineExceeded)
}

// watchedBody is the body of an answer. It tells when a read of it took too long.
type watchedBody struct {
	io.ReadCloser
	ctx      context.Context
	timedOut func()
}

// Read implements [io.Reader].
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && timedOut(b.ctx) {
		b.timedOut()
	}
	return n, err
}

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

// connectionsTo returns those to the hosts of an environment. It fails when the CA file or the
// proxy URL of the environment cannot be used.
func connectionsTo(environment Environment, userAgent string) (*connections, error) {
	template, err := NewTransport(environment)
	if err != nil {
		return nil, err
	}
	template.ProxyConnectHeader = http.Header{"User-Agent": {userAgent}}
	return &connections{open: template.Clone}, nil
}

// NewTransport makes connections as environment says, by its CAFile and ProxyURL alone: for
// programs that call its hosts in ways of their own. It fails when one of the two cannot be used.
func NewTransport(environment Environment) (*http.Transport, error) {
	proxy, err := proxyFor(environment)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: proxy,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			return proxyRefusal(answer.StatusCode)
		},
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: handshakeTimeout,
		ForceAttemptHTTP2:   true, // a TLSClientConfig of one's own turns it off
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     idleTimeout,
		// A connection that went dead is noticed before the call on it times out.
		HTTP2: &http.HTTP2Config{SendPingTimeout: signOfLife(environment), PingTimeout: signOfLife(environment)},
	}
	if environment.CAFile != "" {
		certificates, err := os.ReadFile(environment.CAFile)
		if err != nil {
			return nil, fmt.Errorf("caFile cannot be read: %w", err)
		}
		if err := TrustToo(transport, certificates); err != nil {
			return nil, fmt.Errorf("caFile %s %w", environment.CAFile, err)
		}
	}
	return transport, nil
}

// TrustToo has a transport of [NewTransport] trust authorities beside the system's. It is an error
// if there is no PEM certificate among them.
func TrustToo(transport *http.Transport, certificates []byte) error {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(certificates) {
		return errors.New("holds no PEM certificate")
	}
	transport.TLSClientConfig.RootCAs = roots
	return nil
}

// signOfLife is how long nothing may come over an HTTP/2 connection before it is asked for a
// sign of life, and again how long that may take: together less than a call.
func signOfLife(environment Environment) time.Duration {
	return min(max(environment.Timeout()/3, time.Second), longestSilence)
}
