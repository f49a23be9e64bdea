package spacesauth

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"github.com/spaces-operator/spaces-credential-operator/internal/deadline"
)

// maxBody bounds what is read of an answer. A state document holds up to two
// answers, and a Kubernetes Secret 1 MiB.
const maxBody = 256 << 10

// reply is an HTTP answer whose body was read, perhaps not to its end.
type reply struct {
	status     int
	body       []byte
	retryAfter time.Duration
	// webPage tells that the body is HTML.
	webPage bool
}

// post sends form once. It fails only when no status came back. A process that was stopped for longer
// than the time of the call still reads the answer that waits for it.
func (c *Client) post(ctx context.Context, target string, form url.Values, authorization string, beforeSending func() error) (reply, *Error) {
	connected := clock.RealClock{} // of sockets, which no injected clock moves
	ctx, cancel := deadline.Until(ctx, connected, connected.Now().Add(c.environment.Timeout()))
	defer cancel()

	encoded := form.Encode()
	body := &guardedBody{form: strings.NewReader(encoded), guard: beforeSending}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err != nil {
		return reply{}, badURL()
	}
	request.ContentLength = int64(len(encoded))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c.introduce(request, authorization)

	response, err := c.http.Do(request)
	if err != nil {
		begun, refused := body.shut()
		return reply{}, unanswered(err, begun, refused)
	}
	defer func() { _ = response.Body.Close() }()
	return c.read(response), nil
}

// unanswered judges a call to which no status came back: whether its body was begun, and
// whether the guard refused that, tell what may have been sent.
func unanswered(err error, begun bool, refused error) *Error {
	switch {
	case refused != nil:
		// It is our own clock that is in the way.
		return &Error{Kind: KindUnavailable, HostUnjudged: true, Detail: "nothing was sent: " + refused.Error()}
	case isUnprocessed(err):
		return &Error{Kind: KindUnavailable, HostUnjudged: true, Detail: "the host turned the request away before it looked at it"}
	case !begun:
		return &Error{Kind: KindUnavailable, HostUnjudged: isUnsendable(err), Detail: "nothing was sent: " + reason(err)}
	}
	return &Error{Kind: KindAmbiguous, Detail: "the request was sent and no answer came: " + reason(err)}
}

// get asks once for something that asking does not change. It fails only when no
// status came back. The target may hold a secret: it stands in no error.
func (c *Client) get(ctx context.Context, target, authorization string) (reply, *Error) {
	ctx, cancel := context.WithTimeout(ctx, c.environment.Timeout())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return reply{}, badURL()
	}
	c.introduce(request, authorization)
	response, err := c.http.Do(request)
	if err != nil {
		return reply{}, &Error{Kind: KindUnavailable, HostUnjudged: isUnsendable(err), Detail: reason(err)}
	}
	defer func() { _ = response.Body.Close() }()
	return c.read(response), nil
}

// introduce says who sends a request, and what can be read of an answer.
func (c *Client) introduce(request *http.Request, authorization string) {
	request.Header.Set("User-Agent", c.userAgent)
	request.Header.Set("Accept", "application/json")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
}

// badURL is the failure of a call whose address cannot be read.
func badURL() *Error {
	return &Error{Kind: KindUnavailable, HostUnjudged: true, Detail: "a URL of the environment is not usable"}
}

// read takes an answer in.
func (c *Client) read(response *http.Response) reply {
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil && c.skew != nil {
		c.skew(date.Sub(c.clock.Now()))
	}
	// What arrived before a body broke off may hold a refresh token.
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxBody))
	return reply{
		status:     response.StatusCode,
		body:       body,
		retryAfter: retryAfter(response.Header.Get("Retry-After"), c.clock.Now()),
		webPage:    isWebPage(response.Header.Get("Content-Type"), body),
	}
}
