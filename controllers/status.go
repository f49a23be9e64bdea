package controllers

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// view is a pass at its end, for the status to tell. Nothing of the status that was there
// before is looked at.
type view struct {
	*scope
	// held is what holds the credential up.
	held outcome
	// now is the time of the telling: the pass may have waited for a call.
	now time.Time
	// realised tells that this generation is realised, or was once.
	realised bool
	// endsOldTokens tells that the service is known to end an access token when it rotates its
	// grant.
	endsOldTokens bool
}

// isUsable tells whether workloads may use what is published now.
func (v view) isUsable() bool {
	isOfGrant := v.document.Publishable() != nil || v.showsOnlyWhatIsPublished()
	return v.published.works(v.now) && isOfGrant && v.held.reason != v1alpha1.ReasonSecretConflict
}

// showsOnlyWhatIsPublished tells that the state says nothing of the token that is published:
// it cannot be read, or is older.
func (v view) showsOnlyWhatIsPublished() bool {
	return v.isBlind() || v.document.ShowsOnlyWhatIsPublished()
}

// tell writes the status of a living credential.
func (v view) tell(status *v1alpha1.SpacesCredentialStatus) {
	d := v.document
	status.ObservedGeneration = v.credential.Generation
	status.Environment = v.credential.EffectiveEnvironment()
	status.SecretName = v.credential.EffectiveSecretName()
	status.Binding = &v1alpha1.Binding{Name: status.SecretName}
	status.PendingRevocations = int32(len(d.Pending()))
	status.LastHandledRenewRequest = d.HandledRenewRequest()
	status.LastHandledRevokeRequest = d.HandledRevokeRequest()
	status.LastHandledExportRequest = d.HandledExportRequest()
	status.AuthorizationEndpoint = v.authorizationEndpoint()
	status.Token = v.tokenStatus()
	if !v.isBlind() {
		status.Grant = grantStatus(d.Grant(), d.Exported())
		status.ClientID, status.Identity = v.inputs.clientID, nil
		if current := d.Publishable(); current != nil {
			status.Identity = identityStatus(current.Identity)
			if v.published.holds(current) || status.ClientID == "" {
				status.ClientID = current.ClientID
			}
		}
	}
	v.tellAttempts(status)
	for _, c := range []metav1.Condition{v.ready(), v.reconciling(), v.stalled(), v.grantValid()} {
		v.set(status, c)
	}
}

// tellAttempts tells what failed and when it is tried again. A time that is past is that of
// something that is not tried any more, or waits for its turn.
func (v view) tellAttempts(status *v1alpha1.SpacesCredentialStatus) {
	var next time.Time
	status.FailedAttempts = 0
	isTold := !v.isUsable() && v.held.isTrouble() && !v.held.isQueued
	check := v.document.Check()
	switch f := v.document.Failure(); {
	case f != nil:
		status.FailedAttempts, next = f.Count, f.NextAttemptTime
	case check != nil && check.Attempts > 0:
		status.FailedAttempts, next = check.Attempts, check.NextAttemptTime
	}
	if isTold && !next.After(v.now) {
		next = v.held.wake
	}
	status.NextAttemptTime = nil
	if next.After(v.now) {
		status.NextAttemptTime = atSecond(next)
	}
}

// tokenStatus describes what is published. Of a token that is not the document's only the
// Secret itself tells.
func (v view) tokenStatus() *v1alpha1.TokenStatus {
	current := v.document.Publishable()
	if v.published.whose != ours || v.published.fingerprint == "" || current == nil && !v.showsOnlyWhatIsPublished() {
		return nil
	}
	if current == nil || !v.published.holds(current) {
		return &v1alpha1.TokenStatus{Fingerprint: v.published.fingerprint, ExpirationTime: atSecond(v.published.expires)}
	}
	t := current.Token
	told := &v1alpha1.TokenStatus{
		Fingerprint: v.published.fingerprint, ObtainedBy: t.ObtainedBy,
		IssueTime: atSecond(t.IssueTime), RenewalTime: atSecond(t.RenewalTime), ExpirationTime: atSecond(t.ExpirationTime),
	}
	if v.document.Exported() != nil {
		told.RenewalTime = nil
	}
	return told
}

