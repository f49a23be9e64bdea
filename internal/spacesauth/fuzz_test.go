package spacesauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	clocktesting "k8s.io/utils/clock/testing"
)

// fuzzNoon is when the fuzzing happens: not at a whole second.
var fuzzNoon = time.Date(2030, 1, 2, 12, 0, 0, 700_000_000, time.UTC)

// kinds are the classes that a failed call may have.
var kinds = []Kind{
	KindRejectedGrant, KindRejectedClient, KindRejectedRequest, KindUnclear, KindThrottled, KindUnavailable, KindAmbiguous,
}

// details are all that an error may say of an answer. An error text that is none of the
// few made of them has repeated something.
var details = []string{
	"no known error code", "a redirect, which is not followed", "the answer could not be read",
	"the answer holds a refresh token that is longer than 4 KiB or no visible ASCII, and cannot be kept",
	"the answer holds a refresh token but no usable access token", "the answer holds no usable token",
	"a web page, which confirms nothing",
}

// canned is a transport that reads the request and answers the same to each.
type canned struct {
	status     int
	retryAfter string
	body       []byte
}

// RoundTrip implements [http.RoundTripper].
func (c canned) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return nil, err
		}
	}
	header := http.Header{"Content-Type": {"text/plain"}}
	if c.retryAfter != "" {
		header.Set("Retry-After", c.retryAfter)
	}
	return &http.Response{
		StatusCode: c.status, Header: header, Body: io.NopCloser(bytes.NewReader(c.body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
	}, nil
}

// answering is a client whose service answers so.
func answering(c canned) *Client {
	return &Client{
		environment: withDefaults(Environment{Name: "test", AccountsURL: "https://accounts.test", APIURL: "https://api.test"}),
		clock:       clocktesting.NewFakePassiveClock(fuzzNoon),
		lifetime:    time.Hour,
		http: &http.Client{
			Transport:     c,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// expectKnownFailure expects an error of the package that tells nothing of the answer.
func expectKnownFailure(t *testing.T, err error, status int) {
	t.Helper()
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("the error is a %T", err)
	}
	if !slices.Contains(kinds, failure.Kind) {
		t.Errorf("the kind is %q", failure.Kind)
	}
	if failure.StatusCode != status {
		t.Errorf("the status is %d, want %d", failure.StatusCode, status)
	}
	if failure.RetryAfter < 0 || failure.RetryAfter > MaxRetryAfter {
		t.Errorf("the patience is %s", failure.RetryAfter)
	}
	if failure.Code != "" && kindsByCode[failure.Code] == "" {
		t.Errorf("an unknown code is told: %q", failure.Code)
	}
	for code := range kindsByCode {
		if err.Error() == fmt.Sprintf("the service answered %d %s", status, code) {
			return
		}
	}
	for _, detail := range details {
		if err.Error() == fmt.Sprintf("the service answered %d: %s", status, detail) {
			return
		}
	}
	t.Errorf("the error is none of those that are known: %q", err)
}

// expectUsable expects an answer that can be published as it is.
func expectUsable(t *testing.T, got Answer) {
	t.Helper()
	if got.AccessToken.Empty() || headerSafe(got.AccessToken.Reveal()) == "" {
		t.Errorf("the access token cannot stand in a header: %q", got.AccessToken.Reveal())
	}
	for _, r := range got.AccessToken.Reveal() + got.TokenType {
		if r <= ' ' || r > '~' {
			t.Fatalf("%q cannot stand in a header", r)
		}
	}
	if got.TokenType == "" {
		t.Error("there is no token type")
	}
	if got.Lifetime < time.Second || got.Lifetime > maxLifetime || got.Lifetime%time.Second != 0 {
		t.Errorf("the lifetime is %s", got.Lifetime)
	}
	if !got.IssueTime.Equal(fuzzNoon) {
		t.Errorf("it was issued at %s", got.IssueTime)
	}
	expectPlain(t, got.Scope, maxText)
	expectPlain(t, got.TokenType, maxText)
}

// expectPlain expects a bounded text without control characters.
func expectPlain(t *testing.T, value string, most int) {
	t.Helper()
	if len(value) > most || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		t.Errorf("not bounded and plain: %d bytes, %.80q", len(value), value)
	}
}

// lastToken finds the last refresh token of a JSON object that is whole, by what the
// scanner of encoding/json says and not by the reader that is tested.
func lastToken(body []byte) (token string, whole bool) {
	var fields struct {
		Token json.RawMessage `json:"refresh_token"`
	}
	var exact map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(body, &exact) != nil {
		return "", false
	}
	_ = json.Unmarshal(exact["refresh_token"], &token)
	return token, true
}

// FuzzTokenAnswer says anything to a refresh.
func FuzzTokenAnswer(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `[]`, `null`, `"text"`, `<html>no</html>`, "\xef\xbb\xbf" + `{"access_token":"at"}`,
		`{"access_token":"at-1","refresh_token":"rt-1","id_token":"a.eyJzdWIiOiJ4In0.c","token_type":"bearer","expires_in":3600,"scope":"email spaces"}`,
		`{"access_token":"at-1","refresh_token":"rt-1","expires_in":"3600.9","scope":["a","b"]}`,
		`{"access_token":"at-1","expires_in":0}`, `{"access_token":"at-1","expires_in":-1}`, `{"access_token":"at-1","expires_in":1e300}`,
		`{"access_token":"at-1","expires_in":"NaN"}`, `{"access_token":"at-1","expires_in":"0x1p4"}`, `{"access_token":"at-1","expires_in":0.5}`,
		`{"access_token":"at-1","expires_in":true,"token_type":"Bear\u0007er","scope":"a\nb\u0000"}`,
		`{"access_token":"at\r\nX: y","refresh_token":"rt-1"}`, `{"access_token":7,"refresh_token":"rt-1"}`,
		`{"error":"invalid_grant","error_description":"secret"}`, `{"error":"server_error","refresh_token":"rt-1"}`, `{"error":{"code":"invalid_grant"}}`,
		`{"refresh_token":"rt-1","access_token":"at-`, `{"refresh_token":"rt-1","expires_in":36`, `{"refresh_token":"rt-1"`,
		`{"refresh_token":"rt-1","refresh_token":"rt-2"}`, `{"scope":"` + strings.Repeat("ä", maxText) + `","access_token":"a"}`,
		`{"access_token":"a.` + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, fuzzNoon.Unix()+1)) + `.b"}`,
		`{"access_token":"a.` + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":99999999999}`)) + `.b"}`,
	} {
		f.Add(200, "", []byte(body))
		f.Add(400, "", []byte(body))
	}
	f.Add(429, "7", []byte(`{}`))
	f.Add(503, "Wed, 02 Jan 2030 12:30:00 GMT", []byte("<html>"))
	f.Add(302, "", []byte(`{"refresh_token":"rt"}`))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		if status < 100 || status > 999 {
			status = 200 + (status&0x7fffffff)%400
		}
		grant := RefreshTokenGrant{RefreshToken: NewSecret("sent")}
		got, err := answering(canned{status, retryAfter, body}).Token(context.Background(), Application{ID: "app", Secret: NewSecret("secret")}, grant, nil)
		good := status >= 200 && status <= 299
		switch {
		case err != nil:
			expectKnownFailure(t, err, status)
			if !got.AccessToken.Empty() && got.RefreshToken.Empty() {
				t.Error("a failure came with an access token alone")
			}
		case !good:
			t.Errorf("%d is a success", status)
		default:
			expectUsable(t, got)
		}
		if token, whole := lastToken(body); good && whole && token != "" && len(body) < maxBody && got.RefreshToken.Reveal()+got.Unkeepable.Reveal() != token {
			t.Errorf("the refresh token %q is lost: got %q", token, got.RefreshToken.Reveal())
		}
		if !good && !got.RefreshToken.Empty() {
			t.Error("a refresh token was taken from a refusal")
		}
	})
}

// FuzzRefreshTokenBeforeDamage puts a whole refresh token before anything: an answer
// that broke off, or that a proxy spoiled, must not cost the grant.
func FuzzRefreshTokenBeforeDamage(f *testing.F) {
	for _, after := range []string{
		"", "}", `,`, `,"`, `,"access_token"`, `,"access_token":`, `,"access_token":"at`, `,"access_token":"at"`, `,"access_token":"at"}`,
		`,"access_token":"at"}}}`, `,"expires_in":3`, `,"expires_in":3}`, `,"x":{"y":[`, "\x00", `<html>`, `"again"`, ` `, `:`, `,"x":tru`, `,"x":"\u12`,
		`,"x":` + strings.Repeat("[", 20000), `,"error":"invalid_grant"}`, `,,`, `]`,
	} {
		f.Add("", "rt-1", []byte(after))
		f.Add(`"scope":["a"],"expires_in":60`, "rt \u00e4\"\\", []byte(after))
		f.Add("", "rt\"\\"+strings.Repeat("x", 4096), []byte(after))
	}
	f.Fuzz(func(t *testing.T, before, token string, after []byte) {
		if before != "" && !json.Valid([]byte("{"+before+"}")) {
			return
		}
		if token == "" || !utf8.ValidString(token) || bytes.Contains(after, []byte("refresh_token")) || bytes.Contains(after, []byte(`\u`)) {
			return // another one may follow
		}
		written, err := json.Marshal(token)
		if err != nil {
			t.Fatal(err)
		}
		body := "{" + before
		if strings.TrimSpace(before) != "" {
			body += ","
		}
		body += `"refresh_token":` + string(written)
		if len(body) >= maxBody {
			return
		}
		got, err := answering(canned{status: 200, body: append([]byte(body), after...)}).
			Token(context.Background(), Application{ID: "app"}, RefreshTokenGrant{RefreshToken: NewSecret("sent")}, nil)
		if held := got.RefreshToken.Reveal() + got.Unkeepable.Reveal(); held != token {
			t.Errorf("it is lost (%v)", err)
		}
		if keepable := bounded(token, MaxRefreshToken) != ""; keepable == got.RefreshToken.Empty() || !keepable && KindOf(err) != KindRejectedGrant {
			t.Errorf("of %d bytes, kept: %v (%v)", len(token), !got.RefreshToken.Empty(), err)
		}
		if err != nil {
			expectKnownFailure(t, err, 200)
		}
	})
}

