package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

const (
	// shortestPause and longestPause stand between two deeds.
	shortestPause = 300 * time.Millisecond
	longestPause  = 2500 * time.Millisecond
)

// place is where something is done.
type place int

const (
	elsewhere place = iota
	atCluster       // nothing can be done there while the API server is away
)

// deed is something that chance does.
type deed struct {
	name   string // as it is counted
	place  place
	weight int // how often chance picks it; 0 for the second half of another
	// do says what it did; nothing where there was nothing to do it to.
	do func(context.Context) (said string, err error)
}

// later is the second half of a deed.
type later struct {
	deed
	at time.Time
}

// deeds are done one at a time, in an order that the seed decides.
type deeds struct {
	*soak
	done     atomic.Int64
	counts   map[string]int
	pending  []later
	outageTo time.Time // when the service came back, or will
}

func newDeeds(s *soak) *deeds { return &deeds{soak: s, counts: map[string]int{}} }

// all are the deeds that chance picks from.
func (d *deeds) all() []deed { return slices.Concat(d.outages(), d.interventions(), d.lending()) }

// run does deeds until ctx ends.
func (d *deeds) run(ctx context.Context) {
	all := d.all()
	var lots []int
	for i, one := range all {
		d.counts[one.name] = 0 // what was never done is told, too
		lots = append(lots, slices.Repeat([]int{i}, one.weight)...)
	}
	whole := context.WithoutCancel(ctx) // no deed is left half done
	for wait(ctx, d.pause()) {
		d.endWhatIsDue(whole, time.Now())
		d.try(whole, all[lots[d.chance.IntN(len(lots))]])
	}
}

// pause is the time until the next deed. A second half is not kept waiting.
func (d *deeds) pause() time.Duration {
	pause := d.between(shortestPause, longestPause)
	for _, one := range d.pending {
		if d.possible(one.deed) {
			pause = min(pause, time.Until(one.at))
		}
	}
	return max(pause, shortestPause)
}

// finish ends whatever was begun. What needs the API server comes when it is back.
func (d *deeds) finish(ctx context.Context) {
	d.endWhatIsDue(ctx, time.Now().Add(time.Hour))
}

// endWhatIsDue does the second halves whose time has come.
func (d *deeds) endWhatIsDue(ctx context.Context, now time.Time) {
	due := func(l later) bool { return !l.at.After(now) && d.possible(l.deed) }
	for i := slices.IndexFunc(d.pending, due); i >= 0; i = slices.IndexFunc(d.pending, due) {
		one := d.pending[i]
		d.pending = slices.Delete(d.pending, i, i+1)
		d.try(ctx, one.deed)
	}
}

// possible tells whether a deed has an API server if it needs one.
func (d *deeds) possible(one deed) bool { return one.place == elsewhere || !d.cluster.apiServer.away() }

// try does a deed, prints it and counts it. One that met a namespace or an object on its
// way out is told, and proves nothing.
func (d *deeds) try(ctx context.Context, one deed) {
	if !d.possible(one) {
		return
	}
	switch said, err := one.do(ctx); {
	case said == "":
	case err != nil:
		d.Say("%s: in vain: %v", said, err)
	default:
		d.done.Add(1)
		d.counts[one.name]++
		d.Say("%s", said)
	}
}

// tally prints how often each deed was done.
func (d *deeds) tally(out io.Writer) error {
	_, _ = fmt.Fprintf(out, "deeds: %d, of these\n", d.done.Load())
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	const columns = 2
	for row := range slices.Chunk(slices.Sorted(maps.Keys(d.counts)), columns) {
		for i, name := range row {
			row[i] = fmt.Sprintf("%6d  %s", d.counts[name], name)
		}
		_, _ = fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// between is a length of time by chance.
func (d *deeds) between(from, to time.Duration) time.Duration {
	return from + time.Duration(d.chance.Int64N(int64(to-from)))
}

// after has the second half of a deed done later.
func (d *deeds) after(pause time.Duration, name string, where place, do func(context.Context) (string, error)) {
	d.pending = append(d.pending, later{at: time.Now().Add(pause), deed: deed{name: name, place: where, do: do}})
}