// ready answers: may workloads use what is published now, and is it what this
// generation asks for?
func (v view) ready() metav1.Condition {
	usable, trouble := v.isUsable(), v.held.isTrouble()
	suspended, paused := v.held.reason == v1alpha1.ReasonSuspended, v.held.reason == v1alpha1.ReasonEnvironmentPaused
	switch {
	case usable && suspended:
		return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v.held.reason, v.held.message)
	case usable && v.realised && v.held.reason == v1alpha1.ReasonExported:
		return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v.held.reason, "The published token is valid, and the last of its grant. "+v.held.message)
	case usable && !v.realised && trouble:
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v.held.reason,
			"The published token is still that of an earlier spec. "+v.held.message)
	case usable && !v.realised:
		return v.unrealised(v1alpha1.ConditionReady, metav1.ConditionFalse)
	case usable && !trouble:
		reason, what := v1alpha1.ReasonIssued, "issued"
		if g := v.document.Grant(); g != nil && g.Rotations > 0 {
			reason, what = v1alpha1.ReasonRenewed, "renewed"
		}
		return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, reason,
			fmt.Sprintf("The token in Secret %q was %s and is valid.", v.credential.EffectiveSecretName(), what))
	case usable && paused:
		return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v.held.reason, "The published token is still valid. "+v.held.message)
	case usable:
		return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing,
			"The published token is still valid, but its renewal is held up. "+v.held.message)
	case v.hasExpired() && paused:
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v.held.reason, "The published token has expired. "+v.held.message)
	case v.hasExpired() && v.held.standing != blocked && !suspended:
		message := "The published token has expired."
		if trouble {
			message += " " + v.held.message
		}
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonExpired, message)
	case trouble:
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v.held.reason, v.held.message)
	}
	return v.unrealised(v1alpha1.ConditionReady, metav1.ConditionFalse)
}

// hasExpired tells whether the newest token is past its time.
func (v view) hasExpired() bool {
	token := v.document.Token()
	return token != nil && !v.now.Before(token.ExpirationTime)
}

// unrealised is said while nothing is in the way and the spec is not realised yet.
func (v view) unrealised(kind string, status metav1.ConditionStatus) metav1.Condition {
	if v.held.standing == paced {
		return condition(kind, status, v1alpha1.ReasonThrottled, "Calls are sent at the pace of the environment. This one is waiting for its turn.")
	}
	return condition(kind, status, v1alpha1.ReasonWaitingForInput, "No token has been obtained yet.")
}

// reconciling is True only until the current generation has been realised once.
// Renewals and their retries never set it.
func (v view) reconciling() metav1.Condition {
	suspended := v.held.reason == v1alpha1.ReasonSuspended
	switch {
	case v.realised:
		return condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonIssued, "This generation has been realised.")
	case v.held.standing == blocked, suspended:
		return condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, v.held.reason, "The operator is not working on this object. "+v.held.message)
	case v.held.isTrouble():
		return condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v.held.reason, v.held.message)
	}
	return v.unrealised(v1alpha1.ConditionReconciling, metav1.ConditionTrue)
}

// stalled tells whether a person must act. It may stand beside Ready True.
func (v view) stalled() metav1.Condition {
	if v.held.standing == blocked {
		return condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v.held.reason, v.held.message)
	}
	return condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonIssued, "Nobody needs to act.")
}

// grantValid tells what is known of the grant behind the token.
func (v view) grantValid() metav1.Condition {
	status, reason, message := metav1.ConditionTrue, v1alpha1.ReasonIssued, "The service gave the grant."
	switch g, d := v.document.Grant(), v.document; {
	case g == nil && d.Revoked() && d.IsWithdrawn(v.now):
		status, reason, message = metav1.ConditionFalse, v1alpha1.ReasonGrantRevoked, "The grant was revoked, because its client may not be used here any more."
	case g == nil && d.Revoked():
		status, reason, message = metav1.ConditionFalse, v1alpha1.ReasonGrantRevoked, "The grant was revoked on request."
	case g == nil && d.FirstUse() != nil:
		status, reason, message = metav1.ConditionUnknown, v.reasonOr(v1alpha1.ReasonAmbiguousResult), "What a person put in was sent, and the service has not judged it yet."
	case g == nil:
		status, reason, message = metav1.ConditionFalse, v.reasonOr(v1alpha1.ReasonWaitingForInput), "There is no grant yet."
	case d.Exported() != nil:
		given := exported(d.Exported(), v.credential)
		status, reason, message = metav1.ConditionFalse, given.reason, given.message
	case g.Condition == grantstate.Refused:
		status, reason, message = metav1.ConditionFalse, v1alpha1.ReasonGrantRejected, "The service refused the grant."
	case g.Condition == grantstate.Ambiguous:
		status, reason = metav1.ConditionUnknown, v1alpha1.ReasonAmbiguousResult
		message = "A refresh was sent and its answer did not arrive. The same refresh token is sent again until the service answers."
	case g.Token == nil:
		status, reason, message = metav1.ConditionUnknown, v1alpha1.ReasonWaitingForInput, "The refresh token was not tried yet."
	case g.RefreshToken.Empty() && g.Type != v1alpha1.GrantTypeAnonymous:
		none := noRefreshToken(v.credential)
		status, reason, message = metav1.ConditionFalse, none.reason, none.message
	case g.Type == v1alpha1.GrantTypeAnonymous:
		message = "The service made a guest. Each renewal makes another one."
	case g.Rotations > 0:
		reason, message = v1alpha1.ReasonRenewed, "The service renewed the grant."
		if v.endsOldTokens {
			message += " " + v1alpha1.EndsOldTokens + ": who mounts the Secret as a file is refused until the file follows, within a minute or two."
		}
	}
	if g := v.document.Grant(); g != nil && status == metav1.ConditionTrue {
		message += v.endOf(g)
		if v.document.OthersSignIn() {
			message += " " + rivalTold
		}
	}
	if v.revocation.isTrouble() && status == metav1.ConditionTrue {
		message += " " + v1alpha1.OlderGrantUnrevoked + " " + v.revocation.message
	}
	if note := v.exportNote; note != "" {
		message += " " + note
	}
	if v.unanswered.isTrouble() {
		message += " " + v.unanswered.message
	}
	return condition(v1alpha1.ConditionGrantValid, status, reason, message)
}

