package fakespaces

import (
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// Operation is one thing a client asks of the service. Faults and counts are
// kept by it.
type Operation string

const (
	// OperationPassword is a sign-in with name and password: POST
	// /oauth2/access_token, grant_type=password (RFC 6749 section 4.3).
	OperationPassword Operation = "password"
	// OperationRefresh is a renewal: POST /oauth2/access_token,
	// grant_type=refresh_token (RFC 6749 section 6).
	OperationRefresh Operation = "refresh"
	// OperationAuthorizationCode is the second half of a browser sign-in: POST
	// /oauth2/access_token, grant_type=authorization_code (RFC 6749 section
	// 4.1.3).
	OperationAuthorizationCode Operation = "authorization-code"
	// OperationRevoke is POST /oauth2/revoke_token (vendor page
	// accounts_revoketoken; not RFC 7009).
	OperationRevoke Operation = "revoke"
	// OperationProfile is GET /api/users/me.
	OperationProfile Operation = "profile"
	// OperationConfiguration is GET /api/service-configurations.
	OperationConfiguration Operation = "configuration"
	// OperationOther is any other call: an unknown path, method or grant_type,
	// or the login page that a followed [FaultRedirect] leads to.
	OperationOther Operation = "other"
	// OperationAny stands for all of them, where faults are ordered. No call
	// is counted under it.
	OperationAny Operation = "any"
)

// Operations lists every Operation, OperationAny last.
func Operations() []Operation {
	return []Operation{
		OperationPassword, OperationRefresh, OperationAuthorizationCode, OperationRevoke,
		OperationProfile, OperationConfiguration, OperationOther, OperationAny,
	}
}

// Call is one call as the functions given to [Service.Intercept] and
// [Service.InterceptAnswer] see it.
type Call struct {
	Number    int       // 1 for the first call the service ever got
	Operation Operation // what is asked
	ClientID  string    // as sent, or "" where a call carries none
	Username  string    // as sent, else whose grant or token it is, else ""
	GrantID   string    // the ID in the Ledger of the grant whose token was sent, or ""
	// Form is the form as sent; nil where there was none. It holds secrets.
	Form url.Values
	// Header is the header as sent. It may hold secrets.
	Header http.Header
	// Fault is the odd answer this call gets, "" for none. Known only to
	// InterceptAnswer.
	Fault Fault
	// Status is the HTTP status about to be written, 0 if none will be. Known
	// only to InterceptAnswer.
	Status int

	method, path, origin string
	gone                 <-chan struct{}
}

// Gone is closed once the service has noticed that the client left (or the
// call is over). A function that holds a call and waits for this is sure that
// the answer will be counted as lost.
func (c Call) Gone() <-chan struct{} { return c.gone }

// maxForm bounds what is read of a request: no form of the service comes near.
const maxForm = 1 << 20

const (
	tokenPath         = "/oauth2/access_token"
	revokePath        = "/oauth2/revoke_token"
	profilePath       = "/api/users/me"
	configurationPath = "/api/service-configurations"
	loginPath         = "/account/login"
)

func methodOf(path string) string {
	if path == tokenPath || path == revokePath {
		return http.MethodPost
	}
	return http.MethodGet
}

// readCall finds out what is asked. The body is read to its end even where it
// is no form, because net/http notices that a client left only after that.
func readCall(r *http.Request) Call {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxForm))
	call := Call{
		Header: r.Header.Clone(),
		method: r.Method,
		path:   r.URL.Path,
		origin: "http://" + r.Host,
		gone:   r.Context().Done(),
	}
	if r.TLS != nil {
		call.origin = "https://" + r.Host
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		// What could be read of a broken form is kept; the rest is missing and
		// is refused as such.
		call.Form, _ = url.ParseQuery(string(body))
	}
	call.Operation = operationOf(r.Method, r.URL.Path, call.Form.Get("grant_type"))
	call.ClientID = call.Form.Get("client_id")
	call.Username = call.Form.Get("username")
	return call
}

func operationOf(method, path, grantType string) Operation {
	if method != methodOf(path) {
		return OperationOther
	}
	switch path {
	case tokenPath:
		return map[string]Operation{
			"password":           OperationPassword,
			"refresh_token":      OperationRefresh,
			"authorization_code": OperationAuthorizationCode,
			"":                   OperationOther,
		}[knownGrantType(grantType)]
	case revokePath:
		return OperationRevoke
	case profilePath:
		return OperationProfile
	case configurationPath:
		return OperationConfiguration
	}
	return OperationOther
}

func knownGrantType(grantType string) string {
	switch grantType {
	case "password", "refresh_token", "authorization_code":
		return grantType
	}
	return ""
}

// bearer is the access token the call carries, or "". The scheme's case does
// not matter (RFC 9110 section 11.1); the vendor's pages use both.
func (c *Call) bearer() string {
	scheme, token, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// presented lists every secret the call carries, right or wrong.
func (c *Call) presented() []string {
	shown := []string{c.bearer()}
	for _, field := range []string{"client_secret", "password", "refresh_token", "code", "code_verifier"} {
		shown = append(shown, c.Form[field]...)
	}
	// The service does not take Basic, but a client that tries shows its secret.
	scheme, encoded, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil && strings.EqualFold(scheme, "basic") {
		_, secret, _ := strings.Cut(string(decoded), ":")
		shown = append(shown, secret)
	}
	return shown
}

// copied gives a caller's function a Call that it may keep and change.
func (c Call) copied() Call {
	c.Form = maps.Clone(c.Form)
	c.Header = c.Header.Clone()
	return c
}