// FuzzGuestAnswer says anything to a new guest, and puts anything into the token.
func FuzzGuestAnswer(f *testing.F) {
	for _, claims := range []string{
		``, `{}`, `{"exp":1893585601}`, fmt.Sprintf(`{"exp":%d}`, fuzzNoon.Unix()), fmt.Sprintf(`{"exp":%d}`, fuzzNoon.Unix()+1), `{"exp":1893600000.5}`, `{"exp":"1893600000"}`, `{"exp":1e12}`, `{"exp":1e300}`, `{"exp":-1}`, `{"exp":null}`, `[]`,
		`{"exp":1893585600,"iat":1893582000}`, `{"exp":1893585600,"iat":1893589200}`, `{"exp":1e11,"iat":1}`, `{"exp":2.5,"iat":1.75}`, `{"exp":7,"iat":"x"}`,
	} {
		f.Add(200, []byte(claims), []byte(nil))
	}
	for _, body := range []string{`{"token":"a.b.c"}`, `{"token":""}`, `{"token":"a b"}`, `{"error":"invalid_request"}`, `{"error":"x","token":"a"}`, `{"token":"a"`, `<html>`} {
		f.Add(200, []byte(nil), []byte(body))
		f.Add(403, []byte(nil), []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, claims, body []byte) {
		if status < 100 || status > 999 {
			status = 200
		}
		if len(body) == 0 {
			body = fmt.Appendf(nil, `{"token":"e30.%s.c2ln"}`, base64.RawURLEncoding.EncodeToString(claims))
		}
		got, err := answering(canned{status: status, body: body}).Guest(context.Background(), Guest{DisplayName: "a guest"}, nil)
		if err != nil {
			expectKnownFailure(t, err, status)
			if !got.AccessToken.Empty() {
				t.Error("a failure came with a token")
			}
			return
		}
		if status < 200 || status > 299 {
			t.Errorf("%d is a success", status)
		}
		expectUsable(t, got)
		if got.TokenType != GuestTokenType || !got.RefreshToken.Empty() {
			t.Errorf("a guest has %q and a refresh token: %v", got.TokenType, !got.RefreshToken.Empty())
		}
	})
}

