package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// An operator that may read one of two namespaces serves that one; the other from the moment
// on that it may be read. It is not ready when nothing may be read any more.
func TestANamespaceIsServedOnceItMayBeRead(t *testing.T) {
	g := NewWithT(t)
	plane := sharedPlane(t)
	kubernetes, err := testbed.NewClient(plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	few := newSubject(t, kubernetes, plane.Config, "few")
	for _, name := range []string{"few-a", "few-b"} {
		g.Expect(kubernetes.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
		g.Expect(kubernetes.Create(t.Context(), botWithoutInputs(name))).To(Succeed())
	}
	few.bind("default", "state_key")

	off := []string{"--kubeconfig=" + few.kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=0"}
	for _, c := range []struct {
		namespaces string
		says       []string
	}{
		{"", []string{"may not list SpacesCredentials and Secrets in all namespaces", "config/rbac/manager_role.yaml by a ClusterRoleBinding", "--watch-namespaces", `User "few"`}},
		{"few-a,few-b", []string{"may not list SpacesCredentials and Secrets in the namespace few-a, may not list SpacesCredentials and Secrets in the namespace few-b", "by a RoleBinding"}},
	} {
		err := attempt(t, append(off, "--watch-namespaces="+c.namespaces)...)
		g.Expect(err).To(HaveOccurred(), "it started")
		for _, says := range c.says {
			g.Expect(err.Error()).To(And(ContainSubstring(says), Not(ContainSubstring("\n"))))
		}
	}

	ofA := few.bind("few-a", "manager")
	few.awaits("few-a")
	command, metrics, health := operatorCommand(t, hurried, "--kubeconfig="+few.kubeconfig, "--leader-elect=false",
		"--watch-namespaces=few-b,few-a", "--metrics-secure=false")
	operator := startOperator(t, command)
	waitsFor := func(namespace, what string) func(Gomega) {
		return func(g Gomega) {
			bot := &v1alpha1.SpacesCredential{}
			g.Expect(kubernetes.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "bot"}, bot)).To(Succeed())
			g.Expect(bot.Status.Conditions).To(ContainElement(And(
				HaveField("Reason", v1alpha1.ReasonWaitingForInput), HaveField("Message", ContainSubstring(what)))))
		}
	}
	soon := func(what any) { t.Helper(); g.Eventually(what).WithTimeout(time.Minute).Should(Succeed()) }
	const series = `spaces_namespaces_unreadable{namespace="few-b"} 1`
	soon(waitsFor("few-a", "the-client"))
	g.Expect(textWhen(t, "http://"+health+"/readyz?verbose", http.StatusOK)).To(And(
		ContainSubstring("[+]namespaces ok"), ContainSubstring("[+]caches ok")))
	g.Expect(textOf(t, "http://"+metrics+"/metrics")).To(ContainSubstring(series))
	g.Expect(operator.Log()).To(ContainSubstring("may not list SpacesCredentials and Secrets in the namespace few-b"))

	ofB := few.bind("few-b", "manager")
	soon(waitsFor("few-b", "the-client"))
	g.Eventually(func() string { return textOf(t, "http://"+metrics+"/metrics") }).WithTimeout(time.Minute).Should(And(
		Not(ContainSubstring(series)), ContainSubstring(`spaces_credential_ready{name="bot",namespace="few-b"`),
		ContainSubstring(`spaces_credential_ready{name="bot",namespace="few-a"`)))
	for _, namespace := range []string{"few-b", "few-a"} { // Secrets of both wake it
		g.Expect(kubernetes.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "the-client"},
			StringData: map[string]string{"client_id": "app", "client_secret": "secret"},
		})).To(Succeed())
		soon(waitsFor(namespace, "the-login"))
	}

	g.Expect(kubernetes.Delete(t.Context(), ofA)).To(Succeed())
	g.Eventually(func() string { return textOf(t, "http://"+metrics+"/metrics") }).WithTimeout(time.Minute).
		Should(ContainSubstring(`spaces_namespaces_unreadable{namespace="few-a"} 1`))
	g.Expect(statusOf(t, "http://"+health+"/readyz")).To(Equal(http.StatusOK), "one may still be read")
	g.Expect(kubernetes.Delete(t.Context(), ofB)).To(Succeed())
	g.Eventually(func() int { return statusOf(t, "http://"+health+"/readyz") }).WithTimeout(time.Minute).Should(Equal(http.StatusInternalServerError))
	g.Expect(statusOf(t, "http://"+health+"/healthz")).To(Equal(http.StatusOK))
}

