package gate

import (
	"fmt"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestOneWhoIsToldToWaitWaitsAndNobodyElse(t *testing.T) {
	w := newTown(t, 10)
	w.calls("a/told", toldToWait(10*time.Minute))
	w.calls("a/other", nil)
	wait := w.waits("a/told", Patience, urgent)
	if wait.Whom != TheCaller || !wait.Until.Equal(noon.Add(10*time.Minute)) {
		t.Errorf("it waits for %+v", wait)
	}
	w.waits("a/told", Patience, owed)
	w.calls("a/told", nil, api) // another host said nothing
	w.clock.Step(10 * time.Minute)
	w.calls("a/told", nil)
}

func TestPatienceWidens(t *testing.T) {
	for _, c := range []struct {
		name string
		hear func(w *town)
		// held are who is held of a caller of the namespace a, and of one of another.
		a, b Whom
	}{
		{"two of a namespace are no judges of it", func(w *town) {
			w.calls("b/0", nil)
			w.calls("a/1", toldToWait(time.Minute))
			w.calls("a/2", toldToWait(time.Minute))
		}, "", ""},
		{"three of a namespace are, and not of the others", func(w *town) {
			w.calls("b/0", nil)
			w.clock.Step(2 * time.Minute)
			for i := range 3 {
				w.calls(fmt.Sprintf("a/%d", i), toldToWait(time.Minute))
			}
		}, TheNamespace, ""},
		{"three of a namespace in which another gets its work done are not", func(w *town) {
			w.calls("a/1", toldToWait(time.Minute))
			w.calls("a/works", nil)
			w.calls("a/2", toldToWait(time.Minute))
			w.calls("a/3", toldToWait(time.Minute))
		}, "", ""},
		{"three within more than a minute are not", func(w *town) {
			w.calls("b/0", nil)
			for i := range 3 {
				w.calls(fmt.Sprintf("a/%d", i), toldToWait(time.Hour))
				w.clock.Step(31 * time.Second)
			}
		}, "", ""},
		{"two namespaces hold the host", func(w *town) {
			w.calls("a/1", toldToWait(time.Minute))
			w.calls("b/1", toldToWait(time.Minute))
		}, TheHost, TheHost},
		{"unless one that was not told gets its work done", func(w *town) {
			w.calls("a/1", toldToWait(time.Minute))
			w.calls("c/1", nil)
			w.calls("b/1", toldToWait(time.Minute))
		}, "", ""},
		{"three of the only namespace hold the host", func(w *town) {
			for i := range 3 {
				w.calls(fmt.Sprintf("a/%d", i), toldToWait(time.Minute))
			}
		}, TheHost, TheHost},
		{"429 without a time holds nobody", func(w *town) {
			w.calls("a/1", toldToWait(0))
			w.calls("b/1", toldToWait(0))
			w.calls("c/1", toldToWait(0))
		}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTown(t, 10)
			c.hear(w)
			for caller, want := range map[string]Whom{"a/late": c.a, "b/late": c.b} {
				turn, wait := w.ask(caller)
				switch {
				case turn != nil:
					turn.GiveBack()
					if want != "" {
						t.Errorf("%s may go, want held by %s", caller, want)
					}
				case want != wait.Whom:
					t.Errorf("%s: %+v, want held by %q", caller, *wait, want)
				}
			}
		})
	}
}

func TestTheShortestWaitThatWasToldHoldsAndIsProbed(t *testing.T) {
	w := newTown(t, 10)
	w.calls("a/told", toldToWait(time.Hour))
	w.calls("b/told", toldToWait(2*time.Minute))
	if wait := w.waits("a/new", Patience); !wait.Until.Equal(noon.Add(2 * time.Minute)) {
		t.Fatalf("it waits until %s", wait.Until)
	}
	w.waits("b/worked", Patience, proven)
	w.waits("c/new", Patience)
	w.goesBy(probePause - time.Second)
	w.expectWoken("[]")
	w.goesBy(2 * time.Second)
	w.expectWoken("[b/worked]")
	w.calls("b/worked", toldToWait(time.Hour))
	w.goesBy(probePause)
	if len(w.woken) != 2 {
		t.Fatalf("woken: %v", w.woken)
	}
	// The second probe gets its work done, which ends the hold.
	w.calls(w.woken[1], nil)
	w.goesBy(time.Second)
	if len(w.woken) != 3 {
		t.Errorf("woken: %v", w.woken)
	}
	w.waits("a/told", Patience)
}

func TestAnOwedCallHasItsTurnThoughTheHostIsHeld(t *testing.T) {
	for name, closed := range map[string]func(w *town){
		"by patience": func(w *town) {
			w.calls("x/1", toldToWait(time.Hour))
			w.calls("y/1", toldToWait(time.Hour))
		},
		"by an outage": func(w *town) {
			for _, caller := range []string{"x/1", "y/1", "x/1"} {
				w.calls(caller, outageError)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, 100)
			closed(w)
			failed := &spacesauth.Error{Kind: spacesauth.KindAmbiguous}
			served := map[string][]string{}
			for i := range 5 {
				for _, n := range []string{"a", "b"} {
					caller := fmt.Sprintf("%s/%d", n, i)
					if w.tries(caller, failed, owed) {
						served[n] = append(served[n], caller)
					}
				}
			}
			for _, caller := range w.served(35*time.Second, func(string) error { return failed }) {
				served[caller[:1]] = append(served[caller[:1]], caller)
			}
			for _, n := range []string{"a", "b"} {
				if got := len(served[n]); got < 4 || got > 5 { // one of them as a probe
					t.Errorf("owed calls of %s within 35 s: %v", n, served[n])
				}
			}
		})
	}
}

