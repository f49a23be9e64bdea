package spacestoken_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
	"github.com/spaces-operator/spaces-credential-operator/spacestoken"
)

const lifetime = time.Hour

// clock is stepped by the test.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanoseconds.Store(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanoseconds.Load()).UTC() }
func (c *clock) step(span time.Duration) { c.nanoseconds.Add(int64(span)) }

// world is a service, a volume with a token of it, and a Source of that volume.
type world struct {
	*testing.T
	*clock
	spaces *fakespaces.Service
	server *httptest.Server
	volume *testbed.Volume
	source *spacestoken.Source
	client string // refresh token of the grant
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, clock: newClock(), volume: &testbed.Volume{Path: t.TempDir()}}
	w.spaces = fakespaces.New(fakespaces.WithNow(w.now), fakespaces.WithTokenLifetime(lifetime), fakespaces.WithClient("app", "secret"), fakespaces.WithTokensEndAtRotation(true))
	w.server = httptest.NewServer(w.spaces)
	t.Cleanup(w.server.Close)
	w.client = w.spaces.IssueGrant("app", "bot@example.test")
	w.source = spacestoken.New(w.volume.Path, spacestoken.WithClock(w.now))
	return w
}

// renew has the service give the next token of the grant, which ends the one before.
func (w *world) renew() string {
	w.Helper()
	config := &oauth2.Config{ClientID: "app", ClientSecret: "secret", Endpoint: oauth2.Endpoint{
		TokenURL: w.server.URL + "/oauth2/access_token", AuthStyle: oauth2.AuthStyleInParams,
	}}
	token, err := config.TokenSource(w.Context(), &oauth2.Token{RefreshToken: w.client}).Token()
	if err != nil {
		w.Fatal(err)
	}
	w.client = token.RefreshToken
	return token.AccessToken
}

// mount writes a token into the volume.
func (w *world) mount(token string, end time.Time) {
	w.Helper()
	w.write(testbed.TokenFiles(token, "Bearer", w.server.URL, end))
}

func (w *world) write(files map[string]string) {
	w.Helper()
	if err := w.volume.Write(files); err != nil {
		w.Fatal(err)
	}
}

// publish renews and mounts the new token.
func (w *world) publish() string {
	w.Helper()
	token := w.renew()
	w.mount(token, w.now().Add(lifetime))
	return token
}

func (w *world) expectToken(want string) {
	w.Helper()
	token, err := w.source.Token()
	if err != nil {
		w.Fatal(err)
	}
	if token.AccessToken != want {
		w.Error("another token was given than the one that was wanted")
	}
}

// get calls the service by a Transport, and gives the status.
func (w *world) get(client *http.Client, url string) int {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// guestOf asks a service for the token of a guest.
func guestOf(url string) string {
	response, err := (&http.Client{}).Post(url+"/api/anonymous/auth", "application/json", strings.NewReader(`{"displayname": "A guest"}`))
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	var answer struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		panic(err)
	}
	return answer.Token
}
