package grantstate

import (
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
)

const (
	// othersFrom is how many grants in a row must end before their first renewal, until others are taken to
	// sign in as the same user: one may be a service that was set up anew.
	othersFrom = 2
	// othersPause is the least time between two sign-ins from then on. Two who take each other's grants
	// away would else do so with every token.
	othersPause = 15 * time.Minute
)

// countShortLived counts the sign-ins in a row whose grants the service ended before they were renewed
// once. A grant that had a renewal without an answer may have been ended because of that. It is asked
// before the document has taken the answer over.
func (d *Document) countShortLived(a Answer) {
	g := d.grant
	if a.claim.SignIn || g == nil || g.ID != a.claim.GrantID || g.Type != v1alpha1.GrantTypePassword {
		return
	}
	switch {
	case a.failure == nil && a.refusal == nil:
		d.shortLived = 0
	case a.failure != nil && a.failure.GrantRefused && a.grant == nil && g.Rotations == 0 && g.Condition == Valid:
		d.shortLived++
	}
}

// OthersSignIn tells that somebody else may be signing in as the same user, where a service limits the
// grants of one.
func (d Document) OthersSignIn() bool { return d.shortLived >= othersFrom }

// othersHold is until when no other sign-in is made because others sign in as the same user; zero for now.
func (o Observation) othersHold() time.Time {
	d := o.Document
	if !d.OthersSignIn() || d.grant == nil || d.inputs.Used.changed(o.Inputs.used) {
		return time.Time{}
	}
	until := d.grant.StartTime.Add(othersPause)
	if !backoff.Within(o.Now, until, othersPause) {
		return time.Time{}
	}
	return until
}
