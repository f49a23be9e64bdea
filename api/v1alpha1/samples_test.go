// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// What people copy first must be accepted word for word.
func TestSamplesAreAccepted(t *testing.T) {
	g := NewWithT(t)
	folder := filepath.Join("..", "..", "config", "samples")
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	g.Expect(err).NotTo(HaveOccurred())

	var resources struct{ Resources []string }
	grants := map[string]int{}
	secrets := map[string]map[string]bool{}
	var credentials []*v1alpha1.SpacesCredential
	for _, file := range files {
		source, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		if filepath.Base(file) == "kustomization.yaml" {
			g.Expect(yaml.Unmarshal(source, &resources)).To(Succeed())
			continue
		}
		obj := &unstructured.Unstructured{}
		g.Expect(yaml.Unmarshal(source, &obj.Object)).To(Succeed())
		obj.SetNamespace("default")
		g.Expect(cluster.Create(t.Context(), obj, client.DryRunAll)).To(Succeed(), file)

		switch obj.GetKind() {
		case "Secret":
			secrets[obj.GetName()] = map[string]bool{}
			data, _, err := unstructured.NestedMap(obj.Object, "data")
			g.Expect(err).NotTo(HaveOccurred())
			for key := range data {
				secrets[obj.GetName()][key] = true
			}
		case v1alpha1.Kind:
			cred := &v1alpha1.SpacesCredential{}
			defaulted, err := obj.MarshalJSON()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(yaml.UnmarshalStrict(defaulted, cred)).To(Succeed(), "the Go types know every field")
			grants[string(cred.Spec.GrantType)]++
			credentials = append(credentials, cred)
		}
	}
	for _, grant := range []string{"Password", "RefreshToken", "AuthorizationCode", "Anonymous"} {
		g.Expect(grants).To(HaveKey(grant))
	}
	g.Expect(resources.Resources).To(HaveLen(len(files)-1), "the kustomization lists every sample")
	for _, cred := range credentials {
		for _, name := range cred.InputSecretNames() {
			if code := cred.Spec.AuthorizationCode; code != nil && code.SecretRef.Name == name {
				continue // made when a person signs in
			}
			g.Expect(secrets).To(HaveKey(name), "%s names a Secret that is among the samples", cred.Name)
		}
		if cred.Spec.GrantType == v1alpha1.GrantTypeAnonymous {
			continue
		}
		g.Expect(secrets[cred.Spec.ClientSecretRef.Name]).To(And(HaveKey(cred.Spec.ClientSecretRef.ClientIDKey), HaveKey(cred.Spec.ClientSecretRef.ClientSecretKey)))
	}
}
