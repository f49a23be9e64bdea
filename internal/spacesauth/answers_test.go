package spacesauth_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// answer is what a server says to every call: for answers that no fault of
// fakespaces gives. The zero answer is a server that is gone.
type answer struct {
	status      int
	contentType string
	retryAfter  string
	body        string
	cut         bool // the connection is closed instead
}

// serve gives the URL of a server that answers so.
func (a answer) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if a.cut {
			panic(http.ErrAbortHandler)
		}
		// An empty one keeps the server from guessing.
		w.Header()["Content-Type"] = []string{a.contentType}
		if a.retryAfter != "" {
			w.Header().Set("Retry-After", a.retryAfter)
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	if a.status == 0 && !a.cut {
		server.Close()
	} else {
		t.Cleanup(server.Close)
	}
	return server.URL
}

// ask presents a refresh token to a server that answers so.
func (a answer) ask(t *testing.T) (spacesauth.Answer, error) {
	t.Helper()
	client := clientOf(t, environmentAt(a.serve(t)),
		spacesauth.WithClock(clocktesting.NewFakePassiveClock(noon)), spacesauth.WithDefaultLifetime(42*time.Minute))
	return client.Token(context.Background(), application(), refresh("sent-1"), nil)
}

// The rows of what a robust client should assume, and of the table of failures.
func TestClassOfAnAnswer(t *testing.T) {
	const token = `{"access_token":"at-1","refresh_token":"rt-1","expires_in":60}`
	errorBody := func(code string) string { return fmt.Sprintf(`{"error":%q,"error_description":"body-text"}`, code) }
	for sentence, given := range map[string]struct {
		answer answer
		want   spacesauth.Kind
	}{
		"a token is success":                              {answer{status: 200, body: token}, ""},
		"another 2xx with a token is success":             {answer{status: 201, body: token}, ""},
		"invalid_grant means a dead grant":                {answer{status: 400, body: errorBody("invalid_grant")}, spacesauth.KindRejectedGrant},
		"invalid_grant is believed with 401":              {answer{status: 401, body: errorBody("invalid_grant")}, spacesauth.KindRejectedGrant},
		"invalid_grant is believed inside a 200":          {answer{status: 200, body: errorBody("invalid_grant")}, spacesauth.KindRejectedGrant},
		"invalid_grant is believed as text/html":          {answer{status: 400, contentType: "text/html", body: errorBody("invalid_grant")}, spacesauth.KindRejectedGrant},
		"invalid_client means the client":                 {answer{status: 401, body: errorBody("invalid_client")}, spacesauth.KindRejectedClient},
		"unauthorized_client means the client":            {answer{status: 400, body: errorBody("unauthorized_client")}, spacesauth.KindRejectedClient},
		"access_denied means the client":                  {answer{status: 403, body: errorBody("access_denied")}, spacesauth.KindRejectedClient},
		"invalid_request means the request":               {answer{status: 400, body: errorBody("invalid_request")}, spacesauth.KindRejectedRequest},
		"invalid_scope means the request":                 {answer{status: 400, body: errorBody("invalid_scope")}, spacesauth.KindRejectedRequest},
		"unsupported_grant_type means the request":        {answer{status: 400, body: errorBody("unsupported_grant_type")}, spacesauth.KindRejectedRequest},
		"temporarily_unavailable passes, as 400":          {answer{status: 400, body: errorBody("temporarily_unavailable")}, spacesauth.KindUnavailable},
		"temporarily_unavailable passes, inside a 200":    {answer{status: 200, body: errorBody("temporarily_unavailable")}, spacesauth.KindUnavailable},
		"server_error passes, as 400":                     {answer{status: 400, body: errorBody("server_error")}, spacesauth.KindUnavailable},
		"server_error passes, inside a 200":               {answer{status: 200, body: errorBody("server_error")}, spacesauth.KindUnavailable},
		"an unknown code is unclear":                      {answer{status: 400, body: errorBody("body-text")}, spacesauth.KindUnclear},
		"an unknown code inside a 200 is unclear":         {answer{status: 200, body: errorBody("body-text")}, spacesauth.KindUnclear},
		"a code of another case is not a known one":       {answer{status: 400, body: errorBody("INVALID_GRANT")}, spacesauth.KindUnclear},
		"other JSON is unclear":                           {answer{status: 400, body: `{"code":7,"message":"body-text"}`}, spacesauth.KindUnclear},
		"an error that is no text is unclear":             {answer{status: 400, body: `{"error":{"code":"invalid_grant"}}`}, spacesauth.KindUnclear},
		"an empty 400 is unclear":                         {answer{status: 400}, spacesauth.KindUnclear},
		"an empty 401 is unclear":                         {answer{status: 401}, spacesauth.KindUnclear},
		"an empty 403 is unclear":                         {answer{status: 403}, spacesauth.KindUnclear},
		"a 404 with a web page is unclear":                {answer{status: 404, contentType: "text/html", body: "<html>body-text</html>"}, spacesauth.KindUnclear},
		"a 400 with a web page is unclear":                {answer{status: 400, contentType: "text/html", body: "<html>body-text</html>"}, spacesauth.KindUnclear},
		"408 passes":                                      {answer{status: 408}, spacesauth.KindUnavailable},
		"425 passes":                                      {answer{status: 425}, spacesauth.KindUnavailable},
		"500 passes":                                      {answer{status: 500}, spacesauth.KindUnavailable},
		"500 passes, though it says invalid_grant":        {answer{status: 500, body: errorBody("invalid_grant")}, spacesauth.KindUnavailable},
		"502 with a web page passes":                      {answer{status: 502, contentType: "text/html", body: "<html>body-text</html>"}, spacesauth.KindUnavailable},
		"503 passes":                                      {answer{status: 503}, spacesauth.KindUnavailable},
		"503 with nothing to wait for passes":             {answer{status: 503, retryAfter: "0"}, spacesauth.KindUnavailable},
		"503 with Retry-After asks for patience":          {answer{status: 503, retryAfter: "1"}, spacesauth.KindThrottled},
		"504 passes":                                      {answer{status: 504}, spacesauth.KindUnavailable},
		"429 asks for patience":                           {answer{status: 429}, spacesauth.KindThrottled},
		"429 asks for patience, though it says otherwise": {answer{status: 429, body: errorBody("invalid_grant")}, spacesauth.KindThrottled},
		"302 passes":                                      {answer{status: 302}, spacesauth.KindUnavailable},
		"304 passes":                                      {answer{status: 304}, spacesauth.KindUnavailable},
		"a 200 without a body is ambiguous":               {answer{status: 200}, spacesauth.KindAmbiguous},
		"a 204 is ambiguous":                              {answer{status: 204}, spacesauth.KindAmbiguous},
		"a 200 with a web page is ambiguous":              {answer{status: 200, contentType: "text/html", body: "<html>body-text</html>"}, spacesauth.KindAmbiguous},
		"a 200 with an empty object is ambiguous":         {answer{status: 200, body: `{}`}, spacesauth.KindAmbiguous},
		"a 200 with a list is ambiguous":                  {answer{status: 200, body: `[]`}, spacesauth.KindAmbiguous},
		"an empty access token alone is ambiguous":        {answer{status: 200, body: `{"access_token":""}`}, spacesauth.KindAmbiguous},
		"a cut connection is ambiguous":                   {answer{cut: true}, spacesauth.KindAmbiguous},
		"a refused connection passes":                     {answer{}, spacesauth.KindUnavailable},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := given.answer.ask(t)
			if kind(t, err) != given.want {
				t.Errorf("the error was %v, want %q", err, given.want)
			}
			if failure := failureOf(err); failure.StatusCode != 0 && failure.StatusCode != given.answer.status {
				t.Errorf("the error tells status %d of %d", failure.StatusCode, given.answer.status)
			}
			if err != nil && !got.AccessToken.Empty() {
				t.Error("a failure gave an access token")
			}
			expectNoSecret(t, err, "body-text", "sent-1", "at-1", "rt-1", appSecret)
		})
	}
}

