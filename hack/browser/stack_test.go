package browser

import (
	"cmp"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/controlplane"
)

const (
	root         = "../.."
	environment  = "browser"
	clientID     = "browser-client"
	clientSecret = "the-secret-of-the-client"
	person       = "ann@example.com"
	password     = "the-password-of-ann"
	// stopLimit is above the operator's own --graceful-shutdown-timeout.
	stopLimit = 30 * time.Second
	// shots names the folder for pictures of what a person sees.
	shots = "BROWSER_SHOTS"
)

// stack is everything between a person and a token. All of it is real but the service.
type stack struct {
	browser  context.Context
	spaces   *fakespaces.Service
	url      string // of spaces
	cluster  client.Client
	folder   string // of the programs and their files
	pictures string // folder of what a person sees
	operator *gexec.Session
}

// startStack starts the browser first: without one there is nothing to test.
func startStack(t *testing.T) *stack {
	s := &stack{browser: startBrowser(t), folder: t.TempDir()}
	s.pictures = cmp.Or(os.Getenv(shots), s.folder)
	s.spaces = fakespaces.New(fakespaces.WithClient(clientID, clientSecret), fakespaces.WithUser(person, password))
	server := httptest.NewServer(s.spaces)
	t.Cleanup(server.Close)
	s.url = server.URL
	s.startControlPlane(t)
	s.build(t)
	s.startOperator(t)
	return s
}

// startBrowser starts one browser for all cases. Its sandbox is off: the pages are ours,
// and neither root nor most containers have what the sandbox needs.
func startBrowser(t *testing.T) context.Context {
	path := findBrowser(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1000, 700))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	browser, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	NewWithT(t).Expect(chromedp.Do(browser)).To(Succeed(), path)
	return browser
}

func findBrowser(t *testing.T) (path string) {
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("no browser is on PATH (%s), so this is skipped: apt-get install chromium", strings.Join(names, ", "))
	return ""
}

func (s *stack) startControlPlane(t *testing.T) {
	g := NewWithT(t)
	plane, err := controlplane.Start(filepath.Join(root, "config", "crd", "bases"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(plane.Stop()).To(Succeed()) })
	g.Expect(os.WriteFile(s.file("kubeconfig"), plane.Kubeconfig(), 0o600)).To(Succeed())
	g.Expect(v1alpha1.AddToScheme(scheme.Scheme)).To(Succeed())
	s.cluster, err = client.New(plane.Config, client.Options{Scheme: scheme.Scheme})
	g.Expect(err).NotTo(HaveOccurred())
}

func (s *stack) file(name string) string { return filepath.Join(s.folder, name) }

// build builds as make build does, so that neither throws away the other's cache.
func (s *stack) build(t *testing.T) {
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", s.folder, ".", "./cmd/kubectl-spaces")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// startOperator starts the operator with the service as its only environment, so nothing
// here can reach the real one. It ends before the control plane does.
func (s *stack) startOperator(t *testing.T) {
	g := NewWithT(t)
	environments := fmt.Sprintf("builtIn: false\nenvironments: [{name: %s, accountsURL: %q, apiURL: %q}]\n", environment, s.url, s.url)
	g.Expect(os.WriteFile(s.file("environments.yaml"), []byte(environments), 0o600)).To(Succeed())
	operator, err := gexec.Start(exec.Command(s.file("spaces-credential-operator"),
		"--environments-file="+s.file("environments.yaml"), "--kubeconfig="+s.file("kubeconfig"),
		"--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=0"), nil, nil)
	g.Expect(err).NotTo(HaveOccurred())
	s.operator = operator
	t.Cleanup(func() {
		g.Eventually(operator.Terminate(), stopLimit).Should(gexec.Exit(0))
		if t.Failed() {
			t.Logf("the operator's log:\n%s", operator.Err.Contents())
		}
	})
}
