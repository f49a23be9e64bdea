package grantstate

import (
	"errors"
	"slices"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// Changeover is how long a grant stays alive after its successor, so that
	// workloads which still hold its token can change over.
	Changeover = 120 * time.Second
	// patience is how long a listed grant is tried.
	patience = 24 * time.Hour
	// maxPending bounds the list of grants that wait to be revoked.
	maxPending = 32
)

// Listed is a grant that waits to be revoked.
type Listed struct {
	GrantID     string `json:"grantID"`
	Environment string `json:"environment"`
	AccountsURL string `json:"accountsURL"`
	ClientID    string `json:"clientID"`
	// Lender is whose client it is, where it is not the namespace's own.
	Lender       *Lender `json:"lender,omitempty"`
	RefreshToken kept    `json:"refreshToken"`
	// Always tells that a person asked for it: policy Never does not spare it.
	Always bool `json:"always,omitempty"`
	// NeedsSecret tells that the service wants the client to prove itself, RFC 7009 §2.1.
	NeedsSecret bool `json:"needsSecret,omitempty"`
	// NotBefore lets workloads change over to the successor's token, once that is
	// published. At TokenExpirationTime nobody can use the grant's own any more.
	NotBefore           time.Time `json:"notBefore"`
	TokenExpirationTime time.Time `json:"tokenExpirationTime"`
	// Attempts counts the calls made; GiveUpTime ends them. Detail is spacesauth's own
	// text about the last.
	Attempts        int32     `json:"attempts,omitempty"`
	Detail          string    `json:"detail,omitempty"`
	NextAttemptTime time.Time `json:"nextAttemptTime,omitzero"`
	GiveUpTime      time.Time `json:"giveUpTime"`
}

// listed is the entry of a grant.
func listed(g *Grant, notBefore, tokenExpiration time.Time) Listed {
	return Listed{
		GrantID: g.ID, Environment: g.Environment, AccountsURL: g.AccountsURL, ClientID: g.ClientID, Lender: clone(g.Lender),
		RefreshToken: g.RefreshToken, NotBefore: notBefore, TokenExpirationTime: tokenExpiration,
	}
}

// Due tells whether a listed grant is to be revoked. publishedSince is when workloads
// could first see its successor's token; zero while they cannot.
func (l Listed) Due(now, publishedSince time.Time) bool {
	return !now.Before(l.TokenExpirationTime) ||
		!publishedSince.IsZero() && !backoff.Within(now, l.NotBefore, Changeover) && !backoff.Within(now, publishedSince.Add(Changeover), Changeover)
}

// Waits tells that the last try was not long ago. A wait longer than any it could have
// been given comes from a clock that was set back, and is over.
func (l Listed) Waits(now time.Time) bool {
	return l.Attempts > 0 && backoff.Within(now, l.NextAttemptTime, spacesauth.MaxRetryAfter) && now.Before(l.GiveUpTime)
}

// IsOwed tells that the time of an entry is over and that it was not tried once.
func (l Listed) IsOwed(now time.Time) bool { return l.Attempts == 0 && !now.Before(l.GiveUpTime) }

// IsOver tells that an entry was tried for as long as it may be.
func (l Listed) IsOver(now time.Time) bool { return l.Attempts > 0 && !now.Before(l.GiveUpTime) }

// Failed is the entry after another try that the service did not confirm.
func (l Listed) Failed(err error, now time.Time) Listed {
	l.Attempts++
	l.Detail = err.Error()
	l.NextAttemptTime = now.Add(backoff.After(l.GrantID, l.Attempts, 0))
	var failed *spacesauth.Error
	switch isKnown := errors.As(err, &failed); {
	case isKnown && failed.RetryAfter > 0:
		l.NextAttemptTime = now.Add(failed.RetryAfter)
	case isKnown && failed.Kind == spacesauth.KindRejectedClient && !l.NeedsSecret:
		l.NeedsSecret, l.NextAttemptTime = true, now.Add(backoff.Shortest)
	}
	return l
}

// Pending are the grants that wait to be revoked, oldest first.
func (d Document) Pending() []Listed { return slices.Clone(d.pending) }

// Drop takes a grant from the list: it is revoked, or was given up.
func (d *Document) Drop(grantID string) {
	d.pending = slices.DeleteFunc(d.pending, func(l Listed) bool { return l.GrantID == grantID })
}

// Tried notes how the last try for a grant went, if it is still listed.
func (d *Document) Tried(entry Listed) {
	if l := d.entry(entry.GrantID); l != nil {
		l.Attempts, l.Detail, l.NextAttemptTime, l.NeedsSecret = entry.Attempts, entry.Detail, entry.NextAttemptTime, entry.NeedsSecret
	}
}

