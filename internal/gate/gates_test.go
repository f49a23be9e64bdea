package gate

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	here = spacesauth.Environment{
		Name: "staging", AccountsURL: "https://accounts.example.test", APIURL: "https://api.example.test", RequestsPerSecond: 20, Burst: 40,
	}
	outageError  = &spacesauth.Error{Kind: spacesauth.KindUnavailable, Detail: "nobody answers"}
	refusalError = &spacesauth.Error{Kind: spacesauth.KindRejectedGrant}
	unclearError = &spacesauth.Error{Kind: spacesauth.KindUnclear}
)

func toldToWait(d time.Duration) error {
	return &spacesauth.Error{Kind: spacesauth.KindThrottled, RetryAfter: d}
}

// town is where callers live.
type town struct {
	*testing.T
	*Gates
	clock *testclock.FakeClock
	woken []string
	// passes are those under way, by caller.
	passes map[string]Pass
	call   Call
}

func newTown(t *testing.T, workers int, environments ...spacesauth.Environment) *town {
	t.Helper()
	if len(environments) == 0 {
		environments = []spacesauth.Environment{here}
	}
	w := &town{T: t, clock: testclock.NewFakeClock(noon), passes: map[string]Pass{}, call: Call{Environment: environments[0]}}
	w.Gates = New(w.clock, workers, environments...)
	w.OnTurn(func(caller types.NamespacedName) { w.woken = append(w.woken, caller.String()) })
	return w
}

// callerOf reads "namespace/name".
func callerOf(name string) types.NamespacedName {
	var c types.NamespacedName
	for i, r := range name {
		if r == '/' {
			c.Namespace, c.Name = name[:i], name[i+1:]
		}
	}
	return c
}

// ask makes a pass that asks, and stays under way only with a turn.
func (w *town) ask(caller string, change ...func(*Call)) (*Turn, *Wait) {
	w.Helper()
	c := w.call
	c.Caller = callerOf(caller)
	c.Urgency.Class = First
	for _, f := range change {
		f(&c)
	}
	pass := w.Begin(c.Caller)
	turn, wait := w.Ask(c)
	if turn == nil {
		pass.End()
	} else {
		w.passes[caller] = pass
	}
	return turn, wait
}

// tries has a caller make a call that ends so, if it may go at once.
func (w *town) tries(caller string, failed error, change ...func(*Call)) bool {
	w.Helper()
	turn, _ := w.ask(caller, change...)
	if turn == nil {
		return false
	}
	turn.Begin()
	turn.Send()
	w.ends(caller, turn, failed)
	return true
}

// calls has a caller make a call that must be possible, and that ends so.
func (w *town) calls(caller string, failed error, change ...func(*Call)) {
	w.Helper()
	turn := w.goes(caller, change...)
	w.ends(caller, turn, failed)
}

// goes has a caller begin a call that must be possible.
func (w *town) goes(caller string, change ...func(*Call)) *Turn {
	w.Helper()
	turn, wait := w.ask(caller, change...)
	if turn == nil {
		w.Fatalf("%s waits: %+v", caller, *wait)
	}
	if !turn.Begin() {
		w.Fatalf("the turn of %s lapsed", caller)
	}
	turn.Send()
	return turn
}

func (w *town) ends(caller string, turn *Turn, failed error) {
	turn.Leave(failed)
	w.passes[caller].End()
	delete(w.passes, caller)
}

// waits has a caller ask who must wait.
func (w *town) waits(caller string, cause Cause, change ...func(*Call)) Wait {
	w.Helper()
	turn, wait := w.ask(caller, change...)
	if turn != nil {
		w.Fatalf("%s may go", caller)
	}
	if wait.Cause != cause {
		w.Fatalf("%s waits because of %+v, want %s", caller, *wait, cause)
	}
	return *wait
}

// expectWoken compares who was woken, in that order.
func (w *town) expectWoken(want string) {
	w.Helper()
	if got := fmt.Sprint(w.woken); got != want {
		w.Fatalf("woken: %s, want %s", got, want)
	}
}

// goesBy lets time go by, a tenth of a second at a time, in which nobody calls who is woken.
func (w *town) goesBy(d time.Duration) {
	for end := w.clock.Now().Add(d); w.clock.Now().Before(end); {
		w.clock.Step(100 * time.Millisecond)
		w.Look()
	}
}

