package grantstate

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Answer is the outcome of one claimed spend, on its way into the document. Until it is
// there it lives in memory only, and is all that keeps the grant.
type Answer struct {
	credentialUID types.UID
	claim         Claim
	terms         Terms
	// grant is the grant as it stands after the answer; nil when the service gave
	// none. It may come with a failure: a refresh token without an access token.
	grant *Grant
	used  used
	// hash covers what was sent beside a rotated refresh token.
	hash    string
	other   string
	like    string
	failure *Failure
	refusal *Refusal
}

// isUnwanted tells that the grant is that of another user than the expected one. It is revoked,
// whatever the policy says: it is not the credential's, and nobody else knows of it.
func (a Answer) isUnwanted() bool { return a.grant != nil && a.refusal != nil && a.refusal.OtherUser }

// Answer turns the outcome of a call into what is to be recorded. d is the document with
// the claim of the call.
func (d Document) Answer(s Spend, credential *v1alpha1.SpacesCredential, got spacesauth.Answer, failed error, now time.Time) Answer {
	a := Answer{credentialUID: d.credentialUID, claim: *d.claim, terms: d.terms, used: s.used, hash: s.hash, other: s.other, like: s.like}
	if failed != nil {
		a.failure, a.refusal = d.settle(s, failed, now)
		if got.RefreshToken.Empty() {
			return a
		}
	}
	next := *s.grant.clone()
	if !got.RefreshToken.Empty() {
		next.RefreshToken = kept{got.RefreshToken}
	}
	next.Answered, next.Condition = a.claim.Number, Valid
	next.endsAsTold(got.IssueTime, got.GrantLifetime, s.usualLife)
	if failed == nil {
		if next.Token != nil {
			next.Rotations++
		}
		next.Token = token(s, credential, got)
		if who := spacesauth.IdentityOf(got.IDToken); who != (spacesauth.Identity{}) {
			next.Identity = Identity(who)
		}
		if s.first.isOfAnother(next.Identity) {
			a.refusal = &Refusal{
				Hash: s.hash, Kind: spacesauth.KindRejectedGrant, Detail: "another user signed in", SignIn: true, GrantID: s.grant.ID, OtherUser: true,
			}
		}
	}
	a.grant = &next
	return a
}

// token computes the times of a token answer.
func token(s Spend, credential *v1alpha1.SpacesCredential, got spacesauth.Answer) *Token {
	issue, renew, expire := schedule(credential.UID, credential.EffectiveRenewal(), got.IssueTime, got.Lifetime)
	t := &Token{
		AccessToken: kept{got.AccessToken}, IDToken: kept{got.IDToken}, TokenType: got.TokenType, Scope: got.Scope,
		ObtainedBy: s.by, IssueTime: issue, RenewalTime: renew, ExpirationTime: expire, Generation: credential.Generation,
	}
	if before := s.grant.Token; before != nil && !s.signIn && !s.alone {
		t.Generation = before.Generation // another grant is wanted by now
	}
	if len(credential.Spec.Verification) > 0 {
		t.Check = &Check{}
	}
	return t
}

// CredentialUID is the credential that the answer belongs to.
func (a Answer) CredentialUID() types.UID { return a.credentialUID }

// IsOf tells whether two answers are the same one.
func (a Answer) IsOf(other Answer) bool { return a.claim == other.claim }

// NextAttemptAfterUnclear is when a sign-in is sent again whose answer said nothing; zero where
// there was a clear one, or none.
func (a Answer) NextAttemptAfterUnclear() time.Time {
	if a.failure == nil || !a.failure.SignIn || a.failure.Kind != spacesauth.KindUnclear {
		return time.Time{}
	}
	return a.failure.NextAttemptTime
}

// String keeps an answer out of logs.
func (a Answer) String() string { return "answer of the service for " + string(a.credentialUID) }

// Unkept is what there is to revoke of an answer that no document can keep, or nil: the
// service gave nothing that could be revoked, or the policy spares it.
func (a Answer) Unkept(now time.Time) *Listed {
	if a.grant == nil || a.grant.RefreshToken.Empty() || a.terms.Never() && !a.isUnwanted() {
		return nil
	}
	return a.terms.dueNow(a.grant, now)
}

// dueNow is the entry of a grant that no document can keep.
func (t Terms) dueNow(g *Grant, now time.Time) *Listed {
	entry := listed(g, now, now)
	entry.GiveUpTime = t.Deadline(now)
	return &entry
}

// Unkeepable lists a refresh token that a call brought and no document can keep, as due now, or
// nil where the policy spares it.
func (d Document) Unkeepable(s Spend, token spacesauth.Secret, now time.Time) *Listed {
	if token.Empty() || d.terms.Never() {
		return nil
	}
	g := s.grant
	g.RefreshToken = kept{token}
	return d.terms.dueNow(&g, now)
}

