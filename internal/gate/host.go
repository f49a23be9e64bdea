package gate

import (
	"container/heap"
	"container/list"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
)

// oldestEvery is how often the turn is that of whoever waits longest.
const oldestEvery = 10

// host is one host of the service, and the queue before it.
type host struct {
	name   string
	bucket *rate.Limiter
	// holders hold a turn; unsent are those of them that the bucket has not counted.
	holders []*place
	unsent  int
	// turns counts those that were given in the order of the queue.
	turns int

	// order are all places, the oldest first.
	order *list.List
	// namespaces are those that called or wait. Those that have someone who waits stand in two
	// rounds: each takes its next from the front.
	namespaces        map[string]*namespace
	byRound, byUrgent *list.List
	ripening          ripening
	// waiting counts those in line, owed those of them who wait for an owed call.
	waiting, owed int
	// searched is when nobody was found last who may call a host or a namespace that is held.
	searched time.Time

	patience patience
	outage   outage
	// cleared is when somebody last had a clear answer.
	cleared time.Time
}

func newHost(name string, requestsPerSecond float64, burst int) *host {
	return &host{
		name: name, bucket: rate.NewLimiter(rate.Limit(requestsPerSecond), burst),
		order: list.New(), namespaces: map[string]*namespace{}, byRound: list.New(), byUrgent: list.New(),
		patience: newPatience(), outage: newOutage(),
	}
}

// of returns what is known of a namespace.
func (h *host) of(name string) *namespace {
	n := h.namespaces[name]
	if n == nil {
		n = &namespace{name: name}
		h.namespaces[name] = n
	}
	return n
}

// joinLine puts a place into the line of its namespace.
func (h *host) joinLine(p *place) {
	n := h.of(p.caller.Namespace)
	heap.Push(&n.line, p)
	if n.inRound == nil {
		n.inRound, n.inUrgent = h.byRound.PushBack(n), h.byUrgent.PushBack(n)
	}
	h.count(n, p)
}

// leaveLine takes a place out of the line of its namespace.
func (h *host) leaveLine(p *place) {
	n := h.of(p.caller.Namespace)
	heap.Remove(&n.line, p.at)
	if len(n.line) == 0 {
		h.byRound.Remove(n.inRound)
		h.byUrgent.Remove(n.inUrgent)
		n.inRound, n.inUrgent = nil, nil
	}
	h.uncount(p)
}

// reorder changes how urgent a place in line is.
func (h *host) reorder(p *place, urgency Urgency, isOwed bool) {
	n := h.of(p.caller.Namespace)
	h.uncount(p)
	p.urgency, p.owed = urgency, isOwed
	heap.Fix(&n.line, p.at)
	h.count(n, p)
}

// count and uncount keep what is known of those in line.
func (h *host) count(n *namespace, p *place) {
	h.waiting++
	if p.urgency.Class == Renewal && !p.urgency.UrgentFrom.IsZero() {
		heap.Push(&h.ripening, p)
	}
	if p.worked.After(n.worked) {
		n.worked = p.worked
	}
	if p.owed {
		h.owed++
	}
}

func (h *host) uncount(p *place) {
	h.waiting--
	if p.soon >= 0 {
		heap.Remove(&h.ripening, p.soon)
	}
	if p.owed {
		h.owed--
	}
}

// ripen makes those urgent whose time has come.
func (h *host) ripen(now time.Time) {
	for len(h.ripening) > 0 && !now.Before(h.ripening[0].urgency.UrgentFrom) {
		p := heap.Pop(&h.ripening).(*place)
		p.urgency.Class = Urgent
		heap.Fix(&h.of(p.caller.Namespace).line, p.at)
	}
}

// mayGive tells that the host has a turn to give.
func (h *host) mayGive(most int, now time.Time) bool {
	return len(h.holders) < most && h.bucket.TokensAt(now)-float64(h.unsent) >= 1-roundingError
}

// roundingError is what a bucket of floating point numbers may lack of a whole token.
const roundingError = 1e-6

// giving and releasing keep the turns that are held, sending counts those that are sent.
func (h *host) giving(p *place) { h.holders, h.unsent = append(h.holders, p), h.unsent+1 }

func (h *host) releasing(p *place) {
	h.holders = slices.DeleteFunc(h.holders, func(holder *place) bool { return holder == p })
	if !p.sent {
		h.unsent--
	}
	h.outage.released(p)
}

func (h *host) sending(now time.Time) {
	h.unsent--
	h.bucket.ReserveN(now, 1)
}

// lapsed are those whose turn was given too long ago.
func (h *host) lapsed(now time.Time) []*place {
	var late []*place
	for _, p := range h.holders {
		if !p.begun && !backoff.Within(now, p.since.Add(lapseAfter), lapseAfter) {
			late = append(late, p)
		}
	}
	return late
}

