package browser

import (
	"context"
	"net"
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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/controlplane"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	root        = "../.."
	environment = "browser"
	clientID    = "browser-client"
	person      = "ann@example.com"
	password    = "the-password-of-ann"
	// stopLimit is above the operator's own --graceful-shutdown-timeout.
	stopLimit = 30 * time.Second
)

// stack is everything between a person and a token. All of it is real but the service.
type stack struct {
	browser  context.Context
	spaces   *fakespaces.Service
	url      string // of spaces
	cluster  client.Client
	folder   string // of the programs and their files
	operator *gexec.Session
}

// startStack starts the browser first: without one there is nothing to test.
func startStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{browser: startBrowser(t), folder: t.TempDir()}
	s.spaces = fakespaces.New(fakespaces.WithClient(clientID, "the-secret-of-the-client"), fakespaces.WithUser(person, password))
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
	t.Helper()
	path := findBrowser(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1000, 700))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	browser, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("%s does not start: %v", path, err)
	}
	return browser
}

func findBrowser(t *testing.T) (path string) {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("skipped, because no browser is on PATH (%s): apt-get install chromium", strings.Join(names, ", "))
	return ""
}

func (s *stack) startControlPlane(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	plane, err := controlplane.Start(filepath.Join(root, "config", "crd", "bases"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(plane.Stop()).To(Succeed()) })
	g.Expect(os.WriteFile(s.file("kubeconfig"), plane.Kubeconfig(), 0o600)).To(Succeed())
	scheme := runtime.NewScheme()
	g.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	g.Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	s.cluster, err = client.New(plane.Config, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())
}

func (s *stack) file(name string) string { return filepath.Join(s.folder, name) }

// build builds as make build does, so that neither throws away the other's cache.
func (s *stack) build(t *testing.T) {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", s.folder, ".", "./cmd/kubectl-spaces")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// startOperator starts the operator with the service as its only environment, so nothing
// here can reach the real one. It ends before the control plane does.
func (s *stack) startOperator(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	environments, err := yaml.Marshal(map[string]any{
		"builtIn":      false,
		"environments": []spacesauth.Environment{{Name: environment, AccountsURL: s.url, APIURL: s.url}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(s.file("environments.yaml"), environments, 0o600)).To(Succeed())
	s.operator, err = gexec.Start(exec.Command(s.file("spaces-credential-operator"),
		"--environments-file="+s.file("environments.yaml"), "--kubeconfig="+s.file("kubeconfig"),
		"--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=0"), nil, nil)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the operator's log:\n%s", s.operator.Err.Contents())
		}
		g.Eventually(s.operator.Terminate(), stopLimit).Should(gexec.Exit(0))
	})
}

// apply makes a credential for which nobody has signed in, alone in a namespace of its
// name, and waits until the operator asks for a person.
func (s *stack) apply(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	g := NewWithT(t)
	redirectURI := "http://" + freeAddress(t) + "/signed-in"
	s.spaces.AddRedirectURI(clientID, redirectURI)
	credential := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: name},
		Spec: v1alpha1.SpacesCredentialSpec{
			Environment:     environment,
			ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
			GrantType:       v1alpha1.GrantTypeAuthorizationCode,
			AuthorizationCode: &v1alpha1.AuthorizationCodeGrant{
				SecretRef: v1alpha1.AuthorizationCodeSecretReference{Name: "code"}, RedirectURI: redirectURI,
			},
			SecretName: "token",
		},
	}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "client"},
			StringData: map[string]string{"client_id": clientID, "client_secret": "the-secret-of-the-client"},
		},
		credential,
	} {
		g.Expect(s.cluster.Create(ctx, object)).To(Succeed())
	}
	g.Eventually(func(g Gomega) {
		g.Expect(s.cluster.Get(ctx, client.ObjectKeyFromObject(credential), credential)).To(Succeed())
		g.Expect(credential.Status.ClientID).NotTo(BeEmpty())
		g.Expect(credential.Status.AuthorizationEndpoint).NotTo(BeEmpty())
	}).WithContext(ctx).WithTimeout(patience).Should(Succeed())
}

// freeAddress finds an address on localhost that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "localhost:0")
	g.Expect(err).NotTo(HaveOccurred())
	_, port, err := net.SplitHostPort(listener.Addr().String())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listener.Close()).To(Succeed())
	return net.JoinHostPort("localhost", port)
}
