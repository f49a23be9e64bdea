package controllers

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// slowRecheck is how often something that holds a credential up is looked at
	// without any other cause: a watch event can be lost.
	slowRecheck = 10 * time.Minute
	// longSleep bounds the sleep of a healthy credential; its sweeper watches too.
	longSleep = 24 * time.Hour
)

// conclusion is what a pass found, for conclude to tell.
type conclusion struct {
	// finding is what holds the credential up; nil when all is as wished.
	finding *finding
	// current tells that what is published comes from a grant made with the inputs that
	// this generation names, in the form that it asks for.
	current bool
	// published tells that the published Secret holds what is publishable.
	published bool
	// revocation is what holds listed grants up.
	revocation *finding
	// again is when the pass wants another one for a reason that is nobody's trouble.
	again time.Time
	// blind tells that the state could not be read, so that only the status is left to
	// tell of what was published.
	blind bool
}

// conclude writes the status of a living credential. It takes nothing from the old
// status but what tells whether this generation was realised before.
func (p *pass) conclude(c conclusion) {
	status := &p.credential.Status
	generation := p.credential.Generation
	document := p.document()

	status.ObservedGeneration = generation
	status.Environment = p.credential.EffectiveEnvironment()
	status.SecretName = p.credential.EffectiveSecretName()
	status.Binding = &v1alpha1.Binding{Name: status.SecretName}
	status.PendingRevocations = int32(len(document.Pending))
	status.FailedAttempts, status.NextAttemptTime = 0, nil
	if f := document.Failure; f != nil {
		status.FailedAttempts = f.Count
		status.NextAttemptTime = atSecond(f.NextAttemptTime)
	} else if c := document.check(); c != nil && c.Attempts > 0 {
		status.FailedAttempts = c.Attempts
		status.NextAttemptTime = atSecond(c.NextAttemptTime)
	}
	status.LastHandledRenewRequest = document.HandledRenewRequest
	status.LastHandledRevokeRequest = document.HandledRevokeRequest
	status.Grant = grantStatus(document.Grant)
	status.AuthorizationEndpoint = p.authorizationEndpoint()
	if p.clientID != "" {
		status.ClientID = p.clientID
	}
	current := document.publishable()
	if current != nil && c.published {
		status.Token = tokenStatus(&current.Token)
		status.ClientID = current.ClientID
		status.Identity = identityStatus(current.Identity)
	}
	if current == nil && !c.blind {
		status.Token, status.Identity = nil, nil
	}
	usable := c.usable(document, p.now, status.Token)
	if f := c.finding; status.NextAttemptTime == nil && !usable && f != nil && !f.wake.IsZero() {
		status.NextAttemptTime = atSecond(f.wake)
	}
	realised := usable && c.current || p.realisedBefore()
	p.set(p.ready(c, usable, realised || p.credential.Spec.Suspend))
	p.set(p.reconciling(c, realised))
	p.set(p.stalled(c))
	p.set(grantValidity(document, c))
}

// usable tells whether workloads may use what is published now. Where nothing was
// published in this pass, what stands there is the token that status tells of.
func (c conclusion) usable(d document, now time.Time, told *v1alpha1.TokenStatus) bool {
	switch {
	case c.finding != nil && c.finding.reason == v1alpha1.ReasonSecretConflict:
		return false
	case c.published:
		return now.Before(d.publishable().Token.ExpirationTime)
	case d.publishable() == nil && !c.blind:
		return false
	}
	return told != nil && told.ExpirationTime != nil && now.Before(told.ExpirationTime.Time)
}

// ready answers: may workloads use what is published now, and is it what this
// generation asks for?
func (p *pass) ready(c conclusion, usable, realised bool) metav1.Condition {
	document := p.document()
	switch {
	case usable && !realised && c.finding != nil:
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, c.finding.reason,
			"The published token is still that of an earlier spec. "+c.finding.message)
	case usable && !realised:
		return p.unrealised(c, v1alpha1.ConditionReady, metav1.ConditionFalse)
	case usable && c.finding == nil:
		reason, what := v1alpha1.ReasonIssued, "issued"
		if document.Grant.Rotations > 0 {
			reason, what = v1alpha1.ReasonRenewed, "renewed"
		}
		return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, reason,
			fmt.Sprintf("The token in Secret %q was %s and is valid.", p.credential.EffectiveSecretName(), what))
	case usable && c.finding.reason == v1alpha1.ReasonSuspended:
		return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, c.finding.reason, c.finding.message)
	case usable:
		return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing,
			"The published token is still valid, but its renewal is held up. "+c.finding.message)
	case p.expired() && (c.finding == nil || !c.finding.person):
		message := "The published token has expired."
		if c.finding != nil {
			message += " " + c.finding.message
		}
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonExpired, message)
	case c.finding != nil:
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, c.finding.reason, c.finding.message)
	}
	return p.unrealised(c, v1alpha1.ConditionReady, metav1.ConditionFalse)
}

