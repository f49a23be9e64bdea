package main

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func TestDeedsAtTheClusterWaitForTheAPIServer(t *testing.T) {
	server := &apiServer{absences: []absence{{from: at(0)}}}
	d := newDeeds(&soak{Program: &testbed.Program{Began: time.Now()}, cluster: &cluster{apiServer: server}})
	var done []string
	doing := func(what string, then func()) func(context.Context) (string, error) {
		return func(context.Context) (string, error) {
			done = append(done, what)
			then()
			return what, nil
		}
	}
	nothing := func() {}
	d.try(t.Context(), deed{name: "edited", place: atCluster, do: doing("edited", nothing)})
	d.after(0, "resumed", atCluster, doing("resumed", nothing))
	d.after(0, "thawed", elsewhere, doing("thawed", nothing))
	d.after(time.Hour, "back", elsewhere, doing("back", func() { server.absences[0].to = at(1) }))
	d.endWhatIsDue(t.Context(), time.Now())
	if got := strings.Join(done, " "); got != "thawed" {
		t.Errorf("without an API server was done: %s", got)
	}
	d.finish(t.Context())
	if got := strings.Join(done, " "); got != "thawed back resumed" || len(d.pending) != 0 {
		t.Errorf("at the end was done: %s; %d halves are left", got, len(d.pending))
	}
}

func TestNoSecondHalfIsKeptWaiting(t *testing.T) {
	d := newDeeds(&soak{cluster: &cluster{apiServer: &apiServer{absences: []absence{{from: at(0)}}}}, chance: rand.New(rand.NewPCG(1, 1))})
	overdue := func(where place) {
		d.after(-time.Hour, "overdue", where, func(context.Context) (string, error) { return "", nil })
	}
	longest := func() (longest time.Duration) {
		for range 100 {
			longest = max(longest, d.pause())
		}
		return longest
	}
	if overdue(atCluster); longest() <= shortestPause {
		t.Error("one that cannot be done without an API server shortens the pause")
	}
	if overdue(elsewhere); longest() != shortestPause {
		t.Error("one that can be done does not shorten the pause")
	}
}

func TestTallyTellsWhatWasNeverDone(t *testing.T) {
	d := newDeeds(nil)
	d.done.Store(7)
	d.counts = map[string]int{"killed": 4, "edited": 0, "frozen": 3, "renewed": 0}
	var out strings.Builder
	if err := d.tally(&out); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(out.String()); strings.Join(got, " ") != "deeds: 7, of these 0 edited 3 frozen 4 killed 0 renewed" {
		t.Errorf("it says:\n%s", &out)
	}
}
