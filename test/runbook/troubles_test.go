package runbook

import (
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// troubles make what each entry of the page is about.
var troubles = map[string]func(*world){
	v1alpha1.ReasonIssued: func(w *world) {
		w.credential()
		w.becomes(v1alpha1.ReasonIssued)
	},
	v1alpha1.ReasonRenewalFailing: func(w *world) {
		w.credential()
		w.isReady()
		w.fails(fakespaces.OperationRefresh, fakespaces.FaultUnavailable503)
		w.asks()
		w.becomes(v1alpha1.ReasonRenewalFailing)
	},
	v1alpha1.ReasonWaitingForInput: func(w *world) {
		w.Expect(w.kubernetes.Delete(w.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "bot-login"}})).To(Succeed())
		w.credential()
		w.becomes(v1alpha1.ReasonWaitingForInput)
	},
	v1alpha1.ReasonInputInvalid: func(w *world) {
		w.secret("bot-login", map[string]string{"username": user, "password": ""})
		w.credential()
		w.becomes(v1alpha1.ReasonInputInvalid)
	},
	v1alpha1.ReasonClientForbidden: func(w *world) {
		held := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "corporate-client"},
			StringData: map[string]string{"client_id": clientID, "client_secret": clientCode}}
		w.create(held)
		shared := &v1alpha1.ClusterSpacesClient{ObjectMeta: metav1.ObjectMeta{Name: "corporate"}, Spec: v1alpha1.ClusterSpacesClientSpec{
			Environment: w.namespace, SecretRef: v1alpha1.ClusterClientSecretReference{Name: held.Name},
			AllowedGrantTypes: []v1alpha1.GrantType{v1alpha1.GrantTypePassword},
		}}
		w.create(shared)
		w.variables = append(w.variables, "SPACES_CLIENT="+shared.Name, "SPACES_NAMESPACE="+w.namespace)
		w.credential(func(c *v1alpha1.SpacesCredential) {
			c.Spec.ClientSecretRef = nil
			c.Spec.ClientRef = &v1alpha1.ClientReference{Kind: v1alpha1.ClientKindCluster, Name: shared.Name}
		})
		w.becomes(v1alpha1.ReasonClientForbidden)
	},
	v1alpha1.ReasonUnknownEnvironment: func(w *world) {
		w.credential(func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = "nowhere" })
		w.becomes(v1alpha1.ReasonUnknownEnvironment)
	},
	v1alpha1.ReasonEnvironmentPaused: func(w *world) {
		w.credential()
		w.becomes(v1alpha1.ReasonEnvironmentPaused)
		w.meanwhile = w.resume
	},
	v1alpha1.ReasonAuthorizationPending: func(w *world) {
		w.browser()
		free, err := testbed.FreeAddresses(1)
		w.Expect(err).NotTo(HaveOccurred())
		address := "http://" + free[0] + "/"
		w.spaces.AddRedirectURI(clientID, address)
		w.credential(func(c *v1alpha1.SpacesCredential) {
			c.Spec.GrantType, c.Spec.Password = v1alpha1.GrantTypeAuthorizationCode, nil
			c.Spec.AuthorizationCode = &v1alpha1.AuthorizationCodeGrant{RedirectURI: address, SecretRef: v1alpha1.AuthorizationCodeSecretReference{Name: "code"}}
		})
		w.becomes(v1alpha1.ReasonAuthorizationPending)
	},
	v1alpha1.ReasonReauthorizationRequired: func(w *world) {
		w.bySeed()
		w.isReady()
		w.fails(fakespaces.OperationRefresh, fakespaces.FaultInvalidGrant)
		w.asks()
		w.becomes(v1alpha1.ReasonReauthorizationRequired)
	},
	v1alpha1.ReasonExported: func(w *world) {
		w.credential()
		w.isReady()
		w.folder = w.TempDir()
		w.run("kubectl spaces export meeting-bot --yes --to \"$(kubectl spaces import --new-key key)\"")
		w.becomes(v1alpha1.ReasonExported)
	},
	v1alpha1.ReasonNoRefreshToken: func(w *world) {
		w.fails(fakespaces.OperationPassword, fakespaces.FaultNoRefreshToken)
		w.credential()
		w.becomes(v1alpha1.ReasonNoRefreshToken)
	},
	v1alpha1.ReasonGrantRejected: func(w *world) {
		w.secret("bot-login", map[string]string{"username": user, "password": "the one of last year"})
		w.credential()
		w.becomes(v1alpha1.ReasonGrantRejected)
	},
	v1alpha1.ReasonClientRejected: func(w *world) {
		w.secret("spaces-client", map[string]string{"client_id": clientID, "client_secret": "the one of last year"})
		w.credential()
		w.becomes(v1alpha1.ReasonClientRejected)
	},
	v1alpha1.ReasonRequestRejected: func(w *world) {
		w.fails(fakespaces.OperationPassword, fakespaces.FaultInvalidScope)
		w.credential(func(c *v1alpha1.SpacesCredential) { c.Spec.Scopes = []string{"email", "nonsense"} })
		w.becomes(v1alpha1.ReasonRequestRejected)
	},
	v1alpha1.ReasonResponseUnclear: func(w *world) {
		w.fails(fakespaces.OperationPassword, fakespaces.FaultHTML400)
		w.credential()
		w.becomes(v1alpha1.ReasonResponseUnclear)
	},
	v1alpha1.ReasonThrottled: func(w *world) {
		w.spaces.SetRetryAfter(20 * time.Second)
		w.fails(fakespaces.OperationPassword, fakespaces.FaultThrottledSeconds)
		w.credential()
		w.becomes(v1alpha1.ReasonThrottled)
	},
	v1alpha1.ReasonServiceUnavailable: func(w *world) {
		// A service that says so; one that cuts connections may leave it open whether it did the work.
		w.fails(fakespaces.OperationPassword, fakespaces.FaultUnavailable503)
		w.credential()
		w.becomes(v1alpha1.ReasonServiceUnavailable)
	},
	v1alpha1.ReasonAmbiguousResult: func(w *world) {
		w.credential()
		w.isReady()
		w.fails(fakespaces.OperationRefresh, fakespaces.FaultLostBefore)
		w.asks()
		w.becomes(v1alpha1.ReasonAmbiguousResult)
	},
	v1alpha1.ReasonVerificationFailed: func(w *world) {
		w.fails(fakespaces.OperationTokenInfo, fakespaces.FaultOtherAudience)
		w.credential(func(c *v1alpha1.SpacesCredential) {
			c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo}
		})
		w.becomes(v1alpha1.ReasonVerificationFailed)
	},
	v1alpha1.ReasonSecretConflict: func(w *world) {
		w.secret("meeting-bot-token", map[string]string{"mine": "yes"})
		w.credential()
		w.becomes(v1alpha1.ReasonSecretConflict)
	},
	v1alpha1.ReasonSecretImmutable: func(w *world) {
		w.credential()
		w.isReady()
		w.run(`kubectl patch secret meeting-bot-token --type=merge -p '{"immutable":true}'`)
		w.asks()
		w.becomes(v1alpha1.ReasonSecretImmutable)
	},
	v1alpha1.ReasonSecretForbidden: func(w *world) {
		w.wantsLabel()
		w.credential()
		w.becomes(v1alpha1.ReasonSecretForbidden)
	},
	v1alpha1.ReasonTemplateInvalid: func(w *world) {
		w.credential(func(c *v1alpha1.SpacesCredential) {
			c.Spec.SecretTemplate = &v1alpha1.SecretTemplate{Data: []v1alpha1.SecretTemplateEntry{{Key: "Header", Template: "Bearer {{ .Token }}"}}}
		})
		w.becomes(v1alpha1.ReasonTemplateInvalid)
	},
	v1alpha1.ReasonExpired: func(w *world) {
		w.spaces.SetTokenLifetime(10 * time.Second)
		w.spaces.SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultUnavailable503, 1)
		w.credential()
		w.becomes(v1alpha1.ReasonExpired)
		w.meanwhile = func() {
			w.spaces.SetTokenLifetime(time.Hour)
			w.spaces.SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultUnavailable503, 0)
		}
	},
	v1alpha1.ReasonGrantRevoked: func(w *world) {
		w.bySeed()
		w.isReady()
		w.run("kubectl spaces revoke meeting-bot --yes")
		w.becomes(v1alpha1.ReasonGrantRevoked)
	},
	v1alpha1.ReasonSuspended: func(w *world) {
		w.credential(func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true })
		w.becomes(v1alpha1.ReasonSuspended)
	},
	v1alpha1.ReasonStateUnreadable: func(w *world) {
		w.create(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "meeting-bot" + v1alpha1.GrantSecretSuffix, Labels: map[string]string{v1alpha1.LabelSecret: v1alpha1.SecretGrant}},
			Type:       v1alpha1.SecretTypeGrantState, Data: map[string][]byte{v1alpha1.StateKey: []byte("somebody wrote this")},
		})
		w.credential()
		w.becomes(v1alpha1.ReasonStateUnreadable)
	},
	v1alpha1.ReasonRevocationFailing: func(w *world) {
		w.deletedInVain(nil)
		w.becomes(v1alpha1.ReasonRevocationFailing)
	},
	v1alpha1.ReasonRevocationAbandoned: func(w *world) {
		w.deletedInVain(ptr.To[int32](0))
		w.Eventually(func(g Gomega) {
			var events corev1.EventList
			g.Expect(w.kubernetes.List(w.ctx, &events, client.InNamespace(w.namespace))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(HaveField("Reason", v1alpha1.ReasonRevocationAbandoned)))
		}).WithTimeout(soon).Should(Succeed())
	},
	v1alpha1.ReasonDeleting: func(w *world) {
		w.deletedInVain(nil)
		w.becomes(v1alpha1.ReasonDeleting)
		w.meanwhile = func() { w.spaces.SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultServerError500, 0) }
	},
}