// Record writes a into d. An answer whose claim still stands is the expected case;
// any other is late, because another process took over meanwhile. A late answer is
// dropped only when the document has a newer token of the same grant.
func (d *Document) Record(a Answer, now time.Time) {
	current := d.claim != nil && d.claim.Number == a.claim.Number && d.claim.Holder == a.claim.Holder
	if current && a.claim.RevokeRequest != "" {
		// Whether or not the sign-in succeeded, what was there before goes.
		d.RevokeAll(a.claim.RevokeRequest, now)
	}
	if current {
		d.countShortLived(a)
	}
	if a.grant != nil {
		d.place(a, current, now)
	}
	if !current {
		return
	}
	d.claim = nil
	if d.firstUse != nil && d.firstUse.GrantID == a.claim.GrantID && a.judged() {
		d.firstUse = nil
	}
	d.failed(a.claim.SignIn, clone(a.failure))
	if a.failure == nil && a.refusal == nil {
		d.inputs.forgive(a.hash)
		if a.other != "" { // the client's present secret has its turn again
			d.inputs.forgive(a.other)
		}
		if a.like != "" {
			d.inputs.Refreshed = a.like
		}
	}
	if a.claim.RenewRequest != "" && (a.failure == nil || a.failure.GrantRefused) {
		d.requests.HandledRenew = a.claim.RenewRequest
	}
	if a.claim.Rejected != "" && (a.failure == nil || a.failure.GrantRefused) {
		d.rejections.Handled = a.claim.Rejected
	}
	if a.refusal != nil {
		d.inputs.refuse(*a.refusal)
	}
	if a.failure != nil && a.failure.OtherHash != "" { // both wait together
		d.inputs.forgive(a.failure.OtherHash)
	}
	if a.grant == nil && d.grant != nil && d.grant.ID == a.claim.GrantID && a.failure != nil {
		d.grant.Condition = a.failure.leaves(d.grant.Condition)
	}
}

// judged tells that the service has said its word on what it was sent.
func (a Answer) judged() bool {
	return a.grant != nil || a.refusal != nil && a.refusal.judged()
}

// place finds the place of the grant that a brought. Two tokens of one grant never
// stand in two places.
func (d *Document) place(a Answer, current bool, now time.Time) {
	before, brought := d.grant, a.grant.clone()
	switch listed := d.entry(brought.ID); {
	case d.isExported(brought.ID):
		return // it is another cluster's, whose refresh token is a newer one
	case d.grant != nil && d.grant.ID == brought.ID:
		if d.grant.Answered > a.claim.Number && d.grant.Condition == Valid {
			return
		}
		brought.End.IsWarned = brought.End.IsWarned || d.grant.End.IsWarned // since a late answer was claimed
		d.grant, d.isBehind = brought, false
	case listed != nil: // whatever the claim says: this grant was given up meanwhile
		listed.RefreshToken = brought.RefreshToken
		listed.NotBefore, listed.TokenExpirationTime = now, now
	case a.isUnwanted():
		d.listAlways(brought, now)
		d.inputs.refuse(*a.refusal)
		if d.firstUse != nil && d.firstUse.GrantID == brought.ID {
			d.firstUse = nil
		}
	case current, d.waitsFor(brought.ID):
		d.supersede(now)
		d.grant, d.revoked, d.isBehind = brought, false, false
		if d.inputs.Used.changed(a.used) { // nobody signs in as the new user yet
			d.shortLived = 0
		}
		d.inputs.Used = a.used
		d.inputs.usedImport(a.used.Import)
		d.inputs.forgive(a.hash)
		d.firstUse = nil
	case d.revoked:
		// A person asked for the end of every grant while this one was under way.
		d.listAlways(brought, now)
	default:
		d.list(brought, now, now, now)
	}
	if d.grant == brought {
		d.keepMeanwhile(before)
	}
	if a.failure == nil && d.grant != nil && d.grant.ID == brought.ID {
		d.refreshFailure = nil
		if a.claim.SignIn {
			d.signInFailure = nil
		}
	}
}

// waitsFor tells that the document knows of no grant yet but of this one: a seed or a code
// whose answer is still out, or whose replay was refused because it had been spent.
func (d *Document) waitsFor(grantID string) bool {
	return d.firstUse != nil && d.firstUse.GrantID == grantID ||
		d.grant == nil && slices.ContainsFunc(d.inputs.Refused, func(r Refusal) bool { return r.GrantID == grantID && r.judged() })
}

// keepMeanwhile keeps what is published, while the token that took its place has to be
// verified. Of several that wait it is the last one that was not waiting.
func (d *Document) keepMeanwhile(before *Grant) {
	switch {
	case d.grant.Token == nil || d.grant.Token.Check == nil:
		d.meanwhile = nil
	case before != nil && before.Token != nil && before.Token.Check == nil:
		d.meanwhile = before.publishable()
	}
}