// FuzzLookups says anything to the other calls: revocation, token info and profile.
func FuzzLookups(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `{"error":"invalid_grant"}`, `{"error":"invalid_token"}`, `{"error":"secret"}`, `{"username":"a\u0000b","_id":"x"}`,
		`{"audience":"app","user_id":"u","user":{"username":"bot@example.test"}}`, `{"audience":"` + strings.Repeat("ä", 300) + `","user":[]}`, `<html>`,
	} {
		for _, status := range []int{200, 401, 404, 429, 500} {
			f.Add(status, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status > 999 {
			status = 200
		}
		client, token := answering(canned{status: status, body: body}), NewSecret("token-that-was-sent")
		if err := client.Revoke(context.Background(), Application{ID: "app"}, token); err != nil {
			expectKnownFailure(t, err, status)
		} else if status >= 500 || status == 429 || status >= 300 && status <= 399 || bytes.HasPrefix(body, []byte("<")) {
			t.Errorf("%d with %.20q counts as revoked", status, body)
		}
		info, err := client.TokenInfo(context.Background(), token)
		if err != nil {
			expectKnownFailure(t, err, status)
		}
		profile, err := client.UserProfile(context.Background(), "Bearer", token)
		if err != nil {
			expectKnownFailure(t, err, status)
		}
		for _, told := range []string{info.Audience, info.Username, info.UserID, profile.Username, profile.UserID} {
			expectPlain(t, told, maxIdentity)
		}
	})
}