// next is whose turn it is; nil is nobody's yet.
func (h *host) next(g *Gates, now time.Time) *place {
	h.ripen(now)
	if isHeld := h.isHeld(now); isHeld || h.owed > 0 {
		if p := h.exempt(g, now); p != nil || isHeld {
			return p
		}
	}
	mayGo := func(n *namespace) bool { return g.hasShare(n.name) && n.held.mayProbe(now) }
	h.turns++
	var chosen *place
	switch {
	case h.turns%oldestEvery == 0:
		chosen = h.oldest(mayGo)
	case h.turns%2 == 0:
		chosen = h.mostUrgent(mayGo)
	default:
		chosen = h.nextInRound(mayGo)
	}
	if chosen == nil {
		h.turns--
		return nil
	}
	if n := h.of(chosen.caller.Namespace); n.held.stands(now) {
		chosen = slices.MinFunc(n.line, h.triesBefore)
		h.probes(chosen, now)
	}
	return chosen
}

// nextInRound is the most urgent of the next namespace.
func (h *host) nextInRound(mayGo func(*namespace) bool) *place {
	for element := h.byRound.Front(); element != nil; element = element.Next() {
		if n := element.Value.(*namespace); mayGo(n) {
			h.byRound.MoveToBack(element)
			return n.line[0]
		}
	}
	return nil
}

// mostUrgent is the most urgent of all. Among namespaces whose most urgent are of one class it
// goes round.
func (h *host) mostUrgent(mayGo func(*namespace) bool) *place {
	var found *list.Element
	for element := h.byUrgent.Front(); element != nil; element = element.Next() {
		n := element.Value.(*namespace)
		if (found == nil || n.line[0].urgency.Class < found.Value.(*namespace).line[0].urgency.Class) && mayGo(n) {
			found = element
			if n.line[0].urgency.Class == Urgent {
				break
			}
		}
	}
	if found == nil {
		return nil
	}
	h.byUrgent.MoveToBack(found)
	return found.Value.(*namespace).line[0]
}

// oldest is who waits longest of those that may go.
func (h *host) oldest(mayGo func(*namespace) bool) *place {
	for element := h.order.Front(); element != nil; element = element.Next() {
		if p := element.Value.(*place); p.standing == waits && mayGo(h.of(p.caller.Namespace)) {
			return p
		}
	}
	return nil
}

// heard is told how a call ended.
func (h *host) heard(p *place, failed error, now time.Time) {
	n := h.of(p.caller.Namespace)
	n.called = now
	switch verdictOf(failed) {
	case wellDone:
		h.cleared = now
		if failed == nil {
			n.worked = now
		}
		h.patience.worked(p.caller, now)
		h.patience.host, n.held = hold{}, hold{}
		h.outage.ended()
	case told:
		h.patience.told(h, p.caller, now.Add(retryAfter(failed)), now)
		h.outage.unjudged(p, now)
	case unjudged:
		h.outage.unjudged(p, now)
	case undone:
		h.outage.failed(p, failed, h.neighbours(now) > 1, now)
	}
}

// neighbours counts the namespaces that call the host.
func (h *host) neighbours(now time.Time) int {
	count := 0
	for _, n := range h.namespaces {
		if n.isThere(now) {
			count++
		}
	}
	return count
}

// forget drops what is not needed any more.
func (h *host) forget(now time.Time) {
	for name, n := range h.namespaces {
		if !n.isThere(now) && !n.held.stands(now) {
			delete(h.namespaces, name)
		}
	}
	h.patience.forget(now)
}

// why says what keeps a place from its turn.
func (h *host) why(p *place, now time.Time) *Wait {
	w := &Wait{Cause: Queue, Since: p.joined, Expected: time.Duration(float64(h.waiting) / float64(h.bucket.Limit()) * float64(time.Second))}
	n := h.of(p.caller.Namespace)
	switch {
	case h.patience.host.stands(now):
		w.Cause, w.Whom, w.Until = Patience, TheHost, h.patience.host.until
	case n.held.stands(now):
		w.Cause, w.Whom, w.Until = Patience, TheNamespace, n.held.until
	case h.outage.isDown:
		w.Cause, w.Detail = Down, h.outage.cause
	}
	return w
}

// nextLook says in what time something may change that no caller brings about.
func (h *host) nextLook(now time.Time) time.Duration {
	if h.byRound.Len() == 0 && len(h.holders) == 0 {
		return forgetAfter
	}
	next := longestLook
	if missing := 1 + float64(h.unsent) - h.bucket.TokensAt(now); h.byRound.Len() > 0 && missing > 0 {
		next = min(next, max(time.Millisecond, time.Duration(missing/float64(h.bucket.Limit())*float64(time.Second))+1))
	}
	return next
}
