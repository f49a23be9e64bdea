package gate

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// lapseAfter is for how long a turn is kept for whoever was woken.
	lapseAfter = 5 * time.Second
	// forgetAfter is for how long the place of a caller is kept that does not ask any more.
	forgetAfter = time.Minute
	// longestLook bounds the time between two looks at a queue: timers are not trusted alone.
	longestLook = time.Second
)

// Gates are the gates of all hosts.
type Gates struct {
	clock   clock.WithTicker
	workers int
	kick    chan struct{}

	mu     sync.Mutex
	wake   func(types.NamespacedName)
	waited func(environment string, waited time.Duration)
	hosts  []*host // sorted by name
	// environments are those that Configure was told of.
	environments []spacesauth.Environment
	places       map[types.NamespacedName][]*place
	// passes are the passes under way; counted are all there ever were.
	passes  map[types.NamespacedName]uint64
	counted uint64
	// joined counts the places that there ever were.
	joined uint64
	// held are the turns that are held, in all and of each namespace.
	held   int
	heldBy map[string]int
	swept  time.Time
	woken  []types.NamespacedName
}

// New makes the gates of the hosts of environments, for so many workers.
func New(c clock.WithTicker, workers int, environments ...spacesauth.Environment) *Gates {
	g := &Gates{
		clock: c, workers: workers, kick: make(chan struct{}, 1), swept: c.Now(),
		places: map[types.NamespacedName][]*place{}, passes: map[types.NamespacedName]uint64{}, heldBy: map[string]int{},
	}
	g.Configure(environments...)
	return g
}

// Configure makes the hosts those of environments. Environments that share one share its rate:
// the lowest. Who waits for a host that goes is woken, to find that out.
func (g *Gates) Configure(environments ...spacesauth.Environment) {
	g.mu.Lock()
	defer g.unlock()
	g.environments = environments
	wanted := map[string]spacesauth.Environment{}
	for _, e := range environments {
		for _, name := range []string{HostOf(e.AccountsURL), HostOf(e.APIURL)} {
			if before, shared := wanted[name]; shared {
				e.RequestsPerSecond, e.Burst = min(e.RequestsPerSecond, before.RequestsPerSecond), min(e.Burst, before.Burst)
			}
			wanted[name] = e
		}
	}
	g.hosts = slices.DeleteFunc(g.hosts, func(h *host) bool {
		_, stays := wanted[h.name]
		if !stays {
			g.dissolve(h, g.clock.Now())
		}
		return !stays
	})
	for name, e := range wanted {
		h := g.host(name, e)
		h.bucket.SetLimitAt(g.clock.Now(), rate.Limit(e.RequestsPerSecond))
		h.bucket.SetBurstAt(g.clock.Now(), e.Burst)
	}
	g.dispatchAll(g.clock.Now())
}

// dissolve wakes all who wait for a host, and those whose turn it takes back because they have
// not begun with it. Whoever has begun leaves by itself.
func (g *Gates) dissolve(h *host, now time.Time) {
	for element := h.order.Front(); element != nil; {
		p := element.Value.(*place)
		element = element.Next()
		if p.standing == given && p.begun {
			continue
		}
		if p.standing != rests {
			g.woken = append(g.woken, p.caller)
		}
		if p.standing == given {
			g.release(p, rests, now)
		}
		g.remove(p)
	}
}

// host returns a host, which is made if there is none of that name.
func (g *Gates) host(name string, e spacesauth.Environment) *host {
	at, found := slices.BinarySearchFunc(g.hosts, name, func(h *host, name string) int { return cmp.Compare(h.name, name) })
	if !found {
		g.hosts = slices.Insert(g.hosts, at, newHost(name, e.RequestsPerSecond, e.Burst))
	}
	return g.hosts[at]
}

// HostOf is the host and port that a URL leads to.
func HostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	port := parsed.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[parsed.Scheme]
		port = cmp.Or(port, "443")
	}
	return net.JoinHostPort(parsed.Hostname(), port)
}

// OnTurn sets what is called with each waiter whose turn has come.
func (g *Gates) OnTurn(wake func(types.NamespacedName)) {
	g.mu.Lock()
	defer g.unlock()
	g.wake = wake
}

// Start gives turns as time goes by, until ctx ends. It implements manager.Runnable.
func (g *Gates) Start(ctx context.Context) error {
	for {
		timer := g.clock.NewTimer(g.Look())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-g.kick:
			timer.Stop()
		case <-timer.C():
		}
	}
}