// FuzzIdentityOf reads whose token it is from anything.
func FuzzIdentityOf(f *testing.F) {
	for _, claims := range []string{
		`{"email":"bot@example.test","sub":"4711"}`, `{"email":"a\u0000\u001b[31m\u0085b","sub":"\ufffd"}`, `{"email":7,"sub":null}`,
		`{"email":"` + strings.Repeat("€", 200) + `"}`, `{"email":"\ud800"}`, "{\"email\":\"\xff\"}", `[]`, ``,
	} {
		f.Add("", []byte(claims))
	}
	for _, raw := range []string{"", ".", "..", "...", "a.b.c", "a.e30.c", "a.e30=.c", "a.!!.c"} {
		f.Add(raw, []byte(nil))
	}
	f.Fuzz(func(t *testing.T, raw string, claims []byte) {
		if raw == "" {
			raw = "e30." + base64.RawURLEncoding.EncodeToString(claims) + ".c2ln"
		}
		who := IdentityOf(NewSecret(raw))
		expectPlain(t, who.Username, maxIdentity)
		expectPlain(t, who.UserID, maxIdentity)
		if lifetime := lifetimeByClaims(NewSecret(raw), fuzzNoon); lifetime != 0 && (lifetime < time.Second || lifetime > maxLifetime || lifetime%time.Second != 0) {
			t.Errorf("it lives for %s", lifetime)
		}
	})
}

// FuzzRetryAfter reads patience from anything.
func FuzzRetryAfter(f *testing.F) {
	for _, header := range []string{
		"", "0", "1", "3600", "3601", "99999999999999999999", "-1", "+5", "1.5", " 7 ", "0x10",
		"Wed, 02 Jan 2030 12:30:00 GMT", "Wed, 02 Jan 2030 11:30:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT",
		"Wednesday, 02-Jan-30 12:30:00 GMT", "Wed Jan  2 12:30:00 2030", "soon",
	} {
		f.Add(header, fuzzNoon.Unix())
	}
	f.Fuzz(func(t *testing.T, header string, seconds int64) {
		now := time.Unix(seconds, 0)
		wait := retryAfter(header, now)
		if wait < 0 || wait > MaxRetryAfter {
			t.Fatalf("the wait is %s", wait)
		}
		if date, err := http.ParseTime(strings.TrimSpace(header)); err == nil && date.After(now) != (wait > 0) {
			t.Errorf("until %s it waits %s", date, wait)
		}
	})
}

