package spacesauth

import (
	"context"
	"net/http"
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

// Client calls the service of one environment. It is safe for concurrent use.
type Client struct {
	environment Environment
	http        *http.Client
	clock       clock.PassiveClock
	lifetime    time.Duration
	userAgent   string
	skew        func(time.Duration)
}

// product is what calls us where nobody gave a name with a version.
const product = "spaces-credential-operator"

// Option changes a [Client].
type Option func(*Client)

// WithClock gives the client its clock; without it, the wall clock.
func WithClock(c clock.PassiveClock) Option { return func(client *Client) { client.clock = c } }

// WithDefaultLifetime sets the lifetime of an access token whose answer tells
// none; without it, one hour.
func WithDefaultLifetime(d time.Duration) Option { return func(client *Client) { client.lifetime = d } }

// WithUserAgent sets the name and version by which requests say who sends them (RFC 9110
// §10.1.5); without it, the name alone. A proxy is told, too.
func WithUserAgent(value string) Option { return func(client *Client) { client.userAgent = value } }

// WithSkew has tell told of each answer by how much the clock of the service is before ours; less
// than a second says nothing, because its Date (RFC 9110 §6.6.1) has none.
func WithSkew(tell func(time.Duration)) Option { return func(client *Client) { client.skew = tell } }

// New returns a client for environment. It fails when the CA file or the proxy URL
// of the environment cannot be used.
func New(environment Environment, options ...Option) (*Client, error) {
	client := &Client{environment: environment, clock: clock.RealClock{}, lifetime: time.Hour, userAgent: product}
	for _, option := range options {
		option(client)
	}
	connections, err := connectionsTo(environment, client.userAgent)
	if err != nil {
		return nil, err
	}
	client.http = &http.Client{
		Transport: connections,
		// A redirect would carry the form, and so the secrets, to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
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
	if !app.Secret.Empty() {
		form.Set("client_secret", app.Secret.Reveal())
	}
	issueTime := c.clock.Now()
	reply, failure := c.post(ctx, c.environment.AccountsURL+tokenPath, form, "", beforeSending)
	if failure != nil {
		return Answer{}, failure
	}
	return c.judgeToken(reply, issueTime)
}
