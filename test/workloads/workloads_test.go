package workloads

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	profile = "/api/users/me"
	// away is redirected to another host.
	away = "/away"
	// patience bounds a whole story.
	patience = 2 * time.Minute
)

func TestTheProgramsOfThePageFollowTheToken(t *testing.T) {
	programs, err := Page("../../docs/workloads.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		t.Run(program.Mark, func(t *testing.T) {
			for _, name := range []string{program.Run[0], program.Needs} {
				if _, err := exec.LookPath(name); err != nil {
					t.Skipf("skipped: there is no %s here", name)
				}
			}
			t.Parallel()
			file := filepath.Join(t.TempDir(), program.File)
			if err := os.WriteFile(file, []byte(program.Text), 0o600); err != nil {
				t.Fatal(err)
			}
			follow(t, append(program.Run, file))
		})
	}
}

// follow tells the story of a token to one program.
func follow(t *testing.T, command []string) {
	m := mount(t)
	m.publish()
	w := start(t, m.volume.Path, command)
	calls := func() int { return m.spaces.Ledger().Calls[fakespaces.OperationProfile] }
	expect := func(path, status string, sent int, because string) {
		t.Helper()
		before := calls()
		if got := w.call(path); got != status || calls()-before != sent {
			t.Errorf("%s: status %q after %d calls, want %s after %d", because, got, calls()-before, status, sent)
		}
	}
	expect(profile, "200", 1, "the first token")
	for range 3 {
		m.publish()
		expect(profile, "200", 1, "the token was replaced before the call")
	}
	var once sync.Once
	m.spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		if call.Operation == fakespaces.OperationProfile {
			once.Do(m.publish)
		}
		return fakespaces.NoFault
	})
	expect(profile, "200", 2, "the token was replaced while the call was under way")
	m.renew()
	expect(profile, "401", 1, "the token was replaced, but not yet in the folder")
	m.publish()
	expect(profile, "200", 1, "the folder has followed")
	w.call(away)
	for _, header := range m.heard() {
		if header != "" {
			t.Error("the token was carried to another host")
		}
	}
}

// mounted is a token of a service that ends it with the next one, in a volume.
type mounted struct {
	*testing.T
	spaces  *fakespaces.Service
	url     string
	volume  testbed.Volume
	refresh string

	mutex sync.Mutex
	// elsewhere are the Authorization headers that another host was sent.
	elsewhere []string
}

func mount(t *testing.T) *mounted {
	t.Helper()
	m := &mounted{T: t, volume: testbed.Volume{Path: t.TempDir()}}
	m.spaces = fakespaces.New(fakespaces.WithClient("app", "secret"), fakespaces.WithTokensEndAtRotation(true))
	m.refresh = m.spaces.IssueGrant("app", "bot@example.test")
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m.mutex.Lock()
		defer m.mutex.Unlock()
		m.elsewhere = append(m.elsewhere, r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	paths := http.NewServeMux()
	// Another host is what the name says; by another port alone some clients see the same one.
	paths.Handle(away, http.RedirectHandler(strings.Replace(other.URL, "127.0.0.1", "localhost", 1), http.StatusFound))
	paths.Handle("/", m.spaces)
	server := httptest.NewServer(paths)
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

func (m *mounted) heard() []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.elsewhere
}

// renew has the service give the next token.
func (m *mounted) renew() *oauth2.Token {
	config := oauth2.Config{ClientID: "app", ClientSecret: "secret", Endpoint: oauth2.Endpoint{
		TokenURL: m.url + "/oauth2/access_token", AuthStyle: oauth2.AuthStyleInParams,
	}}
	token, err := config.TokenSource(context.Background(), &oauth2.Token{RefreshToken: m.refresh}).Token()
	if err != nil {
		m.Error(err)
		return &oauth2.Token{}
	}
	m.refresh = token.RefreshToken
	return token
}

// publish renews, and puts the new token into the volume.
func (m *mounted) publish() {
	token := m.renew()
	if err := m.volume.Write(testbed.TokenFiles(token.AccessToken, "Bearer", m.url, token.Expiry)); err != nil {
		m.Error(err)
	}
}

// workload is a program under way.
type workload struct {
	*testing.T
	paths    io.Writer
	statuses *bufio.Scanner
	said     *bytes.Buffer
}

func start(t *testing.T, folder string, command []string) *workload {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience) // the test's own ends before it is cleaned up
	program := exec.CommandContext(ctx, command[0], command[1:]...)
	w := &workload{T: t, said: &bytes.Buffer{}}
	program.Env = append(os.Environ(), "SPACES_FOLDER="+folder)
	program.Stderr = w.said
	paths, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	statuses, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.paths, w.statuses = paths, bufio.NewScanner(statuses)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = paths.Close() // it ends with its input
		if err := program.Wait(); err != nil {
			t.Errorf("%v: %s", err, w.said)
		}
		stop()
	})
	return w
}

// call has it call a path, and gives the status that it prints.
func (w *workload) call(path string) string {
	w.Helper()
	if _, err := io.WriteString(w.paths, path+"\n"); err != nil {
		w.Fatal(err)
	}
	if !w.statuses.Scan() {
		w.Fatalf("it has ended: %v", w.statuses.Err())
	}
	return w.statuses.Text()
}