func TestReadingTokenAnswers(t *testing.T) {
	jwt := func(expiry string) string {
		return "h." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":`+expiry+`}`)) + ".s"
	}
	issued := func(issue, expiry string) string {
		return "h." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":`+expiry+`,"iat":`+issue+`}`)) + ".s"
	}
	noonPlus := func(d time.Duration) string { return fmt.Sprint(noon.Add(d).Unix()) }
	const hour, unknown = time.Hour, 42 * time.Minute
	type want struct {
		kind             spacesauth.Kind
		access, refresh  string
		lifetime         time.Duration
		tokenType, scope string
	}
	for sentence, given := range map[string]struct {
		body string
		want want
	}{
		"expires_in as a number":           {`{"access_token":"a","expires_in":3600}`, want{access: "a", lifetime: hour}},
		"expires_in as text":               {`{"access_token":"a","expires_in":"3600"}`, want{access: "a", lifetime: hour}},
		"expires_in as text with spaces":   {`{"access_token":"a","expires_in":" 3600 "}`, want{access: "a", lifetime: hour}},
		"expires_in as a fraction":         {`{"access_token":"a","expires_in":3600.9}`, want{access: "a", lifetime: hour}},
		"expires_in as a fraction in text": {`{"access_token":"a","expires_in":"3600.9"}`, want{access: "a", lifetime: hour}},
		"expires_in with an exponent":      {`{"access_token":"a","expires_in":3.6e3}`, want{access: "a", lifetime: hour}},
		"expires_in is zero":               {`{"access_token":"a","expires_in":0}`, want{access: "a", lifetime: unknown}},
		"expires_in is negative":           {`{"access_token":"a","expires_in":-1}`, want{access: "a", lifetime: unknown}},
		"expires_in is null":               {`{"access_token":"a","expires_in":null}`, want{access: "a", lifetime: unknown}},
		"expires_in is a word":             {`{"access_token":"a","expires_in":"soon"}`, want{access: "a", lifetime: unknown}},
		"expires_in is without end":        {`{"access_token":"a","expires_in":"Infinity"}`, want{access: "a", lifetime: unknown}},
		"expires_in is an object":          {`{"access_token":"a","expires_in":{"s":9}}`, want{access: "a", lifetime: unknown}},
		"expires_in beyond all bounds": {
			`{"access_token":"a","expires_in":1e300}`, want{access: "a", lifetime: 10 * 365 * 24 * hour}},
		"expires_in is missing": {`{"access_token":"a"}`, want{access: "a", lifetime: unknown}},
		"expires_in is missing, exp counts": {
			`{"access_token":"` + jwt(noonPlus(2*hour)) + `"}`, want{access: jwt(noonPlus(2 * hour)), lifetime: 2 * hour}},
		"expires_in is zero, exp counts": {
			`{"expires_in":0,"access_token":"` + jwt(noonPlus(hour)) + `"}`, want{access: jwt(noonPlus(hour)), lifetime: hour}},
		"expires_in is missing, exp less iat counts": {
			`{"access_token":"` + issued(noonPlus(hour), noonPlus(3*hour)) + `"}`, want{access: issued(noonPlus(hour), noonPlus(3*hour)), lifetime: 2 * hour}},
		"expires_in counts before exp less iat": {
			`{"expires_in":3600,"access_token":"` + issued(noonPlus(0), noonPlus(3*hour)) + `"}`, want{access: issued(noonPlus(0), noonPlus(3*hour)), lifetime: hour}},
		"expires_in counts before exp": {
			`{"expires_in":3600,"access_token":"` + jwt(noonPlus(2*hour)) + `"}`, want{access: jwt(noonPlus(2 * hour)), lifetime: hour}},
		"an exp that is past does not count": {
			`{"access_token":"` + jwt(noonPlus(-hour)) + `"}`, want{access: jwt(noonPlus(-hour)), lifetime: unknown}},
		"an exp that is text does not count": {
			`{"access_token":"` + jwt(`"soon"`) + `"}`, want{access: jwt(`"soon"`), lifetime: unknown}},
		"an exp beyond all bounds does not count": {
			`{"access_token":"` + jwt("1e300") + `"}`, want{access: jwt("1e300"), lifetime: unknown}},
		"a token that only looks like a JWT": {`{"access_token":"a.!.c"}`, want{access: "a.!.c", lifetime: unknown}},

		"token_type is missing":           {`{"access_token":"a"}`, want{access: "a", lifetime: unknown, tokenType: "Bearer"}},
		"token_type in small letters":     {`{"access_token":"a","token_type":"bearer"}`, want{access: "a", lifetime: unknown, tokenType: "Bearer"}},
		"another token_type":              {`{"access_token":"a","token_type":"jwt"}`, want{access: "a", lifetime: unknown, tokenType: "jwt"}},
		"a token_type no header can bear": {`{"access_token":"a","token_type":"x y\r\nz: 1"}`, want{access: "a", lifetime: unknown, tokenType: "Bearer"}},
		"token_type is a number":          {`{"access_token":"a","token_type":7}`, want{access: "a", lifetime: unknown, tokenType: "Bearer"}},

		"scope as text":                 {`{"access_token":"a","scope":"b c"}`, want{access: "a", lifetime: unknown, scope: "b c"}},
		"scope as a list":               {`{"access_token":"a","scope":["b","c"]}`, want{access: "a", lifetime: unknown, scope: "b c"}},
		"scope is a number":             {`{"access_token":"a","scope":7}`, want{access: "a", lifetime: unknown}},
		"control characters in a scope": {`{"access_token":"a","scope":"b\u001b[2Jc\nd"}`, want{access: "a", lifetime: unknown, scope: "b[2Jcd"}},

		"unknown members":          {`{"x":{"y":[1,2]},"access_token":"a","z":null}`, want{access: "a", lifetime: unknown}},
		"space around the object":  {"\r\n {\"access_token\":\"a\"} \n", want{access: "a", lifetime: unknown}},
		"a byte order mark":        {"\xef\xbb\xbf{\"access_token\":\"a\"}", want{access: "a", lifetime: unknown}},
		"an error beside a token":  {`{"error":"","access_token":"a"}`, want{access: "a", lifetime: unknown}},
		"something after the JSON": {`{"access_token":"a"}<!-- served in 3 ms -->`, want{access: "a", lifetime: unknown}},

		"cut after both tokens: they are kept": {
			`{"access_token":"a","refresh_token":"r","expires_in":36`, want{access: "a", refresh: "r", lifetime: unknown}},
		"cut after the refresh token: it is kept": {
			`{"refresh_token":"r","access_token":"a`, want{kind: spacesauth.KindUnavailable, refresh: "r"}},
		"cut after the access token: a refresh token may be lost": {
			`{"access_token":"a","refresh_token":"r`, want{kind: spacesauth.KindAmbiguous}},
		"cut in the first member": {`{"access_tok`, want{kind: spacesauth.KindAmbiguous}},
		"a refresh token without an access token is kept": {
			`{"refresh_token":"r"}`, want{kind: spacesauth.KindUnavailable, refresh: "r"}},
		"a refresh token beside an error is kept": {
			`{"error":"server_error","refresh_token":"r"}`, want{kind: spacesauth.KindUnavailable, refresh: "r"}},
		"an access token that no header can bear": {
			`{"access_token":"a\r\nx: y","refresh_token":"r"}`, want{kind: spacesauth.KindUnavailable, refresh: "r"}},
		"an access token that is a number": {
			`{"access_token":7,"refresh_token":"r"}`, want{kind: spacesauth.KindUnavailable, refresh: "r"}},

		"a body without end after both tokens": {
			`{"access_token":"a","refresh_token":"r","padding":"` + strings.Repeat("x", 1<<20), want{access: "a", refresh: "r", lifetime: unknown}},
		"a body without end before the tokens": {
			`{"padding":"` + strings.Repeat("x", 1<<20) + `","access_token":"a","refresh_token":"r"}`, want{kind: spacesauth.KindAmbiguous}},
	} {
		for _, contentType := range []string{"application/json", "text/html; charset=latin-1", ""} {
			t.Run(sentence+" as "+contentType, func(t *testing.T) {
				got, err := answer{status: 200, contentType: contentType, body: given.body}.ask(t)
				if kind(t, err) != given.want.kind {
					t.Fatalf("the error was %v, want %q", err, given.want.kind)
				}
				if got.AccessToken.Reveal() != given.want.access || got.RefreshToken.Reveal() != given.want.refresh {
					t.Errorf("the tokens were %q and %q", got.AccessToken.Reveal(), got.RefreshToken.Reveal())
				}
				if err != nil {
					return
				}
				if got.Lifetime != given.want.lifetime || got.Scope != given.want.scope {
					t.Errorf("lifetime %v, scope %q", got.Lifetime, got.Scope)
				}
				if given.want.tokenType != "" && got.TokenType != given.want.tokenType {
					t.Errorf("token type %q, want %q", got.TokenType, given.want.tokenType)
				}
			})
		}
	}
}