// served lets time go by in which all who are woken call, and lists them.
func (w *town) served(d time.Duration, failed func(string) error) []string {
	w.Helper()
	var served []string
	for end := w.clock.Now().Add(d); w.clock.Now().Before(end); {
		w.clock.Step(10 * time.Millisecond)
		w.Look()
		for len(w.woken) > 0 {
			caller := w.woken[0]
			w.woken = w.woken[1:]
			served = append(served, caller)
			w.calls(caller, failed(caller))
		}
	}
	return served
}

func well(string) error { return nil }

func urgent(c *Call) { c.Urgency = Urgency{Class: Urgent} }
func owed(c *Call)   { c.Owed, c.Urgency.Class = true, Urgent }
func api(c *Call)    { c.API = true }
func proven(c *Call) { c.Worked = noon.Add(-time.Hour) }
func renewal(left time.Duration, urgentFrom time.Duration) func(*Call) {
	return func(c *Call) {
		c.Urgency = Urgency{Class: Renewal, Expires: noon.Add(left)}
		if urgentFrom > 0 {
			c.Urgency.UrgentFrom = noon.Add(urgentFrom)
		}
	}
}

// drained makes calls until the bucket is empty, so that whoever comes then has to wait.
func (w *town) drained() {
	w.Helper()
	for i := range here.Burst {
		w.calls(fmt.Sprintf("spender/s%d", i), nil)
	}
}

func TestWhoeverComesMayGoWhileNothingIsInTheWay(t *testing.T) {
	w := newTown(t, 10)
	for i := range 40 {
		w.calls(fmt.Sprintf("a/c%d", i), nil)
	}
	w.waits("a/late", Queue)
	w.expectWoken("[]")
	w.clock.Step(50 * time.Millisecond)
	w.Look()
	w.expectWoken("[a/late]")
	w.calls("a/late", nil)
}

func TestTheRateIsKeptAndUsedToTheFull(t *testing.T) {
	w := newTown(t, 10)
	for i := range 1000 {
		w.tries(fmt.Sprintf("n%d/c", i), nil)
	}
	if served := len(w.served(10*time.Second, well)); served < 199 || served > 201 {
		t.Errorf("%d calls in ten seconds at 20 a second", served)
	}
}

func TestTurnsThatLapseCostNoRate(t *testing.T) {
	w := newTown(t, 10)
	w.drained()
	w.waits("a/sleeper", Queue)
	w.waits("b/awake", Queue)
	w.goesBy(3 * time.Second) // both are woken, and only one of them comes
	w.calls("b/awake", nil)
	w.goesBy(time.Minute) // the other is woken again and again, and never comes
	for i := range 38 {
		w.calls(fmt.Sprintf("c/c%d", i), nil)
	}
}

func TestTheOrderOfTurns(t *testing.T) {
	for _, c := range []struct {
		name  string
		comes func(w *town)
		want  string
	}{
		{"who came first", func(w *town) {
			w.waits("a/1", Queue)
			w.waits("a/2", Queue)
			w.waits("a/3", Queue)
		}, "[a/1 a/2 a/3]"},
		{"in a namespace the most urgent: a deletion, renewals by expiry, first tokens", func(w *town) {
			w.waits("a/first", Queue)
			w.waits("a/later", Queue, renewal(20*time.Minute, 0))
			w.waits("a/sooner", Queue, renewal(10*time.Minute, 0))
			w.waits("a/deleted", Queue, urgent)
		}, "[a/deleted a/sooner a/later a/first]"},
		{"a renewal whose token is in its last tenth comes before the others", func(w *town) {
			w.waits("a/sooner", Queue, renewal(10*time.Minute, 0))
			w.waits("a/last-tenth", Queue, renewal(20*time.Minute, time.Millisecond))
		}, "[a/last-tenth a/sooner]"},
		{"a crowd does not keep the others from their turns", func(w *town) {
			for i := range 5 {
				w.waits(fmt.Sprintf("crowd/%d", i), Queue)
			}
			w.waits("a/1", Queue)
			w.waits("b/1", Queue)
		}, "[crowd/0 crowd/1 a/1 b/1 crowd/2 crowd/3 crowd/4]"},
		{"every second turn is that of the most urgent of all, and those go round the namespaces", func(w *town) {
			w.waits("calm/1", Queue)
			w.waits("calm/2", Queue)
			for i := range 3 {
				w.waits(fmt.Sprintf("crowd/%d", i), Queue, urgent)
			}
			w.waits("a/1", Queue, urgent)
		}, "[calm/1 crowd/0 crowd/1 a/1 calm/2 crowd/2]"},
		{"a check of a token ranks as what it holds up, whatever else was asked for in that pass", func(w *town) {
			w.waits("a/1", Queue)
			caller := callerOf("a/2")
			pass := w.Begin(caller)
			w.Ask(Call{Caller: caller, Environment: here, Urgency: Urgency{Class: Urgent}})
			w.Ask(Call{Caller: caller, Environment: here, Urgency: Urgency{Class: First}})
			pass.End()
		}, "[a/2 a/1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTown(t, 10)
			w.drained()
			c.comes(w)
			if got := fmt.Sprint(w.served(time.Second, well)); got != c.want {
				t.Errorf("served %s, want %s", got, c.want)
			}
		})
	}
}

