package main

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

func TestWhoseASecretIs(t *testing.T) {
	object := credential(t, withPassword, "default", func(c *v1alpha1.SpacesCredential) { c.UID = "ours" })
	for sentence, c := range map[string]struct {
		annotations map[string]string
		controller  bool
		kind        corev1.SecretType
		want        string
	}{
		"ours":                         {map[string]string{v1alpha1.AnnotationCredentialUID: "ours"}, false, corev1.SecretTypeOpaque, ""},
		"that of another one":          {map[string]string{v1alpha1.AnnotationCredentialUID: "theirs", v1alpha1.AnnotationCredential: "lobby"}, false, corev1.SecretTypeOpaque, `belongs to another SpacesCredential, called "lobby"`},
		"somebody's":                   {nil, false, corev1.SecretTypeOpaque, "was made by somebody else, who has not offered it"},
		"somebody's, offered to us":    {map[string]string{v1alpha1.AnnotationAdoptableBy: "meeting-bot"}, false, corev1.SecretTypeOpaque, ""},
		"somebody's, offered to lobby": {map[string]string{v1alpha1.AnnotationAdoptableBy: "lobby"}, false, corev1.SecretTypeOpaque, "was made by somebody else, who has not offered it"},
		"offered, and controlled":      {map[string]string{v1alpha1.AnnotationAdoptableBy: "meeting-bot"}, true, corev1.SecretTypeOpaque, "is offered, but another controller looks after it"},
		"offered, of another type":     {map[string]string{v1alpha1.AnnotationAdoptableBy: "meeting-bot"}, false, corev1.SecretTypeBasicAuth, `is offered, but its type is not "Opaque"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Annotations: c.annotations}, Type: c.kind}
			if c.controller {
				secret.OwnerReferences = []metav1.OwnerReference{{Kind: "Other", Name: "x", UID: "x", Controller: ptr.To(true)}}
			}
			NewWithT(t).Expect(someoneElses(secret, object)).To(Equal(c.want))
		})
	}
}

// What the operator says is found in the condition that says most.
func TestWhatTheOperatorSays(t *testing.T) {
	ready := func(status metav1.ConditionStatus, reason string) func(*v1alpha1.SpacesCredential) {
		return condition(v1alpha1.ConditionReady, status, reason, "ready says")
	}
	grant := func(status metav1.ConditionStatus, reason string) func(*v1alpha1.SpacesCredential) {
		return condition(v1alpha1.ConditionGrantValid, status, reason, "grant says")
	}
	stalled := condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientRejected, "stalled says")
	for sentence, c := range map[string]struct {
		given []func(*v1alpha1.SpacesCredential)
		want  string
	}{
		"nothing when all is well":             {[]func(*v1alpha1.SpacesCredential){published}, ""},
		"nothing before its first look":        {nil, ""},
		"what a person must mend first":        {[]func(*v1alpha1.SpacesCredential){ready("True", v1alpha1.ReasonRenewalFailing), stalled}, v1alpha1.ReasonClientRejected},
		"why there is no token":                {[]func(*v1alpha1.SpacesCredential){ready("False", v1alpha1.ReasonThrottled), grant("False", v1alpha1.ReasonThrottled)}, v1alpha1.ReasonThrottled},
		"that it pauses while the token lives": {[]func(*v1alpha1.SpacesCredential){ready("True", v1alpha1.ReasonSuspended)}, v1alpha1.ReasonSuspended},
		"that an answer was lost": {[]func(*v1alpha1.SpacesCredential){ready("True", v1alpha1.ReasonRenewalFailing), grant("Unknown", v1alpha1.ReasonAmbiguousResult)},
			v1alpha1.ReasonAmbiguousResult},
		"that the renewal fails":           {[]func(*v1alpha1.SpacesCredential){ready("True", v1alpha1.ReasonRenewalFailing), grant("True", v1alpha1.ReasonRenewed)}, v1alpha1.ReasonRenewalFailing},
		"that the token expired":           {[]func(*v1alpha1.SpacesCredential){ready("False", v1alpha1.ReasonExpired), grant("True", v1alpha1.ReasonRenewed)}, v1alpha1.ReasonExpired},
		"that the grant is gone, at least": {[]func(*v1alpha1.SpacesCredential){ready("True", v1alpha1.ReasonRenewed), grant("False", v1alpha1.ReasonGrantRevoked)}, v1alpha1.ReasonGrantRevoked},
	} {
		t.Run(sentence, func(t *testing.T) {
			reason, _ := operatorSays(credential(t, withPassword, "default", c.given...))
			NewWithT(t).Expect(reason).To(Equal(c.want))
		})
	}
}

func TestChecksThatNeedNoSecret(t *testing.T) {
	verified := func(c *v1alpha1.SpacesCredential) {
		published(c)
		c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo, v1alpha1.VerificationUserProfile}
	}
	expired := func(c *v1alpha1.SpacesCredential) { published(c); c.Status.Token.ExpirationTime = atp(-time.Minute) }
	for sentence, c := range map[string]struct {
		look   func(*examination) *verdict
		source string
		edit   func(*v1alpha1.SpacesCredential)
		want   string
	}{
		"checks of new tokens":                {func(e *examination) *verdict { return lookAtVerification(t.Context(), e) }, withPassword, verified, "ok: New tokens pass TokenInfo and UserProfile."},
		"nobody signed in, as anyone can see": {func(e *examination) *verdict { return lookForSignIn(t.Context(), e) }, withCode, func(*v1alpha1.SpacesCredential) {}, "holds it up: Nobody has signed in yet."},
		"somebody signed in":                  {func(e *examination) *verdict { return lookForSignIn(t.Context(), e) }, withCode, published, "ok: Somebody has signed in."},
		"an expired token":                    {func(e *examination) *verdict { return lookAtPublished(t.Context(), e) }, withCode, expired, "holds it up: The token expired 60s ago (2026-11-23T11:59:00Z)."},
		"nothing published":                   {func(e *examination) *verdict { return lookAtPublished(t.Context(), e) }, withCode, func(*v1alpha1.SpacesCredential) {}, "holds it up: No token has been published."},
		"several replaced grants": {func(e *examination) *verdict { return lookAtRevocations(t.Context(), e) }, withCode,
			func(c *v1alpha1.SpacesCredential) { published(c); c.Status.PendingRevocations = 2 }, "ok: 2 replaced grants wait to be revoked."},
		"a replaced grant that cannot be revoked": {func(e *examination) *verdict { return lookAtRevocations(t.Context(), e) }, withCode,
			func(c *v1alpha1.SpacesCredential) {
				published(c)
				c.Status.PendingRevocations = 1
				c.Status.Conditions[3].Message += " " + v1alpha1.OlderGrantUnrevoked + " The service does not answer."
			}, "ok: 1 replaced grant waits to be revoked. The service does not answer."},
		"a deletion that was not looked at": {func(e *examination) *verdict { return lookAtDeletion(t.Context(), e) }, withCode,
			func(c *v1alpha1.SpacesCredential) { published(c); c.DeletionTimestamp = atp(0) }, "holds it up: It is being deleted. The operator has not looked at that yet."},
		"suspension of a newer spec": {func(e *examination) *verdict { return lookAtSuspension(t.Context(), e) }, withCode,
			func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true }, "holds it up: It is suspended: nothing is renewed or published."},
	} {
		t.Run(sentence, func(t *testing.T) {
			e := examine(&cluster{}, credential(t, c.source, "default", c.edit), noon)
			v := c.look(e)
			NewWithT(t).Expect(string(v.outcome) + ": " + v.text).To(Equal(c.want))
		})
	}
	for sentence, look := range map[string]check{"of a sign-in": {look: lookForSignIn}, "of new tokens": {look: lookAtVerification}, "of the environment": {look: lookAtEnvironment}} {
		t.Run("and nothing "+sentence+" where the operator stopped before", func(t *testing.T) {
			e := examine(&cluster{}, credential(t, withCode, "default", func(c *v1alpha1.SpacesCredential) {
				c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo}
			}), noon)
			e.held = 1
			NewWithT(t).Expect(look.look(t.Context(), e)).To(BeNil())
		})
	}
}
