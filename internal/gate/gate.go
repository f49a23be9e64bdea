// Package gate says whose turn it is to call a host of the service. It keeps the rate of
// the environment, the patience that the service asked for, and lets a single probe
// through while the host is down, instead of a herd.
package gate

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// downAfter is how many calls in a row must get no work done before an
	// environment counts as down: one lost answer says little about the others.
	downAfter = 3
	// maxProbeWait bounds the time between two probes of an environment that is down.
	maxProbeWait = time.Minute
)

// Cause is why a gate is closed.
type Cause string

const (
	// Rate is the pace of the environment. It is nobody's trouble.
	Rate Cause = "Rate"
	// Patience is what the service asked for (Retry-After, RFC 9110 §10.2.3).
	Patience Cause = "Patience"
	// Down is a host that does not get work done.
	Down Cause = "Down"
)

// Closed says why a call has to wait, and until when.
type Closed struct {
	Cause Cause
	Until time.Time
}

// Gates are the gates of the environments, by accounts URL. The zero value has none yet.
type Gates struct {
	mu    sync.Mutex
	byURL map[string]*Gate
}

// Of returns the gate of an environment.
func (g *Gates) Of(environment spacesauth.Environment) *Gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byURL == nil {
		g.byURL = map[string]*Gate{}
	}
	found := g.byURL[environment.AccountsURL]
	if found == nil {
		found = New(environment.RequestsPerSecond, environment.Burst)
		g.byURL[environment.AccountsURL] = found
	}
	return found
}

// Gate stands before the calls to one environment.
type Gate struct {
	mu     sync.Mutex
	bucket *rate.Limiter
	// patience is until when the service wants to be left alone.
	patience time.Time
	// failures counts calls in a row that got no work done.
	failures  int32
	nextProbe time.Time
	probing   bool
}

// New makes an open gate that lets so many calls a second through.
func New(requestsPerSecond float64, burst int) *Gate {
	return &Gate{bucket: rate.NewLimiter(rate.Limit(requestsPerSecond), burst)}
}

// Enter asks for one call now. It returns nil when the call may be made; then [Gate.Leave]
// or [Gate.Cancel] must follow.
func (g *Gate) Enter(now time.Time) *Closed {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case backoff.Within(now, g.patience, spacesauth.MaxRetryAfter):
		return &Closed{Cause: Patience, Until: g.patience}
	case g.down() && g.probing:
		return &Closed{Cause: Down, Until: now.Add(backoff.Shortest)}
	case g.down() && backoff.Within(now, g.nextProbe, maxProbeWait):
		return &Closed{Cause: Down, Until: g.nextProbe}
	}
	reservation := g.bucket.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return &Closed{Cause: Rate, Until: now.Add(max(wait, backoff.Shortest))}
	}
	g.probing = g.down()
	return nil
}

// Leave tells how a call ended.
func (g *Gate) Leave(failed error, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !isOutage(failed) {
		g.probing, g.failures = false, 0
		return
	}
	// Calls that were under way when the gate closed are no probes. They tell of the same
	// moment, and must not make a pause of seconds one of a minute.
	if straggler := g.down() && backoff.Within(now, g.nextProbe, maxProbeWait); !straggler {
		g.probing = false
		g.failures++
		g.nextProbe = now.Add(min(backoff.After("", g.failures, 0), maxProbeWait))
	}
	var answered *spacesauth.Error
	if errors.As(failed, &answered) && answered.RetryAfter > 0 {
		g.patience = now.Add(answered.RetryAfter)
	}
}

// Cancel gives the entry back: no call was made.
func (g *Gate) Cancel() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = false
}

func (g *Gate) down() bool { return g.failures >= downAfter }

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
