package grantstate

import (
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// Action is what is to be done with the service next.
type Action string

const (
	// Nothing is to be asked of the service.
	Nothing Action = ""
	// SignIn makes a new grant: with user name and password, with the seed or the code
	// that a person put in, or as a guest.
	SignIn Action = "SignIn"
	// Refresh spends the refresh token of the living grant.
	Refresh Action = "Refresh"
	// Revoke lists every grant as due now, because a person asks for it and no sign-in
	// can be tried first.
	Revoke Action = "Revoke"
)

// Hold is what keeps a wanted grant or token from being asked for.
type Hold string

const (
	// Free tells that nothing is in the way.
	Free Hold = ""
	// InputMissing tells that an input is missing or cannot be used.
	InputMissing Hold = "InputMissing"
	// RefusedBefore tells that the service refused these very inputs; see Verdict.Refusal.
	RefusedBefore Hold = "RefusedBefore"
	// InBackoff tells that the last try failed not long ago; see Verdict.Failure.
	InBackoff Hold = "InBackoff"
	// Ended tells that the grant is dead, and that only a person can make another one.
	Ended Hold = "Ended"
	// OtherInputs tells that the seed or the code belongs to another client, environment
	// or scopes than there are now. It is sent nowhere else.
	OtherInputs Hold = "OtherInputs"
	// EnvironmentPaused tells that nothing is sent where a sign-in would go.
	EnvironmentPaused Hold = "EnvironmentPaused"
	// OthersSignIn tells that another client may be signing in as the same user, so that sign-ins are
	// slowed down; see Verdict.Until.
	OthersSignIn Hold = "OthersSignIn"
	// ListFull tells that as many grants wait to be revoked as can be kept. One more
	// could not be revoked in the end.
	ListFull Hold = "ListFull"
	// TooSoon tells that a person's request came right after another; see Verdict.Until.
	TooSoon Hold = "TooSoon"
	// GivenAway tells that the living grant was exported to another cluster.
	GivenAway Hold = "GivenAway"
	// UnknownGrantType tells that spec has a grant type that this build does not know.
	UnknownGrantType Hold = "UnknownGrantType"
)

// Verdict is what is to be done next, and what is in the way of what is wanted beside it:
// the living grant is refreshed while the one that is to follow it has to wait.
type Verdict struct {
	Action Action
	Hold   Hold
	// Refusal and Failure come with their holds, Until with TooSoon and OthersSignIn.
	Refusal *Refusal
	Failure *Failure
	Until   time.Time
}

// Observation is what Decide looks at.
type Observation struct {
	Credential *v1alpha1.SpacesCredential
	Document   Document
	Inputs     Seen
	Now        time.Time
	// Rejected is the fingerprint of the published token, where a workload says that it was refused with
	// it, or "".
	Rejected string
	// IsPaused tells that nothing is sent where a sign-in would go. Where a refresh goes is known
	// when it is to be sent.
	IsPaused bool
}

// Decide answers one question: is a call due, and which? At most one is: what else is
// due is found by the next look.
func Decide(o Observation) Verdict {
	if !o.Credential.Spec.GrantType.IsKnown() {
		return Verdict{Hold: UnknownGrantType}
	}
	if o.RevokeRequest() != "" {
		return o.revocation()
	}
	wanted := o.newGrant()
	if wanted.Action != Nothing {
		return wanted
	}
	refresh := o.refresh()
	if wanted.Hold == Free {
		return refresh
	}
	wanted.Action = refresh.Action
	return wanted
}

// newGrant tells whether another grant is wanted than the living one, and what is in the
// way. The first rule that matches wins.
func (o Observation) newGrant() Verdict {
	d, grant := o.Document, o.Document.grant
	once := OnceOnly(o.Credential)
	switch open := d.firstUse; {
	case open != nil && open.isStill(o.Inputs.used) && !open.belongsTo(o.Inputs.used):
		return Verdict{Hold: OtherInputs}
	case open != nil && open.isStill(o.Inputs.used):
	case grant == nil && o.inputWasUsed() && !o.asked():
		return Verdict{Hold: Ended}
	case grant == nil:
	case o.isGivenAway():
		return Verdict{Hold: GivenAway}
	case d.inputs.Used.changed(o.Inputs.used) && once && !o.freshInput():
		return Verdict{Hold: OtherInputs}
	case d.inputs.Used.changed(o.Inputs.used):
	case grant.Condition == Refused && o.triesOnceMore():
		return Verdict{} // the grant that was refused
	case grant.Condition == Refused && once && !o.freshInput():
		return Verdict{Hold: Ended}
	case grant.Condition == Refused, d.Exported() != nil, d.refreshFailure.countsAsRefused(grant, o.Now):
	case o.due(grant) && grant.RefreshToken.Empty() && once:
		return Verdict{Hold: Ended}
	case o.due(grant) && grant.RefreshToken.Empty(): // a guest, or a service that gave none
	default:
		return Verdict{}
	}
	return o.allowed(SignIn, o.Inputs.signIn, d.signInFailure)
}

// refresh tells whether the living grant is to be refreshed, and what is in the way.
func (o Observation) refresh() Verdict {
	grant := o.Document.grant
	switch {
	case grant == nil, grant.RefreshToken.Empty(), o.Document.Exported() != nil:
		return Verdict{}
	case grant.Condition == Refused && !o.triesOnceMore() && !o.triesAgain():
		return Verdict{}
	case o.due(grant):
		return o.allowed(Refresh, o.Inputs.refresh, o.Document.refreshFailure)
	}
	if at := o.Document.requests.heardAt(o.Credential, o.Now); !at.IsZero() {
		return Verdict{Hold: TooSoon, Until: at}
	}
	return Verdict{}
}

// allowed tells whether what is wanted may be sent now. hash covers what would be sent.
func (o Observation) allowed(what Action, hash string, failed *Failure) Verdict {
	refusal := o.Document.inputs.refused(hash)
	switch {
	case hash != "" && refusal != nil && (!o.asked() || o.isJudgedCode(refusal)):
		return Verdict{Hold: RefusedBefore, Refusal: refusal}
	case what == SignIn && o.IsPaused:
		return Verdict{Hold: EnvironmentPaused}
	case hash == "":
		return Verdict{Hold: InputMissing}
	case failed != nil && failed.holds(o.Now, hash) && (failed.Told || !o.asked()):
		return Verdict{Hold: InBackoff, Failure: clone(failed)}
	case what == SignIn && !o.othersHold().IsZero() && !o.asked():
		return Verdict{Hold: OthersSignIn, Until: o.othersHold()}
	case what == SignIn && o.listIsFull():
		return Verdict{Hold: ListFull}
	}
	return Verdict{Action: what}
}

// revocation is what follows when a person asks for the end of every grant. What can sign
// in by itself tries that once before; the request is handled in either case.
func (o Observation) revocation() Verdict {
	hash := o.Inputs.signIn
	if o.Document.Exported() != nil || OnceOnly(o.Credential) || hash == "" || o.listIsFull() {
		return Verdict{Action: Revoke}
	}
	if refusal := o.Document.inputs.refused(hash); refusal != nil && !o.asked() {
		return Verdict{Action: Revoke, Hold: RefusedBefore, Refusal: refusal}
	}
	return Verdict{Action: SignIn}
}

// isJudgedCode tells a code that was judged: it is never sent again, whoever asks.
func (o Observation) isJudgedCode(refusal *Refusal) bool {
	return o.Credential.Spec.GrantType == v1alpha1.GrantTypeAuthorizationCode && refusal.SignIn && refusal.judged()
}

// due tells whether the living grant is to be renewed: it never was, its last refresh had
// no answer, its time has come, the clock jumped, a person asks for it, or a workload was refused.
func (o Observation) due(grant *Grant) bool {
	token := grant.Token
	return o.renewRequest() != "" || token == nil || grant.Condition == Ambiguous || o.settlesFirst() ||
		!o.Now.Before(token.RenewalTime) || token.IssueTime.After(o.Now.Add(ClockJump)) || o.rejection() != ""
}

// renewRequest is the request for a renewal that is to be acted on, or "".
func (o Observation) renewRequest() string {
	if !o.Document.requests.heardAt(o.Credential, o.Now).IsZero() {
		return ""
	}
	return o.Document.requests.renew(o.Credential)
}

// asked tells whether a person asks for a renewal that was not tried yet: it
// goes before any backoff and lifts a refusal, once.
func (o Observation) asked() bool {
	request := o.renewRequest()
	return request != "" && request != o.Document.requests.TriedRenew
}

// triesOnceMore tells that a person asks for another try of a grant that was refused, and
// that nothing could make a new one.
func (o Observation) triesOnceMore() bool { return OnceOnly(o.Credential) && o.asked() }

// triesAgain tells that a refused grant that only a person can replace is asked for once more.
func (o Observation) triesAgain() bool {
	return OnceOnly(o.Credential) && o.Document.refreshFailure.isAskedAgain()
}

// RevokeRequest is the request for the end of every grant that is not handled yet, or "".
func (o Observation) RevokeRequest() string { return o.Document.requests.revoke(o.Credential) }

// freshInput tells that there is another seed or code than the living grant was made of.
func (o Observation) freshInput() bool {
	was, now := o.Document.inputs.Used, o.Inputs.used
	return now.Import != "" || now.Seed != "" && now.Seed != was.Seed || now.Code != "" && now.Code != was.Code
}

// inputWasUsed tells that the living grant is gone and its seed or code with it.
func (o Observation) inputWasUsed() bool {
	gone := func(used, now string) bool { return used != "" && (now == "" || now == used) }
	was, now := o.Document.inputs.Used, o.Inputs.used
	return OnceOnly(o.Credential) && now.Import == "" && (gone(was.Seed, now.Seed) || gone(was.Code, now.Code))
}

// listIsFull tells that a new grant could not be revoked in the end: those that it would
// follow, and it itself, need a place on the list.
func (o Observation) listIsFull() bool {
	if TermsOf(o.Credential).Never() || o.Credential.Spec.GrantType == v1alpha1.GrantTypeAnonymous {
		return false
	}
	d, needed := o.Document, 1
	if d.grant != nil && !d.grant.RefreshToken.Empty() && d.Exported() == nil {
		needed++
	}
	if d.firstUse != nil && !d.firstUse.isStill(o.Inputs.used) {
		needed++
	}
	return len(d.pending)+needed > maxPending
}

// OnceOnly tells that what a person put in makes one grant and no other.
func OnceOnly(credential *v1alpha1.SpacesCredential) bool {
	switch credential.Spec.GrantType {
	case v1alpha1.GrantTypeRefreshToken, v1alpha1.GrantTypeAuthorizationCode:
		return true
	case v1alpha1.GrantTypePassword, v1alpha1.GrantTypeAnonymous:
	}
	return false
}
