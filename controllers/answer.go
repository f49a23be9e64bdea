package controllers

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// superseded is how long a grant stays alive after its successor, so that
// workloads which still hold its token can change over.
const superseded = 120 * time.Second

// revocationPatience is how long a listed grant is tried.
const revocationPatience = 24 * time.Hour

// maxPending bounds the list of grants that wait to be revoked.
const maxPending = 32

// answer is the outcome of one claimed spend, on its way into the state document.
// Until it is there it lives in memory only, and is all that keeps the grant.
type answer struct {
	credential    types.NamespacedName
	credentialUID types.UID
	claim         claim
	terms         revocationTerms
	// grant is the grant as it stands after the answer; nil when the service gave
	// none. It may come with a failure: a refresh token without an access token.
	grant  *grant
	inputs usedInputs
	// inputsHash covers what was sent beside a rotated refresh token.
	inputsHash string
	failure    *failure
	refusal    *refusal
	// giveUpTime ends the tries to revoke a grant that no state can keep.
	giveUpTime time.Time
}

// record writes a into d. An answer whose claim still stands is the expected case;
// any other is late, because another process took over meanwhile. A late answer is
// dropped only when the state has a newer token of the same grant.
func (d *document) record(a answer, now time.Time) {
	current := d.Claim != nil && d.Claim.Number == a.claim.Number && d.Claim.Holder == a.claim.Holder
	if current && a.claim.RevokeRequest != "" {
		// Whether or not the sign-in succeeded, what was there before goes.
		d.revokeAll(a.claim.RevokeRequest, now)
	}
	if a.grant != nil {
		d.recordGrant(a, current, now)
	}
	if !current {
		return
	}
	d.Claim = nil
	if d.FirstUse != nil && d.FirstUse.GrantID == a.claim.GrantID && a.judged() {
		d.FirstUse = nil
	}
	d.Failure = a.failure
	if a.failure == nil && a.refusal == nil {
		d.Inputs.forgive(a.inputsHash)
	}
	if a.claim.RenewRequest != "" && (a.failure == nil || a.failure.GrantRefused) {
		d.HandledRenewRequest = a.claim.RenewRequest
	}
	if a.refusal != nil {
		d.Inputs.refuse(*a.refusal)
	}
	if a.grant == nil && d.Grant != nil && d.Grant.ID == a.claim.GrantID && a.failure != nil {
		d.Grant.Condition = a.failure.leaves(d.Grant.Condition)
	}
}

// judged tells that the service has said its word on what it was sent.
func (a answer) judged() bool {
	return a.grant != nil || a.refusal != nil && a.refusal.judged()
}

// recordGrant finds the place of the grant that a brought. Two tokens of one grant
// never stand in two places.
func (d *document) recordGrant(a answer, current bool, now time.Time) {
	before := d.Grant
	switch listed := d.listed(a.grant.ID); {
	case d.Grant != nil && d.Grant.ID == a.grant.ID:
		if d.Grant.Answered > a.claim.Number && d.Grant.Condition == grantValid {
			return
		}
		d.Grant = a.grant
	case listed != nil: // whatever the claim says: this grant was given up meanwhile
		listed.RefreshToken = a.grant.RefreshToken
		listed.NotBefore, listed.TokenExpirationTime = now, now
	case current, d.waitsFor(a.grant.ID):
		d.supersede(now)
		d.Grant, d.Revoked = a.grant, false
		d.Inputs.Used = a.inputs
		d.Inputs.forgive(a.inputsHash)
		d.FirstUse = nil
	case d.Revoked:
		// A person asked for the end of every grant while this one was under way.
		d.listAlways(a.grant, now)
	default:
		d.list(a.grant, now, now, now)
	}
	if d.Grant == a.grant {
		d.keepPrevious(before)
	}
	if a.failure == nil && d.Grant != nil && d.Grant.ID == a.grant.ID {
		d.Failure = nil
	}
}

// waitsFor tells that the state knows of no grant yet but of this one: a seed or a code
// whose answer is still out, or whose replay was refused because it had been spent.
func (d *document) waitsFor(grantID string) bool {
	return d.FirstUse != nil && d.FirstUse.GrantID == grantID ||
		d.Grant == nil && slices.ContainsFunc(d.Inputs.Refused, func(r refusal) bool { return r.GrantID == grantID && r.judged() })
}

// keepPrevious keeps what is published, while the token that took its place has to be
// verified. Of several that wait it is the last one that was not waiting.
func (d *document) keepPrevious(before *grant) {
	switch {
	case d.Grant.Token == nil || d.Grant.Token.Check == nil:
		d.Previous = nil
	case before != nil && before.Token != nil && before.Token.Check == nil:
		d.Previous = before.published()
	}
}

// supersede lists the living grant for revocation, because another takes its place.
func (d *document) supersede(now time.Time) {
	if d.Grant == nil {
		return
	}
	expiry := now
	if d.Grant.Token != nil {
		expiry = d.Grant.Token.ExpirationTime
	}
	d.list(d.Grant, now.Add(superseded), expiry, now)
	d.Grant = nil
}

// list puts g on the revocation list. Policy Never lists nothing; a full list gives
// up its oldest entry, which the next write of the document reports.
func (d *document) list(g *grant, notBefore, tokenExpiration, now time.Time) {
	if !d.Revocation.never() {
		d.add(g, notBefore, tokenExpiration, now)
	}
}

// listAlways lists g as due now, whatever the policy says.
func (d *document) listAlways(g *grant, now time.Time) {
	d.add(g, now, now, now)
}

func (d *document) add(g *grant, notBefore, tokenExpiration, now time.Time) {
	if g.RefreshToken.Empty() {
		return
	}
	if len(d.Pending) >= maxPending {
		d.abandoned++
		d.Pending = slices.Delete(d.Pending, 0, 1)
	}
	d.Pending = append(d.Pending, pendingRevocation{
		GrantID: g.ID, Environment: g.Environment, AccountsURL: g.AccountsURL, ClientID: g.ClientID,
		RefreshToken: g.RefreshToken, NotBefore: notBefore, TokenExpirationTime: tokenExpiration,
		GiveUpTime: now.Add(revocationPatience),
	})
}

// listed returns the entry of a grant on the revocation list, or nil.
func (d *document) listed(grantID string) *pendingRevocation {
	for i := range d.Pending {
		if d.Pending[i].GrantID == grantID {
			return &d.Pending[i]
		}
	}
	return nil
}