// unrealised is said while nothing is in the way and the spec is not realised yet.
func (p *pass) unrealised(c conclusion, kind string, status metav1.ConditionStatus) metav1.Condition {
	if !c.again.IsZero() {
		return condition(kind, status, v1alpha1.ReasonThrottled, "Calls are sent at the pace of the environment. This one is waiting for its turn.")
	}
	return condition(kind, status, v1alpha1.ReasonWaitingForInput, "No token has been obtained yet.")
}

// expired tells whether the newest token of the state is past its time.
func (p *pass) expired() bool {
	token := p.document().token()
	return token != nil && !p.now.Before(token.ExpirationTime)
}

// realisedBefore tells that this generation was realised in an earlier pass, which only
// the condition remembers.
func (p *pass) realisedBefore() bool {
	before := meta.FindStatusCondition(p.credential.Status.Conditions, v1alpha1.ConditionReconciling)
	return before != nil && before.Status == metav1.ConditionFalse && before.Reason == v1alpha1.ReasonIssued &&
		before.ObservedGeneration == p.credential.Generation
}

// reconciling is True only until the current generation has been realised once.
// Renewals and their retries never set it.
func (p *pass) reconciling(c conclusion, realised bool) metav1.Condition {
	stalled := c.finding != nil && c.finding.person
	switch {
	case realised:
		return condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonIssued, "This generation has been realised.")
	case stalled, c.finding != nil && c.finding.reason == v1alpha1.ReasonSuspended:
		return condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, c.finding.reason, "The operator is not working on this object. "+c.finding.message)
	case c.finding != nil:
		return condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, c.finding.reason, c.finding.message)
	}
	return p.unrealised(c, v1alpha1.ConditionReconciling, metav1.ConditionTrue)
}

// stalled tells whether a person must act. It may stand beside Ready True.
func (p *pass) stalled(c conclusion) metav1.Condition {
	if c.finding != nil && c.finding.person {
		return condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, c.finding.reason, c.finding.message)
	}
	return condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonIssued, "Nobody needs to act.")
}

// grantValidity tells what is known of the grant behind the token.
func grantValidity(d document, c conclusion) metav1.Condition {
	g := d.Grant
	switch {
	case g == nil && d.Revoked:
		return condition(v1alpha1.ConditionGrantValid, metav1.ConditionFalse, v1alpha1.ReasonGrantRevoked, "The grant was revoked on request.")
	case g == nil && d.FirstUse != nil:
		reason := v1alpha1.ReasonAmbiguousResult
		if c.finding != nil {
			reason = c.finding.reason
		}
		return condition(v1alpha1.ConditionGrantValid, metav1.ConditionUnknown, reason, "What a person put in was sent, and the service has not judged it yet.")
	case g == nil:
		reason, message := v1alpha1.ReasonWaitingForInput, "There is no grant yet."
		if c.finding != nil {
			reason = c.finding.reason
		}
		return condition(v1alpha1.ConditionGrantValid, metav1.ConditionFalse, reason, message)
	case g.Condition == grantRefused:
		return condition(v1alpha1.ConditionGrantValid, metav1.ConditionFalse, v1alpha1.ReasonGrantRejected, "The service refused the grant.")
	case g.Condition == grantAmbiguous:
		return condition(v1alpha1.ConditionGrantValid, metav1.ConditionUnknown, v1alpha1.ReasonAmbiguousResult,
			"A refresh was sent and its answer did not arrive. The same refresh token is sent again until the service answers.")
	case g.Token == nil:
		return condition(v1alpha1.ConditionGrantValid, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForInput, "The refresh token was not tried yet.")
	case g.Type == v1alpha1.GrantTypeAnonymous:
		return condition(v1alpha1.ConditionGrantValid, metav1.ConditionTrue, v1alpha1.ReasonIssued, "The service made a guest. Each renewal makes another one.")
	}
	reason, message := v1alpha1.ReasonIssued, "The service gave the grant."
	if g.Rotations > 0 {
		reason, message = v1alpha1.ReasonRenewed, "The service renewed the grant."
	}
	if c.revocation != nil {
		message += " An older grant is not revoked yet. " + c.revocation.message
	}
	return condition(v1alpha1.ConditionGrantValid, metav1.ConditionTrue, reason, message)
}

