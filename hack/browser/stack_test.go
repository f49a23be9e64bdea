package browser

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	environment  = "browser"
	clientID     = "browser-client"
	clientSecret = "the-secret-of-the-client"
	person       = "ann@example.com"
	password     = "the-password-of-ann"
	// shots names the folder for pictures of what a person sees.
	shots = "BROWSER_SHOTS"
)

// stack is everything between a person and a token. All of it is real but the service.
type stack struct {
	browser    context.Context
	spaces     *testbed.Service
	cluster    client.Client
	kubeconfig string
	folder     string // of the programs and their files
	pictures   string // folder of what a person sees
	operator   *testbed.Operator
}

// startStack starts the browser first: without one there is nothing to test.
func startStack(t *testing.T) *stack {
	s := &stack{browser: startBrowser(t), folder: t.TempDir()}
	s.pictures = cmp.Or(os.Getenv(shots), s.folder)
	g := NewWithT(t)
	var err error
	s.spaces, err = testbed.StartService(fakespaces.WithClient(clientID, clientSecret), fakespaces.WithUser(person, password))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(s.spaces.Stop()).To(Succeed()) })
	s.startControlPlane(t)
	g.Expect(testbed.Build(t.Context(), s.folder, ".", "./cmd/kubectl-spaces")).To(Succeed())
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
	plane, err := testbed.StartControlPlane(testbed.CRDs)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(plane.Stop()).To(Succeed()) })
	s.kubeconfig, err = testbed.WriteKubeconfig(s.folder, plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	s.cluster, err = testbed.NewClient(plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
}

// program is one that was built.
func (s *stack) program(name string) string { return filepath.Join(s.folder, name) }

// startOperator starts the operator. It ends before the control plane does.
func (s *stack) startOperator(t *testing.T) {
	g := NewWithT(t)
	environments, err := testbed.WriteEnvironments(s.folder, s.spaces.Environment(environment))
	g.Expect(err).NotTo(HaveOccurred())
	s.operator, err = testbed.StartOperator(exec.Command(s.program("spaces-credential-operator"),
		"--environments-file="+environments, "--kubeconfig="+s.kubeconfig,
		"--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=0"), filepath.Join(s.folder, "operator.log"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		g.Expect(errors.Join(s.operator.Failure(), s.operator.Stop())).To(Succeed())
		if t.Failed() {
			t.Logf("the operator's log:\n%s", s.log(t))
		}
	})
}

// log is what the operator has said so far.
func (s *stack) log(t *testing.T) string {
	said, err := s.operator.Log()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return said
}
