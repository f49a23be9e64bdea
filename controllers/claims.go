package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// watchMargin is added to a call's timeout before somebody else's claim counts as
// old. It is more than saveMargin.
const watchMargin = 15 * time.Second

// openClaim returns why a claim in the state must be left alone, or nil when there
// is none or its holder can no longer be at work. Times are this process's own:
// those in the claim may come from a wrong clock.
func (r *Reconciler) openClaim(key types.NamespacedName, s *state) *finding {
	c := s.document.Claim
	if c == nil || c.Holder == r.Holder {
		// Our own calls end before their pass does. What is left open of ours was
		// either never sent or waits in memory to be saved, which comes first.
		return nil
	}
	now := r.Clock.Now()
	var since time.Time
	r.memory.change(key, func(known *recollection) {
		if known.watching.holder != c.Holder || known.watching.number != c.Number {
			known.watching = watchedClaim{holder: c.Holder, number: c.Number, since: now}
		}
		since = known.watching.since
	})
	old := since.Add(r.callTimeout() + watchMargin)
	if !now.Before(old) {
		return nil
	}
	return waiting(v1alpha1.ReasonAmbiguousResult,
		"Another operator process claimed this grant and may still be calling the service. It is left alone until it can no longer be at work.").at(old)
}

// callTimeout is the longest a call may take in any environment.
func (r *Reconciler) callTimeout() time.Duration {
	longest := spacesauth.DefaultTimeoutSeconds * time.Second
	for _, client := range r.Environments {
		longest = max(longest, client.Environment().Timeout())
	}
	return longest
}