// concludeDeletion writes the status of a credential whose deletion has to wait.
func (p *pass) concludeDeletion(f *finding) {
	status := &p.credential.Status
	status.ObservedGeneration = p.credential.Generation
	message := "The grant is being revoked. " + f.message
	p.set(condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting, message))
	p.set(condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonDeleting, message))
	p.set(condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonDeleting, "Nobody needs to act."))
	p.set(condition(v1alpha1.ConditionGrantValid, metav1.ConditionUnknown, f.reason, f.message))
}

// set replaces a condition; the time of the transition is the pass's.
func (p *pass) set(c metav1.Condition) {
	c.ObservedGeneration = p.credential.Generation
	c.LastTransitionTime = metav1.NewTime(p.now.UTC().Truncate(time.Second))
	meta.SetStatusCondition(&p.credential.Status.Conditions, c)
}

// condition begins a condition; set completes it.
func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

// wake is when a living credential is looked at again, from stored times alone.
func (p *pass) wake(c conclusion) time.Duration {
	document := p.document()
	next := p.now.Add(longSleep)
	sooner := func(at time.Time) {
		if !at.IsZero() && at.After(p.now) && at.Before(next) {
			next = at
		}
	}
	if token := document.token(); token != nil {
		sooner(token.ExpirationTime)
		sooner(token.RenewalTime)
	}
	if current := document.publishable(); current != nil {
		sooner(current.Token.ExpirationTime)
	}
	if c.finding != nil {
		sooner(p.now.Add(slowRecheck))
		sooner(c.finding.wake)
	}
	sooner(c.again)
	if check := document.check(); check != nil {
		sooner(check.NextAttemptTime)
	}
	if f := document.Failure; f != nil {
		sooner(f.NextAttemptTime)
		sooner(p.now.Add(f.longestWait()))
	}
	if c.revocation != nil {
		sooner(c.revocation.wake)
	}
	for _, entry := range document.Pending {
		sooner(entry.NotBefore)
		sooner(p.publishedSince.Add(superseded))
		sooner(entry.TokenExpirationTime)
	}
	return max(next.Sub(p.now), time.Second)
}

// document is the state's, or an empty one.
func (p *pass) document() document {
	if p.state == nil || p.state.problem != stateUsable {
		return document{}
	}
	return p.state.document
}

// authorizationEndpoint is where a sign-in by browser begins, for a credential that
// needs one.
func (p *pass) authorizationEndpoint() string {
	if p.credential.Spec.GrantType != v1alpha1.GrantTypeAuthorizationCode || p.client == nil {
		return ""
	}
	return p.client.Environment().AuthorizationEndpoint()
}

// token is the newest token answer, or nil.
func (d document) token() *tokenRecord {
	if d.Grant == nil {
		return nil
	}
	return d.Grant.Token
}

func grantStatus(g *grant) *v1alpha1.GrantStatus {
	if g == nil {
		return &v1alpha1.GrantStatus{}
	}
	start := metav1.NewTime(g.StartTime)
	return &v1alpha1.GrantStatus{Present: g.Condition != grantRefused && !g.RefreshToken.Empty(), Rotations: g.Rotations, StartTime: &start}
}

func identityStatus(who identity) *v1alpha1.Identity {
	if who == (identity{}) {
		return nil
	}
	return &v1alpha1.Identity{Username: who.Username, UserID: who.UserID}
}

func tokenStatus(t *tokenRecord) *v1alpha1.TokenStatus {
	return &v1alpha1.TokenStatus{
		Fingerprint: t.AccessToken.Fingerprint(), ObtainedBy: t.ObtainedBy,
		IssueTime: atSecond(t.IssueTime), RenewalTime: atSecond(t.RenewalTime), ExpirationTime: atSecond(t.ExpirationTime),
	}
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
