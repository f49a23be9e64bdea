// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// storedObjects are the objects of earlier releases, by file.
func storedObjects(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	g := NewWithT(t)
	files, err := filepath.Glob(filepath.Join("testdata", "stored", "*", "*.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).NotTo(BeEmpty())
	objects := map[string]*unstructured.Unstructured{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		raw, err := yaml.YAMLToJSON(source)
		g.Expect(err).NotTo(HaveOccurred())
		objects[file] = &unstructured.Unstructured{}
		g.Expect(objects[file].UnmarshalJSON(raw)).To(Succeed())
		objects[file].SetNamespace("default")
	}
	return objects
}

// An upgrade meets objects that are there already: under today's CRD each must be what it
// was, and must let itself be annotated, claimed, deleted and released.
func TestWhatEarlierReleasesStoredStaysUsable(t *testing.T) {
	for file, given := range storedObjects(t) {
		t.Run(file, func(t *testing.T) {
			g := NewWithT(t)
			obj := given.DeepCopy()
			create(t, obj)
			if status, found := given.Object["status"]; found {
				obj.Object["status"] = status
				g.Expect(cluster.Status().Update(t.Context(), obj)).To(Succeed(), "its status can be written")
			}
			stored := &unstructured.Unstructured{}
			stored.SetGroupVersionKind(obj.GroupVersionKind())
			key := client.ObjectKeyFromObject(obj)
			read := func() map[string]any {
				g.Expect(cluster.Get(t.Context(), key, stored)).To(Succeed())
				return map[string]any{"spec": stored.Object["spec"], "status": stored.Object["status"]}
			}
			first := read()
			for _, part := range []string{"spec", "status"} {
				g.Expect(lost(given.Object[part], first[part])).To(BeEmpty(), "only defaults may come to it")
			}

			// The Go types know every field, and hold each: an object that the operator or
			// a client writes whole loses nothing.
			raw, err := stored.MarshalJSON()
			g.Expect(err).NotTo(HaveOccurred())
			typed := &v1alpha1.SpacesCredential{}
			g.Expect(yaml.UnmarshalStrict(raw, typed)).To(Succeed())
			typed.Finalizers = []string{v1alpha1.FinalizerRevoke}
			typed.Annotations = map[string]string{v1alpha1.AnnotationRenewRequestedAt: "now"}
			status := *typed.Status.DeepCopy()
			g.Expect(cluster.Update(t.Context(), typed)).To(Succeed(), "it can be annotated, and its finalizer set")
			typed.Status = status
			g.Expect(cluster.Status().Update(t.Context(), typed)).To(Succeed())
			g.Expect(read()).To(BeComparableTo(first), "written whole from the Go types it is the same")
			g.Expect(stored.GetFinalizers()).To(ConsistOf(v1alpha1.FinalizerRevoke))

			g.Expect(cluster.Delete(t.Context(), typed)).To(Succeed())
			dying := &v1alpha1.SpacesCredential{}
			g.Expect(cluster.Get(t.Context(), key, dying)).To(Succeed(), "the finalizer holds it")
			before := dying.DeepCopy()
			dying.Finalizers = nil
			g.Expect(cluster.Patch(t.Context(), dying, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))).To(Succeed(), "its finalizer can be removed")
			g.Expect(cluster.Get(t.Context(), key, dying)).To(MatchError(ContainSubstring("not found")))
		})
	}
}

// lost lists what of given is not in found, or has another value there.
func lost(given, found any) (paths []string) {
	members, isMap := given.(map[string]any)
	there, isThere := found.(map[string]any)
	if !isMap || !isThere {
		if given == nil || equality.Semantic.DeepEqual(given, found) {
			return nil
		}
		return []string{fmt.Sprintf(": %v became %v", given, found)}
	}
	for key, value := range members {
		for _, path := range lost(value, there[key]) {
			paths = append(paths, "."+key+path)
		}
	}
	return paths
}

// The objects above prove only what they hold: every field of the CRD, and every value
// that it lists, stands in one of them.
func TestStoredObjectsHoldEveryFieldAndValue(t *testing.T) {
	g := NewWithT(t)
	source, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "bases", "auth.spaces-operator.io_spacescredentials.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	crd := &unstructured.Unstructured{}
	g.Expect(yaml.Unmarshal(source, &crd.Object)).To(Succeed())

	wanted := map[string]bool{}
	for _, version := range versionsOf(t, crd) {
		for _, part := range []string{"spec", "status"} {
			schema, found, err := unstructured.NestedMap(version.(map[string]any), "schema", "openAPIV3Schema", "properties", part)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found).To(BeTrue())
			addFieldsOf(schema, part, wanted)
		}
	}
	g.Expect(len(wanted)).To(BeNumerically(">", 60), "the walk through the schema finds its fields and values")

	for _, obj := range storedObjects(t) {
		for _, part := range []string{"spec", "status"} {
			dropFieldsOf(obj.Object[part], part, wanted)
		}
	}
	g.Expect(slices.Sorted(maps.Keys(wanted))).To(BeEmpty(),
		"no stored object holds these: add one to a folder of its own under testdata/stored, named for the coming release")
}

// addFieldsOf adds the path of every leaf of a schema, and one more for every value that
// an enum lists.
func addFieldsOf(schema map[string]any, path string, fields map[string]bool) {
	below := func(key string) map[string]any { nested, _ := schema[key].(map[string]any); return nested }
	switch {
	case below("properties") != nil:
		for name := range below("properties") {
			nested, _ := below("properties")[name].(map[string]any)
			addFieldsOf(nested, path+"."+name, fields)
		}
	case below("items") != nil:
		addFieldsOf(below("items"), path+"[]", fields)
	case below("additionalProperties") != nil:
		addFieldsOf(below("additionalProperties"), path+"{}", fields)
	default:
		fields[path] = true
		values, _ := schema["enum"].([]any)
		for _, value := range values {
			fields[fmt.Sprintf("%s=%v", path, value)] = true
		}
	}
}

// dropFieldsOf drops what a value holds. A map with free keys looks like one with fields:
// both ways are dropped.
func dropFieldsOf(value any, path string, fields map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		for name, nested := range value {
			dropFieldsOf(nested, path+"."+name, fields)
			dropFieldsOf(nested, path+"{}", fields)
		}
	case []any:
		for _, nested := range value {
			dropFieldsOf(nested, path+"[]", fields)
		}
	default:
		delete(fields, path)
		delete(fields, fmt.Sprintf("%s=%v", path, value))
	}
}
