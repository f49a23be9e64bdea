// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// The smallest object of each grant. Every test is one of these and what it changes.
const (
	withPassword = `
apiVersion: auth.spaces-operator.io/v1alpha1
kind: SpacesCredential
metadata: {name: meeting-bot, namespace: default}
spec:
  clientSecretRef: {name: spaces-client}
  grantType: Password
  password: {secretRef: {name: bot-login}}
`
	withRefreshToken = `
apiVersion: auth.spaces-operator.io/v1alpha1
kind: SpacesCredential
metadata: {name: meeting-bot, namespace: default}
spec:
  clientSecretRef: {name: spaces-client}
  grantType: RefreshToken
  refreshToken: {secretRef: {name: seed}}
`
	withCode = `
apiVersion: auth.spaces-operator.io/v1alpha1
kind: SpacesCredential
metadata: {name: meeting-bot, namespace: default}
spec:
  clientSecretRef: {name: spaces-client}
  grantType: AuthorizationCode
  authorizationCode: {secretRef: {name: meeting-bot-login}, redirectURI: http://localhost:3000}
`
	asGuest = `
apiVersion: auth.spaces-operator.io/v1alpha1
kind: SpacesCredential
metadata: {name: meeting-bot, namespace: default}
spec:
  grantType: Anonymous
  anonymous: {}
`
)

// edit changes one field of an object; a nil value removes the field.
type edit struct {
	path  string
	value any
}

func set(path string, value any) edit { return edit{path: path, value: value} }
func remove(path string) edit         { return edit{path: path} }

// object reads YAML and applies edits. A path is dotted; keys that hold dots
// themselves are set through the map above them.
func object(t *testing.T, source string, edits ...edit) *unstructured.Unstructured {
	t.Helper()
	g := NewWithT(t)
	result := &unstructured.Unstructured{}
	g.Expect(yaml.Unmarshal([]byte(source), &result.Object)).To(Succeed())
	for _, e := range edits {
		path := strings.Split(e.path, ".")
		if e.value == nil {
			unstructured.RemoveNestedField(result.Object, path...)
			continue
		}
		g.Expect(unstructured.SetNestedField(result.Object, e.value, path...)).To(Succeed())
	}
	return result
}

// create stores an object for the length of a test.
func create(t *testing.T, obj *unstructured.Unstructured) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(cluster.Create(t.Context(), obj)).To(Succeed())
	t.Cleanup(func() {
		ctx := context.Background() // the test's own context has ended
		key := client.ObjectKeyFromObject(obj)
		living := &unstructured.Unstructured{}
		living.SetGroupVersionKind(obj.GroupVersionKind())
		if cluster.Get(ctx, key, living) != nil {
			return
		}
		living.SetFinalizers(nil)
		g.Expect(client.IgnoreNotFound(cluster.Update(ctx, living))).To(Succeed())
		g.Expect(client.IgnoreNotFound(cluster.Delete(ctx, living))).To(Succeed())
	})
}

// expectVerdict compares an API server's answer with what a person should read;
// an empty want means that the object is accepted.
func expectVerdict(t *testing.T, err error, want string) {
	t.Helper()
	g := NewWithT(t)
	if want == "" {
		g.Expect(err).NotTo(HaveOccurred())
		return
	}
	g.Expect(err).To(MatchError(ContainSubstring(want)))
	t.Log(err)
}

// list is a YAML list, empty rather than absent when it has no values.
func list(values ...any) []any { return append([]any{}, values...) }

// chars is a text of that length that is legal almost everywhere.
func chars(n int) string { return strings.Repeat("a", n) }
