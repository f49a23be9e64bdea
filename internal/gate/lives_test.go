package gate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// life is a caller that lives by chance: it asks, waits, meets conflicts, is edited, suspended
// and deleted, and its passes come early, late or never. Processes are restarted or lose their
// lease, and environments are reloaded.
type life struct {
	key     types.NamespacedName
	call    Call
	wants   bool      // it wants a call
	since   time.Time // since when it does, without a break
	woken   bool      // a wake-up is on its way
	turn    *Turn
	pass    Pass
	through time.Time // when its call ends
}

// lives are many callers of one host, and what must hold of them.
type lives struct {
	*testing.T
	*Gates
	clock   *testclock.FakeClock
	chance  *rand.Rand
	e       spacesauth.Environment
	workers int
	all     []*life
	byKey   map[types.NamespacedName]*life
	sent    []time.Time // since the bucket was new
	longest time.Duration
	served  int
}

func newLives(t *testing.T, seed uint64, namespaces, callers, workers int, e spacesauth.Environment) *lives {
	t.Helper()
	l := &lives{T: t, clock: testclock.NewFakeClock(noon), chance: rand.New(rand.NewPCG(seed, seed)), byKey: map[types.NamespacedName]*life{}, e: e, workers: workers}
	l.starts()
	for i := range callers {
		n := i % namespaces
		if i%3 == 0 { // a third of them crowds in one
			n = 0
		}
		key := types.NamespacedName{Namespace: fmt.Sprintf("n%d", n), Name: fmt.Sprint(i)}
		caller := &life{key: key, call: Call{Caller: key, Environment: e}}
		l.all, l.byKey[key] = append(l.all, caller), caller
	}
	return l
}

// starts begins a process: at first, and after a restart or a lost lease, when the queue is built
// anew, and every caller is looked at once.
func (l *lives) starts() {
	l.checkRate()
	l.sent = nil
	l.Gates = New(l.clock, l.workers, l.e)
	l.OnTurn(func(key types.NamespacedName) {
		caller := l.byKey[key]
		if caller.woken {
			l.Fatalf("%s is woken twice", key)
		}
		caller.woken = true
	})
	for _, c := range l.all {
		if c.turn != nil {
			c.turn, c.pass = nil, Pass{}
		}
		c.woken = true
	}
}

// reloads takes the environment away, and gives it back. Who waits is told, and whoever has a
// turn keeps it.
func (l *lives) reloads() {
	l.checkRate()
	l.sent = nil
	var waited []*life
	for _, c := range l.all {
		if c.turn == nil && l.Waits(c.key) {
			waited = append(waited, c)
			c.woken = false // it may be told a second time
		}
	}
	l.Configure()
	for _, c := range waited {
		if !c.woken {
			l.Fatalf("%s waits for a host that is gone", c.key)
		}
	}
	l.Configure(l.e)
}

// passes makes a pass of a caller, which may come to nothing.
func (l *lives) passes(c *life) {
	c.woken = false
	c.pass = l.Begin(c.key)
	if l.chance.IntN(20) == 0 || !c.wants { // somebody else's write, or nothing to do any more
		c.pass.End()
		return
	}
	turn, _ := l.Ask(c.call)
	if turn == nil {
		c.pass.End()
		return
	}
	if l.chance.IntN(20) == 0 {
		turn.GiveBack()
		c.pass.End()
		return
	}
	if !turn.Begin() {
		l.Fatalf("the turn of %s lapsed in no time", c.key)
	}
	turn.Send()
	now := l.clock.Now()
	l.sent = append(l.sent, now)
	l.longest = max(l.longest, now.Sub(c.since))
	l.served++
	c.turn, c.wants, c.through = turn, false, now.Add(time.Duration(l.chance.IntN(300))*time.Millisecond)
}

// ends ends the calls that are through.
func (l *lives) ends() {
	for _, c := range l.all {
		if c.turn != nil && !l.clock.Now().Before(c.through) {
			c.turn.Leave(nil)
			c.pass.End()
			c.turn = nil
		}
	}
}

// changes lets a caller want a call, or not want it any more.
func (l *lives) changes(c *life) {
	if c.turn != nil {
		return
	}
	now := l.clock.Now()
	switch what := l.chance.IntN(8); {
	case !c.wants:
		c.wants, c.since = true, now
		c.call.Urgency = Urgency{Class: First}
		if l.chance.IntN(2) == 0 {
			left := time.Duration(l.chance.IntN(600)) * time.Second
			c.call.Urgency = Urgency{Class: Renewal, Expires: now.Add(left), UrgentFrom: now.Add(left * 9 / 10)}
		}
	case what < 2: // suspended
		c.wants = false
	case what < 4: // deleted
		c.call.Urgency = Urgency{Class: Urgent}
	}
	l.passes(c)
}

// checkShares looks who holds what.
func (l *lives) checkShares() {
	of, all := map[string]int{}, 0
	for _, c := range l.all {
		if c.turn != nil {
			of[c.key.Namespace]++
			if slices.Contains(l.hosts, c.turn.place.host) { // and not of before a reload
				all++
			}
		}
	}
	for namespace, held := range of {
		if held > l.perNamespace() {
			l.Fatalf("%s holds %d turns", namespace, held)
		}
	}
	if all > l.perHost() {
		l.Fatalf("%d turns are held", all)
	}
}

