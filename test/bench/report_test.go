package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestMedianAndSpread(t *testing.T) {
	for sentence, c := range map[string]struct {
		numbers        []float64
		median, spread float64
		told           string
	}{
		"none":            {nil, 0, 0, "0"},
		"one":             {[]float64{7}, 7, 0, "7"},
		"an odd number":   {[]float64{110, 100, 80}, 100, 0.2, "100 ±20 %"},
		"an even number":  {[]float64{90, 110}, 100, 0.1, "100 ±10 %"},
		"the very same":   {[]float64{5, 5, 5}, 5, 0, "5 ±0 %"},
		"numbers below 0": {[]float64{-100, -90, -110}, -100, 0.1, "-100 ±10 %"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := median(c.numbers); got != c.median {
				t.Errorf("the median is %v", got)
			}
			if got := spreadOf(c.numbers); got != c.spread {
				t.Errorf("the spread is %v", got)
			}
			if got := withSpread(c.numbers, "%.0f"); got != c.told {
				t.Errorf("told: %s", got)
			}
		})
	}
}

func TestTheRateIsThatBetweenTheFirstAndTheLast(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if got := perSecond([]time.Time{noon, noon.Add(100 * time.Millisecond), noon.Add(time.Second)}); got != 2 {
		t.Errorf("%v a second", got)
	}
	if got := perSecond([]time.Time{noon}); got != 0 {
		t.Errorf("%v a second", got)
	}
}