func TestTheOldestHasEveryTenthTurn(t *testing.T) {
	w := newTown(t, 10)
	w.drained()
	w.waits("a/old", Queue)
	for i := range 30 {
		w.waits(fmt.Sprintf("a/u%d", i), Queue, urgent)
	}
	served := w.served(2*time.Second, well)
	if len(served) != 31 || served[9] != "a/old" {
		t.Errorf("served %v", served)
	}
}

func TestNobodyHoldsMoreThanItsShareOfTheWorkers(t *testing.T) {
	other := spacesauth.Environment{Name: "other", AccountsURL: "https://other.example.test", APIURL: "https://other.example.test", RequestsPerSecond: 20, Burst: 40}
	w := newTown(t, 8, here, other)
	elsewhere := func(c *Call) { c.Environment = other }
	first := w.goes("a/1")
	w.goes("a/2")
	w.waits("a/3", Queue) // a quarter of eight
	w.waits("a/4", Queue, elsewhere)
	w.goes("b/1")
	w.goes("b/2")
	w.waits("c/1", Queue) // half of eight
	w.goes("c/2", elsewhere)
	w.goes("c/3", elsewhere)
	w.goes("d/1", elsewhere)
	w.goes("d/2", elsewhere)
	w.waits("e/1", Queue, elsewhere) // all of them
	w.expectWoken("[]")
	w.ends("a/1", first, nil)
	if fmt.Sprint(w.woken) != "[c/1]" && fmt.Sprint(w.woken) != "[a/3]" {
		t.Errorf("woken: %v", w.woken)
	}
}

func TestATurnThatIsNotTakenPassesOn(t *testing.T) {
	t.Run("when nobody comes", func(t *testing.T) {
		w := newTown(t, 1)
		held := w.goes("a/1")
		w.waits("a/2", Queue)
		w.waits("b/1", Queue)
		w.ends("a/1", held, nil)
		w.goesBy(4 * time.Second)
		w.expectWoken("[a/2]")
		w.goesBy(2 * time.Second)
		w.expectWoken("[a/2 b/1]")
	})
	t.Run("when the pass ends without a call, and the place is kept", func(t *testing.T) {
		w := newTown(t, 1)
		held := w.goes("a/1")
		w.waits("a/2", Queue)
		w.waits("a/3", Queue)
		w.ends("a/1", held, nil)
		w.Begin(callerOf("a/2")).End() // it met somebody else's write
		w.expectWoken("[a/2 a/3]")
		w.waits("a/2", Queue)
		w.waits("a/4", Queue)
		turn := w.goes("a/3")
		w.ends("a/3", turn, nil)
		w.expectWoken("[a/2 a/3 a/2]")
	})
	t.Run("when its caller does not ask any more", func(t *testing.T) {
		w := newTown(t, 1)
		held := w.goes("a/1")
		w.waits("a/gone", Queue)
		w.waits("a/3", Queue)
		w.Begin(callerOf("a/gone")).End()
		w.ends("a/1", held, nil)
		w.expectWoken("[a/3]")
		if w.Waits(callerOf("a/gone")) {
			t.Error("it waits")
		}
		w.goesBy(2 * forgetAfter)
		if len(w.places[callerOf("a/gone")]) != 0 {
			t.Error("its place is kept for ever")
		}
	})
	t.Run("but not while the call is prepared, however long that takes", func(t *testing.T) {
		w := newTown(t, 1)
		turn, _ := w.ask("a/1")
		turn.Begin()
		w.waits("a/2", Queue)
		w.goesBy(time.Minute)
		w.expectWoken("[]")
		turn.GiveBack()
		w.expectWoken("[a/2]")
	})
	t.Run("and who comes too late makes no call", func(t *testing.T) {
		w := newTown(t, 1)
		turn, _ := w.ask("a/1")
		w.waits("a/2", Queue)
		w.goesBy(lapseAfter + time.Second)
		if turn.Begin() {
			t.Error("the turn has lapsed")
		}
		turn.Send()
		turn.Leave(nil)
		turn.GiveBack()
		w.expectWoken("[a/1]")
		w.calls("a/1", nil)
		w.calls("a/2", nil)
	})
	t.Run("also when its pass panics", func(t *testing.T) {
		w := newTown(t, 1)
		turn, _ := w.ask("a/1")
		turn.Begin()
		w.waits("a/2", Queue)
		w.passes["a/1"].End()
		w.expectWoken("[a/2]")
	})
}