// wanting counts who wants a call and is not under way.
func (l *lives) wanting() int {
	count := 0
	for _, c := range l.all {
		if c.wants {
			count++
		}
	}
	return count
}

func TestRandomLivesKeepTheRateAndNobodyStarves(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			e := here
			e.APIURL = e.AccountsURL
			e.Burst = 1 + int(seed)
			l := newLives(t, seed, 1+int(seed)*3, 200, 40, e)
			const tick = 10 * time.Millisecond
			for range 6000 { // a minute
				for range l.chance.IntN(3) {
					l.changes(l.all[l.chance.IntN(len(l.all))])
				}
				for _, c := range l.all {
					// Who is woken comes soon, most of the time, or does not before its turn lapses.
					if c.woken && c.turn == nil && l.chance.IntN(10) > 0 {
						if l.chance.IntN(30) == 0 {
							c.woken = false
							continue
						}
						l.passes(c)
					}
				}
				l.ends()
				l.checkShares()
				switch l.chance.IntN(2000) {
				case 0:
					l.starts()
				case 1:
					l.reloads()
				}
				l.clock.Step(tick)
				l.Look()
			}
			// Then nobody comes any more, and whoever still wants a call gets it: no wake-up was lost.
			for range 6000 {
				for _, c := range l.all {
					if c.turn == nil && (c.woken || c.wants && !l.Waits(c.key)) {
						l.passes(c)
					}
				}
				l.ends()
				l.clock.Step(tick)
				l.Look()
			}
			if left := l.wanting(); left > 0 {
				t.Errorf("%d callers were never served", left)
			}
			l.checkRate()
			// With 200 callers, and every tenth turn that of the oldest, nobody waits for more than
			// ten rounds of all, at 20 a second.
			if bound := 10 * time.Duration(len(l.all)) * time.Second / 20; l.longest > bound {
				t.Errorf("somebody waited %s, want at most %s", l.longest, bound)
			}
			if l.served < 500 {
				t.Errorf("%d calls are too few to say anything", l.served)
			}
		})
	}
}

// checkRate compares what was sent in every span with what the bucket allows.
func (l *lives) checkRate() {
	l.Helper()
	for i, from := range l.sent {
		for j := i; j < len(l.sent) && j < i+200; j++ {
			allowed := float64(l.e.Burst) + l.e.RequestsPerSecond*l.sent[j].Sub(from).Seconds() + 1e-3
			if sent := j - i + 1; float64(sent) > allowed {
				l.Fatalf("%d calls within %s", sent, l.sent[j].Sub(from))
			}
		}
	}
}

// year is how far clocks jump here.
const year = 365 * 24 * time.Hour

func TestNoGateStaysClosedLongerThanItsCapWhateverTheClockDoes(t *testing.T) {
	for seed := range uint64(30) {
		chance := rand.New(rand.NewPCG(seed, 4))
		clock := testclock.NewFakeClock(noon)
		e := here
		e.APIURL = e.AccountsURL
		g := New(clock, 10, e)
		ask := func(c Call) (*Turn, Pass) {
			pass := g.Begin(c.Caller)
			turn, _ := g.Ask(c)
			if turn == nil {
				pass.End()
			}
			return turn, pass
		}
		for range 300 {
			call := Call{
				Caller:      types.NamespacedName{Namespace: fmt.Sprintf("n%d", chance.IntN(3)), Name: fmt.Sprint(chance.IntN(5))},
				Environment: e, Urgency: Urgency{Class: Class(chance.IntN(3))}, Owed: chance.IntN(5) == 0,
			}
			if turn, pass := ask(call); turn != nil {
				turn.Begin()
				turn.Send()
				var failed error
				switch chance.IntN(5) {
				case 0, 1:
					failed = outageError
				case 2, 3:
					failed = toldToWait(time.Duration(chance.Int64N(int64(spacesauth.MaxRetryAfter))))
				}
				turn.Leave(failed)
				pass.End()
			}
			if chance.IntN(3) == 0 {
				clock.SetTime(clock.Now().Add(time.Duration(chance.Int64N(int64(2*year))) - year))
			} else {
				clock.Step(time.Duration(chance.Int64N(int64(time.Hour))))
			}
			g.Look()
		}
		// After the longest of all waits whoever asks has its turn.
		clock.Step(spacesauth.MaxRetryAfter)
		fresh := Call{Caller: types.NamespacedName{Namespace: "fresh", Name: "fresh"}, Environment: e, Urgency: Urgency{Class: Urgent}}
		for i := 0; ; i++ {
			turn, pass := ask(fresh)
			if turn != nil {
				turn.Begin()
				turn.Send()
				turn.Leave(nil)
				pass.End()
				break
			}
			if i > 100 {
				t.Fatalf("seed %d: it waits for ever", seed)
			}
			clock.Step(time.Second)
			g.Look()
		}
	}
}