func TestLongScopesAreCut(t *testing.T) {
	got, err := answer{status: 200, body: `{"access_token":"a","scope":"` + strings.Repeat("ä", 9000) + `"}`}.ask(t)
	if err != nil || len(got.Scope) > 2048 || strings.Trim(got.Scope, "ä") != "" {
		t.Errorf("%d bytes of scope (%v)", len(got.Scope), err)
	}
}

func TestRetryAfter(t *testing.T) {
	for sentence, given := range map[string]struct {
		header string
		want   time.Duration
	}{
		"seconds":                          {"30", 30 * time.Second},
		"a date":                           {noon.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second},
		"a date of the obsolete form":      {noon.Add(90 * time.Second).Format(time.RFC850), 90 * time.Second},
		"seconds beyond the cap":           {"86400", spacesauth.MaxRetryAfter},
		"seconds beyond every number":      {"99999999999999999999999", spacesauth.MaxRetryAfter},
		"a date beyond the cap":            {noon.AddDate(1, 0, 0).Format(http.TimeFormat), spacesauth.MaxRetryAfter},
		"a date in the past":               {noon.Add(-time.Hour).Format(http.TimeFormat), 0},
		"zero":                             {"0", 0},
		"a negative number":                {"-5", 0},
		"a negative number beyond numbers": {"-99999999999999999999999", 0},
		"a fraction":                       {"1.5", 0},
		"a word":                           {"later", 0},
		"nothing":                          {"", 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := answer{status: 429, retryAfter: given.header}.ask(t)
			if failure := failureOf(err); failure.Kind != spacesauth.KindThrottled || failure.RetryAfter != given.want {
				t.Errorf("%s with %v, want %v", failure.Kind, failure.RetryAfter, given.want)
			}
		})
	}
}
