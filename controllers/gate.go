package controllers

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// downAfter is how many calls in a row must get no work done before an
	// environment counts as down: one lost answer says little about the others.
	downAfter = 3
	// maxProbeWait bounds the time between two probes of an environment that is down.
	maxProbeWait = time.Minute
)

// gates are the gates of the environments, by accounts URL.
type gates struct {
	mu    sync.Mutex
	byURL map[string]*gate
}

// of returns the gate of an environment.
func (g *gates) of(environment spacesauth.Environment) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byURL == nil {
		g.byURL = map[string]*gate{}
	}
	found := g.byURL[environment.AccountsURL]
	if found == nil {
		found = &gate{bucket: rate.NewLimiter(rate.Limit(environment.RequestsPerSecond), environment.Burst)}
		g.byURL[environment.AccountsURL] = found
	}
	return found
}

// gate stands before the calls to one environment. It keeps the rate, keeps the
// patience that the service asked one caller for, and lets a single probe through
// while the environment is down, instead of a herd.
type gate struct {
	mu     sync.Mutex
	bucket *rate.Limiter
	// patience is until when the service wants to be left alone.
	patience time.Time
	// failures counts calls in a row that got no work done.
	failures  int32
	nextProbe time.Time
	probing   bool
}

// enter asks for one call now. It returns nil when the call may be made; then leave
// or cancel must follow. Otherwise it says what is in the way, and until when; a
// finding without a reason is only the rate, which is nobody's trouble.
func (g *gate) enter(now time.Time) *finding {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case within(now, g.patience, spacesauth.MaxRetryAfter):
		return waiting(v1alpha1.ReasonThrottled, "The service asked the operator for patience. Nothing is sent to this environment until then.").at(g.patience)
	case g.down() && g.probing:
		return g.isDown(now.Add(minBackoff))
	case g.down() && within(now, g.nextProbe, maxProbeWait):
		return g.isDown(g.nextProbe)
	}
	reservation := g.bucket.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return waiting("", "").at(now.Add(max(wait, minBackoff)))
	}
	g.probing = g.down()
	return nil
}

// within tells whether a wait is not over. One longer than its own cap comes from a
// clock that was set back, and is.
func within(now, until time.Time, longest time.Duration) bool {
	left := until.Sub(now)
	return left > 0 && left <= longest
}

// leave tells the gate how a call ended.
func (g *gate) leave(failed error, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !isOutage(failed) {
		g.probing, g.failures = false, 0
		return
	}
	// Calls that were under way when the gate closed are no probes. They tell of the same
	// moment, and must not make a pause of seconds one of a minute.
	if straggler := g.down() && within(now, g.nextProbe, maxProbeWait); !straggler {
		g.probing = false
		g.failures++
		g.nextProbe = now.Add(min(backoff("", g.failures, 0), maxProbeWait))
	}
	var answered *spacesauth.Error
	if errors.As(failed, &answered) && answered.RetryAfter > 0 {
		g.patience = now.Add(answered.RetryAfter)
	}
}

// cancel gives the entry back: no call was made.
func (g *gate) cancel() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = false
}

func (g *gate) down() bool { return g.failures >= downAfter }

func (g *gate) isDown(again time.Time) *finding {
	return waiting(v1alpha1.ReasonServiceUnavailable, "The service does not answer. The operator probes it with one call at a time and goes on when it is back.").at(again)
}

// isOutage tells whether a call failed because of the environment, not because of
// what was asked.
func isOutage(failed error) bool {
	if failed == nil {
		return false
	}
	switch spacesauth.KindOf(failed) {
	case spacesauth.KindThrottled, spacesauth.KindUnavailable, spacesauth.KindAmbiguous:
		return true
	case spacesauth.KindRejectedGrant, spacesauth.KindRejectedClient, spacesauth.KindRejectedRequest, spacesauth.KindUnclear:
	}
	return false
}
