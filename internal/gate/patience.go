package gate

import (
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// recently is for how long an answer is looked at together with others.
	recently = time.Minute
	// toldTogether is how many callers of a namespace must be told to wait before all of it does.
	toldTogether = 3
	// probePause is the time between two probes while more than a caller is held.
	probePause = 10 * time.Second
)

// hold keeps more than one caller from calling. Its zero value holds nobody.
type hold struct{ until, probe time.Time }

func (h hold) stands(now time.Time) bool {
	return backoff.Within(now, h.until, spacesauth.MaxRetryAfter)
}

// mayProbe tells that nothing is held, or that it is time to try.
func (h hold) mayProbe(now time.Time) bool {
	return !h.stands(now) || !backoff.Within(now, h.probe, probePause)
}

// probed notes a probe, if there is anything to probe.
func (h *hold) probed(now time.Time) { h.probe = now.Add(probePause) }

// patience is what a host asked its callers for.
type patience struct {
	// callers are those that were told to wait, and until when.
	callers map[types.NamespacedName]time.Time
	// answers are those of the last minute.
	answers []answer
	// host is what holds all.
	host hold
}

// answer is what a caller was told; until is zero where work was done.
type answer struct {
	caller    types.NamespacedName
	at, until time.Time
}

func newPatience() patience { return patience{callers: map[types.NamespacedName]time.Time{}} }

// toldUntil tells whether a caller has to wait because it was told to.
func (p *patience) toldUntil(caller types.NamespacedName, now time.Time) (time.Time, bool) {
	until := p.callers[caller]
	return until, backoff.Within(now, until, spacesauth.MaxRetryAfter)
}

// worked notes a caller whose work was done.
func (p *patience) worked(caller types.NamespacedName, now time.Time) {
	delete(p.callers, caller)
	p.note(answer{caller: caller, at: now})
}

// told notes a caller that was told to wait. Its namespace waits when three of its callers were
// told so within a minute, in which no other of it had work done; all wait when callers of two
// namespaces were, or three where there is only one, and nobody else had work done. They wait
// for the shortest time that was told.
func (p *patience) told(h *host, caller types.NamespacedName, until, now time.Time) {
	p.callers[caller] = until
	p.note(answer{caller: caller, at: now, until: until})

	ofNamespace := func(a answer) bool { return a.caller.Namespace == caller.Namespace }
	n := h.of(caller.Namespace)
	if callers, shortest := p.agreed(ofNamespace, now); len(callers) >= toldTogether && !n.held.stands(now) {
		n.held = hold{until: shortest, probe: now.Add(probePause)}
	}
	callers, shortest := p.agreed(func(answer) bool { return true }, now)
	of := map[string]bool{}
	for c := range callers {
		of[c.Namespace] = true
	}
	if (len(of) > 1 || len(callers) >= toldTogether && h.neighbours(now) <= 1) && !p.host.stands(now) {
		p.host = hold{until: shortest, probe: now.Add(probePause)}
	}
}

// agreed are the callers of some answers that were told to wait and wait still, and the
// shortest of their waits; nobody, if one that was not told had work done.
func (p *patience) agreed(of func(answer) bool, now time.Time) (callers map[types.NamespacedName]bool, shortest time.Time) {
	callers = map[types.NamespacedName]bool{}
	for _, a := range p.answers {
		_, waits := p.toldUntil(a.caller, now)
		switch {
		case !of(a), a.isOld(now):
		case a.until.IsZero() && !waits:
			return nil, time.Time{}
		case a.until.After(now):
			callers[a.caller] = true
			if shortest.IsZero() || a.until.Before(shortest) {
				shortest = a.until
			}
		}
	}
	return callers, shortest
}

// note keeps an answer for a minute.
func (p *patience) note(a answer) {
	p.drop(a.at)
	p.answers = append(p.answers, a)
}

// drop drops the answers that are old, which stand first.
func (p *patience) drop(now time.Time) {
	old := 0
	for old < len(p.answers) && p.answers[old].isOld(now) {
		old++
	}
	p.answers = p.answers[old:]
}

func (a answer) isOld(now time.Time) bool { return !backoff.Within(now, a.at.Add(recently), recently) }

// forget drops what is over.
func (p *patience) forget(now time.Time) {
	for caller := range p.callers {
		if _, waits := p.toldUntil(caller, now); !waits {
			delete(p.callers, caller)
		}
	}
	p.drop(now)
}

// retryAfter is the wait that a failure asked for.
func retryAfter(failed error) time.Duration {
	var answered *spacesauth.Error
	if errors.As(failed, &answered) {
		return answered.RetryAfter
	}
	return 0
}
