package spacestoken

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// leftover bounds what is read of a refused answer, so that its connection can serve the next call.
const leftover = 16 << 10

// Transport is an [http.RoundTripper] that adds the token to calls. Make one with [NewTransport].
//
// The token goes to the origin (scheme, host and port) of the Secret's api_url and to those of
// [WithOrigin], and nowhere else. [http.Client] asks its transport for each hop of a redirect: one that
// leads elsewhere is followed without the token. A call that a program itself sends elsewhere is an
// error, because it would be refused there and nobody would know why.
//
// A call that is answered by 401 is sent once more if the folder holds another token by now and
// the body, if there is one, can be sent again: [http.NewRequest] sees to that for the usual kinds of
// readers. Else the 401 is the answer.
type Transport struct {
	source  *Source
	base    http.RoundTripper
	origins map[string]bool
}

var _ http.RoundTripper = (*Transport)(nil)

// TransportOption changes a [Transport].
type TransportOption func(*Transport)

// WithBase has calls sent by another transport than [http.DefaultTransport].
func WithBase(base http.RoundTripper) TransportOption { return func(t *Transport) { t.base = base } }

// WithOrigin lets the token go to one more origin, such as https://spaces.example.com. It panics on
// what is no absolute URL: a mistake in the program's own text.
func WithOrigin(address string) TransportOption {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme == "" || parsed.Host == "" {
		panic(fmt.Sprintf("spacestoken: WithOrigin(%q): want an address such as https://spaces.example.com", address))
	}
	return func(t *Transport) { t.origins[originOf(parsed)] = true }
}

// NewTransport makes a Transport that takes tokens from a source.
func NewTransport(source *Source, options ...TransportOption) *Transport {
	t := &Transport{source: source, base: http.DefaultTransport, origins: map[string]bool{}} //nolint:forbidigo // unless WithBase gives another
	for _, option := range options {
		option(t)
	}
	return t
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	current, err := t.source.current()
	if err == nil && !t.mayGoTo(request.URL, current) {
		// Response is set by http.Client, on the hops of a redirect.
		if request.Response != nil {
			return t.base.RoundTrip(request)
		}
		err = fmt.Errorf("spacestoken: the token is for %s and not for %s: use another client for that, or allow it by WithOrigin", orNothing(current.apiURL), originOf(request.URL))
	}
	if err != nil {
		if request.Body != nil { // a RoundTripper closes it, whatever happens
			err = errors.Join(err, request.Body.Close())
		}
		return nil, err
	}
	response, err := t.base.RoundTrip(authorized(request, current))
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	if again := t.again(request, current); again != nil {
		_, _ = io.CopyN(io.Discard, response.Body, leftover)
		_ = response.Body.Close() // its answer is not needed any more
		return t.base.RoundTrip(again)
	}
	return response, nil
}

// again is the request with another token than the one that was refused, or nil if there is none, or
// the body is spent.
func (t *Transport) again(request *http.Request, refused *published) *http.Request {
	spent := request.Body != nil && request.Body != http.NoBody
	if spent && request.GetBody == nil {
		return nil
	}
	newer, err := t.source.renewed()
	if err != nil || newer.token.reveal() == refused.token.reveal() || !t.mayGoTo(request.URL, newer) {
		return nil
	}
	again := authorized(request, newer)
	if spent {
		if again.Body, err = request.GetBody(); err != nil {
			return nil
		}
	}
	return again
}

// authorized is the request with the token. The request itself belongs to its caller, and
// http.Client would carry a header that stands in it to other hosts of the same domain.
func authorized(request *http.Request, with *published) *http.Request {
	sent := request.Clone(request.Context())
	sent.Header.Set("Authorization", with.scheme+" "+with.token.reveal())
	return sent
}

// mayGoTo tells whether the token may be sent to an address.
func (t *Transport) mayGoTo(address *url.URL, with *published) bool {
	origin := originOf(address)
	if t.origins[origin] {
		return true
	}
	api, err := url.Parse(with.apiURL)
	return err == nil && api.Host != "" && originOf(api) == origin
}

// originOf is scheme, host and port, in one spelling.
func originOf(address *url.URL) string {
	port := address.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(address.Scheme)]
	}
	return strings.ToLower(address.Scheme) + "://" + strings.ToLower(address.Hostname()) + ":" + port
}

// orNothing names the absence of an address.
func orNothing(address string) string {
	if address == "" {
		return "no host (api_url is empty)"
	}
	return address
}

// String names the folder.
func (t *Transport) String() string { return "transport with " + t.source.String() }

// Format implements [fmt.Formatter], so that no verb shows a token.
func (t *Transport) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }
