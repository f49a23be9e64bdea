package gate

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Call is what a caller asks for: to call a host once.
type Call struct {
	Caller types.NamespacedName
	// Environment is that of the call. With API it goes to the API host, else to the one of
	// the accounts.
	Environment spacesauth.Environment
	API         bool
	Urgency     Urgency
	// Worked is when the grant of the caller worked last, zero for never. While a host is
	// held those are tried first.
	Worked time.Time
	// Owed is a call that neither patience nor an outage holds back, but that of the caller
	// itself: it has its turn, one in ten seconds for a namespace.
	Owed bool
}

// address is where it goes.
func (c Call) address() string {
	if c.API {
		return c.Environment.APIURL
	}
	return c.Environment.AccountsURL
}

// Cause is why a call has to wait.
type Cause string

const (
	// Queue is that others come first, or that the rate is used up. It is nobody's trouble.
	Queue Cause = "Queue"
	// Patience is what the service asked for (Retry-After, RFC 9110 §10.2.3).
	Patience Cause = "Patience"
	// Down is a host that does not get work done.
	Down Cause = "Down"
)

// Whom is who is held by patience.
type Whom string

const (
	// TheCaller was told to wait itself.
	TheCaller Whom = "Caller"
	// TheNamespace is held because several of its callers were told to wait.
	TheNamespace Whom = "Namespace"
	// TheHost is held because callers of several namespaces were told to wait.
	TheHost Whom = "Host"
)

// Wait says why a call has to wait. Whoever waits is woken when its turn has come, except where
// it was told to wait itself, which ends at Until.
type Wait struct {
	Cause Cause
	// Whom comes with Patience, and Until is when that ends.
	Whom  Whom
	Until time.Time
	// Detail is how the last call of a host ended that is down.
	Detail string
	// Since is when the caller joined the queue, and Expected how long all in it need at the rate
	// of the host.
	Since    time.Time
	Expected time.Duration
}

// Pass is one look of a caller at what is to be done. A turn that came before it began lapses
// when it ends without a call, and whoever did not ask in it does not wait any more.
type Pass struct {
	gates  *Gates
	caller types.NamespacedName
	number uint64
}

// Begin begins a pass of a caller, which has one at a time.
func (g *Gates) Begin(caller types.NamespacedName) Pass {
	g.mu.Lock()
	defer g.unlock()
	g.counted++
	g.passes[caller] = g.counted
	for _, p := range g.places[caller] {
		if p.standing == given {
			p.pass = g.counted
		}
	}
	return Pass{gates: g, caller: caller, number: g.counted}
}

// End ends the pass.
func (p Pass) End() {
	g := p.gates
	g.mu.Lock()
	defer g.unlock()
	now := g.clock.Now()
	delete(g.passes, p.caller)
	for _, place := range g.places[p.caller] {
		switch {
		case place.standing == given && place.pass == p.number:
			g.release(place, rests, now)
		case place.standing == waits && place.asked != p.number:
			place.host.leaveLine(place)
			place.standing, place.since = rests, now
		}
	}
	g.dispatchAll(now)
}

// Ask asks for one call now. With a turn the call may be made; else the caller stands in the
// queue, at the place that it had if it waited before.
func (g *Gates) Ask(c Call) (*Turn, *Wait) {
	g.mu.Lock()
	defer g.unlock()
	now := g.clock.Now()
	h := g.host(HostOf(c.address()), c.Environment)
	if until, told := h.patience.toldUntil(c.Caller, now); told {
		return nil, &Wait{Cause: Patience, Whom: TheCaller, Until: until}
	}
	p := g.place(h, c.Caller, now)
	g.lapse(h, now)
	if p.standing != given {
		g.queue(p, c)
		g.dispatch(h, now)
	}
	if p.standing == given {
		p.pass, p.asked = g.passes[c.Caller], g.passes[c.Caller]
		g.woken = slices.DeleteFunc(g.woken, func(woken types.NamespacedName) bool { return woken == c.Caller })
		return &Turn{gates: g, place: p, number: p.turn}, nil
	}
	g.stir()
	return nil, h.why(p, now)
}

// place is where a caller stands at a host, the last if it did not before.
func (g *Gates) place(h *host, caller types.NamespacedName, now time.Time) *place {
	for _, p := range g.places[caller] {
		if p.host == h {
			return p
		}
	}
	g.joined++
	p := &place{caller: caller, host: h, number: g.joined, joined: now, standing: rests, since: now, at: -1, soon: -1}
	p.element = h.order.PushBack(p)
	g.places[caller] = append(g.places[caller], p)
	return p
}

// queue has a place wait, as urgently as the most urgent that its caller asked for in this pass.
func (g *Gates) queue(p *place, c Call) {
	pass := g.passes[c.Caller]
	again := p.asked == pass && pass != 0
	urgency, isOwed := c.Urgency, c.Owed || again && p.owed
	if again && p.urgency.before(urgency) {
		urgency = p.urgency
	}
	p.asked, p.worked, p.environment = pass, c.Worked, c.Environment.Name
	if p.standing == waits { // its namespace keeps its place in the rounds
		p.host.reorder(p, urgency, isOwed)
		return
	}
	p.urgency, p.owed, p.standing = urgency, isOwed, waits
	p.host.joinLine(p)
}

// Turn is the right to make one call. It ends with Leave or GiveBack.
type Turn struct {
	gates  *Gates
	place  *place
	number uint64
}

// isHeld tells that the turn has not lapsed.
func (t *Turn) isHeld() bool { return t.place.standing == given && t.place.turn == t.number }

// Begin tells that the call is prepared from now on, so that the turn does not lapse any more.
// It returns false if it has lapsed already.
func (t *Turn) Begin() bool {
	t.gates.mu.Lock()
	defer t.gates.unlock()
	t.place.begun = t.place.begun || t.isHeld()
	return t.isHeld()
}

// Send tells that the call is sent now. The rate counts what is sent.
func (t *Turn) Send() {
	t.gates.mu.Lock()
	defer t.gates.unlock()
	if t.isHeld() && !t.place.sent {
		t.place.sent = true
		t.place.host.sending(t.gates.clock.Now())
	}
}

// Leave tells how the call ended; nil is well.
func (t *Turn) Leave(failed error) {
	t.gates.mu.Lock()
	defer t.gates.unlock()
	if !t.isHeld() {
		return
	}
	now := t.gates.clock.Now()
	t.place.host.heard(t.place, failed, now)
	t.gates.release(t.place, rests, now)
	t.gates.remove(t.place)
	t.gates.dispatchAll(now)
}

// GiveBack tells that no call is made. The caller keeps its place for when it asks again.
func (t *Turn) GiveBack() {
	t.gates.mu.Lock()
	defer t.gates.unlock()
	if !t.isHeld() {
		return
	}
	now := t.gates.clock.Now()
	t.gates.release(t.place, rests, now)
	t.gates.dispatchAll(now)
}
