// Package browser signs a person in by `kubectl spaces login` with a real browser, by the
// real operator and a real API server. Other tests play each of them to the others; that
// pages, redirects and the listener fit what a browser does and forbids shows only here.
//
// It is a module of its own, so that nothing else needs a browser's protocol.
package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// patience bounds one case, far above what it takes.
	patience = 2 * time.Minute
	// handTo is set where this program plays the command that opens a browser.
	handTo = "BROWSER_TEST_HAND_TO"
	// shots names the folder for pictures of what a person sees.
	shots = "BROWSER_SHOTS"
)

func TestMain(m *testing.M) {
	if to := os.Getenv(handTo); to != "" {
		os.Exit(handOver(to, os.Args[len(os.Args)-1]))
	}
	os.Exit(m.Run())
}

// handOver gives the test the address that a browser should open.
func handOver(to, address string) (code int) {
	response, err := http.PostForm(to, url.Values{"address": {address}})
	if err != nil || response.Body.Close() != nil {
		return 1
	}
	return 0
}

func TestLogin(t *testing.T) {
	s := startStack(t)
	pictures := os.Getenv(shots)
	if pictures == "" {
		pictures = t.TempDir()
	}
	NewWithT(t).Expect(os.MkdirAll(pictures, 0o755)).To(Succeed())

	for sentence, want := range map[string]struct {
		name     string // of the credential
		mistyped string // a password that is tried before the right one
		forged   string // the state that is sent instead of the one that login drew
		button   string
		status   int64
		title    string
		exit     int
		says     string // what the terminal says in the end
	}{
		"a person who allows is signed in": {
			name: "allowed", button: "allow", status: http.StatusOK, title: "You are signed in",
			says: "allowed is signed in as " + person + ".\n",
		},
		"a person who mistypes the password tries again": {
			name: "mistyped", mistyped: "not-the-password-of-ann", button: "allow", status: http.StatusOK, title: "You are signed in",
			says: "mistyped is signed in as " + person + ".\n",
		},
		"a person who denies leaves nothing behind": {
			name: "denied", button: "deny", status: http.StatusOK, title: "The sign-in was denied",
			exit: 1, says: "error: the sign-in was denied\n",
		},
		"a code for a sign-in that somebody else began is not used": {
			name: "forged", forged: "begun-by-somebody-else", button: "allow",
			status: http.StatusBadRequest, title: "This is not the sign-in that was begun",
			exit: 1, says: "error: the answer does not belong to this sign-in: its state is wrong\n",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			g := NewWithT(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s.apply(ctx, t, want.name)
			login, address := s.startLogin(ctx, t, want.name)
			query := address.Query()
			secrets := []string{query.Get("state")}
			if want.forged != "" {
				query.Set("state", want.forged)
				address.RawQuery = query.Encode()
			}

			visit := s.visit(t, filepath.Join(pictures, want.name))
			visit.signIn(address.String(), want.mistyped)
			status, title, html := visit.decide(want.button)
			g.Eventually(login).WithContext(ctx).WithTimeout(patience).Should(gexec.Exit())

			out, problem := string(login.Out.Contents()), string(login.Err.Contents())
			g.Expect(title).To(Equal(want.title))
			g.Expect(status).To(Equal(want.status))
			g.Expect(login.ExitCode()).To(Equal(want.exit), problem)
			if want.exit == 0 {
				g.Expect(out).To(HavePrefix(want.says))
				s.expectToken(ctx, t, want.name)
			} else {
				g.Expect(out).To(BeEmpty())
				g.Expect(problem).To(MatchRegexp(`\AWaiting for .+\n%s\z`, want.says))
				s.expectNothing(ctx, t, want.name)
			}
			for _, secret := range append(secrets, s.spaces.Secrets()...) {
				g.Expect(out + problem + html + string(s.operator.Err.Contents())).NotTo(ContainSubstring(secret))
			}
		})
	}
}

// startLogin starts the plugin, and tells the address for which it opens a browser.
func (s *stack) startLogin(ctx context.Context, t *testing.T, name string) (*gexec.Session, *url.URL) {
	t.Helper()
	g := NewWithT(t)
	addresses := make(chan string, 1)
	hand := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { addresses <- r.FormValue("address") }))
	t.Cleanup(hand.Close)
	self, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())
	command := exec.Command(s.file("kubectl-spaces"), "login", name, "-n", name, "--kubeconfig", s.file("kubeconfig"), "--browser", self)
	command.Env = append(os.Environ(), handTo+"="+hand.URL)
	login, err := gexec.Start(command, nil, nil)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Eventually(login.Terminate(), stopLimit).Should(gexec.Exit()) })
	select {
	case address := <-addresses:
		parsed, err := url.Parse(address)
		g.Expect(err).NotTo(HaveOccurred())
		return login, parsed
	case <-login.Exited:
		t.Fatalf("it ended before it opened a browser: %s", login.Err.Contents())
	case <-ctx.Done():
		t.Fatal("it opened no browser")
	}
	return nil, nil
}

// expectToken looks for a token that works, and for the end of the code.
func (s *stack) expectToken(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	g := NewWithT(t)
	s.expect(ctx, t, name, v1alpha1.ReasonIssued, "client", name+"-grant", "token")
	published := &corev1.Secret{}
	g.Expect(s.cluster.Get(ctx, client.ObjectKey{Namespace: name, Name: "token"}, published)).To(Succeed())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/users/me", http.NoBody)
	g.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", string(published.Data[v1alpha1.KeyAuthorization]))
	response, err := http.DefaultClient.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(response.Body.Close()).To(Succeed())
	g.Expect(response).To(HaveHTTPStatus(http.StatusOK))
}

// expectNothing finds all as it was before the sign-in.
func (s *stack) expectNothing(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	s.expect(ctx, t, name, v1alpha1.ReasonAuthorizationPending, "client")
}

// expect compares what Ready says of a credential, and which Secrets are there.
func (s *stack) expect(ctx context.Context, t *testing.T, name, reason string, secrets ...string) {
	t.Helper()
	g := NewWithT(t)
	credential, found := &v1alpha1.SpacesCredential{}, &corev1.SecretList{}
	g.Expect(s.cluster.Get(ctx, client.ObjectKey{Namespace: name, Name: name}, credential)).To(Succeed())
	g.Expect(meta.FindStatusCondition(credential.Status.Conditions, v1alpha1.ConditionReady)).To(HaveField("Reason", reason))
	g.Expect(s.cluster.List(ctx, found, client.InNamespace(name))).To(Succeed())
	var names []string
	for i := range found.Items {
		names = append(names, found.Items[i].Name)
	}
	g.Expect(names).To(ConsistOf(secrets))
}
