package gitops

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// startOperator runs an operator for one namespace until the test ends, with a service in memory
// that takes guests.
func startOperator(t *testing.T, namespace string) {
	t.Helper()
	g := NewWithT(t)
	folder := t.TempDir()
	service, err := testbed.StartService()
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(service.Stop()).To(Succeed()) })
	kubeconfig, err := testbed.WriteKubeconfig(folder, config)
	g.Expect(err).NotTo(HaveOccurred())
	environments, err := testbed.WriteEnvironments(folder, service.Environment("staging"))
	g.Expect(err).NotTo(HaveOccurred())
	program := filepath.Join(folder, "manager")
	g.Expect(testbed.Build(t.Context(), program, ".")).To(Succeed())
	operator, err := testbed.StartOperator(exec.Command(program, "--environments-file="+environments, "--kubeconfig="+kubeconfig, "--watch-namespaces="+namespace,
		"--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=0"), filepath.Join(folder, "operator.log"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(errors.Join(operator.Failure(), operator.Stop())).To(Succeed()) })
}

// The operator itself acts on what a tool's manifest and its buttons say, and what it writes is no drift.
func TestAnOperatorLivesBesideAGitOpsTool(t *testing.T) {
	g := NewWithT(t)
	namespace := newNamespace(t, "operator", nil)
	manifest := sample(t, "anonymous", namespace)
	manifest.Object["spec"].(map[string]any)["secretDeletionPolicy"] = "Retain"
	manifest.Object["spec"].(map[string]any)["secretTemplate"] = map[string]any{
		"labels":      map[string]any{"app.kubernetes.io/instance": "team-a"},
		"annotations": map[string]any{"argocd.argoproj.io/sync-options": "Prune=false", "argocd.argoproj.io/compare-options": "IgnoreExtraneous"},
	}
	live, err := apply(t, manifest)
	g.Expect(err).NotTo(HaveOccurred())
	startOperator(t, namespace)
	script := read(t, customizations, "health.lua")
	healthy := func() string {
		g.Expect(admin.Get(context.Background(), client.ObjectKeyFromObject(live), live)).To(Succeed())
		return health(t, script, live).Status
	}
	g.Eventually(healthy).WithTimeout(patience).Should(Equal("Healthy"))
	g.Expect(kstatus(t, live)).To(Equal("Current"))

	published := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: live.GetName()}}
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(published), published)).To(Succeed())
	g.Expect(published.OwnerReferences).To(BeEmpty(), "what a tool would prune")
	g.Expect(published.Annotations).To(HaveKeyWithValue("argocd.argoproj.io/sync-options", "Prune=false"))

	act(t, "renew", live)
	asked := live.GetAnnotations()[v1alpha1.AnnotationRenewRequestedAt]
	g.Eventually(func() string {
		g.Expect(admin.Get(context.Background(), client.ObjectKeyFromObject(live), live)).To(Succeed())
		handled, _, err := unstructured.NestedString(live.Object, "status", "lastHandledRenewRequest")
		g.Expect(err).NotTo(HaveOccurred())
		return handled
	}).WithTimeout(patience).Should(Equal(asked))
	act(t, "suspend", live)
	g.Eventually(healthy).WithTimeout(patience).Should(Equal("Suspended"))

	drifted, err := apply(t, manifest, client.DryRunAll)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(visible(drifted)).To(Equal(visible(live)))
	g.Expect(admin.Delete(t.Context(), live)).To(Succeed())
	g.Eventually(func() error { return admin.Get(context.Background(), client.ObjectKeyFromObject(live), live) }).WithTimeout(patience).ShouldNot(Succeed())
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(published), published)).To(Succeed(), "it stays")
}