// Labels choose the namespaces, and the choice changes while the operator runs: one that gets
// the label is looked after, one that loses it is left alone, and taken up again.
func TestNamespacesComeAndGoByTheirLabels(t *testing.T) {
	g := NewWithT(t)
	plane := sharedPlane(t)
	kubernetes, err := testbed.NewClient(plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	chosen := newSubject(t, kubernetes, plane.Config, "chosen")
	spaces := map[string]*corev1.Namespace{}
	for _, name := range []string{"label-a", "label-b"} {
		spaces[name] = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		g.Expect(kubernetes.Create(t.Context(), spaces[name])).To(Succeed())
		g.Expect(kubernetes.Create(t.Context(), botWithoutInputs(name))).To(Succeed())
	}
	label := func(name, value string) {
		t.Helper()
		before := spaces[name].DeepCopy()
		metav1.SetMetaDataLabel(&spaces[name].ObjectMeta, "spaces", value)
		g.Expect(kubernetes.Patch(t.Context(), spaces[name], client.MergeFrom(before))).To(Succeed())
	}
	chosen.bind("default", "state_key")
	arguments := []string{"--kubeconfig=" + chosen.kubeconfig, "--leader-elect=false", "--watch-namespace-selector=spaces=yes"}
	expectOneLine(t, attempt(t, append(arguments, "--metrics-bind-address=0", "--health-probe-bind-address=0")...), "may not list namespaces")
	lists := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "lists-namespaces"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"list"}}},
	}
	g.Expect(kubernetes.Create(t.Context(), lists)).To(Succeed())
	g.Expect(kubernetes.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: lists.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: lists.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "chosen"}},
	})).To(Succeed())
	g.Eventually(func() error { return chosen.own.List(t.Context(), &corev1.NamespaceList{}) }).WithTimeout(time.Minute).Should(Succeed())

	command, metrics, health := operatorCommand(t, hurried, append(arguments, "--metrics-secure=false")...)
	operator := startOperator(t, command)
	ready := func() int { return statusOf(t, "http://"+health+"/readyz") }
	g.Eventually(ready).WithTimeout(time.Minute).Should(Equal(http.StatusOK), "no namespace has the label yet, which is no fault")

	label("label-a", "yes")
	page := func() string { return textOf(t, "http://"+metrics+"/metrics") }
	g.Eventually(page).WithTimeout(time.Minute).Should(ContainSubstring(`spaces_namespaces_unreadable{namespace="label-a"} 1`))
	g.Eventually(ready).WithTimeout(time.Minute).Should(Equal(http.StatusInternalServerError))
	chosen.bind("label-a", "manager")
	chosen.bind("label-b", "manager")
	served := func(name string) string { return `spaces_credential_ready{name="bot",namespace="` + name + `"` }
	g.Eventually(page).WithTimeout(time.Minute).Should(And(
		ContainSubstring(served("label-a")), Not(ContainSubstring(served("label-b"))), Not(ContainSubstring("spaces_namespaces_unreadable{"))))
	g.Eventually(ready).WithTimeout(time.Minute).Should(Equal(http.StatusOK))

	label("label-b", "yes")
	g.Eventually(page).WithTimeout(time.Minute).Should(And(ContainSubstring(served("label-a")), ContainSubstring(served("label-b"))))
	label("label-a", "no")
	g.Eventually(page).WithTimeout(time.Minute).Should(And(Not(ContainSubstring(served("label-a"))), ContainSubstring(served("label-b"))))
	waitsFor := func(name, what string) {
		t.Helper()
		g.Eventually(func(g Gomega) {
			bot := &v1alpha1.SpacesCredential{}
			g.Expect(kubernetes.Get(t.Context(), client.ObjectKey{Namespace: name, Name: "bot"}, bot)).To(Succeed())
			g.Expect(bot.Status.Conditions).To(ContainElement(HaveField("Message", ContainSubstring(what))))
		}).WithTimeout(time.Minute).Should(Succeed())
	}
	for _, name := range []string{"label-a", "label-b"} {
		g.Expect(kubernetes.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "the-client"},
			StringData: map[string]string{"client_id": "app", "client_secret": "secret"},
		})).To(Succeed())
	}
	waitsFor("label-b", "the-login")
	waitsFor("label-a", "the-client") // nobody looks at it
	label("label-a", "yes")
	waitsFor("label-a", "the-login")
	g.Expect(operator.Log()).To(And(ContainSubstring("A namespace is chosen no more and left alone"), Not(ContainSubstring("Reconciler error"))))
}