// reasonOr is the reason of what is in the way, or another one.
func (v view) reasonOr(other string) string {
	if v.held.isTrouble() {
		return v.held.reason
	}
	return other
}

// tellDeletion writes the status of a credential whose deletion has to wait.
func (v view) tellDeletion(status *v1alpha1.SpacesCredentialStatus) {
	status.ObservedGeneration = v.credential.Generation
	if v.state != nil && v.state.problem == stateUsable { // deleted, as it has to be
		status.PendingRevocations = int32(len(v.document.Pending()))
	}
	if !v.held.isTrouble() {
		v.held = outcome{standing: waiting, reason: v1alpha1.ReasonDeleting, message: "One call is made each second."}
	}
	message := "The grant is being revoked. " + v.held.message
	v.set(status, condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting, message))
	if v.held.standing == blocked {
		v.set(status, condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonDeleting, message))
	} else {
		v.set(status, condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonDeleting, message))
	}
	v.set(status, v.stalled())
	v.set(status, condition(v1alpha1.ConditionGrantValid, metav1.ConditionUnknown, v.held.reason, v.held.message))
}

// set replaces a condition; the time of the transition is that of the telling.
func (v view) set(status *v1alpha1.SpacesCredentialStatus, c metav1.Condition) {
	c.ObservedGeneration = v.credential.Generation
	c.LastTransitionTime = metav1.NewTime(v.now.UTC().Truncate(time.Second))
	meta.SetStatusCondition(&status.Conditions, c)
}

// condition begins a condition; set completes it.
func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

// authorizationEndpoint is where a sign-in by browser begins, for a credential that
// needs one.
func (v view) authorizationEndpoint() string {
	if v.credential.Spec.GrantType != v1alpha1.GrantTypeAuthorizationCode || v.environment == nil || v.pause.isTrouble() {
		return "" // a code that is not exchanged soon lapses
	}
	return v.environment.Environment().AuthorizationEndpoint()
}

func grantStatus(g *grantstate.Grant, exported *grantstate.Export) *v1alpha1.GrantStatus {
	if g == nil {
		return &v1alpha1.GrantStatus{}
	}
	start := metav1.NewTime(g.StartTime)
	told := &v1alpha1.GrantStatus{
		Present: g.Condition != grantstate.Refused && !g.RefreshToken.Empty() && exported == nil, Rotations: g.Rotations, StartTime: &start,
		ExpirationTime: endTime(g), ImportID: g.Import,
	}
	if g.Lender != nil {
		told.ClusterClient = g.Lender.Name
	}
	return told
}

func identityStatus(who grantstate.Identity) *v1alpha1.Identity {
	if who == (grantstate.Identity{}) {
		return nil
	}
	return &v1alpha1.Identity{Username: who.Username, UserID: who.UserID}
}

// atSecond rounds up to the whole second that the API can hold.
func atSecond(t time.Time) *metav1.Time {
	whole := t.UTC().Truncate(time.Second)
	if whole.Before(t) {
		whole = whole.Add(time.Second)
	}
	at := metav1.NewTime(whole)
	return &at
}
