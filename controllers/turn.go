package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// watchMargin is added to a call's timeout before somebody else's claim counts as old. It is
// more than saveMargin.
const watchMargin = 15 * time.Second

// turn is the right to make one call now. It ends with made or giveBack.
type turn struct {
	r    *Reconciler
	gate *gate.Gate
	key  types.NamespacedName
	// began is when it was given.
	began time.Time
}

// turn asks for one call to an environment. Without one the outcome says what is in the way
// and until when. A call that is owed does not wait for the gate.
func (r *Reconciler) turn(s *scope, client *spacesauth.Client, owed bool) (*turn, outcome) {
	t := &turn{r: r, gate: r.gates.Of(client.Environment()), key: s.key, began: r.Clock.Now()}
	for _, last := range []time.Time{r.memory.of(s.key).lastCall, s.document.ClaimTime()} {
		if next := last.Add(callPause); backoff.Within(t.began, next, callPause) {
			return nil, pacedUntil(next)
		}
	}
	closed := t.gate.Enter(t.began)
	if closed == nil || owed {
		return t, outcome{}
	}
	switch closed.Cause {
	case gate.Patience:
		return nil, throttled().at(closed.Until)
	case gate.Down:
		return nil, unavailable().at(closed.Until)
	case gate.Rate:
	}
	return nil, pacedUntil(closed.Until)
}

// made tells how the call ended.
func (t *turn) made(failed error) {
	t.gate.Leave(failed, t.r.Clock.Now())
	t.r.memory.change(t.key, func(known *recollection) { known.lastCall = t.began })
}

// giveBack tells that no call was made.
func (t *turn) giveBack() { t.gate.Cancel() }

// flights counts the calls under way, with their claims and saves, and lets none begin
// once the process is leaving.
type flights struct {
	mu      sync.Mutex
	under   int
	leaving bool
	landed  chan struct{}
}

// begin tells whether the work may begin; then end must follow.
func (f *flights) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leaving {
		return false
	}
	f.under++
	return true
}

func (f *flights) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.under--
	if f.leaving && f.under == 0 {
		close(f.landed)
	}
}

// drain lets nothing begin any more. What it returns is closed when all has ended.
func (f *flights) drain() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.leaving {
		f.leaving, f.landed = true, make(chan struct{})
		if f.under == 0 {
			close(f.landed)
		}
	}
	return f.landed
}

// othersClaim is in the way while another process may be at work on the grant: until this
// process has watched its claim for as long as a call and its save may take. Times are this
// process's own: those in the claim may come from a wrong clock.
func (r *Reconciler) othersClaim(s *scope) outcome {
	claim := s.document.OpenClaim()
	if claim == nil || claim.Holder == r.Holder {
		// Our own calls end before their pass does. What is left open of ours was
		// either never sent or waits in memory to be saved, which comes first.
		return outcome{}
	}
	now := r.Clock.Now()
	var since time.Time
	r.memory.change(s.key, func(known *recollection) {
		if known.watching.holder != claim.Holder || known.watching.number != claim.Number {
			known.watching = watchedClaim{holder: claim.Holder, number: claim.Number, since: now}
		}
		since = known.watching.since
	})
	old := since.Add(max(claim.Timeout(), r.callTimeout()) + watchMargin)
	if !now.Before(old) {
		return outcome{}
	}
	return claimedByAnother().at(old)
}

// callTimeout is the longest a call may take in any environment.
func (r *Reconciler) callTimeout() time.Duration {
	longest := spacesauth.DefaultTimeoutSeconds * time.Second
	for _, client := range r.Environments {
		longest = max(longest, client.Environment().Timeout())
	}
	return longest
}