func TestDownNeedsMoreThanOneNamespaceWhereThereIsMoreThanOne(t *testing.T) {
	for _, c := range []struct {
		name  string
		hear  func(w *town)
		cause Cause
	}{
		{"three of the only one", func(w *town) {
			for i := range 3 {
				w.calls(fmt.Sprintf("a/%d", i), outageError)
			}
		}, Down},
		{"two", func(w *town) {
			w.calls("a/1", outageError)
			w.calls("b/1", outageError)
		}, ""},
		{"many of one that has neighbours", func(w *town) {
			w.calls("b/1", nil)
			for i := range 30 {
				w.calls(fmt.Sprintf("a/%d", i), outageError)
			}
		}, ""},
		{"many of one whose neighbours were not heard of for an hour", func(w *town) {
			w.calls("b/1", nil)
			w.clock.Step(neighbourhood)
			for i := range 3 {
				w.calls(fmt.Sprintf("a/%d", i), outageError)
			}
		}, Down},
		{"three of two", func(w *town) {
			w.calls("a/1", outageError)
			w.calls("a/2", outageError)
			w.calls("b/1", outageError)
		}, Down},
		{"three of two, and a refusal between them", func(w *town) {
			w.calls("a/1", outageError)
			w.calls("a/2", outageError)
			w.calls("c/1", refusalError)
			w.calls("b/1", outageError)
		}, ""},
		{"three of two, and between them what says nothing", func(w *town) {
			w.calls("a/1", outageError)
			w.calls("a/2", outageError)
			w.calls("c/1", unclearError)
			w.calls("b/1", outageError)
		}, Down},
		{"what could not be sent", func(w *town) {
			for i := range 30 {
				w.calls(fmt.Sprintf("a/%d", i), &spacesauth.Error{Kind: spacesauth.KindUnavailable, HostUnjudged: true})
			}
		}, ""},
		{"refusals", func(w *town) {
			for i := range 30 {
				w.calls(fmt.Sprintf("a/%d", i), refusalError)
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTown(t, 10)
			c.hear(w)
			turn, wait := w.ask("late/1")
			if turn != nil && c.cause != "" || turn == nil && (wait.Cause != c.cause || wait.Detail != outageError.Error()) {
				t.Errorf("it waits for %+v, want %q", wait, c.cause)
			}
		})
	}
}

func TestProbesOfAnOutageGoRoundAndOpenTheHost(t *testing.T) {
	w := newTown(t, 10)
	for _, caller := range []string{"a/1", "b/1", "a/1"} {
		w.calls(caller, outageError)
	}
	w.waits("a/1", Down)
	w.waits("a/2", Down, proven)
	w.waits("b/1", Down)
	w.waits("c/1", Down, func(c *Call) { c.Worked = noon.Add(-time.Minute) })
	var probes []string
	at := map[string]time.Duration{}
	for len(probes) < 6 && w.clock.Now().Before(noon.Add(time.Minute)) {
		w.goesBy(100 * time.Millisecond)
		for _, caller := range w.woken {
			probes = append(probes, caller)
			at[fmt.Sprint(len(probes))] = w.clock.Now().Sub(noon)
			turn := w.goes(caller)
			w.ends(caller, turn, outageError)
			w.waits(caller, Down)
		}
		w.woken = nil
	}
	// Who worked before first, the last of them first of all; then a second each; then round
	// the namespaces, at longer and longer pauses.
	if got := fmt.Sprint(probes[:4]); got != "[c/1 a/2 b/1 c/1]" {
		t.Errorf("probes: %v", probes)
	}
	if at["2"]-at["1"] > 2*time.Second {
		t.Errorf("the second that worked before waits %s", at["2"]-at["1"])
	}
	if pause := at["6"] - at["5"]; pause < 9*time.Second || pause > 12*time.Second {
		t.Errorf("after five probes the pause is %s", pause)
	}

	w.goesBy(12 * time.Second)
	turn := w.goes(w.woken[0])
	w.waits("d/1", Down) // there is one probe at a time
	w.ends(w.woken[0], turn, refusalError)
	w.calls("e/1", nil)
	w.served(time.Second, well)
	w.calls("a/1", nil)
}

func TestCallsThatWereUnderWayMakeNoPauseLonger(t *testing.T) {
	w := newTown(t, 100)
	turns := map[string]*Turn{}
	for i := range 10 {
		for _, n := range []string{"a", "b"} {
			caller := fmt.Sprintf("%s/%d", n, i)
			turns[caller] = w.goes(caller)
		}
	}
	for caller, turn := range turns {
		w.ends(caller, turn, outageError)
	}
	w.waits("a/late", Down)
	w.goesBy(2 * time.Second)
	if len(w.woken) != 1 {
		t.Errorf("woken: %v", w.woken)
	}
}
