package controllers

import (
	"fmt"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// action is what a pass does with the service.
type action string

const (
	actionNone action = "None"
	// actionSignIn makes a new grant: with user name and password, with the code of a
	// sign-in by browser, or as a guest.
	actionSignIn action = "SignIn"
	// actionSeed makes a new grant of the seed that a person put in.
	actionSeed action = "Seed"
	// actionRefresh spends the refresh token of the living grant.
	actionRefresh action = "Refresh"
)

// plan is what decide wants, or what it found in the way.
type plan struct {
	action  action
	finding *finding
	// meanwhile tells that the living grant is due, too: it is refreshed if the action
	// needs a person, so that the old token lives until the new grant exists.
	meanwhile bool
}

// observation is what decide looks at.
type observation struct {
	credential *v1alpha1.SpacesCredential
	now        time.Time
	// document is nil before the first claim.
	document *document
	// used are the hashes of the inputs as they are now; empty where not read.
	used usedInputs
	// signInHash and refreshHash cover what would be sent; empty where not known.
	signInHash, refreshHash string
}

// decide answers one question: is a call due, and which? The first rule that
// matches wins.
func decide(o observation) plan {
	if o.document == nil {
		return plan{action: newGrant(o.credential)}
	}
	grant := o.document.Grant
	byPassword := o.credential.Spec.GrantType == v1alpha1.GrantTypePassword
	asked := o.renewAsked()
	if f := o.document.Failure; f != nil && f.holds(o.now, o.signInHash, o.refreshHash) && (byPassword || !f.GrantRefused) && !asked {
		return plan{action: actionNone, finding: o.failed(f)}
	}
	switch {
	case o.firstUseIsOpen() && o.document.FirstUse.belongsTo(o.used):
		return plan{action: newGrant(o.credential)}
	case o.firstUseIsOpen():
		return o.changed()
	case grant == nil && o.inputWasUsed():
		return plan{action: actionNone, finding: reauthorize(o.credential)}
	case grant == nil:
		return plan{action: newGrant(o.credential)}
	case o.document.Inputs.Used.changed(o.used):
		return o.replace()
	case grant.Condition == grantRefused && byPassword:
		return plan{action: actionSignIn}
	case grant.Condition == grantRefused && asked:
		return plan{action: actionRefresh}
	case grant.Condition == grantRefused:
		return plan{action: actionNone, finding: reauthorize(o.credential)}
	case o.refreshDue(grant) && grant.RefreshToken.Empty():
		return o.withoutRefresh()
	case o.refreshDue(grant):
		return plan{action: actionRefresh}
	}
	return plan{action: actionNone}
}

// firstUseIsOpen tells that a seed or a code was sent and not judged, and that no newer
// one has taken its place.
func (o observation) firstUseIsOpen() bool {
	open := o.document.FirstUse
	return open != nil && open.isStill(o.used)
}

// isStill tells whether the inputs hold no other seed or code than this one.
func (f firstUse) isStill(now usedInputs) bool {
	hash := now.Seed + now.Code // a credential has one of them
	return hash == "" || hash == f.Hash
}

// belongsTo tells whether the client, its environment and the scopes are still those
// that it was claimed with.
func (f firstUse) belongsTo(now usedInputs) bool { return now.Client == "" || now.Client == f.Client }

// withoutRefresh is what follows when a grant without a refresh token is due: a guest's,
// or one of a service that gave none.
func (o observation) withoutRefresh() plan {
	if onceOnly(o.credential) {
		return plan{action: actionNone, finding: reauthorize(o.credential)}
	}
	return plan{action: actionSignIn}
}

// replace is what follows when the inputs are no longer those the grant was made
// with. A seed or a code makes one grant; another client cannot use it again.
func (o observation) replace() plan {
	used := o.document.Inputs.Used
	fresh := o.used.Seed != used.Seed && o.used.Seed != "" || o.used.Code != used.Code && o.used.Code != ""
	if fresh || !onceOnly(o.credential) {
		return plan{action: newGrant(o.credential), meanwhile: o.oldIsDue()}
	}
	return o.changed()
}

// changed is what follows when a seed or a code belongs to other inputs than there are
// now: it is sent nowhere else.
func (o observation) changed() plan {
	return plan{action: actionNone, meanwhile: o.oldIsDue(), finding: blocked(v1alpha1.ReasonReauthorizationRequired,
		"The client, the environment or the scopes changed, and the grant belongs to the old ones. %s", signInAgain(o.credential))}
}

// oldIsDue tells that the living grant, which is to be replaced, wants to be refreshed.
func (o observation) oldIsDue() bool {
	old := o.document.Grant
	return old != nil && old.Condition != grantRefused && !old.RefreshToken.Empty() && o.refreshDue(old)
}

// newGrant is how a credential of this type gets a grant.
func newGrant(credential *v1alpha1.SpacesCredential) action {
	if credential.Spec.GrantType == v1alpha1.GrantTypeRefreshToken {
		return actionSeed
	}
	return actionSignIn
}

// onceOnly tells that what a person put in makes one grant and no other.
func onceOnly(credential *v1alpha1.SpacesCredential) bool {
	switch credential.Spec.GrantType {
	case v1alpha1.GrantTypeRefreshToken, v1alpha1.GrantTypeAuthorizationCode:
		return true
	case v1alpha1.GrantTypePassword, v1alpha1.GrantTypeAnonymous:
	}
	return false
}

// refreshDue tells whether the living grant is to be refreshed: it never was, its
// last refresh had no answer, its time has come, or the clock jumped.
func (o observation) refreshDue(grant *grant) bool {
	token := grant.Token
	return o.document.renewRequest(o.credential) != "" || token == nil || grant.Condition == grantAmbiguous ||
		!o.now.Before(token.RenewalTime) || token.IssueTime.After(o.now.Add(clockJump))
}

// inputWasUsed tells that the living grant is gone and its seed or code with it.
func (o observation) inputWasUsed() bool {
	gone := func(used, now string) bool { return used != "" && (now == "" || now == used) }
	used := o.document.Inputs.Used
	return onceOnly(o.credential) && (gone(used.Seed, o.used.Seed) || gone(used.Code, o.used.Code))
}

// reauthorize asks for a new seed or code.
func reauthorize(credential *v1alpha1.SpacesCredential) *finding {
	return blocked(v1alpha1.ReasonReauthorizationRequired, "The grant has ended at the service. %s", signInAgain(credential))
}

// signInAgain says how a person makes a new grant possible.
func signInAgain(credential *v1alpha1.SpacesCredential) string {
	if credential.Spec.RefreshToken == nil {
		return "Sign in again: run " + loginCommand(credential) + "."
	}
	ref := credential.Spec.RefreshToken.SecretRef
	return fmt.Sprintf("Sign in again and put the new refresh token into key %q of Secret %q.", ref.Key, ref.Name)
}

// failed is the finding about a call that failed and is not due again.
func (o observation) failed(f *failure) *finding {
	return waiting(f.reason(), "%s", f.message()).at(f.NextAttemptTime)
}
