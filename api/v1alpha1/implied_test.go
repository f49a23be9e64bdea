// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

func TestAbsenceImplies(t *testing.T) {
	g := NewWithT(t)
	cred := &v1alpha1.SpacesCredential{}
	cred.Name = "meeting-bot"
	cred.Spec.GrantType = v1alpha1.GrantTypePassword

	g.Expect(cred.EffectiveEnvironment()).To(Equal("production"))
	g.Expect(cred.EffectiveSecretName()).To(Equal("meeting-bot"))
	g.Expect(cred.EffectiveSecretType()).To(Equal("Opaque"))
	g.Expect(cred.EffectiveScopes()).To(Equal([]string{"email", "profile", "spaces"}))
	g.Expect(cred.EffectiveRevocationPolicy()).To(Equal(v1alpha1.RevocationOnDelete))
	g.Expect(cred.EffectiveRevocationDeadline()).To(Equal(5 * time.Minute))
	g.Expect(cred.GrantSecretName()).To(Equal("meeting-bot-grant"))
	g.Expect(cred.SecretLabels()).To(BeNil())
	g.Expect(cred.SecretAnnotations()).To(BeNil())
	g.Expect(cred.StateLabels()).To(BeNil())
	g.Expect(cred.InputSecretNames()).To(BeEmpty())

	cred.EffectiveScopes()[0] = "changed"
	g.Expect(cred.EffectiveScopes()).To(HaveExactElements("email", "profile", "spaces"), "a caller cannot change what is implied")

	cred.Spec.GrantType = v1alpha1.GrantTypeRefreshToken
	g.Expect(cred.EffectiveScopes()).To(BeNil(), "a refresh token keeps its scopes")
	cred.Spec.GrantType = v1alpha1.GrantTypeAnonymous
	g.Expect(cred.EffectiveScopes()).To(BeNil(), "a guest has none")
}

func TestWhatIsWrittenWins(t *testing.T) {
	g := NewWithT(t)
	cred := &v1alpha1.SpacesCredential{Spec: v1alpha1.SpacesCredentialSpec{
		Environment: "staging",
		GrantType:   v1alpha1.GrantTypePassword,
		Scopes:      []string{"email"},
		SecretName:  "token",
		SecretTemplate: &v1alpha1.SecretTemplate{
			Type:        "example.com/token",
			Labels:      map[string]v1alpha1.LabelValue{"team": "a"},
			Annotations: map[string]v1alpha1.AnnotationValue{"note": "b"},
		},
		StateLabels: v1alpha1.Labels{"team": "c"},
		Revocation:  &v1alpha1.Revocation{Policy: v1alpha1.RevocationNever, DeadlineSeconds: ptr.To[int32](0)},
	}}
	g.Expect(cred.EffectiveEnvironment()).To(Equal("staging"))
	g.Expect(cred.EffectiveSecretName()).To(Equal("token"))
	g.Expect(cred.EffectiveSecretType()).To(Equal("example.com/token"))
	g.Expect(cred.EffectiveScopes()).To(Equal([]string{"email"}))
	g.Expect(cred.EffectiveRevocationPolicy()).To(Equal(v1alpha1.RevocationNever))
	g.Expect(cred.EffectiveRevocationDeadline()).To(BeZero(), "a deadline of zero is a choice")
	g.Expect(cred.SecretLabels()).To(Equal(map[string]string{"team": "a"}))
	g.Expect(cred.SecretAnnotations()).To(Equal(map[string]string{"note": "b"}))
	g.Expect(cred.StateLabels()).To(Equal(map[string]string{"team": "c"}))
}

func TestInputsAreListedOnce(t *testing.T) {
	g := NewWithT(t)
	cred := &v1alpha1.SpacesCredential{Spec: v1alpha1.SpacesCredentialSpec{
		ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "spaces-client"},
		Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "bot-login"}},
	}}
	g.Expect(cred.InputSecretNames()).To(Equal([]string{"spaces-client", "bot-login"}))

	cred.Spec.Password.SecretRef.Name = "spaces-client"
	g.Expect(cred.InputSecretNames()).To(Equal([]string{"spaces-client"}))

	cred.Spec.Password = nil
	cred.Spec.RefreshToken = &v1alpha1.RefreshTokenGrant{SecretRef: v1alpha1.SecretKeyReference{Name: "seed"}}
	g.Expect(cred.InputSecretNames()).To(Equal([]string{"spaces-client", "seed"}))

	cred.Spec.RefreshToken = nil
	cred.Spec.AuthorizationCode = &v1alpha1.AuthorizationCodeGrant{SecretRef: v1alpha1.AuthorizationCodeSecretReference{Name: "meeting-bot-login"}}
	g.Expect(cred.InputSecretNames()).To(Equal([]string{"spaces-client", "meeting-bot-login"}))
}
