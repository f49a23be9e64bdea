package gate

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	outage = &spacesauth.Error{Kind: spacesauth.KindUnavailable}
)

// opened is a gate that lets the default rate through.
func opened() *Gate { return New(20, 40) }

// expect enters a gate and compares why it is closed; "" is open.
func expect(t *testing.T, g *Gate, now time.Time, want Cause) {
	t.Helper()
	var got Cause
	if closed := g.Enter(now); closed != nil {
		got = closed.Cause
	}
	if got != want {
		t.Fatalf("the gate is closed by %q, want %q", got, want)
	}
}

// fail makes calls that get no work done, one after the other.
func fail(t *testing.T, g *Gate, now time.Time, calls int) {
	t.Helper()
	for range calls {
		expect(t, g, now, "")
		g.Leave(outage, now)
	}
}

func TestAThousandCallersKeepTheRateOfTheEnvironment(t *testing.T) {
	g, now, passed := opened(), noon, 0
	for range 100 {
		for range 1000 {
			if g.Enter(now) == nil {
				g.Leave(nil, now)
				passed++
			}
		}
		now = now.Add(100 * time.Millisecond)
	}
	if want := 40 + 20*10; passed < want-2 || passed > want+2 {
		t.Errorf("%d calls in ten seconds, want %d", passed, want)
	}
}

func TestOneLostAnswerClosesNothing(t *testing.T) {
	g := opened()
	expect(t, g, noon, "")
	g.Leave(&spacesauth.Error{Kind: spacesauth.KindAmbiguous}, noon)
	expect(t, g, noon, "")
}

func TestOneProbeAtATimeWhileTheHostIsDownThenEverybody(t *testing.T) {
	g, now := opened(), noon
	fail(t, g, now, downAfter)
	expect(t, g, now, Down)
	now = now.Add(maxProbeWait)
	expect(t, g, now, "") // the probe
	expect(t, g, now, Down)
	g.Leave(nil, now)
	expect(t, g, now, "")
	expect(t, g, now, "")
}

func TestCallsThatWereUnderWayMakeNoPauseLonger(t *testing.T) {
	g, now := opened(), noon
	const herd = 10
	for range herd {
		expect(t, g, now, "")
	}
	for range herd {
		g.Leave(outage, now)
	}
	expect(t, g, now, Down)
	expect(t, g, now.Add(backoff.Shortest<<(downAfter-1)), "")
}

func TestAnEntryThatIsGivenBackHoldsNothingShut(t *testing.T) {
	g, now := opened(), noon
	fail(t, g, now, downAfter)
	now = now.Add(maxProbeWait)
	expect(t, g, now, "")
	g.Cancel()
	expect(t, g, now, "")
}

func TestRefusalsSayNothingAboutTheHost(t *testing.T) {
	g := opened()
	for range 10 {
		expect(t, g, noon, "")
		g.Leave(&spacesauth.Error{Kind: spacesauth.KindRejectedGrant}, noon)
	}
	if !isOutage(errors.New("an error of no kind")) {
		t.Error("an error of no kind is no outage")
	}
}

func TestThePatienceThatWasAskedForIsKept(t *testing.T) {
	g := opened()
	expect(t, g, noon, "")
	g.Leave(&spacesauth.Error{Kind: spacesauth.KindThrottled, RetryAfter: 5 * time.Minute}, noon)
	closed := g.Enter(noon.Add(time.Minute))
	if closed == nil || closed.Cause != Patience || !closed.Until.Equal(noon.Add(5*time.Minute)) {
		t.Fatalf("it is %+v", closed)
	}
	expect(t, g, noon.Add(5*time.Minute), "")
}

func TestEnvironmentsWithOneHostShareAGate(t *testing.T) {
	var gates Gates
	a := spacesauth.Environment{Name: "a", AccountsURL: "https://accounts.example.test", RequestsPerSecond: 20, Burst: 40}
	b, other := a, a
	b.Name, other.AccountsURL = "b", "https://other.example.test"
	if gates.Of(a) != gates.Of(b) || gates.Of(a) == gates.Of(other) {
		t.Error("a gate belongs to an accounts URL")
	}
}

// year is how far clocks jump here.
const year = 365 * 24 * time.Hour

// chances is a chance that is the same in every run.
type chances struct{ *rand.Rand }

func newChances(seed uint64) chances { return chances{rand.New(rand.NewPCG(seed, seed))} }

// upTo gives a duration below most; small ones are as likely as large ones.
func (s chances) upTo(most time.Duration) time.Duration {
	for range s.IntN(40) {
		most = most*2/3 + 1
	}
	return time.Duration(s.Int64N(int64(most)))
}

// failing gives a failure of any kind.
func (s chances) failing() *spacesauth.Error {
	kinds := []spacesauth.Kind{
		spacesauth.KindRejectedGrant, spacesauth.KindRejectedClient, spacesauth.KindRejectedRequest, spacesauth.KindUnclear,
		spacesauth.KindThrottled, spacesauth.KindUnavailable, spacesauth.KindAmbiguous,
	}
	failed := &spacesauth.Error{Kind: kinds[s.IntN(len(kinds))]}
	if s.IntN(2) == 0 {
		failed.RetryAfter = s.upTo(spacesauth.MaxRetryAfter + 1)
	}
	return failed
}

// eitherWay gives a duration between -most and most.
func (s chances) eitherWay(most time.Duration) time.Duration {
	if s.IntN(2) == 0 {
		return -s.upTo(most)
	}
	return s.upTo(most)
}

// jump moves a clock by up to a year, to either side.
func (s chances) jump(now time.Time) time.Time { return now.Add(s.eitherWay(year)) }

func TestNoGateStaysClosedLongerThanItsCapWhateverTheClockDoes(t *testing.T) {
	chance := newChances(4)
	closed := map[Cause]int{}
	for range 200 {
		g := New(0.1+chance.Float64()*20, 1+chance.IntN(40))
		now := noon
		for range 500 {
			if f := g.Enter(now); f != nil {
				closed[f.Cause]++
				longest := spacesauth.MaxRetryAfter
				switch f.Cause {
				case Down:
					longest = maxProbeWait
				case Rate:
					longest = 10 * time.Second // one call at the lowest rate
				case Patience:
				}
				if wait := f.Until.Sub(now); wait <= 0 || wait > longest {
					t.Fatalf("%q waits %s", f.Cause, wait)
				}
				// A second look at the end of the cap finds the way free, if nobody else came.
				if again := g.Enter(now.Add(longest)); again != nil && again.Cause == f.Cause {
					t.Fatalf("%q still holds after %s", f.Cause, longest)
				} else if again == nil {
					g.Cancel()
				}
			} else {
				switch chance.IntN(4) {
				case 0:
					g.Leave(nil, now)
				case 1:
					g.Cancel()
				default:
					g.Leave(chance.failing(), now)
				}
			}
			if chance.IntN(3) == 0 {
				now = chance.jump(now)
			} else {
				now = now.Add(chance.upTo(time.Hour))
			}
		}
	}
	for _, cause := range []Cause{Rate, Patience, Down} {
		if closed[cause] == 0 {
			t.Errorf("no gate was ever closed for %q", cause)
		}
	}
}
