package controllers

import (
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// action is what a pass does with the service.
type action string

const (
	actionNone action = "None"
	// actionSignIn makes a new grant with user name and password.
	actionSignIn action = "SignIn"
	// actionSeed makes the seed that a person put in the living grant, and
	// refreshes it.
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
	case grant == nil && o.seedWasUsed():
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
		return plan{action: actionNone, finding: o.refused(grant)}
	case o.refreshDue(grant):
		return plan{action: actionRefresh}
	}
	return plan{action: actionNone}
}

// replace is what follows when the inputs are no longer those the grant was made
// with. A seed makes one grant; another client cannot use it again.
func (o observation) replace() plan {
	old := o.document.Grant
	meanwhile := old.Condition != grantRefused && o.refreshDue(old)
	if o.credential.Spec.GrantType == v1alpha1.GrantTypePassword || o.used.Seed != o.document.Inputs.Used.Seed && o.used.Seed != "" {
		return plan{action: newGrant(o.credential), meanwhile: meanwhile}
	}
	ref := o.credential.Spec.RefreshToken.SecretRef
	return plan{action: actionNone, meanwhile: meanwhile, finding: blocked(v1alpha1.ReasonReauthorizationRequired,
		"The client or the environment changed, and the grant belongs to the old one. Sign in again and put the new refresh token into key %q of Secret %q.", ref.Key, ref.Name)}
}

// newGrant is how a credential of this type gets its first grant.
func newGrant(credential *v1alpha1.SpacesCredential) action {
	if credential.Spec.GrantType == v1alpha1.GrantTypePassword {
		return actionSignIn
	}
	return actionSeed
}

// refreshDue tells whether the living grant is to be refreshed: it never was, its
// last refresh had no answer, its time has come, or the clock jumped.
func (o observation) refreshDue(grant *grant) bool {
	token := grant.Token
	return o.document.renewRequest(o.credential) != "" || token == nil || grant.Condition == grantAmbiguous ||
		!o.now.Before(token.RenewalTime) || token.IssueTime.After(o.now.Add(clockJump))
}

// seedWasUsed tells that the living grant is gone and its seed with it.
func (o observation) seedWasUsed() bool {
	if o.credential.Spec.GrantType == v1alpha1.GrantTypePassword {
		return false
	}
	used := o.document.Inputs.Used.Seed
	return used != "" && (o.used.Seed == "" || o.used.Seed == used)
}

// refused is the finding about a grant that the service refused and that only a
// person can replace.
func (o observation) refused(grant *grant) *finding {
	if grant.Token == nil {
		ref := o.credential.Spec.RefreshToken.SecretRef
		return blocked(v1alpha1.ReasonGrantRejected,
			"The service refused the refresh token in key %q of Secret %q. Sign in again and put the new refresh token there.", ref.Key, ref.Name)
	}
	return reauthorize(o.credential)
}

// reauthorize asks for a new seed.
func reauthorize(credential *v1alpha1.SpacesCredential) *finding {
	ref := credential.Spec.RefreshToken.SecretRef
	return blocked(v1alpha1.ReasonReauthorizationRequired,
		"The grant has ended at the service. Sign in again and put the new refresh token into key %q of Secret %q.", ref.Key, ref.Name)
}

// failed is the finding about a call that failed and is not due again.
func (o observation) failed(f *failure) *finding {
	return waiting(f.reason(), "%s", f.message()).at(f.NextAttemptTime)
}
