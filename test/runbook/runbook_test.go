// Package runbook runs the commands of docs/runbook.md, each in a cluster that has the trouble which
// they are for: a real API server, the operator's own binary, and a Spaces in memory for each entry. It
// runs the commands of other pages as well, as somebody does who follows them from the beginning.
package runbook

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	user, password       = "bot@example.test", "password-c0de"
	clientID, clientCode = "app", "client-secret-c0de"
	// soon bounds waits for what the operator does.
	soon = time.Minute
)

// visit tells this binary that it is the browser of kubectl spaces login.
const visit = "RUNBOOK_VISIT"

func TestMain(m *testing.M) {
	if where := os.Getenv(visit); where != "" {
		open(where, os.Args[len(os.Args)-1])
		return
	}
	os.Exit(m.Run())
}

// open is the browser: the person at it signs in, and is sent back to who listens.
func open(where, address string) {
	response, err := http.Post(where, "text/plain", strings.NewReader(address))
	if err == nil {
		_ = response.Body.Close()
	}
}

// cluster is where the troubles are.
type cluster struct {
	kubernetes client.WithWatch
	kubeconfig string
	programs   string // kubectl and kubectl-spaces
	// resume has whoever runs the operator resume the environment that is paused.
	resume func()
}

// Every reason has an entry, and every entry a trouble in which its commands are run.
func TestTheRunbookMends(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" || os.Getenv("RUNBOOK") == "" {
		t.Skip("it takes minutes: make test-runbook")
	}
	g := NewWithT(t)
	all := entries(t)
	for _, reason := range v1alpha1.Reasons() {
		if _, told := all[reason]; !told && reason != v1alpha1.ReasonRenewed { // which stands with Issued
			t.Errorf("nothing is told of %s", reason)
		}
	}
	for name := range all {
		if _, known := troubles[name]; !known {
			t.Errorf("no trouble is made for %s", name)
		}
	}

	services := map[string]*testbed.Service{}
	var environments []spacesauth.Environment
	for name := range troubles {
		service, err := testbed.StartService(fakespaces.WithClient(clientID, clientCode), fakespaces.WithUser(user, password))
		g.Expect(err).NotTo(HaveOccurred())
		t.Cleanup(func() { g.Expect(service.Stop()).To(Succeed()) })
		services[name] = service
		environment := service.Environment(strings.ToLower(name))
		environment.Paused = name == v1alpha1.ReasonEnvironmentPaused
		environments = append(environments, environment)
	}
	c := start(t, environments)
	t.Run("", func(t *testing.T) { // so that all end before the operator does
		for name, made := range troubles {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := c.world(t, name, services[name])
				made(w)
				w.follows(all[name])
			})
		}
	})
}

// start starts a control plane and the operator.
func start(t *testing.T, environments []spacesauth.Environment) cluster {
	t.Helper()
	g := NewWithT(t)
	plane, err := testbed.StartControlPlane(testbed.CRDs)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(plane.Stop()).To(Succeed()) })
	folder := t.TempDir()
	log, err := os.Create(filepath.Join(folder, "controllers.log"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(plane.StartControllers(log)).To(Succeed())
	kubeconfig, err := testbed.WriteKubeconfig(folder, plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	kubernetes, err := testbed.NewClient(plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	file, err := testbed.WriteEnvironments(folder, environments...)
	g.Expect(err).NotTo(HaveOccurred())

	programs := filepath.Join(folder, "bin")
	g.Expect(os.MkdirAll(programs, 0o755)).To(Succeed())
	g.Expect(testbed.Build(t.Context(), programs+"/", ".", "./cmd/kubectl-spaces")).To(Succeed())
	g.Expect(os.Symlink(filepath.Join(plane.Assets, "kubectl"), filepath.Join(programs, "kubectl"))).To(Succeed())
	operator, err := testbed.StartOperator(exec.Command(filepath.Join(programs, "spaces-credential-operator"), "--environments-file="+file, "--kubeconfig="+kubeconfig,
		"--metrics-bind-address=0", "--health-probe-bind-address=0", "--leader-election-namespace=default", "--allow-export"), filepath.Join(folder, "operator.log"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		g.Expect(operator.Failure()).To(Succeed())
		g.Expect(operator.Stop()).To(Succeed())
	})
	// Its key is made before there is any state, as in every cluster.
	g.Eventually(func() error {
		return kubernetes.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: v1alpha1.StateKeySecretName}, &corev1.Secret{})
	}).WithTimeout(soon).Should(Succeed())
	resume := func() {
		for i := range environments {
			environments[i].Paused = false
		}
		_, err := testbed.WriteEnvironments(folder, environments...)
		g.Expect(err).NotTo(HaveOccurred())
	}
	return cluster{kubernetes: kubernetes, kubeconfig: kubeconfig, programs: programs, resume: resume}
}

// world is the namespace of one entry, with a service of its own.
type world struct {
	*testing.T
	Gomega
	cluster
	ctx       context.Context
	name      string // of the entry
	namespace string
	spaces    *testbed.Service
	variables []string
	// folder is where commands are run.
	folder string
	// meanwhile is what others mend, after the look and before the commands that mend.
	meanwhile func()
}

func (c cluster) world(t *testing.T, name string, spaces *testbed.Service) *world {
	w := &world{T: t, Gomega: NewWithT(t), cluster: c, ctx: t.Context(), name: name, namespace: strings.ToLower(name), spaces: spaces, meanwhile: func() {}}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Labels: map[string]string{"runbook": w.namespace}}})
	w.variables = []string{
		"SPACES_USER=" + user, "SPACES_PASSWORD=" + password, "SPACES_CLIENT_SECRET=" + clientCode, "SPACES_ENVIRONMENT=" + w.namespace,
	}
	w.secret("spaces-client", map[string]string{"client_id": clientID, "client_secret": clientCode})
	w.secret("bot-login", map[string]string{"username": user, "password": password})
	return w
}

