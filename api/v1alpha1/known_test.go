// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// A value that is added to the CRD alone would be one that nobody acts on.
func TestEveryValueOfTheCRDIsKnownAndNoOther(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "bases", "auth.spaces-operator.io_spacescredentials.yaml"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	crd := &unstructured.Unstructured{}
	NewWithT(t).Expect(yaml.Unmarshal(source, &crd.Object)).To(Succeed())

	for path, isKnown := range map[string]func(string) bool{
		"grantType":                    func(v string) bool { return v1alpha1.GrantType(v).IsKnown() },
		"clientRef.kind":               func(v string) bool { return v1alpha1.ClientKind(v).IsKnown() },
		"secretDeletionPolicy":         func(v string) bool { return v1alpha1.SecretDeletionPolicy(v).IsKnown() },
		"revocation.policy":            func(v string) bool { return v1alpha1.RevocationPolicy(v).IsKnown() },
		"verification.items":           func(v string) bool { return v1alpha1.Verification(v).IsKnown() },
		"secretTemplate.formats.items": func(v string) bool { return v1alpha1.SecretFormat(v).IsKnown() },
	} {
		t.Run(path, func(t *testing.T) {
			g := NewWithT(t)
			fields := []string{"schema", "openAPIV3Schema", "properties", "spec"}
			for name := range strings.SplitSeq(path, ".") {
				if name != "items" {
					fields = append(fields, "properties")
				}
				fields = append(fields, name)
			}
			for _, version := range versionsOf(t, crd) {
				values, found, err := unstructured.NestedStringSlice(version.(map[string]any), append(fields, "enum")...)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(found).To(BeTrue())
				for _, value := range values {
					g.Expect(isKnown(value)).To(BeTrue(), value)
				}
			}
			g.Expect(isKnown("FromTheFuture")).To(BeFalse())
			g.Expect(isKnown("")).To(BeFalse())
		})
	}
}

func TestUnknownValuesAreToldAndTakenForNoOther(t *testing.T) {
	g := NewWithT(t)
	cred := &v1alpha1.SpacesCredential{Spec: v1alpha1.SpacesCredentialSpec{GrantType: v1alpha1.GrantTypePassword}}
	g.Expect(cred.UnknownValues()).To(BeEmpty(), "absence is known")

	cred.Spec = v1alpha1.SpacesCredentialSpec{
		GrantType:            "DeviceCode",
		ClientRef:            &v1alpha1.ClientReference{Kind: "SpacesClient", Name: "corporate"},
		SecretDeletionPolicy: "Archive",
		SecretTemplate:       &v1alpha1.SecretTemplate{Formats: []v1alpha1.SecretFormat{v1alpha1.SecretFormatJSON, "TOML"}},
		Verification:         []v1alpha1.Verification{"Horoscope", v1alpha1.VerificationTokenInfo},
		Revocation:           &v1alpha1.Revocation{Policy: "Later"},
	}
	g.Expect(cred.UnknownValues()).To(HaveExactElements(
		"grant type DeviceCode", "client kind SpacesClient", "deletion policy Archive", "format TOML", "check Horoscope", "revocation policy Later"))
	g.Expect(cred.EffectiveScopes()).To(BeNil(), "those of a password are not asked for")
	g.Expect(cred.EffectiveRevocationPolicy()).To(BeEquivalentTo("Later"), "it is not taken for the default")
}