// fails has every call of a kind end badly, until others have mended that.
func (w *world) fails(operation fakespaces.Operation, fault fakespaces.Fault) {
	w.spaces.SetFaultRate(operation, fault, 1)
	w.meanwhile = func() { w.spaces.SetFaultRate(operation, fault, 0) }
}

// bySeed makes a credential that goes on from a refresh token, and knows another one.
func (w *world) bySeed() {
	w.Helper()
	w.secret("seed", map[string]string{"refresh_token": w.spaces.IssueGrant(clientID, user, "email", "profile", "spaces")})
	w.variables = append(w.variables, "SPACES_REFRESH_TOKEN="+w.spaces.IssueGrant(clientID, user, "email", "profile", "spaces"))
	w.credential(func(c *v1alpha1.SpacesCredential) {
		c.Spec.GrantType, c.Spec.Password = v1alpha1.GrantTypeRefreshToken, nil
		c.Spec.RefreshToken = &v1alpha1.RefreshTokenGrant{SecretRef: v1alpha1.SecretKeyReference{Name: "seed"}}
	})
}

// deletedInVain deletes a credential whose grant cannot be revoked.
func (w *world) deletedInVain(deadline *int32) {
	w.Helper()
	w.credential(func(c *v1alpha1.SpacesCredential) {
		c.Spec.Revocation = &v1alpha1.Revocation{DeadlineSeconds: deadline}
	})
	w.isReady()
	w.spaces.SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultServerError500, 1)
	w.run("kubectl delete spcred meeting-bot --wait=false")
}

