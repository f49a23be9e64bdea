package gate

import (
	"reflect"
	"testing"
	"time"
)

// Who waits, what is down and who is held are told for each endpoint of each environment, also
// of two that share a host.
func TestTheStandingOfAnEndpointIsTold(t *testing.T) {
	other := here
	other.Name, other.APIURL, other.Burst = "other", "https://elsewhere.example.test", 2
	w := newTown(t, 8, other, here)
	of := func(environment, endpoint string) Standing {
		t.Helper()
		for _, s := range w.Standings() {
			if s.Environment == environment && string(s.Endpoint) == endpoint {
				return s
			}
		}
		t.Fatalf("nothing is told of %s, %s", environment, endpoint)
		return Standing{}
	}
	var waited []time.Duration
	w.OnWaited(func(environment string, d time.Duration) {
		if environment != "other" {
			t.Errorf("%s waited", environment)
		}
		waited = append(waited, d)
	})
	if all := w.Standings(); len(all) != 4 {
		t.Fatalf("%+v", all)
	}
	w.calls("a/1", nil)
	w.calls("a/2", nil)
	w.waits("a/3", Queue)
	w.waits("b/1", Queue)
	if got := of("other", "accounts"); got.Waiting != 2 || got.IsDown || got.IsHeld {
		t.Errorf("%+v", got)
	}
	if got := of("staging", "accounts"); got.Waiting != 0 {
		t.Errorf("others wait there: %+v", got)
	}
	w.clock.Step(time.Second)
	w.calls("a/3", toldToWait(time.Minute))
	w.calls("b/1", nil)
	if want := []time.Duration{0, 0, time.Second, time.Second}; !reflect.DeepEqual(waited, want) {
		t.Errorf("they waited %v, want %v", waited, want)
	}

	w.clock.Step(2 * time.Minute)
	w.calls("a/4", toldToWait(time.Minute))
	w.calls("b/2", toldToWait(time.Minute))
	if got := of("staging", "accounts"); !got.IsHeld {
		t.Errorf("they share the host: %+v", got)
	}
	w.clock.Step(2 * time.Minute)
	for _, caller := range []string{"c/1", "c/2", "c/3"} {
		w.clock.Step(10 * time.Second)
		w.calls(caller, outageError)
	}
	w.calls("d/1", outageError)
	if got := of("other", "accounts"); !got.IsDown || got.IsHeld {
		t.Errorf("%+v", got)
	}
	if got := of("other", "api"); got.IsDown {
		t.Errorf("%+v", got)
	}
}

// A namespace that was told to wait apart from others is named.
func TestAHeldNamespaceIsNamed(t *testing.T) {
	w := newTown(t, 8)
	w.calls("b/1", nil)
	for _, caller := range []string{"a/1", "a/2", "a/3"} {
		w.calls(caller, toldToWait(time.Minute))
	}
	got := w.Standings()[0]
	if got.Endpoint != Accounts || got.IsHeld || !reflect.DeepEqual(got.HeldNamespaces, []string{"a"}) {
		t.Errorf("%+v", got)
	}
}