// Undo lists the living grant as due now: nobody can use it.
func (d *Document) Undo(now time.Time) {
	if d.grant != nil {
		d.list(d.grant, now, now, now)
		d.grant = nil
	}
}

// RevokeAll lists every grant as due now, because a person asks for it, whatever the
// policy says.
func (d *Document) RevokeAll(request string, now time.Time) {
	d.revokeAll(now)
	d.requests.HandledRevoke = request
}

// revokeAll lists every grant as due now, whatever the policy says.
func (d *Document) revokeAll(now time.Time) {
	isGivenAway := d.Exported() != nil
	if d.grant != nil && !isGivenAway {
		d.listAlways(d.grant, now)
		d.grant, d.revoked = nil, true
	}
	if d.firstUse != nil {
		d.listAlways(d.firstUse.grant(), now)
		d.inputs.spent(d.firstUse)
		d.firstUse, d.revoked = nil, true
	}
	for i := range d.pending {
		entry := &d.pending[i]
		entry.Always, entry.NotBefore, entry.TokenExpirationTime = true, now, now
		entry.NextAttemptTime, entry.GiveUpTime = time.Time{}, now.Add(patience)
	}
	if !isGivenAway { // its token lives until it ends
		d.meanwhile = nil
	}
	d.expectNothing()
}

// Retirement says how a document ends.
type Retirement struct {
	// Always revokes whatever the policy says: the emergency stop.
	Always bool
	// Terms replaces the recorded ones, where the credential can still be asked.
	Terms *Terms
	// Since is when the deadline began.
	Since time.Time
}

// Retire lists every grant as due now. Nothing is spent from the document any more, and
// nothing that is under way brings a grant back.
func (d *Document) Retire(how Retirement, now time.Time) {
	if how.Terms != nil {
		d.terms = *how.Terms
	}
	terms := d.terms
	deadline := terms.Deadline(how.Since)
	switch {
	case how.Always:
		d.terms.Policy = v1alpha1.RevocationOnDelete
	case terms.Never():
		d.grant = nil
		d.pending = slices.DeleteFunc(d.pending, func(l Listed) bool { return !l.Always })
	}
	d.supersede(now)
	if d.firstUse != nil {
		d.list(d.firstUse.grant(), now, now, now)
		d.inputs.spent(d.firstUse)
		d.firstUse = nil
	}
	d.terms, d.meanwhile = terms, nil
	d.expectNothing()
	for i := range d.pending {
		d.pending[i].GiveUpTime = deadline
		// What a person asked for is not taken back by the policy of a deletion that follows.
		d.pending[i].Always = d.pending[i].Always || how.Always
	}
}

// IsRetired tells that a document holds no grant but those that wait to be revoked.
func (d Document) IsRetired() bool { return d.grant == nil && d.firstUse == nil && d.claim == nil }

// expectNothing makes whatever is still under way late: an answer that comes joins the
// revocation list, instead of bringing a grant back that was given up.
func (d *Document) expectNothing() {
	d.claim = nil
	for i := range d.inputs.Refused {
		d.inputs.Refused[i].GrantID = ""
	}
}

// supersede lists the living grant for revocation, because another takes its place.
func (d *Document) supersede(now time.Time) {
	if d.grant == nil {
		return
	}
	expiry := now
	if d.grant.Token != nil {
		expiry = d.grant.Token.ExpirationTime
	}
	d.list(d.grant, now.Add(Changeover), expiry, now)
	d.grant = nil
}

// list puts g on the revocation list. Policy Never lists nothing.
func (d *Document) list(g *Grant, notBefore, tokenExpiration, now time.Time) {
	if !d.terms.Never() {
		d.add(listed(g, notBefore, tokenExpiration), now)
	}
}

// listAlways lists g as due now, whatever the policy says.
func (d *Document) listAlways(g *Grant, now time.Time) { d.add(listed(g, now, now), now) }

// add lists what there is to revoke; a grant that was given away is not ours to revoke. A list that late answers filled gives up its oldest
// entry, which whoever writes the document reports; no claim leads there, see Decide.
func (d *Document) add(entry Listed, now time.Time) {
	if entry.RefreshToken.Empty() || d.isExported(entry.GrantID) {
		return
	}
	if len(d.pending) >= maxPending {
		d.abandoned++
		d.pending = slices.Delete(d.pending, 0, 1)
	}
	entry.GiveUpTime = now.Add(patience)
	d.pending = append(d.pending, entry)
}

// entry returns the entry of a grant on the revocation list, or nil.
func (d *Document) entry(grantID string) *Listed {
	for i := range d.pending {
		if d.pending[i].GrantID == grantID {
			return &d.pending[i]
		}
	}
	return nil
}
