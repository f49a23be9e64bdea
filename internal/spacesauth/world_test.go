package spacesauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	appID     = "app-1"
	appSecret = "s3cret-of-the-app"
	bot       = "bot@example.test"
	botSecret = "hunter2 & %co"
)

// noon is when the tests happen.
var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// world is a fake Spaces behind a real socket and a client of it. Their common
// clock stands still until it is set.
type world struct {
	*fakespaces.Service
	t      *testing.T
	clock  *clocktesting.FakePassiveClock
	server *httptest.Server
	client *spacesauth.Client
}

func newWorld(t *testing.T, options ...fakespaces.Option) *world {
	t.Helper()
	w := &world{t: t, clock: clocktesting.NewFakePassiveClock(noon)}
	w.Service = fakespaces.New(append([]fakespaces.Option{
		fakespaces.WithNow(w.clock.Now),
		fakespaces.WithClient(appID, appSecret),
		fakespaces.WithUser(bot, botSecret),
		fakespaces.WithStall(time.Millisecond),
	}, options...)...)
	w.server = serve(t, w.Service)
	w.client = clientOf(t, environmentAt(w.server.URL), spacesauth.WithClock(w.clock))
	return w
}

// serve puts handler behind a socket until the test ends.
func serve(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// serveTLS does the same with TLS, and gives the file with its root as well.
func serveTLS(t *testing.T, handler http.Handler, change func(*httptest.Server)) (server *httptest.Server, caFile string) {
	t.Helper()
	server = httptest.NewUnstartedServer(handler)
	// Refused handshakes are what some tests are about.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if change != nil {
		change(server)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(caFile, root, 0o600); err != nil {
		t.Fatal(err)
	}
	return server, caFile
}

func environmentAt(url string) spacesauth.Environment {
	return spacesauth.Environment{Name: "test", AccountsURL: url, APIURL: url, TimeoutSeconds: 15}
}

func clientOf(t *testing.T, environment spacesauth.Environment, options ...spacesauth.Option) *spacesauth.Client {
	t.Helper()
	client, err := spacesauth.New(environment, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func application() spacesauth.Application {
	return spacesauth.Application{ID: appID, Secret: spacesauth.NewSecret(appSecret)}
}

func password() spacesauth.PasswordGrant {
	return spacesauth.PasswordGrant{
		Username: bot, Password: spacesauth.NewSecret(botSecret), Scopes: []string{"email", "spaces"},
	}
}

func refresh(token string) spacesauth.RefreshTokenGrant {
	return spacesauth.RefreshTokenGrant{RefreshToken: spacesauth.NewSecret(token)}
}

// spend presents grant, without a guard.
func (w *world) spend(grant spacesauth.Grant) (spacesauth.Answer, error) {
	return w.client.Token(context.Background(), application(), grant, nil)
}

const (
	redirectURI = "http://localhost:3000/callback"
	verifier    = "a-code-verifier-of-at-least-43-characters-0123456789"
)

// code is a code as a browser brings it back.
func (w *world) code() spacesauth.AuthorizationCodeGrant {
	sum := sha256.Sum256([]byte(verifier))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	return spacesauth.AuthorizationCodeGrant{
		Code:         spacesauth.NewSecret(w.IssueCode(appID, bot, redirectURI, challenge)),
		CodeVerifier: spacesauth.NewSecret(verifier),
		RedirectURI:  redirectURI,
	}
}

// tokenCalls counts the calls of the token endpoint that the service saw.
func (w *world) tokenCalls() int {
	calls := w.Ledger().Calls
	return calls[fakespaces.OperationPassword] + calls[fakespaces.OperationRefresh] + calls[fakespaces.OperationAuthorizationCode]
}

// watch remembers the calls the service gets.
func (w *world) watch() (seen func() []fakespaces.Call) {
	var mutex sync.Mutex
	var calls []fakespaces.Call
	w.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		mutex.Lock()
		defer mutex.Unlock()
		calls = append(calls, call)
		return fakespaces.NoFault
	})
	return func() []fakespaces.Call {
		mutex.Lock()
		defer mutex.Unlock()
		return calls
	}
}

// kind is the class of err, "" for success. An error that is not of the package is
// a failure of the test: KindOf would call it ambiguous.
func kind(t *testing.T, err error) spacesauth.Kind {
	t.Helper()
	if err == nil {
		return ""
	}
	var failure *spacesauth.Error
	if !errors.As(err, &failure) {
		t.Fatalf("the error is a %T, want a *spacesauth.Error: %v", err, err)
	}
	return spacesauth.KindOf(err)
}

// failureOf gives err as what it is, and an empty one for success.
func failureOf(err error) spacesauth.Error {
	var failure *spacesauth.Error
	if errors.As(err, &failure) {
		return *failure
	}
	return spacesauth.Error{}
}

// expectNoSecret looks for secrets in every form in which a value is printed.
func expectNoSecret(t *testing.T, what any, secrets ...string) {
	t.Helper()
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		printed := fmt.Sprintf(form, what)
		for _, secret := range secrets {
			if secret != "" && strings.Contains(printed, secret) {
				t.Errorf("%s of %T shows a secret: %s", form, what, printed)
			}
		}
	}
}
