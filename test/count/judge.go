package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// slack is the share of requests that may come on top: now and then a pass runs before the
// informer shows what the pass before it wrote, and reads that once more.
const slack = 0.02

// figures are what was counted, and of how many credentials.
type figures struct {
	first, renewal, started, waited counts
	credentials, waiting            int
}

// judge tells the figures. It fails when a budget is exceeded.
func judge(out io.Writer, of figures) error {
	var failed []error
	for _, phase := range []struct {
		name        string
		counts      counts
		budget      int
		credentials int
	}{
		{"first token", of.first, firstBudget, of.credentials},
		{"renewal", of.renewal, renewalBudget, of.credentials},
		{"renewal after a start", of.started, startedBudget, of.credentials},
		{"first token that waits for its turn", of.waited, waitingBudget, of.waiting},
	} {
		_, _ = fmt.Fprintf(out, "requests per credential, %s: %.2f (budget %d)\n", phase.name, per(phase.counts.all(), phase.credentials), phase.budget)
		for _, k := range slices.SortedFunc(maps.Keys(phase.counts), func(a, b kind) int {
			return cmp.Or(phase.counts[b]-phase.counts[a], strings.Compare(a.verb+a.resource, b.verb+b.resource))
		}) {
			_, _ = fmt.Fprintf(out, "  %-6s %-26s %6.2f\n", k.verb, k.resource, per(phase.counts[k], phase.credentials))
		}
		if per(phase.counts.all(), phase.credentials) > float64(phase.budget)*(1+slack) {
			failed = append(failed, fmt.Errorf("a %s costs more than %d requests", phase.name, phase.budget))
		}
	}
	events := 0
	for _, phase := range []counts{of.renewal, of.started} {
		for k, n := range phase {
			if k.resource == "events" {
				events += n
			}
		}
	}
	_, _ = fmt.Fprintf(out, "events at the renewals: %d (budget 0)\n", events)
	if events > 0 {
		failed = append(failed, errors.New("a renewal is told as an event"))
	}
	return errors.Join(failed...)
}

func per(n, credentials int) float64 { return float64(n) / float64(credentials) }
