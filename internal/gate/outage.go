package gate

import (
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// downAfter is how many calls in a row must get no work done before a host counts as
	// down: one lost answer says little about the others.
	downAfter = 3
	// soonestProbe and latestProbe bound the time between two probes of a host that is down.
	soonestProbe = time.Second
	latestProbe  = 10 * time.Second
)

// outage is a row of calls that got no work done, and what follows from it.
type outage struct {
	// isDown tells that only probes go to the host.
	isDown bool
	// row counts the calls in a row that got no work done, of are their namespaces.
	row int
	of  map[string]bool
	// cause is how the last of them ended.
	cause string

	// probe is who probes at the moment; pause is the time between two of them, and last when
	// the last ended.
	probe *place
	pause time.Duration
	last  time.Time
	// tries counts the probes of each caller, and of each namespace.
	tries   map[types.NamespacedName]int
	triesOf map[string]int
}

func newOutage() outage {
	return outage{of: map[string]bool{}, tries: map[types.NamespacedName]int{}, triesOf: map[string]int{}}
}

// failed notes a call that got no work done. With neighbours a host counts as down only if
// more than one namespace finds it so: one that gets nothing else is no judge of the others.
func (o *outage) failed(p *place, failed error, hasNeighbours bool, now time.Time) {
	o.row++
	o.of[p.caller.Namespace] = true
	o.cause = failed.Error()
	switch {
	case o.isDown && o.probe == p:
		// Calls that were under way when the host went down are no probes. They tell of the
		// same moment, and must not make a pause of a second one of ten.
		o.last, o.pause = now, min(2*o.pause, latestProbe)
	case !o.isDown && o.row >= downAfter && (len(o.of) > 1 || !hasNeighbours):
		o.isDown, o.last, o.pause = true, now, soonestProbe
	}
}

// unjudged notes a call that says nothing about the host.
func (o *outage) unjudged(p *place, now time.Time) {
	if o.probe == p {
		o.last = now
	}
}

// ended notes a call that got its work done, or a clear refusal.
func (o *outage) ended() { *o = newOutage() }

// mayProbe tells that it is time to try. One that worked before and was not tried yet may do
// so soon, whatever others found.
func (o *outage) mayProbe(isFresh bool, now time.Time) bool {
	pause := o.pause
	if isFresh {
		pause = min(pause, soonestProbe)
	}
	return !o.isDown || o.probe == nil && !backoff.Within(now, o.last.Add(pause), pause)
}

// probed notes who tries.
func (o *outage) probed(p *place, now time.Time) {
	o.tries[p.caller]++
	o.triesOf[p.caller.Namespace]++
	if o.isDown {
		o.probe, o.last = p, now
	}
}

// released notes that somebody holds no turn any more.
func (o *outage) released(p *place) {
	if o.probe == p {
		o.probe = nil
	}
}

// verdict is what the end of a call says about its host.
type verdict int

const (
	// wellDone: the host does its work, if only by a clear refusal.
	wellDone verdict = iota
	// told: the host asks its caller to wait.
	told
	// undone: the host got no work done.
	undone
	// unjudged: nothing follows for the host.
	unjudged
)

func verdictOf(failed error) verdict {
	if failed == nil {
		return wellDone
	}
	var answered *spacesauth.Error
	if errors.As(failed, &answered) && answered.HostUnjudged {
		return unjudged
	}
	switch spacesauth.KindOf(failed) {
	case spacesauth.KindRejectedGrant, spacesauth.KindRejectedClient, spacesauth.KindRejectedRequest:
		return wellDone
	case spacesauth.KindThrottled:
		if retryAfter(failed) > 0 {
			return told
		}
	case spacesauth.KindUnavailable, spacesauth.KindAmbiguous:
		return undone
	case spacesauth.KindUnclear:
	}
	return unjudged
}
