package fakespaces_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

const (
	app       = "app-1"
	appSecret = "app-secret"
	bot       = "bot@example.test"
	botSecret = "hunter2"
)

// world is a service behind a real socket, with a clock that stands still
// until it is moved, one application and one user.
type world struct {
	*testing.T
	*fakespaces.Service
	server *httptest.Server
	url    string
	client *http.Client

	mutex sync.Mutex
	time  time.Time
}

func newWorld(t *testing.T, options ...fakespaces.Option) *world {
	w := &world{T: t, time: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.Service = fakespaces.New(append([]fakespaces.Option{
		fakespaces.WithNow(w.now),
		fakespaces.WithClient(app, appSecret),
		fakespaces.WithUser(bot, botSecret),
	}, options...)...)
	server := httptest.NewServer(w.Service)
	t.Cleanup(server.Close)
	w.server = server
	w.url = server.URL
	w.client = server.Client()
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w
}

func (w *world) now() time.Time {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.time
}

func (w *world) pass(d time.Duration) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.time = w.time.Add(d)
}

// reply is what a client saw of an answer.
type reply struct {
	status  int
	header  http.Header
	body    string
	fields  map[string]any // nil if the body is no JSON object
	err     error          // no answer, or a body that broke off
	refresh string
	access  string
}

func (r reply) text(name string) string { text, _ := r.fields[name].(string); return text }

func (w *world) send(ctx context.Context, method, path, bearer string, form url.Values) reply {
	header := http.Header{}
	if form != nil {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		header.Set("Authorization", "Bearer "+bearer)
	}
	return w.sendAs(ctx, method, path, header, form.Encode())
}

// sendAs sends a call with exactly this header and body.
func (w *world) sendAs(ctx context.Context, method, path string, header http.Header, body string) reply {
	request, err := http.NewRequestWithContext(ctx, method, w.url+path, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	request.Header = header
	response, err := w.client.Do(request)
	if err != nil {
		return reply{err: err}
	}
	defer response.Body.Close()
	// As a careful client does: a bounded read.
	read, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	seen := reply{status: response.StatusCode, header: response.Header, body: string(read), err: err}
	if json.Unmarshal(read, &seen.fields) != nil {
		seen.fields = nil
	}
	seen.access, seen.refresh = seen.text("access_token"), seen.text("refresh_token")
	return seen
}

func (w *world) post(path string, form url.Values) reply {
	return w.send(context.Background(), http.MethodPost, path, "", form)
}

// values makes a form from names and values, leaving out empty ones.
func values(pairs ...string) url.Values {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	return form
}

func passwordForm() url.Values {
	return values("grant_type", "password", "client_id", app, "client_secret", appSecret,
		"username", bot, "password", botSecret, "scope", "email profile spaces")
}

func refreshForm(token string) url.Values {
	return values("grant_type", "refresh_token", "client_id", app, "client_secret", appSecret, "refresh_token", token)
}

func revokeForm(token string) url.Values {
	return values("grant_type", "revoke_token", "client_id", app, "refresh_token", token)
}

func (w *world) signIn() reply { return w.post("/oauth2/access_token", passwordForm()) }
func (w *world) refresh(token string) reply {
	return w.post("/oauth2/access_token", refreshForm(token))
}
func (w *world) revoke(token string) reply { return w.post("/oauth2/revoke_token", revokeForm(token)) }
func (w *world) whoAmI(token string) reply {
	return w.send(context.Background(), http.MethodGet, "/api/users/me", token, nil)
}

func (w *world) expectStatus(got reply, status int) {
	w.Helper()
	if got.err != nil || got.status != status {
		w.Fatalf("status %d, error %v, body %q; want status %d", got.status, got.err, got.body, status)
	}
}

func (w *world) expectRefusal(got reply, status int, code string) {
	w.Helper()
	w.expectStatus(got, status)
	if got.text("error") != code {
		w.Fatalf("error code %q; want %q", got.text("error"), code)
	}
}

func (w *world) expectWorks(token string, want bool) {
	w.Helper()
	status := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[want]
	if got := w.TokenWorks(token); got != want {
		w.Errorf("TokenWorks is %v; want %v", got, want)
	}
	if got := w.whoAmI(token); got.status != status {
		w.Errorf("users/me answers %d; want %d", got.status, status)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v; want %v", what, got, want)
	}
}
