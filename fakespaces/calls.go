package fakespaces

import (
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// Call is one call as the functions given to [Service.Intercept] and
// [Service.InterceptAnswer] see it.
type Call struct {
	Number    int       // 1 for the first call the service ever got
	Operation Operation // what is asked
	ClientID  string    // as sent, or "" where a call carries none
	Username  string    // as sent, else whose grant or token it is, else ""
	GrantID   string    // the ID in the Ledger of the grant whose token was sent, or ""
	// Form is the form as sent, or the text members of the JSON that a guest
	// sends; nil where there was neither. It holds secrets.
	Form url.Values
	// Query is the query of the address as sent. It may hold secrets.
	Query url.Values
	// Header is the header as sent. It may hold secrets.
	Header http.Header
	// Fault is the odd answer this call gets, "" for none. Known only to
	// InterceptAnswer.
	Fault Fault
	// Status is the HTTP status about to be written, 0 if none will be. Known
	// only to InterceptAnswer.
	Status int

	method, path, origin string
	garbled              bool // its JSON cannot be read
	brokenOff            bool // the client left in mid-body
	gone                 <-chan struct{}
}

// Gone is closed once the service has noticed that the client left (or the
// call is over). A function that holds a call and waits for this is sure that
// the answer will be counted as lost.
func (c Call) Gone() <-chan struct{} { return c.gone }

// maxForm bounds what is read of a request: no form of the service comes near.
const maxForm = 1 << 20

// readCall finds out what is asked. The body is read to its end even where it
// is no form, because net/http notices that a client left only after that.
func readCall(r *http.Request) Call {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm))
	call := Call{
		Query:  r.URL.Query(),
		Header: r.Header.Clone(),
		method: r.Method,
		path:   r.URL.Path,
		origin: "http://" + r.Host,
		gone:   r.Context().Done(),

		brokenOff: err != nil,
	}
	if r.TLS != nil {
		call.origin = "https://" + r.Host
	}
	if operationOf(call.method, call.path, "") == OperationGuest {
		call.readGuestForm(body)
	} else if strings.HasPrefix(r.Header.Get("Content-Type"), formType) {
		// What could be read of a broken form is kept; the rest is missing and
		// is refused as such.
		call.Form, _ = url.ParseQuery(string(body))
	}
	call.Operation = operationOf(call.method, call.path, call.Form.Get("grant_type"))
	call.ClientID = call.Form.Get("client_id")
	if id, _, sent := call.basic(); sent && call.ClientID == "" {
		call.ClientID = id
	}
	if call.Operation == OperationAuthorize {
		call.ClientID = call.Query.Get("client_id")
	}
	call.Username = call.Form.Get("username")
	return call
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// credential is the Authorization header taken apart, its scheme in lower
// case: that does not matter (RFC 9110 section 11.1), and the vendor's pages
// use both.
func (c *Call) credential() (scheme, token string) {
	scheme, token, _ = strings.Cut(c.Header.Get("Authorization"), " ")
	return strings.ToLower(scheme), strings.TrimSpace(token)
}

// presented lists every secret the call carries, right or wrong.
func (c *Call) presented() []string {
	var shown []string
	for _, field := range []string{"client_secret", "password", "refresh_token", "token", "code", "code_verifier", "id_token", "ticket"} {
		shown = append(shown, c.Form[field]...)
		shown = append(shown, c.Query[field]...) // wrong for all but id_token, but shown all the same
	}
	if c.Query.Get("code_challenge_method") == methodPlain {
		shown = append(shown, c.Query["code_challenge"]...) // it is the verifier
	}
	_, token := c.credential()
	_, secret, _ := c.basic()
	return append(shown, token, secret)
}

// basic reads client ID and secret from an Authorization header of scheme Basic, in which each
// is encoded as in a form (RFC 6749 section 2.3.1).
func (c *Call) basic() (id, secret string, sent bool) {
	scheme, token := c.credential()
	decoded, err := base64.StdEncoding.DecodeString(token)
	if scheme != "basic" || err != nil {
		return "", "", false
	}
	id, secret, sent = strings.Cut(string(decoded), ":")
	return formDecoded(id), formDecoded(secret), sent
}

// formDecoded is what was encoded, or the text itself where that is no encoding.
func formDecoded(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

// copied gives a caller's function a Call that it may keep and change.
func (c Call) copied() Call {
	c.Form = maps.Clone(c.Form)
	c.Query = maps.Clone(c.Query)
	c.Header = c.Header.Clone()
	return c
}
