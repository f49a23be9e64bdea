package main

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// asOperator makes the test binary an operator; its value is the clock that it goes by.
const asOperator = "SPACES_CREDENTIAL_OPERATOR_TEST"

// The clocks.
const (
	punctual  = "punctual"
	hurried   = "hurried"
	impatient = "impatient"
)

func TestMain(m *testing.M) {
	switch os.Getenv(asOperator) {
	case punctual:
		main()
		return
	case hurried:
		operate(hurriedClock{})
		return
	case impatient:
		operate(impatientClock{})
		return
	}
	code := m.Run()
	if shared.plane != nil {
		if err := shared.plane.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// hurriedClock lets tickers tick sixty times as often, and what is remembered grow old sixty
// times as fast.
type hurriedClock struct{ clock.RealClock }

func (c hurriedClock) NewTicker(every time.Duration) clock.Ticker {
	return c.RealClock.NewTicker(every / 60)
}

func (c hurriedClock) Since(since time.Time) time.Duration { return 60 * c.RealClock.Since(since) }

// impatientClock lets waits end sixty times as soon.
type impatientClock struct{ clock.RealClock }

func (c impatientClock) NewTimer(wait time.Duration) clock.Timer {
	return c.RealClock.NewTimer(wait / 60)
}

// shared is the one control plane of the tests, with our CRD: a start takes seconds. Each test
// leaves it as it found it, but for namespaces of its own.
var shared struct {
	plane *testbed.ControlPlane
	err   error
	start sync.Once
}

// byTheirOwn leaves a test to `make test-processes` that takes longer than `make test` has.
func byTheirOwn(t *testing.T) {
	t.Helper()
	if os.Getenv("PROCESSES") == "" {
		t.Skip("it takes half a minute: make test-processes")
	}
}

func sharedPlane(t *testing.T) *testbed.ControlPlane {
	t.Helper()
	shared.start.Do(func() { shared.plane, shared.err = testbed.StartControlPlane(testbed.CRDs) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.plane
}

// connected is a client of the shared control plane with every right, and a kubeconfig.
func connected(t *testing.T) (kubernetes client.Client, kubeconfig string) {
	t.Helper()
	g := NewWithT(t)
	plane := sharedPlane(t)
	kubernetes, err := testbed.NewClient(plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	kubeconfig, err = testbed.WriteKubeconfig(t.TempDir(), plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	return kubernetes, kubeconfig
}

// process is an operator in a process of its own, in front of a real API server.
type process struct {
	kubernetes      client.Client
	metrics, health string
	operator        *testbed.Operator
}

// start runs an operator with every right until the test ends. Two addresses are free; the
// rest is as by default, but for the arguments.
func start(t *testing.T, arguments ...string) process {
	t.Helper()
	kubernetes, kubeconfig := connected(t)
	command, metrics, health := operatorCommand(t, punctual, append([]string{"--kubeconfig=" + kubeconfig}, arguments...)...)
	return process{kubernetes: kubernetes, metrics: metrics, health: health, operator: startOperator(t, command)}
}

// awaitGone waits for the end of a deleted credential: one that the process leaves with its
// finalizer would hold up the CRD for the tests after this.
func awaitGone(t *testing.T, kubernetes client.Client, credential *v1alpha1.SpacesCredential) {
	t.Helper()
	NewWithT(t).Eventually(func() bool {
		return apierrors.IsNotFound(kubernetes.Get(t.Context(), client.ObjectKeyFromObject(credential), credential))
	}).WithTimeout(time.Minute).Should(BeTrue())
}

// operatorCommand is this test binary as an operator, on two free addresses.
func operatorCommand(t *testing.T, clock string, arguments ...string) (command *exec.Cmd, metrics, health string) {
	t.Helper()
	free, err := testbed.FreeAddresses(2)
	if err != nil {
		t.Fatal(err)
	}
	command = exec.Command(os.Args[0], append([]string{
		"--metrics-bind-address=" + free[0], "--health-probe-bind-address=" + free[1],
	}, arguments...)...)
	command.Env = append(os.Environ(), asOperator+"="+clock)
	return command, free[0], free[1]
}

// startOperator starts a command that must not end before the test does, and then well.
func startOperator(t *testing.T, command *exec.Cmd) *testbed.Operator {
	t.Helper()
	g := NewWithT(t)
	operator, err := testbed.StartOperator(command, filepath.Join(t.TempDir(), "log"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(errors.Join(operator.Failure(), operator.Stop())).To(Succeed()) })
	return operator
}

// A profile of the heap holds every token that the process holds, and the addresses are
// open to the cluster: what net/http/pprof and expvar serve must be on neither.
func TestNoProfileIsServed(t *testing.T) {
	g := NewWithT(t)
	p := start(t)
	metrics, health := p.metrics, p.health

	// What is served by default says that the two are up, and so that 404 is their word.
	g.Eventually(func() int { return statusOf(t, "https://"+metrics+"/metrics") }).WithTimeout(time.Minute).
		Should(Equal(http.StatusUnauthorized), "metrics are for clients that may get them")
	g.Eventually(func() int { return statusOf(t, "http://"+health+"/healthz") }).WithTimeout(time.Minute).
		Should(Equal(http.StatusOK))
	for _, at := range []string{"https://" + metrics, "http://" + health} {
		for _, path := range []string{
			"/debug/", "/debug/pprof", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine", "/debug/pprof/cmdline",
			"/debug/pprof/profile?seconds=1", "/debug/pprof/symbol", "/debug/pprof/trace?seconds=1", "/debug/vars", "/pprof/",
		} {
			g.Expect(statusOf(t, at+path)).To(Equal(http.StatusNotFound), "%s%s", at, path)
		}
	}
}

// At its most talkative, and with client-go in it, the process tells no secret: not in its
// log, not in its metrics.
func TestNoLogLevelTellsASecret(t *testing.T) {
	g := NewWithT(t)
	spaces, err := testbed.StartService(fakespaces.WithClient("app", "client-secret-0f3a"), fakespaces.WithUser("bot@example.test", "password-9b1c"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(spaces.Stop()).To(Succeed()) })
	environments, err := testbed.WriteEnvironments(t.TempDir(), spaces.Environment("local"))
	g.Expect(err).NotTo(HaveOccurred())
	p := start(t, "--environments-file="+environments, "--metrics-secure=false", fmt.Sprintf("--zap-log-level=%d", maxLogLevel))

	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "default", Name: name} }
	credential := &v1alpha1.SpacesCredential{ObjectMeta: in("bot"), Spec: v1alpha1.SpacesCredentialSpec{
		Environment: "local", GrantType: v1alpha1.GrantTypePassword,
		ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
		Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "login"}},
	}}
	for _, object := range []client.Object{
		&corev1.Secret{ObjectMeta: in("client"), StringData: map[string]string{"client_id": "app", "client_secret": "client-secret-0f3a"}},
		&corev1.Secret{ObjectMeta: in("login"), StringData: map[string]string{"username": "bot@example.test", "password": "password-9b1c"}},
		credential,
	} {
		g.Expect(p.kubernetes.Create(t.Context(), object)).To(Succeed())
	}
	issued := func() int { return spaces.Ledger().TokensIssued }
	g.Eventually(issued).WithTimeout(time.Minute).Should(Equal(1))
	renew := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"annotations": {"`+v1alpha1.AnnotationRenewRequestedAt+`": "now"}}}`))
	g.Expect(p.kubernetes.Patch(t.Context(), credential, renew)).To(Succeed())
	g.Eventually(issued).WithTimeout(time.Minute).Should(Equal(2))
	metrics := textOf(t, "http://"+p.metrics+"/metrics")
	g.Expect(metrics).To(ContainSubstring("spaces_credential_ready"), "the metrics of a credential")
	g.Expect(p.kubernetes.Delete(t.Context(), credential)).To(Succeed())
	awaitGone(t, p.kubernetes, credential)
	g.Expect(spaces.Ledger().GrantsLive).To(BeZero())

	said, err := p.operator.Log()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(said).To(ContainSubstring(`"Level(-5)"`), "client-go has its say")
	secrets := spaces.Secrets()
	g.Expect(len(secrets)).To(BeNumerically(">", 4))
	for _, secret := range secrets {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
			g.Expect(strings.Contains(said, form)).To(BeFalse(), "the log tells a secret")
			g.Expect(strings.Contains(metrics, form)).To(BeFalse(), "the metrics tell a secret")
		}
	}
}

// An operator whose CRD is taken away is not ready any more; one that starts without it says
// what to do, where it would wait for it without a word.
func TestWithoutTheCRDNothingIsReady(t *testing.T) {
	g := NewWithT(t)
	plane := sharedPlane(t)
	kubeconfig, err := testbed.WriteKubeconfig(t.TempDir(), plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	command, _, health := operatorCommand(t, hurried, "--kubeconfig="+kubeconfig, "--leader-elect=false")
	startOperator(t, command)
	ready := func() int { return statusOf(t, "http://"+health+"/readyz") }
	g.Eventually(ready).WithTimeout(time.Minute).Should(Equal(http.StatusOK))

	cluster, err := testbed.NewClient(plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	var left v1alpha1.SpacesCredentialList
	g.Expect(cluster.List(t.Context(), &left)).To(Succeed())
	for _, credential := range left.Items {
		g.Expect(credential.Finalizers).To(BeEmpty(), "%s/%s would hold up the CRD", credential.Namespace, credential.Name)
	}
	crds := envtest.CRDInstallOptions{Paths: []string{testbed.CRDs}}
	g.Expect(envtest.UninstallCRDs(plane.Config, crds)).To(Succeed())
	t.Cleanup(func() {
		_, err := envtest.InstallCRDs(plane.Config, crds)
		g.Expect(err).NotTo(HaveOccurred())
	})
	g.Eventually(ready).WithTimeout(time.Minute).Should(Equal(http.StatusInternalServerError))
	g.Expect(textWhen(t, "http://"+health+"/readyz", http.StatusInternalServerError)).To(ContainSubstring("[-]namespaces failed"))
	g.Expect(statusOf(t, "http://"+health+"/healthz")).To(Equal(http.StatusOK))

	kind := v1alpha1.GroupVersion.WithKind("SpacesCredential").GroupKind()
	g.Eventually(func(g Gomega) { // discovery follows
		fresh, err := testbed.NewClient(plane.Config)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = fresh.RESTMapper().RESTMapping(kind, v1alpha1.GroupVersion.Version)
		g.Expect(meta.IsNoMatchError(err)).To(BeTrue())
	}).WithTimeout(time.Minute).Should(Succeed())
	expectOneLine(t, attempt(t, "--kubeconfig="+kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=0"), "make install")
}

// No address of its own, by default or by a flag: there is nothing to switch on.
func TestNoFlagSwitchesProfilesOn(t *testing.T) {
	g := NewWithT(t)
	s, err := parse(nil, io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.managerOptions(nil, &namespaces{}, true).PprofBindAddress).To(BeEmpty())

	var help strings.Builder
	_, err = parse([]string{"--help"}, &help)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(help.String()).To(ContainSubstring("-metrics-bind-address"), "the text lists flags")
	g.Expect(help.String()).NotTo(MatchRegexp("(?i)prof"))
}

// statusOf asks once; 0 says that nobody answered.
func statusOf(t *testing.T, url string) int {
	t.Helper()
	status, _ := get(t, url)
	return status
}

// textOf asks once for what must be there.
func textOf(t *testing.T, url string) string {
	t.Helper()
	return textWhen(t, url, http.StatusOK)
}

// textWhen asks once for the text of an answer that must have this status.
func textWhen(t *testing.T, url string, wanted int) string {
	t.Helper()
	status, text := get(t, url)
	if status != wanted {
		t.Fatalf("%s answered %d: %s", url, status, text)
	}
	return text
}

func get(t *testing.T, url string) (status int, text string) {
	t.Helper()
	client := &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the certificate is made at the start, for nobody
		},
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}
