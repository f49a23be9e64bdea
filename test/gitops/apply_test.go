package gitops

import (
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// A repository's manifest is applied by this manager, and a person's tool has its own.
const (
	fromGit    = client.FieldOwner("gitops-tool")
	fromPerson = client.FieldOwner("kubectl-annotate")
)

// apply sends a manifest by Server-Side Apply, as it stands in the repository.
func apply(t *testing.T, manifest *unstructured.Unstructured, options ...client.ApplyOption) (*unstructured.Unstructured, error) {
	t.Helper()
	sent := manifest.DeepCopy()
	err := admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(sent), append([]client.ApplyOption{fromGit}, options...)...)
	return sent, err
}

// patch is what a person or the operator changes.
func patch(t *testing.T, live *unstructured.Unstructured, owner client.FieldOwner, change string) {
	t.Helper()
	NewWithT(t).Expect(admin.Patch(t.Context(), live, client.RawPatch(types.MergePatchType, []byte(change)), owner)).To(Succeed())
}

// livedIn is an applied object on which the operator and a person have been at work.
func livedIn(t *testing.T, manifest *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	g := NewWithT(t)
	live, err := apply(t, manifest)
	g.Expect(err).NotTo(HaveOccurred())
	patch(t, live, v1alpha1.FieldManager, `{"metadata": {"finalizers": ["`+v1alpha1.FinalizerRevoke+`"]}}`)
	patch(t, live, fromPerson, `{"metadata": {"annotations": {"`+v1alpha1.AnnotationRenewRequestedAt+`": "2026-11-26T09:30:00Z"}}}`)
	told := object(t, read(t, customizations, "testdata", "renewed.yaml"))
	g.Expect(unstructured.SetNestedField(live.Object, told.Object["status"], "status")).To(Succeed())
	g.Expect(admin.Status().Update(t.Context(), live, client.FieldOwner(v1alpha1.FieldManagerStatus))).To(Succeed())
	return live
}

// visible is an object without what changes by being written.
func visible(live *unstructured.Unstructured) map[string]any {
	shown := live.DeepCopy()
	shown.SetManagedFields(nil)
	shown.SetResourceVersion("")
	return shown.Object
}

func TestARepositoryAndAPersonDoNotMeet(t *testing.T) {
	for _, grant := range []string{"password", "refresh_token", "authorization_code", "anonymous"} {
		t.Run(grant, func(t *testing.T) {
			g := NewWithT(t)
			manifest := sample(t, grant, newNamespace(t, "apply", nil))
			live := livedIn(t, manifest)

			drifted, err := apply(t, manifest, client.DryRunAll)
			g.Expect(err).NotTo(HaveOccurred(), "no conflict, though nobody forces it")
			g.Expect(visible(drifted)).To(Equal(visible(live)), "and no drift: nothing has to be ignored")

			g.Expect(unstructured.SetNestedField(manifest.Object, map[string]any{"renewBeforePercent": int64(40)}, "spec", "renewal")).To(Succeed())
			after, err := apply(t, manifest)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(after.GetGeneration()).To(Equal(live.GetGeneration() + 1))
			g.Expect(after.GetFinalizers()).To(Equal([]string{v1alpha1.FinalizerRevoke}))
			g.Expect(after.GetAnnotations()).To(HaveKey(v1alpha1.AnnotationRenewRequestedAt))
			g.Expect(after.Object["status"]).To(Equal(live.Object["status"]))
		})
	}
}

func TestASuspensionStaysUnlessTheRepositoryHasAnOpinion(t *testing.T) {
	g := NewWithT(t)
	manifest := sample(t, "password", newNamespace(t, "suspend", nil))
	live := livedIn(t, manifest)
	patch(t, live, fromPerson, `{"spec": {"suspend": true}}`)
	after, err := apply(t, manifest)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(after.Object["spec"]).To(HaveKeyWithValue("suspend", true))

	g.Expect(unstructured.SetNestedField(manifest.Object, false, "spec", "suspend")).To(Succeed())
	_, err = apply(t, manifest)
	g.Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
	g.Expect(err).To(MatchError(ContainSubstring(".spec.suspend")))
	after, err = apply(t, manifest, client.ForceOwnership)
	g.Expect(err).NotTo(HaveOccurred(), "GitOps tools force it")
	g.Expect(after.Object["spec"]).To(HaveKeyWithValue("suspend", false))
}

// A finalizer or a request in the repository is the repository's, and is put back for ever.
func TestAFinalizerDoesNotBelongIntoTheRepository(t *testing.T) {
	g := NewWithT(t)
	manifest := sample(t, "password", newNamespace(t, "finalizer", nil))
	manifest.SetFinalizers([]string{v1alpha1.FinalizerRevoke})
	live := livedIn(t, manifest)
	patch(t, live, v1alpha1.FieldManager, `{"metadata": {"finalizers": null}}`)
	after, err := apply(t, manifest, client.ForceOwnership)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(after.GetFinalizers()).To(Equal([]string{v1alpha1.FinalizerRevoke}))
}