func TestTheReportIsATable(t *testing.T) {
	round := func(rate float64) measured {
		return measured{PerSecond: rate, OperatorMS: 1.25, APIServerMS: 8, EtcdMS: 2, ServiceMS: 0.5, PeakMiB: 70, Passes: 1.5, Requests: requests{"PATCH secrets": 3, "PATCH spacescredentials/status": 1}}
	}
	dearer := func(ms float64) measured {
		m := round(70)
		m.APIServerMS = ms
		return m
	}
	r := report{
		Date: "2026-03-01", Processors: 2, Kubernetes: "v1.37.2", Go: "go1.26", Rounds: 2, AtATime: 16,
		Measured: []rounds{{
			Credentials: 100,
			Operator:    map[string][]measured{phaseRenew: {round(80), round(90)}, phaseDelete: {round(40), round(40)}},
			Bare:        map[string][]measured{phaseRenew: {round(100), round(100)}},
		}, {
			Credentials: 1000,
			Operator:    map[string][]measured{phaseRenew: {dearer(8), dearer(10)}, phaseDelete: {dearer(16)}},
			Bare:        map[string][]measured{phaseRenew: {dearer(4), dearer(4)}},
		}},
		Prices:   []price{{Request: "Secret, GET", MS: 0.3, ReferenceMS: 0.4}, {Request: "event, POST", MS: 0.4}},
		Waiting:  &queue{Credentials: 600, Rate: 20, measured: round(19.9)},
		Resident: &resident{Credentials: 1000, Foreign: 20_000, PeakMiB: 60, ForeignPeakMiB: 70, ChangedLoginMS: []float64{30, 50, 40}},
		Spread:   []spread{{Tokens: 1000, PerSecond: 20, First: 36 * time.Minute, Last: 41 * time.Minute, Busiest: 50, Ratio: 1.5}},
	}
	text := r.table()
	for _, line := range []string{
		"| renewals, all due at once | 100 | 85 ±6 % | 100 ±0 % | 0.85 ±6 % | 1.25 | 8.0 (8.0) | 2.0 (2.0) | 0.50 (0.50) | 70 |",
		"| deletion, with revocations | 100 | 40 ±0 % | - | - | 1.25 | 8.0 | 2.0 | 0.50 | 70 |",
		"| renewals, all due at once | 4.00 | 4.00 | 1.50 | 3.00 PATCH secrets, 1.00 PATCH spacescredentials/status |",
		"| renewals, all due at once | 1000 over 100 | 1.12 ±11 % | 0.50 ±0 % |",
		"| deletion, with revocations | 1000 over 100 | 2.00 | - |",
		"| Secret, GET | 0.30 | 0.40 | 0.75 |",
		"| event, POST | 0.40 | - | - |",
		"| 600 wait for the rate of 20 a second: rate used | 19.9 a second |",
		"| from a changed login to the new token | 40 ms, at most 50 ms |",
		"| the same with 20000 Secrets of others | 70 MiB, 0.51 KiB each |",
		"| 1000 tokens, 20 a second | 36m0s | 41m0s | 50 | 1.50 |",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
	if t.Failed() {
		t.Log("\n" + text)
	}
	for _, heading := range []string{
		"| phase | credentials | operator, a second | bare loop, a second | ratio | operator ms | kube-apiserver ms (bare) | etcd ms (bare) | service ms (with bare loop) | operator peak MiB |",
		"| for each | requests | bare loop's | passes | requests by verb and resource |",
		"| kube-apiserver ms for each | credentials | operator | bare loop |",
	} {
		if !strings.Contains(text, heading+"\n") {
			t.Errorf("missing: %s", heading)
		}
	}
	if r.isEmpty() || !(report{}).isEmpty() {
		t.Error("a report is empty or not")
	}
}

// Where the peer took part it has columns of its own, and figures in brackets behind those of the bare
// loop. One that did not get so far as a phase has none there.
func TestTheReportHasColumnsForThePeer(t *testing.T) {
	round := func(rate, requested float64) measured {
		return measured{PerSecond: rate, OperatorMS: rate / 40, APIServerMS: rate / 10, EtcdMS: rate / 50, ServiceMS: rate / 100, PeakMiB: rate, Passes: 2, Requests: requests{"PATCH secrets": requested}}
	}
	r := report{
		Peer: "Somebody Else's v1", Memory: "256MiB",
		Measured: []rounds{{
			Credentials: 100,
			Operator: results{
				phaseFirst: {round(80, 7), round(100, 8)}, phaseRenew: {round(90, 4)}, phaseDelete: {round(40, 6)},
			},
			Bare: results{phaseFirst: {round(100, 7), round(100, 7)}, phaseRenew: {round(100, 4)}},
			Peer: results{phaseFirst: {round(50, 9), round(50, 9.5)}},
		}},
	}
	text := r.table()
	for _, line := range []string{
		"The peer is Somebody Else's v1.",
		"The operator's collector keeps to 256MiB (GOMEMLIMIT).",
		"| phase | credentials | operator, a second | bare loop, a second | ratio | peer, a second | ratio to peer | operator ms (peer) | kube-apiserver ms (bare, peer) | etcd ms (bare, peer) | service ms (with bare loop) | operator peak MiB (peer) |",
		"| first tokens | 100 | 90 ±11 % | 100 ±0 % | 0.90 ±11 % | 50 ±0 % | 1.80 ±11 % | 2.25 (1.25) | 9.0 (10.0, 5.0) | 1.8 (2.0, 1.0) | 0.90 (1.00) | 90 (50) |",
		"| renewals, all due at once | 100 | 90 | 100 | 0.90 | - | - | 2.25 | 9.0 (10.0, -) | 1.8 (2.0, -) | 0.90 (1.00) | 90 |",
		"| deletion, with revocations | 100 | 40 | - | - | - | - | 1.00 | 4.0 | 0.8 | 0.40 | 40 |",
		"| for each | requests | bare loop's | peer's | passes (peer) | requests by verb and resource | peer's by verb and resource |",
		"| first tokens | 8.00 | 7.00 | 9.50 | 2.00 (2.00) | 8.00 PATCH secrets | 9.50 PATCH secrets |",
		"| deletion, with revocations | 6.00 | - | - | 2.00 | 6.00 PATCH secrets | - |",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
	if t.Failed() {
		t.Log("\n" + text)
	}
	r.Peer, r.Measured[0].Peer = "", nil
	if text := r.table(); strings.Contains(text, "peer") {
		t.Errorf("a run without it tells of it:\n%s", text)
	}
}

// Every price that is measured has one to be compared with, and no other has.
func TestTheReferenceNamesThePricedRequests(t *testing.T) {
	list, err := readReference()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range priced {
		if list.Milliseconds[kind.name] <= 0 {
			t.Errorf("prices.json has no price of %q", kind.name)
		}
	}
	if len(list.Milliseconds) != len(priced) {
		t.Errorf("prices.json has %d prices, and %d are measured", len(list.Milliseconds), len(priced))
	}
}

// The budget of the design: however a burst was issued, its renewals are spread.
func TestRenewalsOfABurstAreSpread(t *testing.T) {
	const budget = 2.2
	all := spreads()
	for _, s := range all {
		if s.Ratio > budget {
			t.Errorf("%s: the busiest ten seconds are %.2f of the mean, the budget is %.1f", s, s.Ratio, budget)
		}
	}
	one, err := pictureOf(all)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pictureOf(spreads())
	if err != nil || !bytes.Equal(one, other) || !bytes.Contains(one, []byte("<svg")) {
		t.Errorf("the same spread is another picture (%v)", err)
	}
}

func TestSettings(t *testing.T) {
	if got, err := numbers("1000 100"); err != nil || len(got) != 2 || got[0] != 100 {
		t.Errorf("read %v (%v)", got, err)
	}
	for _, value := range []string{"", "0", "many", "15"} {
		if _, err := numbers(value); err == nil {
			t.Errorf("%q is taken for numbers of credentials", value)
		}
	}
	if _, err := names("rounds sums"); err == nil {
		t.Error("a part that does not exist is run")
	}
	if got, err := yes("yes"); err != nil || !got {
		t.Errorf("yes is %v (%v)", got, err)
	}
	if got, err := yes("no"); err != nil || got {
		t.Errorf("no is %v (%v)", got, err)
	}
	if _, err := yes("1"); err == nil {
		t.Error("a choice that is none is taken for one")
	}
}
