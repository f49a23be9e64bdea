package controllers

import (
	"context"
	"time"
)

// watchMargin is added to a call's timeout before somebody else's claim counts as old. It is
// more than saveMargin.
const watchMargin = 15 * time.Second

// othersClaim is in the way while another process may be at work on the grant: until this
// process has watched its claim for as long as a call and its save may take. Times are this
// process's own: those in the claim may come from a wrong clock.
func (r *Reconciler) othersClaim(ctx context.Context, s *scope) outcome {
	claim := s.document.OpenClaim()
	if claim == nil || claim.Holder == r.Holder {
		// Our own calls end before their pass does. What is left open of ours was
		// either never sent or waits in memory to be saved, which comes first.
		return outcome{}
	}
	if r.Drained != nil && r.Drained(ctx, claim.Holder) {
		return outcome{} // what is left open was never sent
	}
	now := r.Clock.Now()
	var since time.Time
	r.memory.change(s.key, func(known *recollection) {
		if known.watching.holder != claim.Holder || known.watching.number != claim.Number {
			known.watching = watchedClaim{holder: claim.Holder, number: claim.Number, since: now}
		}
		since = known.watching.since
	})
	old := since.Add(max(claim.Timeout(), r.Environments.timeout()) + watchMargin)
	if !now.Before(old) {
		return outcome{}
	}
	return claimedByAnother().at(old)
}
