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
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// asOperator makes the test binary an operator.
const asOperator = "SPACES_CREDENTIAL_OPERATOR_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asOperator) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is an operator in a process of its own, in front of a real API server.
type process struct {
	kubernetes      client.Client
	metrics, health string
	operator        *testbed.Operator
}

// start runs an operator until the test ends. Two addresses are free; the rest is as by
// default, but for the arguments.
func start(t *testing.T, arguments ...string) process {
	t.Helper()
	g := NewWithT(t)
	plane, err := testbed.StartControlPlane(testbed.CRDs)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(plane.Stop()).To(Succeed()) })
	kubeconfig, err := testbed.WriteKubeconfig(t.TempDir(), plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	kubernetes, err := testbed.NewClient(plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	free, err := testbed.FreeAddresses(2)
	g.Expect(err).NotTo(HaveOccurred())

	command := exec.Command(os.Args[0], append([]string{
		"--kubeconfig=" + kubeconfig, "--metrics-bind-address=" + free[0], "--health-probe-bind-address=" + free[1],
	}, arguments...)...)
	command.Env = append(os.Environ(), asOperator+"=1")
	operator, err := testbed.StartOperator(command, filepath.Join(t.TempDir(), "log"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(errors.Join(operator.Failure(), operator.Stop())).To(Succeed()) })
	return process{kubernetes: kubernetes, metrics: free[0], health: free[1], operator: operator}
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
	g.Eventually(func() int { return spaces.Ledger().GrantsLive }).WithTimeout(time.Minute).Should(BeZero())

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

// No address of its own, by default or by a flag: there is nothing to switch on.
func TestNoFlagSwitchesProfilesOn(t *testing.T) {
	g := NewWithT(t)
	s, err := parse(nil, io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.managerOptions(nil).PprofBindAddress).To(BeEmpty())

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
	status, text := get(t, url)
	if status != http.StatusOK {
		t.Fatalf("%s answered %d", url, status)
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
