package charts

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// The order of docs/install.md: all is ended, the release goes, and then the CRD. No trace is left,
// at the service either.
func TestAnInstallationIsRemovedWithoutATrace(t *testing.T) {
	g := NewWithT(t)
	spaces, started := startEverywhere(t)
	signIn(t, started, "team-a")

	said, err := plugin(t, "uninstall", "--revoke")
	g.Expect(err).NotTo(HaveOccurred(), said)
	g.Expect(said).To(HaveSuffix("the operator can be removed, and then the CRD.\n"))
	g.Expect(spaces.Ledger().GrantsLive).To(BeZero())
	g.Expect(started.operator.Stop()).To(Succeed())
	mustCall(t, "uninstall", release)
	g.Expect(left(t)).To(BeEmpty())
	g.Expect(client.IgnoreNotFound(plane.kubernetes.Delete(t.Context(), crd()))).To(Succeed())
	expectGone(t, crd())
	expectNoSecretIn(t, "team-a")
}

// The wrong order: the operator goes first, and the CRD hangs. What was left behind is freed, and
// it is said how many grants stay.
func TestAnOperatorThatWentFirstLeavesNothingThatHangs(t *testing.T) {
	g := NewWithT(t)
	spaces, started := startEverywhere(t)
	credential := signIn(t, started, "team-a")
	g.Expect(started.operator.Stop()).To(Succeed())
	mustCall(t, "uninstall", release)
	g.Expect(plane.kubernetes.Delete(t.Context(), crd())).To(Succeed())
	g.Eventually(func(g Gomega) {
		g.Expect(plane.kubernetes.Get(t.Context(), client.ObjectKeyFromObject(credential), credential)).To(Succeed())
		g.Expect(credential.DeletionTimestamp).NotTo(BeNil(), "it is to hang as the CRD does")
	}).WithTimeout(time.Minute).Should(Succeed())

	said, err := plugin(t, "uninstall", "--revoke")
	g.Expect(err).To(HaveOccurred(), said)
	g.Expect(said).To(ContainSubstring("no operator is running"))
	said, err = plugin(t, "uninstall", "--keep-grants")
	g.Expect(err).NotTo(HaveOccurred(), said)
	g.Expect(said).To(ContainSubstring("somebody ends it there: 1 grant.\n"))
	g.Expect(spaces.Ledger().GrantsLive).To(Equal(1))
	expectGone(t, crd())
	expectNoSecretIn(t, "team-a")
}

// With namespaces named, a namespace that is deleted takes the operator's rights with it. It
// ends, with every grant revoked, once those are given for the whole cluster.
func TestADeletedNamespaceThatTookTheRightsWithItIsFreed(t *testing.T) {
	g := NewWithT(t)
	createNamespaces(t)
	startControllers(t)
	doomed := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "doomed"}}
	create(t, doomed)
	spaces := startSpaces(t)
	mustCall(t, "install", release, chart, "-f", file(t, valuesFor(spaces, "team-a", doomed.Name)))
	t.Cleanup(func() { mustCall(t, "uninstall", release) })
	started := startInstalled(t)
	signIn(t, started, doomed.Name)
	g.Expect(started.operator.Stop()).To(Succeed()) // so that it comes too late for sure
	g.Expect(plane.kubernetes.Delete(t.Context(), doomed)).To(Succeed())
	expectGone(t, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: doomed.Name, Name: release + "-manager-rolebinding"}})

	// As docs/install.md has it.
	mustCall(t, "upgrade", release, chart, "-f", file(t, valuesFor(spaces, "team-a", doomed.Name)), "--set", "watch.namespaces=null")
	started = startInstalled(t)
	expectGone(t, doomed)
	g.Expect(started.operator.Failure()).To(Succeed())
	g.Expect(spaces.Ledger().GrantsLive).To(BeZero())
}

// startEverywhere installs an operator for all namespaces, and starts it and the controllers beside it.
func startEverywhere(t *testing.T) (*testbed.Service, installed) {
	t.Helper()
	createNamespaces(t)
	startControllers(t)
	spaces := startSpaces(t)
	mustCall(t, "install", release, chart, "-f", file(t, valuesFor(spaces)))
	return spaces, startInstalled(t)
}

// startControllers starts those that delete namespaces and what is owned, until the test ends.
func startControllers(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	running, err := testbed.StartControllers(os.Getenv("KUBEBUILDER_ASSETS"), plane.kubeconfig, io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(running.Stop(10 * time.Second)).To(Succeed()) })
}

// plugin runs kubectl spaces, which is built once.
func plugin(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(testbed.Build(t.Context(), "../bin/chart/kubectl-spaces", "./cmd/kubectl-spaces")).To(Succeed())
	path, err := filepath.Abs("../bin/chart/kubectl-spaces")
	g.Expect(err).NotTo(HaveOccurred())
	output, err := exec.CommandContext(t.Context(), path, append(arguments, "--kubeconfig="+plane.kubeconfig)...).CombinedOutput()
	return string(output), err
}

// crd is the one of the chart.
func crd() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "spacescredentials." + v1alpha1.GroupName},
	}}
}

// expectGone waits until there is no such object.
func expectGone(t *testing.T, object client.Object) {
	t.Helper()
	NewWithT(t).Eventually(func() bool {
		return apierrors.IsNotFound(plane.kubernetes.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	}).WithTimeout(2*time.Minute).Should(BeTrue(), "%T %s is still there: %v", object, object.GetName(), object)
}

// expectNoSecretIn waits until the operator's Secrets are gone, and takes the inputs away.
func expectNoSecretIn(t *testing.T, namespace string) {
	t.Helper()
	g := NewWithT(t)
	for _, input := range []string{"client", "login"} {
		g.Expect(plane.kubernetes.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: input}})).To(Succeed())
	}
	g.Eventually(func(g Gomega) {
		var secrets corev1.SecretList
		g.Expect(plane.kubernetes.List(t.Context(), &secrets, client.InNamespace(namespace))).To(Succeed())
		g.Expect(secrets.Items).To(BeEmpty())
	}).WithTimeout(time.Minute).Should(Succeed())
}
