package controllers

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/metrics"
)

// announce tells a change of Ready or Stalled as an event. A renewal is no change.
func (r *Reconciler) announce(before *v1alpha1.SpacesCredentialStatus, after *v1alpha1.SpacesCredential) {
	r.announceReady(before, after)
	ready := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	old := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionStalled)
	now := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionStalled)
	if now == nil || now.Status != metav1.ConditionTrue || now.Reason == ready.Reason || old != nil && story(*old) == story(*now) {
		return
	}
	r.Events.Eventf(after, nil, corev1.EventTypeWarning, now.Reason, "Reconcile", "%s", now.Message)
}

// announceReady tells a change of Ready.
func (r *Reconciler) announceReady(before *v1alpha1.SpacesCredentialStatus, after *v1alpha1.SpacesCredential) {
	old := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionReady)
	now := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	if now == nil || old != nil && story(*old) == story(*now) {
		return
	}
	kind := corev1.EventTypeWarning
	if now.Status == metav1.ConditionTrue && now.Reason != v1alpha1.ReasonRenewalFailing || now.Reason == v1alpha1.ReasonDeleting {
		kind = corev1.EventTypeNormal
	}
	r.Events.Eventf(after, nil, kind, now.Reason, "Reconcile", "%s", now.Message)
}

// story is what has to change for an event: not the message, whose wording may
// carry a count or a time, not one renewal after another, and not a pause that ends before the
// token does: thousands may share an environment.
func story(c metav1.Condition) string {
	if c.Status == metav1.ConditionTrue && slices.Contains([]string{v1alpha1.ReasonIssued, v1alpha1.ReasonRenewed, v1alpha1.ReasonEnvironmentPaused}, c.Reason) {
		return "valid"
	}
	return string(c.Status) + c.Reason
}

// auditSpend leaves one line in the log for each call that spends a grant.
func (r *Reconciler) auditSpend(ctx context.Context, s *scope, by v1alpha1.GrantType, err error) {
	claim := s.document.OpenClaim()
	log.FromContext(ctx).Info("Audit: spent a grant", "spacescredential", s.key.String(), "credentialUID", s.document.CredentialUID(),
		"grant", claim.GrantID, "claim", claim.Number, "holder", claim.Holder, "signIn", claim.SignIn, "by", by, "outcome", metrics.Result(err))
}

// auditRevocation leaves one line in the log for each call that revokes a grant.
func (r *Reconciler) auditRevocation(ctx context.Context, s *scope, entry grantstate.Listed, err error) {
	log.FromContext(ctx).Info("Audit: asked for a revocation", "spacescredential", s.key.String(),
		"grant", entry.GrantID, "environment", entry.Environment, "attempt", entry.Attempts+1, "outcome", metrics.Result(err))
}

// abandoned says loudly that grants were given up: by event, counter and log. The
// log is what remains in a terminating namespace, where events are refused.
func (r *Reconciler) abandoned(ctx context.Context, credential *v1alpha1.SpacesCredential, count int, why string) {
	if count == 0 {
		return
	}
	r.Metrics.Abandoned(count)
	log.FromContext(ctx).Info("Gave up revoking grants; they live on at the service until they end there",
		"spacescredential", client.ObjectKeyFromObject(credential), "count", count, "why", why)
	r.Events.Eventf(credential, nil, corev1.EventTypeWarning, v1alpha1.ReasonRevocationAbandoned, "Revoke",
		"Gave up revoking %d grant(s): %s. They live on at the service until they end there.", count, why)
}

// strayReleased warns that a Secret carried our finalizer and was no state.
func (r *Reconciler) strayReleased(ctx context.Context, secret client.Object) {
	log.FromContext(ctx).Info("Released a deleted Secret that carries our finalizer and is no state of a SpacesCredential", "secret", client.ObjectKeyFromObject(secret).String())
	r.Events.Eventf(secret, nil, corev1.EventTypeWarning, v1alpha1.ReasonStateUnreadable, "Release",
		"The Secret carried the finalizer of state Secrets and is none: their type is %s, and their names end in %q. It was released; nothing in it was used.",
		v1alpha1.SecretTypeGrantState, v1alpha1.GrantSecretSuffix)
}

// othersAppeared warns that another client may be signing in as the same user, when it comes to look so.
func (r *Reconciler) othersAppeared(s *scope, before bool) {
	if !before && s.document.OthersSignIn() {
		r.Events.Eventf(s.credential, nil, corev1.EventTypeWarning, v1alpha1.ReasonGrantRejected, "Reconcile", "%s", rivalTold)
	}
}

// stateFellBehind warns that a state Secret was put back to an earlier document.
func (r *Reconciler) stateFellBehind(ctx context.Context, credential *v1alpha1.SpacesCredential) {
	log.FromContext(ctx).Info("The state Secret went back in time; its grant counts as refused", "spacescredential", client.ObjectKeyFromObject(credential))
	r.Events.Eventf(credential, nil, corev1.EventTypeWarning, v1alpha1.ReasonGrantRejected, "Reconcile",
		"The state Secret holds an earlier document than the one that the published token came from: it was put back from a backup. "+
			"Its refresh token was used since, so it is not sent again.")
}

// exportFellBehind warns that a state Secret was put back to what it was before an export.
func (r *Reconciler) exportFellBehind(ctx context.Context, credential *v1alpha1.SpacesCredential) {
	log.FromContext(ctx).Info("The state Secret went back to before the export of its grant; the grant counts as exported", "spacescredential", client.ObjectKeyFromObject(credential))
	r.Events.Eventf(credential, nil, corev1.EventTypeWarning, v1alpha1.ReasonExported, "Reconcile",
		"The state Secret holds an earlier document, of before its grant was exported: it was put back from a backup. The grant is another cluster's all the same, and is neither renewed nor revoked here.")
}

// exportedReleased says of a state that went that its grant was not revoked.
func (r *Reconciler) exportedReleased(ctx context.Context, credential *v1alpha1.SpacesCredential, e grantstate.Export) {
	log.FromContext(ctx).Info("Released a state without revoking its grant, which was exported", "spacescredential", client.ObjectKeyFromObject(credential), "grant", e.GrantID, "key", e.Key)
	r.Events.Eventf(credential, nil, corev1.EventTypeNormal, v1alpha1.ReasonExported, "Release",
		"The grant was exported to the key %s, so it was not revoked: it lives on where it was imported.", e.Key)
}

// copyReleased warns that a state Secret was a copy.
func (r *Reconciler) copyReleased(ctx context.Context, credential *v1alpha1.SpacesCredential) {
	log.FromContext(ctx).Info("Released a copied state Secret without revoking its grants", "spacescredential", client.ObjectKeyFromObject(credential))
	r.Events.Eventf(credential, nil, corev1.EventTypeWarning, v1alpha1.ReasonStateUnreadable, "Release",
		"The state Secret was a copy of another one, from a backup or a second cluster. It was released; its grants belong to the original and were neither used nor revoked.")
}