// botWithoutInputs waits for the-client, and then for the-login.
func botWithoutInputs(namespace string) *v1alpha1.SpacesCredential {
	return &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bot"},
		Spec: v1alpha1.SpacesCredentialSpec{
			GrantType: v1alpha1.GrantTypePassword, ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "the-client"},
			Password: &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "the-login"}},
		},
	}
}

// What the page says of the metric is what it is.
func TestTheMetricsPageTellsOfNamespaces(t *testing.T) {
	g := NewWithT(t)
	page, err := os.ReadFile(filepath.Join("docs", "metrics.md"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(page)).To(ContainSubstring("\n| `spaces_namespaces_unreadable{namespace}` | gauge | "))
}

// subject is a user who may only what is bound to them.
type subject struct {
	t          *testing.T
	kubernetes client.Client
	name       string
	config     *rest.Config
	own        client.Client
	kubeconfig string
}

func newSubject(t *testing.T, kubernetes client.Client, config *rest.Config, name string) subject {
	t.Helper()
	g := NewWithT(t)
	path, err := testbed.WriteKubeconfig(t.TempDir(), config)
	g.Expect(err).NotTo(HaveOccurred())
	content, err := clientcmd.LoadFromFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	for _, user := range content.AuthInfos {
		user.Impersonate = name
	}
	g.Expect(clientcmd.WriteToFile(*content, path)).To(Succeed())
	as := rest.CopyConfig(config)
	as.Impersonate.UserName = name
	own, err := testbed.NewClient(as)
	g.Expect(err).NotTo(HaveOccurred())
	return subject{t: t, kubernetes: kubernetes, name: name, config: as, own: own, kubeconfig: path}
}

// bind binds a role of config/rbac in a namespace.
func (s subject) bind(namespace, role string) client.Object {
	s.t.Helper()
	g := NewWithT(s.t)
	file, err := os.ReadFile(filepath.Join("config", "rbac", role+"_role.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	granted := &rbacv1.Role{}
	g.Expect(yaml.Unmarshal(file, granted)).To(Succeed())
	granted.TypeMeta, granted.Namespace = metav1.TypeMeta{}, namespace
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: granted.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: granted.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: s.name}},
	}
	for _, object := range []client.Object{granted, binding} {
		g.Expect(s.kubernetes.Create(s.t.Context(), object)).To(Succeed())
		s.t.Cleanup(func() { _ = s.kubernetes.Delete(context.Background(), object) }) // which may be gone
	}
	return binding
}

// awaits waits until a namespace may be read: the API server takes up what is bound.
func (s subject) awaits(namespace string) {
	s.t.Helper()
	NewWithT(s.t).Eventually(func() error { return mayServe(s.t.Context(), s.own, namespace) }).WithTimeout(time.Minute).Should(Succeed())
}