// wantsLabel has a policy refuse Secrets of this namespace without a label.
func (w *world) wantsLabel() {
	w.Helper()
	w.create(&admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"runbook": w.namespace}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
				}}},
			},
			Validations: []admissionv1.Validation{{Expression: `has(object.metadata.labels) && "team" in object.metadata.labels`, Message: "every Secret has a label team"}},
		},
	})
	w.create(&admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: w.namespace, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
	})
	w.Eventually(func() error { // a policy is in force a moment after it is made
		return w.kubernetes.Create(w.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "tried"}}, client.DryRunAll)
	}).WithTimeout(soon).ShouldNot(Succeed())
}

// An alert is about troubles that are told of below it, or about none of a SpacesCredential.
func init() {
	for alert, reason := range map[string]string{
		"SpacesTokenExpiringSoon":      v1alpha1.ReasonExpired,
		"SpacesCredentialNotReady":     v1alpha1.ReasonWaitingForInput,
		"SpacesVerificationFailed":     v1alpha1.ReasonVerificationFailed,
		"SpacesServiceDown":            v1alpha1.ReasonServiceUnavailable,
		"SpacesServiceCallsFailing":    v1alpha1.ReasonServiceUnavailable,
		"SpacesServiceSlow":            v1alpha1.ReasonIssued,
		"SpacesServiceHeld":            v1alpha1.ReasonThrottled,
		"SpacesQueueLong":              v1alpha1.ReasonIssued,
		"SpacesAmbiguousResults":       v1alpha1.ReasonAmbiguousResult,
		"SpacesRevocationsAbandoned":   v1alpha1.ReasonRevocationAbandoned,
		"SpacesRevocationsRejected":    v1alpha1.ReasonDeleting,
		"SpacesClockSkewed":            v1alpha1.ReasonIssued,
		"SpacesOldTokenEndsAtRotation": v1alpha1.ReasonIssued,
		"SpacesOperatorAbsent":         v1alpha1.ReasonIssued,
		"SpacesOperatorWithoutLeader":  v1alpha1.ReasonIssued,
		"SpacesCredentialsOverdue":     v1alpha1.ReasonIssued,
		"SpacesEnvironmentsRefused":    v1alpha1.ReasonIssued,
		"SpacesNamespaceUnreadable":    v1alpha1.ReasonIssued,
		"SpacesUpgradeStuck":           v1alpha1.ReasonIssued,
	} {
		troubles[alert] = troubles[reason]
	}
	troubles["SpacesSecretsRepaired"] = func(w *world) {
		w.credential()
		w.isReady()
		w.run(`kubectl patch secret meeting-bot-token --type=merge -p '{"stringData":{"access_token":"somebody wrote this"}}'`)
	}
	troubles["SpacesRevocationsPending"] = func(w *world) {
		w.fails(fakespaces.OperationRevoke, fakespaces.FaultServerError500)
		w.credential()
		w.isReady()
		w.run("kubectl spaces revoke meeting-bot --yes")
	}
}
