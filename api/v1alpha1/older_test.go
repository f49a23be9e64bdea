// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// An object that is older than a rule must stay deletable. Rules on spec and below are
// excused while their part of the object stays as it is; this is why nothing but what
// needs metadata.name stands on the root. The proof needs an object from before the
// rules, so it takes a copy of our CRD in another group, first without them.
func TestAnObjectOlderThanARuleStaysDeletable(t *testing.T) {
	g := NewWithT(t)
	const group = "older.example.com"
	source, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "bases", "auth.spaces-operator.io_spacescredentials.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	ruled := &unstructured.Unstructured{}
	g.Expect(yaml.Unmarshal(source, &ruled.Object)).To(Succeed())
	ruled.SetName("spacescredentials." + group)
	g.Expect(unstructured.SetNestedField(ruled.Object, group, "spec", "group")).To(Succeed())
	// Short names and categories are ours already.
	unstructured.RemoveNestedField(ruled.Object, "spec", "names", "shortNames")
	unstructured.RemoveNestedField(ruled.Object, "spec", "names", "categories")

	free := ruled.DeepCopy()
	dropSpecRules(t, free)
	g.Expect(cluster.Create(t.Context(), free)).To(Succeed())

	older := func() *unstructured.Unstructured {
		return object(t, withPassword,
			set("apiVersion", group+"/v1alpha1"),
			set("metadata.finalizers", list("example.com/wait")),
			set("spec.refreshToken", map[string]any{"secretRef": map[string]any{"name": "other-grant"}}),
			set("spec.renewal", map[string]any{"renewBeforePercent": int64(20), "renewBeforeSeconds": int64(60)}),
			set("spec.scopes", list("two words")),
			set("spec.secretTemplate.type", "kubernetes.io/tls"),
			set("spec.secretTemplate.labels", map[string]any{"k8s.io/a": "b"}),
			set("spec.secretTemplate.data", list(entry("access_token"))),
		)
	}
	obj := older()
	// The API server takes a moment to serve a new or changed CRD.
	g.Eventually(func() error { return cluster.Create(t.Context(), obj) }, 30*time.Second, 100*time.Millisecond).Should(Succeed())

	// A merge patch replaces the list of versions, and does not mind that the API server
	// has written the CRD's status in the meantime.
	versions, err := json.Marshal(map[string]any{"spec": map[string]any{"versions": versionsOf(t, ruled)}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cluster.Patch(t.Context(), free, client.RawPatch(types.MergePatchType, versions))).To(Succeed())
	g.Eventually(func() error {
		another := older()
		another.SetName("another")
		return cluster.Create(t.Context(), another, client.DryRunAll)
	}, 30*time.Second, 100*time.Millisecond).Should(MatchError(And(ContainSubstring(reservedLabels), ContainSubstring(bothRenewals))))

	g.Expect(cluster.Get(t.Context(), client.ObjectKeyFromObject(obj), obj)).To(Succeed())
	g.Expect(unstructured.SetNestedField(obj.Object, "production", "status", "environment")).To(Succeed())
	g.Expect(cluster.Status().Update(t.Context(), obj)).To(Succeed(), "its status can be written")
	obj.SetAnnotations(map[string]string{"note": "old"})
	g.Expect(cluster.Update(t.Context(), obj)).To(Succeed(), "it can be annotated")
	g.Expect(cluster.Delete(t.Context(), obj)).To(Succeed())
	g.Expect(cluster.Get(t.Context(), client.ObjectKeyFromObject(obj), obj)).To(Succeed())
	obj.SetFinalizers(nil)
	g.Expect(cluster.Update(t.Context(), obj)).To(Succeed(), "its finalizer can be removed")
}

func versionsOf(t *testing.T, crd *unstructured.Unstructured) []any {
	t.Helper()
	g := NewWithT(t)
	versions, found, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(BeTrue())
	return versions
}

// dropSpecRules removes every rule on spec and below from a CRD.
func dropSpecRules(t *testing.T, crd *unstructured.Unstructured) {
	t.Helper()
	g := NewWithT(t)
	versions := versionsOf(t, crd)
	for _, version := range versions {
		path := []string{"schema", "openAPIV3Schema", "properties", "spec"}
		spec, found, err := unstructured.NestedMap(version.(map[string]any), path...)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found).To(BeTrue())
		dropRules(spec)
		g.Expect(unstructured.SetNestedMap(version.(map[string]any), spec, path...)).To(Succeed())
	}
	g.Expect(unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions")).To(Succeed())
}

func dropRules(schema map[string]any) {
	delete(schema, "x-kubernetes-validations")
	for _, value := range schema {
		if nested, ok := value.(map[string]any); ok {
			dropRules(nested)
		}
	}
}
