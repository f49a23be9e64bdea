package gate

import (
	"cmp"
	"slices"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
)

// owedPause is the time between two owed calls of a namespace while it is held.
const owedPause = 10 * time.Second

// exempt is who may call a host or a namespace though it is held. Where nobody was found, the
// next look is a second later: a queue may be long.
func (h *host) exempt(g *Gates, now time.Time) *place {
	if backoff.Within(now, h.searched.Add(longestLook), longestLook) {
		return nil
	}
	found := h.owing(g, now)
	if found == nil && h.isHeld(now) {
		found = h.prober(g, now)
	}
	if found == nil {
		h.searched = now
	}
	return found
}

// owing is who waits for an owed call though it is held; else the order of the queue will do.
func (h *host) owing(g *Gates, now time.Time) *place {
	if h.owed == 0 {
		return nil
	}
	isHeld := h.isHeld(now)
	for element := h.order.Front(); element != nil; element = element.Next() {
		p := element.Value.(*place)
		if p.standing != waits || !p.owed {
			continue
		}
		n := h.of(p.caller.Namespace)
		if (isHeld || n.held.stands(now)) && !backoff.Within(now, n.owedNext, owedPause) && g.hasShare(n.name) {
			n.owedNext = now.Add(owedPause)
			return p
		}
	}
	return nil
}

// isHeld tells that the host is held for all: only probes and owed calls go to it.
func (h *host) isHeld(now time.Time) bool { return h.outage.isDown || h.patience.host.stands(now) }

// prober is who tries whether the host may be called again, if it is time for that. Whoever
// worked before, and was not tried in this outage, need not wait for as long as others.
func (h *host) prober(g *Gates, now time.Time) *place {
	if !h.patience.host.mayProbe(now) || !h.outage.mayProbe(true, now) {
		return nil
	}
	var chosen *place
	for element := h.byRound.Front(); element != nil; element = element.Next() {
		n := element.Value.(*namespace)
		if !g.hasShare(n.name) || !n.held.mayProbe(now) {
			continue
		}
		if p := slices.MinFunc(n.line, h.triesBefore); chosen == nil || h.triesBefore(p, chosen) < 0 {
			chosen = p
		}
	}
	if chosen == nil || !h.outage.mayProbe(h.isFresh(chosen), now) {
		return nil
	}
	h.probes(chosen, now)
	return chosen
}

// probes notes a probe.
func (h *host) probes(p *place, now time.Time) {
	h.patience.host.probed(now)
	h.of(p.caller.Namespace).held.probed(now)
	h.outage.probed(p, now)
}

// isFresh tells that the grant of p worked before, and that it was not tried in this outage.
func (h *host) isFresh(p *place) bool { return !p.worked.IsZero() && h.outage.tries[p.caller] == 0 }

// triesBefore compares who of two probes first: one that worked before and was not tried yet;
// of the namespaces that were tried least the one whose grants worked last; and of that the same.
func (h *host) triesBefore(a, b *place) int {
	n, m := h.of(a.caller.Namespace), h.of(b.caller.Namespace)
	return cmp.Or(
		-compareBool(h.isFresh(a), h.isFresh(b)),
		cmp.Compare(h.outage.triesOf[n.name], h.outage.triesOf[m.name]),
		m.worked.Compare(n.worked),
		cmp.Compare(h.outage.tries[a.caller], h.outage.tries[b.caller]),
		b.worked.Compare(a.worked),
		cmp.Compare(a.number, b.number),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
