package spacesauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Paths of the accounts host. The token endpoint is not "/token" here.
const (
	authorizePath = "/oauth2/authorize"
	tokenPath     = "/oauth2/access_token"
	revokePath    = "/oauth2/revoke_token"
	tokenInfoPath = "/api/1.0/id_token/get_token_info"
)

// Paths of the API host.
const (
	guestPath   = "/api/anonymous/auth"
	profilePath = "/api/users/me"
)

// maxBody bounds what is read of an answer. A state document holds up to two
// answers, and a Kubernetes Secret 1 MiB.
const maxBody = 256 << 10

// idleTimeout closes unused connections before the usual front ends do: a request
// written to a connection that is just being closed has an unknown outcome.
const idleTimeout = 15 * time.Second

// idleConnections are kept open to the accounts host: as many as calls usually run
// at once, so that a busy hour does not pay for a handshake with every call.
const idleConnections = 16

// handshakeTimeout ends a handshake that nobody waits for any more. A call that
// waits has a deadline of its own.
const handshakeTimeout = 10 * time.Second

// Client calls the service of one environment. It is safe for concurrent use.
type Client struct {
	environment Environment
	http        *http.Client
	clock       clock.PassiveClock
	lifetime    time.Duration
}

// Option changes a [Client].
type Option func(*Client)

// WithClock gives the client its clock; without it, the wall clock.
func WithClock(c clock.PassiveClock) Option { return func(client *Client) { client.clock = c } }

// WithDefaultLifetime sets the lifetime of an access token whose answer tells
// none; without it, one hour.
func WithDefaultLifetime(d time.Duration) Option { return func(client *Client) { client.lifetime = d } }

// New returns a client for environment. It fails when the CA file or the proxy URL
// of the environment cannot be used.
func New(environment Environment, options ...Option) (*Client, error) {
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
	client := &Client{
		environment: environment,
		clock:       clock.RealClock{},
		lifetime:    time.Hour,
		http: &http.Client{
			Transport: transport,
			// A redirect would carry the form, and so the secrets, to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for _, option := range options {
		option(client)
	}
	return client, nil
}

// Environment returns the environment the client calls.
func (c *Client) Environment() Environment { return c.environment }

// CloseIdleConnections closes the connections that no call is using.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Token presents grant to the token endpoint, once.
//
// beforeSending runs at the last possible moment: when the connection stands and
// the first byte of the body is asked for. If it returns an error nothing of the
// grant has left the process, and the call fails with [KindUnavailable].
//
// A failed call is an [*Error]. Its Answer may all the same hold a refresh token:
// one that came without a usable access token. The caller must keep it.
func (c *Client) Token(ctx context.Context, app Application, grant Grant, beforeSending func() error) (Answer, error) {
	form := grant.form()
	form.Set("client_id", app.ID)
	form.Set("client_secret", app.Secret.Reveal())
	issueTime := c.clock.Now()
	reply, failure := c.post(ctx, c.environment.AccountsURL+tokenPath, form, beforeSending)
	if failure != nil {
		return Answer{}, failure
	}
	return c.judgeToken(reply, issueTime)
}

// reply is an HTTP answer whose body was read, perhaps not to its end.
type reply struct {
	status     int
	body       []byte
	retryAfter time.Duration
}

// post sends form once. It fails only when no status came back.
func (c *Client) post(ctx context.Context, target string, form url.Values, beforeSending func() error) (reply, *Error) {
	ctx, cancel := context.WithTimeout(ctx, c.environment.Timeout())
	defer cancel()

	encoded := form.Encode()
	body := &guardedBody{form: strings.NewReader(encoded), guard: beforeSending}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err != nil {
		return reply{}, &Error{Kind: KindUnavailable, Detail: "a URL of the environment is not usable"}
	}
	request.ContentLength = int64(len(encoded))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")

	response, err := c.http.Do(request)
	if err != nil {
		begun, refused := body.shut()
		switch {
		case refused != nil:
			return reply{}, &Error{Kind: KindUnavailable, Detail: "nothing was sent: " + refused.Error()}
		case !begun:
			return reply{}, &Error{Kind: KindUnavailable, Detail: "nothing was sent: " + reason(err)}
		}
		return reply{}, &Error{Kind: KindAmbiguous, Detail: "the request was sent and no answer came: " + reason(err)}
	}
	defer func() { _ = response.Body.Close() }()
	return c.read(response), nil
}

// get asks once for something that asking does not change. It fails only when no
// status came back. The target may hold a secret: it stands in no error.
func (c *Client) get(ctx context.Context, target, authorization string) (reply, *Error) {
	ctx, cancel := context.WithTimeout(ctx, c.environment.Timeout())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return reply{}, &Error{Kind: KindUnavailable, Detail: "a URL of the environment is not usable"}
	}
	request.Header.Set("Accept", "application/json")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return reply{}, &Error{Kind: KindUnavailable, Detail: reason(err)}
	}
	defer func() { _ = response.Body.Close() }()
	return c.read(response), nil
}

// read takes an answer in.
func (c *Client) read(response *http.Response) reply {
	// What arrived before a body broke off may hold a refresh token.
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxBody))
	return reply{
		status:     response.StatusCode,
		body:       body,
		retryAfter: retryAfter(response.Header.Get("Retry-After"), c.clock.Now()),
	}
}

// guardedBody is a request body that asks guard before it gives its first byte.
// The transport reads it when the connection stands: whatever fails earlier has
// sent nothing. It can be read once, so the transport cannot send it twice.
type guardedBody struct {
	form  *strings.Reader
	guard func() error

	mutex   sync.Mutex
	closed  bool
	begun   bool
	refused error
}

// Read implements [io.Reader].
func (b *guardedBody) Read(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.refused != nil:
		return 0, b.refused
	case !b.begun && b.guard != nil:
		if b.refused = b.guard(); b.refused != nil {
			return 0, b.refused
		}
	}
	b.begun = true
	return b.form.Read(p)
}

// Close implements [io.Closer].
func (b *guardedBody) Close() error {
	_, _ = b.shut()
	return nil
}

// shut ends reading and tells how far it came. The transport may still hold the
// body when a call has failed; without this, what was reported as not sent could
// be sent a moment later.
func (b *guardedBody) shut() (begun bool, refused error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.closed = true
	return b.begun, b.refused
}

// reason names what went wrong on the way, in words of ours: the text of a
// transport error can repeat a URL, a proxy's user info or a response.
func reason(err error) string {
	var certificate *tls.CertificateVerificationError
	var network *net.OpError
	var record tls.RecordHeaderError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &certificate):
		return untrusted(certificate.Err)
	case errors.As(err, &network) && network.Op == "remote error": // an alert, as crypto/tls has it
		return "the host ended TLS with an alert; it must speak TLS 1.2 or newer"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the host does not speak TLS"
	case errors.Is(err, context.Canceled):
		return "the call was cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the call took too long"
	case errors.As(err, &network) && network.Op == "dial":
		return "the host could not be reached"
	}
	return "the connection broke"
}

// untrusted names what is wrong with a certificate. It is the host's to mend, or the
// operator's caFile.
func untrusted(err error) string {
	var invalid x509.CertificateInvalidError
	var other x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate of the host has expired, or is not valid yet by the clock here"
	case errors.As(err, &other):
		return "the certificate is not that of the host"
	}
	return "the certificate of the host comes from no authority that is trusted here; caFile can name another"
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
