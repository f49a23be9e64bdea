package model

import (
	"strings"
	"testing"
)

// runs are small enough to be walked through in seconds, and large enough to find every fault below.
var runs = map[string]Limits{
	"a crash and a loss":    {Claims: 2, Renewals: 1, Crashes: 1, Losses: 1},
	"two that are stopped":  {Claims: 2, Renewals: 1, Stops: 1},
	"a state put back":      {Claims: 2, Renewals: 1, Restores: 1},
	"answers that are late": {Claims: 4, Renewals: 3},
}

var services = map[string]Service{"strict": Strict, "forgiving": Forgiving}

func TestTheRulesKeepThePromises(t *testing.T) {
	for name, limits := range runs {
		for kind, service := range services {
			t.Run(name+", a "+kind+" service", func(t *testing.T) {
				t.Parallel()
				worlds, broken := model{Kept, service}.explore(limits)
				t.Logf("%d worlds", worlds)
				if broken != nil {
					t.Errorf("%s:\n  %s", broken.broken, strings.Join(broken.steps, "\n  "))
				}
			})
		}
	}
}

// A model that finds nothing proves nothing: each rule is needed, and its fault is found.
func TestEachFaultThatIsPutBackIsFound(t *testing.T) {
	for fault, c := range map[string]struct {
		put   func(*Rules)
		run   string
		finds string
	}{
		"nothing is written down before it is sent":    {func(r *Rules) { r.Claims = false }, "a crash and a loss", "two hold it"},
		"another's claim is not watched: two holders":  {func(r *Rules) { r.Watches = false }, "a crash and a loss", "two hold it"},
		"a holder is a process, whatever its life":     {func(r *Rules) { r.Lives = false }, "a crash and a loss", "two hold it"},
		"a process that slept sends what it claimed":   {func(r *Rules) { r.LooksAtTheClock = false }, "a crash and a loss", ""},
		"a late answer is saved over a later one":      {func(r *Rules) { r.SavesByNumber = false }, "answers that are late", ""},
		"a process says too early that it has drained": {func(r *Rules) { r.DrainsLast = false }, "two that are stopped", ""},
		"what was put back is spent from":              {func(r *Rules) { r.SeesItsPast = false }, "a state put back", "after its answer was saved"},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			rules := Kept
			c.put(&rules)
			worlds, broken := model{rules, Forgiving}.explore(runs[c.run])
			if broken == nil {
				worlds, broken = model{rules, Strict}.explore(runs[c.run])
			}
			if broken == nil {
				t.Fatalf("it is not found in %d worlds", worlds)
			}
			t.Logf("%s, after %d steps:\n  %s", broken.broken, len(broken.steps), strings.Join(broken.steps, "\n  "))
			if !strings.Contains(broken.broken, c.finds) {
				t.Errorf("another fault is found: %s", broken.broken)
			}
		})
	}
}
