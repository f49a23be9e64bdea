package expect_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces/expect"
)

var _ expect.T = (*testing.T)(nil)

// client calls a service that remembers a password as a secret.
type client struct {
	*testing.T
	*fakespaces.Service
	server *httptest.Server
}

func newClient(t *testing.T) *client {
	c := &client{T: t, Service: fakespaces.New(fakespaces.WithClient("app", "app-secret"), fakespaces.WithUser("bot@example.test", "hunter2"))}
	c.server = httptest.NewServer(c.Service)
	t.Cleanup(c.server.Close)
	return c
}

// post gives access and refresh token, if there are some.
func (c *client) post(path string, form url.Values) (access, refresh string) {
	c.Helper()
	form.Set("client_id", "app")
	form.Set("client_secret", "app-secret")
	response, err := c.server.Client().PostForm(c.server.URL+path, form)
	if err != nil {
		c.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if response.StatusCode == http.StatusOK && path == "/oauth2/access_token" {
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			c.Fatal(err)
		}
	}
	return answer.Access, answer.Refresh
}

func (c *client) refresh(token string) (access, refresh string) {
	return c.post("/oauth2/access_token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// told is what an expectation says, and must say with its result.
func told(t *testing.T, expectation func(expect.T) bool) string {
	t.Helper()
	found := &expect.Finding{}
	if fine := expectation(found); fine != (found.String() == "") {
		t.Errorf("it gives %t and says %q", fine, found)
	}
	return found.String()
}

func says(t *testing.T, said string, parts ...string) {
	t.Helper()
	if len(parts) == 0 && said != "" {
		t.Errorf("it says %q, and nothing is wrong", said)
	}
	for _, part := range parts {
		if !strings.Contains(said, part) {
			t.Errorf("it says %q, and not %q", said, part)
		}
	}
}

func TestAGrantThatIsLeftIsNamed(t *testing.T) {
	c := newClient(t)
	left := func() string {
		return told(t, func(f expect.T) bool { return expect.NoGrantLeft(f, c.Ledger()) })
	}
	says(t, left())
	revoked := c.IssueGrant("app", "first@example.test")
	token := c.IssueGrant("app", "second@example.test")
	_, token = c.refresh(token)
	c.post("/oauth2/revoke_token", url.Values{"refresh_token": {revoked}})
	said := left()
	says(t, said, "1 of 2 grants are left alive:\n  grant-2 of second@example.test (client app, seed, since ", "): refreshed 1 times")
	if strings.Contains(said, "first@") {
		t.Errorf("it names a grant that was revoked: %q", said)
	}
	c.post("/oauth2/revoke_token", url.Values{"refresh_token": {token}})
	says(t, left())
}

func TestATokenThatIsSentAgainIsNamed(t *testing.T) {
	c := newClient(t)
	again := func() string {
		return told(t, func(f expect.T) bool { return expect.NothingSentAgain(f, c.Ledger()) })
	}
	lost := func() string {
		return told(t, func(f expect.T) bool { return expect.NoGrantLost(f, c.Ledger()) })
	}
	c.IssueGrant("app", "first@example.test")
	token := c.IssueGrant("app", "second@example.test")
	// The answer that got lost is asked for again: that is no mistake.
	c.SetReuseDetection(false)
	c.Next(fakespaces.OperationRefresh, fakespaces.FaultHTML502After)
	c.refresh(token)
	c.refresh(token)
	_, next := c.refresh(c.IssueGrant("app", "third@example.test"))
	says(t, again())
	c.SetReuseDetection(true)
	_, newer := c.refresh(next)
	if newer == "" {
		t.Fatal("the service gave no token")
	}
	says(t, lost())
	c.refresh(next)
	says(t, again(), "1 of 3 grants", "grant-3 of third@example.test", "refresh tokens 1 times, its code 0 times")
	says(t, lost(), "1 of 3 grants were ended by the service", "grant-3", "reuse detected")

	code := url.Values{"grant_type": {"authorization_code"}, "code": {c.IssueCode("app", "fourth@example.test", "http://localhost:3000", "")}, "redirect_uri": {"http://localhost:3000"}}
	c.post("/oauth2/access_token", code)
	c.post("/oauth2/access_token", code)
	says(t, again(), "2 of 4 grants", "grant-4 of fourth@example.test", "refresh tokens 0 times, its code 1 times")
}

func TestTwoRefreshesAtOnceAreNamed(t *testing.T) {
	c := newClient(t)
	at := func() string {
		return told(t, func(f expect.T) bool { return expect.NoConcurrentRefreshes(f, c.Ledger()) })
	}
	c.SetRotation(fakespaces.RotateNever)
	token := c.IssueGrant("app", "bot@example.test")
	c.refresh(token)
	says(t, at())
	arrived, release := make(chan struct{}), make(chan struct{})
	c.InterceptAnswer(func(fakespaces.Call) {
		arrived <- struct{}{}
		<-release
	})
	done := make(chan struct{})
	for range 2 {
		go func() {
			c.refresh(token)
			done <- struct{}{}
		}()
		<-arrived
	}
	close(release)
	<-done
	<-done
	says(t, at(), "1 of 1 grants were refreshed twice at once", "grant-1")
}

func TestASecretWhoseTokenDoesNotWorkIsNamed(t *testing.T) {
	c := newClient(t)
	access, refresh := c.refresh(c.IssueGrant("app", "bot@example.test"))
	good := func() map[string][]byte {
		return map[string][]byte{"access_token": []byte(access), "token_type": []byte("Bearer"), "authorization": []byte("Bearer " + access), "expires_at": []byte("2126-11-26T10:00:00Z")}
	}
	works := func(data map[string][]byte) string {
		said := told(t, func(f expect.T) bool { return expect.TokenWorks(f, c, "team-a/bot-token", data) })
		if strings.Contains(said, access) {
			t.Errorf("it shows the token: %q", said)
		}
		return said
	}
	says(t, works(good()))
	for key, c := range map[string]struct{ value, says string }{
		"authorization": {"Bearer x", "authorization is not token_type and this token"},
		"expires_at":    {"soon", `expires_at is "soon", and no time`},
		"access_token":  {"", "team-a/bot-token holds no access_token; its keys are [access_token authorization expires_at token_type]"},
	} {
		data := good()
		data[key] = []byte(c.value)
		says(t, works(data), c.says, "team-a/bot-token")
	}
	c.post("/oauth2/revoke_token", url.Values{"refresh_token": {refresh}})
	says(t, works(good()), "team-a/bot-token, token ", ": the service does not take it", "2126-11-26T10:00:00Z")
}

func TestASecretInATextIsNamed(t *testing.T) {
	c := newClient(t)
	in := func(text string) string {
		said := told(t, func(f expect.T) bool { return expect.NoSecretIn(f, c, map[string]string{"a log": text}) })
		if strings.Contains(said, "hunter2") {
			t.Errorf("it shows the secret: %q", said)
		}
		return said
	}
	says(t, in("nothing\nto see"))
	says(t, in("nothing\nto see but hunter2"), "a log holds secret number 1 of Secrets() in line 2")
}