// Look gives the turns that have come, and says in what time to look again.
func (g *Gates) Look() time.Duration {
	g.mu.Lock()
	defer g.unlock()
	now := g.clock.Now()
	if since := now.Sub(g.swept); since >= forgetAfter || since < 0 {
		g.sweep(now)
	}
	g.dispatchAll(now)
	next := forgetAfter
	for _, h := range g.hosts {
		next = min(next, h.nextLook(now))
	}
	return next
}

// sweep drops the places of callers that do not ask any more, and namespaces that are not heard
// of any more.
func (g *Gates) sweep(now time.Time) {
	g.swept = now
	for _, places := range g.places {
		for _, p := range slices.Clone(places) {
			if p.standing == rests && now.Sub(p.since) >= forgetAfter {
				g.remove(p)
			}
		}
	}
	for _, h := range g.hosts {
		h.forget(now)
	}
}

// Waits tells that a caller stands in a queue, or that its turn has come.
func (g *Gates) Waits(caller types.NamespacedName) bool {
	g.mu.Lock()
	defer g.unlock()
	return slices.ContainsFunc(g.places[caller], func(p *place) bool { return p.standing != rests })
}

// HasTurn tells that the turn of a caller has come.
func (g *Gates) HasTurn(caller types.NamespacedName) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.places[caller], func(p *place) bool { return p.standing == given })
}

// Cleared is when somebody last had a clear answer of the host of a call, also a refusal; zero
// while nobody had.
func (g *Gates) Cleared(c Call) time.Time {
	g.mu.Lock()
	defer g.unlock()
	return g.host(HostOf(c.address()), c.Environment).cleared
}

// dispatchAll gives whatever turns may be given now.
func (g *Gates) dispatchAll(now time.Time) {
	for _, h := range g.hosts {
		g.dispatch(h, now)
	}
}

// dispatch gives the turns of a host that may be given now.
func (g *Gates) dispatch(h *host, now time.Time) {
	g.lapse(h, now)
	for g.held < g.workers && h.mayGive(g.perHost(), now) {
		p := h.next(g, now)
		if p == nil {
			return
		}
		g.give(p, now)
	}
}

// lapse takes back the turns of a host that were given too long ago.
func (g *Gates) lapse(h *host, now time.Time) {
	for _, p := range h.lapsed(now) {
		g.release(p, waits, now)
	}
}

// perHost and perNamespace are how many of the workers a host and a namespace may hold.
func (g *Gates) perHost() int      { return max(1, g.workers/2) }
func (g *Gates) perNamespace() int { return max(1, g.workers/4) }

// hasShare tells that a namespace does not hold all that it may.
func (g *Gates) hasShare(namespace string) bool { return g.heldBy[namespace] < g.perNamespace() }

// give gives a turn to a waiter, which is woken.
func (g *Gates) give(p *place, now time.Time) {
	p.host.leaveLine(p)
	p.standing, p.since, p.pass, p.begun, p.sent = given, now, 0, false, false
	p.turn++
	p.host.giving(p)
	g.held++
	g.heldBy[p.caller.Namespace]++
	g.woken = append(g.woken, p.caller)
	if g.waited != nil {
		g.waited(p.environment, now.Sub(p.joined))
	}
}

// release takes a turn back.
func (g *Gates) release(p *place, then standing, now time.Time) {
	p.host.releasing(p)
	g.held--
	if g.heldBy[p.caller.Namespace]--; g.heldBy[p.caller.Namespace] == 0 {
		delete(g.heldBy, p.caller.Namespace)
	}
	p.standing, p.since, p.turn = then, now, p.turn+1
	if then == waits {
		p.host.joinLine(p)
	}
}

// remove ends a place that holds no turn.
func (g *Gates) remove(p *place) {
	if p.standing == waits {
		p.host.leaveLine(p)
	}
	p.host.order.Remove(p.element)
	rest := slices.DeleteFunc(g.places[p.caller], func(other *place) bool { return other == p })
	if len(rest) == 0 {
		delete(g.places, p.caller)
	} else {
		g.places[p.caller] = rest
	}
}

// unlock ends what a caller does, and wakes those whose turn came by it.
func (g *Gates) unlock() {
	woken, wake := g.woken, g.wake
	g.woken = nil
	g.mu.Unlock()
	if wake != nil {
		for _, caller := range woken {
			wake(caller)
		}
	}
}

// stir has Start look at once: there may be something to wait for that it does not know.
func (g *Gates) stir() {
	select {
	case g.kick <- struct{}{}:
	default:
	}
}