func TestATurnThatComesDuringAPassIsForTheNext(t *testing.T) {
	w := newTown(t, 1)
	held := w.goes("a/1")
	pass := w.Begin(callerOf("a/2"))
	if turn, _ := w.Ask(Call{Caller: callerOf("a/2"), Environment: here}); turn != nil {
		t.Fatal("it may go")
	}
	w.ends("a/1", held, nil)
	pass.End()
	w.expectWoken("[a/2]")
	w.goes("a/2")
	if len(w.woken) != 1 {
		t.Errorf("woken: %v", w.woken)
	}
}

func TestEnvironmentsThatShareAHostShareItsLowestRate(t *testing.T) {
	slow := here
	slow.Name, slow.RequestsPerSecond, slow.Burst = "slow", 1, 2
	w := newTown(t, 10, here, slow)
	w.calls("a/1", nil)
	w.calls("b/1", nil, func(c *Call) { c.Environment = slow })
	w.waits("a/2", Queue)

	// The hosts of the accounts and of the API are two.
	w.calls("a/3", nil, api)

	w.Configure(here)
	w.clock.Step(time.Second)
	w.calls("a/2", nil)
	for i := range 19 {
		w.calls(fmt.Sprintf("a/n%d", i), nil)
	}
}

func TestAHostThatGoesWakesWhoWaitsForIt(t *testing.T) {
	w := newTown(t, 1)
	held := w.goes("a/1")
	w.waits("a/2", Queue)
	moved := here
	moved.AccountsURL = "https://moved.example.test"
	w.Configure(moved)
	w.expectWoken("[a/2]")
	if w.Waits(callerOf("a/2")) {
		t.Error("it waits for nothing")
	}
	w.ends("a/1", held, nil)
	w.goes("a/2", func(c *Call) { c.Environment = moved })
}

func TestAHostIsANameAndAPort(t *testing.T) {
	for address, want := range map[string]string{
		"https://accounts.example.test/x": "accounts.example.test:443", "https://accounts.example.test:8443": "accounts.example.test:8443",
		"http://127.0.0.1": "127.0.0.1:80", "https://[::1]": "[::1]:443", "::": "::",
	} {
		if got := HostOf(address); got != want {
			t.Errorf("the host of %s is %s, want %s", address, got, want)
		}
	}
}

// A caller has one place: ten thousand of them in a thousand namespaces cost microseconds each.
func BenchmarkTenThousandWaiters(b *testing.B) {
	const waiters = 10_000
	callers := make([]types.NamespacedName, waiters)
	for i := range callers {
		callers[i] = types.NamespacedName{Namespace: fmt.Sprintf("n%d", i%1000), Name: fmt.Sprint(i)}
	}
	for b.Loop() {
		clock := testclock.NewFakeClock(noon)
		g := New(clock, 10, here)
		var woken []types.NamespacedName
		g.OnTurn(func(caller types.NamespacedName) { woken = append(woken, caller) })
		look := func(caller types.NamespacedName) bool {
			pass := g.Begin(caller)
			defer pass.End()
			turn, _ := g.Ask(Call{Caller: caller, Environment: here, Urgency: Urgency{Class: Renewal, Expires: noon.Add(time.Hour)}})
			if turn != nil {
				turn.Begin()
				turn.Send()
				turn.Leave(nil)
			}
			return turn != nil
		}
		served := 0
		for _, caller := range callers {
			if look(caller) {
				served++
			}
		}
		for served < waiters {
			clock.Step(50 * time.Millisecond)
			g.Look()
			for _, caller := range woken {
				if look(caller) {
					served++
				}
			}
			woken = woken[:0]
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*waiters), "ns/waiter")
}