// FuzzParseEnvironments reads any environments file. In it PROXY stands for a proxy URL
// with user info, which a person may have put anywhere.
func FuzzParseEnvironments(f *testing.F) {
	const (
		proxy  = "http://bob:Tr0ub4dor@proxy.test:3128"
		secret = "Tr0ub4dor"
		entry  = "environments:\n- name: local\n  accountsURL: https://a.test\n  apiURL: https://b.test\n"
	)
	for _, content := range []string{
		"", "{}", "builtIn: false", "builtIn: true", "- a", "a: b", entry, entry + "  proxyURL: PROXY\n", entry + "  proxyURL: [PROXY]\n",
		entry + "  proxyURL: ftp+PROXY\n", entry + "  proxyURL: PROXY%zz\n", entry + "  proxyURl: PROXY\n", entry + "  PROXY: x\n", entry + "PROXY\n", entry + "  ? PROXY\n  : PROXY\n",
		entry + "  caFile: PROXY\n  burst: PROXY\n", entry + "  burst: !!int PROXY\n", entry + "  namespaces: PROXY\n", entry + "  socketURL: PROXY\n",
		"environments: PROXY", "environments: [PROXY]", "environments: [{name: PROXY}]", "environments: [{name: PROXY}, {name: PROXY}]", "builtIn: PROXY",
		"environments: [{name: local, accountsURL: PROXY, apiURL: PROXY}]", "environments: [{name: production, accountsURL: PROXY}]",
		"environments: [{name: production, PROXY}]", "{? {a: PROXY} : b}", "a: *PROXY", "PROXY: a\nPROXY: b", "a: &x [PROXY, *x]", "\tPROXY", "'PROXY", "!PROXY",
		"environments: [{name: staging, socketURL: 'ws://[::1]', accountsURL: 'http://127.0.0.1:1/', apiURL: 'http://localhost'}]",
		"environments: [{name: staging, requestsPerSecond: .inf, burst: -1, timeoutSeconds: 601}]", "environments: [{name: staging, requestsPerSecond: .nan}]",
		"environments: [{name: staging, requestsPerSecond: 1e-300, burst: 1, timeoutSeconds: 600, namespaces: []}]",
		"environments: [{name: staging, accountsURL: 'http://a.test'}]", "environments: [{name: staging, accountsURL: 'https://a.test?x'}]", "environments: [{name: a}, {name: a}]",
	} {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if strings.Contains(content, secret) {
			return
		}
		environments, err := ParseEnvironments([]byte(strings.ReplaceAll(content, "PROXY", proxy)))
		if err != nil {
			if said := err.Error(); strings.Contains(said, secret) || strings.ContainsAny(said, "\n\r") {
				t.Errorf("the error is no line that may be shown: %q", said)
			}
			return
		}
		if len(environments) == 0 {
			t.Error("there is no environment")
		}
		for name, e := range environments {
			if e.Name != name || !validName.MatchString(name) {
				t.Errorf("%q stands under %q", e.Name, name)
			}
			expectSafeURL(t, e.AccountsURL, "https")
			expectSafeURL(t, e.APIURL, "https")
			if e.SocketURL != "" {
				expectSafeURL(t, e.SocketURL, "wss")
			}
			// The comparisons are false for NaN.
			if !(e.RequestsPerSecond > 0 && e.RequestsPerSecond < 1e300) || e.Burst <= 0 || e.TimeoutSeconds <= 0 || e.Timeout() > 10*time.Minute {
				t.Errorf("its pace is %v, %d, %d", e.RequestsPerSecond, e.Burst, e.TimeoutSeconds)
			}
			e.CAFile = ""
			if _, err := New(e); err != nil {
				t.Errorf("there can be no client of it: %v", err)
			}
		}
	})
}

// expectSafeURL expects a URL to which a secret may be sent.
func expectSafeURL(t *testing.T, value, secure string) {
	t.Helper()
	parsed, err := url.Parse(value)
	if err != nil || parsed.Host == "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		t.Errorf("%q is no URL of a host", value)
		return
	}
	ip := net.ParseIP(parsed.Hostname())
	if parsed.Scheme != secure && !strings.EqualFold(parsed.Hostname(), "localhost") && (ip == nil || !ip.IsLoopback()) {
		t.Errorf("%q is not safe", value)
	}
	if _, err := http.NewRequest(http.MethodPost, value+tokenPath, nil); err != nil {
		t.Errorf("%q cannot be asked", value)
	}
}