func (w *world) create(object client.Object) {
	w.Helper()
	w.Expect(w.kubernetes.Create(w.ctx, object)).To(Succeed())
}

// secret makes a Secret, or makes it anew.
func (w *world) secret(name string, data map[string]string) {
	w.Helper()
	made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, StringData: data}
	w.Expect(client.IgnoreNotFound(w.kubernetes.Delete(w.ctx, made.DeepCopy()))).To(Succeed())
	w.create(made)
}

// credential makes meeting-bot, of grant type Password where nothing else is said.
func (w *world) credential(changes ...func(*v1alpha1.SpacesCredential)) {
	w.Helper()
	c := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "meeting-bot"},
		Spec: v1alpha1.SpacesCredentialSpec{
			Environment: w.namespace, GrantType: v1alpha1.GrantTypePassword, SecretName: "meeting-bot-token",
			ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "spaces-client"},
			Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "bot-login"}},
		},
	}
	for _, change := range changes {
		change(c)
	}
	w.create(c)
}

// now is meeting-bot as it is.
func (w *world) now() (*v1alpha1.SpacesCredential, error) {
	c := &v1alpha1.SpacesCredential{}
	return c, w.kubernetes.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: "meeting-bot"}, c)
}

// becomes waits until a condition of meeting-bot has a reason.
func (w *world) becomes(reason string) {
	w.Helper()
	w.Eventually(func() []string {
		c, err := w.now()
		if err != nil {
			return []string{err.Error()}
		}
		var reasons []string
		for _, condition := range c.Status.Conditions {
			reasons = append(reasons, condition.Reason)
		}
		return reasons
	}).WithTimeout(soon).Should(ContainElement(reason), "the trouble was not made")
}

// isReady waits for a token that was renewed or issued.
func (w *world) isReady() {
	w.Helper()
	w.becomes(v1alpha1.ReasonIssued)
	w.run("kubectl wait --for=condition=Ready --timeout=1m spcred/meeting-bot")
}

// asks has a person ask for a renewal, which need not work.
func (w *world) asks() {
	w.Helper()
	w.run("kubectl spaces renew meeting-bot --wait=false")
}

// follows looks, mends and checks as an entry says.
func (w *world) follows(e entry) {
	w.Helper()
	w.run(e.look)
	w.meanwhile()
	w.run(e.mend)
	w.Expect(e.check).NotTo(BeEmpty(), "nothing says how one knows that it worked")
	w.run(e.check)
}

// run runs commands of the page as a person would, who stops at the first that fails.
func (w *world) run(commands string) {
	w.Helper()
	shell := exec.CommandContext(w.ctx, "bash", "-euo", "pipefail", "-c", commands)
	shell.Dir = w.folder
	shell.Env = append(slices.Clone(os.Environ()), append(w.variables,
		"PATH="+w.programs+string(os.PathListSeparator)+os.Getenv("PATH"), "KUBECONFIG="+w.context(), "HOME="+w.TempDir())...)
	if output, err := shell.CombinedOutput(); err != nil {
		c, _ := w.now()
		w.Fatalf("%s: %v\n%s\n%+v", commands, err, output, c.Status)
	}
}

// context is a kubeconfig whose namespace is that of the entry.
func (w *world) context() string {
	w.Helper()
	content, err := os.ReadFile(w.kubeconfig)
	w.Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(w.TempDir(), "kubeconfig")
	w.Expect(os.WriteFile(path, content, 0o600)).To(Succeed())
	set := exec.Command(filepath.Join(w.programs, "kubectl"), "--kubeconfig="+path, "config", "set-context", "--current", "--namespace="+w.namespace)
	output, err := set.CombinedOutput()
	w.Expect(err).NotTo(HaveOccurred(), string(output))
	file, err := clientcmd.LoadFromFile(path)
	w.Expect(err).NotTo(HaveOccurred())
	for name, namespace := range map[string]string{"old": w.namespace, "new": w.namespace + "-new"} { // a second cluster
		file.Contexts[name] = file.Contexts[file.CurrentContext].DeepCopy()
		file.Contexts[name].Namespace = namespace
	}
	w.Expect(clientcmd.WriteToFile(*file, path)).To(Succeed())
	return path
}

// browser serves a person who signs in wherever kubectl spaces login sends them.
func (w *world) browser() {
	w.Helper()
	served := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		address, err := io.ReadAll(r.Body)
		if err != nil {
			w.Errorf("the browser was sent nowhere: %v", err)
			return
		}
		page, err := testbed.SentTo(w.ctx, string(address))
		if err != nil {
			w.Errorf("the browser was sent nowhere: %v", err)
			return
		}
		back, err := w.spaces.Consent(page.String(), user)
		if err != nil {
			w.Errorf("the person could not sign in: %v", err)
			return
		}
		if response, err := http.Get(back); err == nil {
			_ = response.Body.Close()
		}
	}))
	w.Cleanup(served.Close)
	self, err := os.Executable()
	w.Expect(err).NotTo(HaveOccurred())
	script := filepath.Join(w.TempDir(), "browser")
	w.Expect(os.WriteFile(script, []byte("#!/bin/sh\n"+visit+"="+served.URL+" exec "+self+" \"$1\"\n"), 0o755)).To(Succeed())
	w.variables = append(w.variables, "BROWSER="+script)
}
