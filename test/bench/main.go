// Command bench measures what a token costs: the real operator, a process of its own, and beside it
// in the same run the bare loop, which makes the same requests on the same kinds and nothing else, and
// on demand a peer, External Secrets Operator, which makes the same tokens its own way. All stand
// before a real control plane and a Spaces in memory. docs/benchmarks.md says what each figure means.
//
// `make bench` runs it. It writes below bin only, and stops whatever it starts. It is a module of
// its own, so that the library that draws never lifts a dependency of the operator.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// The parts of a run, in their order.
const (
	partRounds   = "rounds"
	partPrices   = "prices"
	partWaiting  = "waiting"
	partResident = "resident"
	partSpread   = "spread"
)

var parts = []string{partRounds, partPrices, partWaiting, partResident, partSpread}

// settings are the flags.
type settings struct {
	credentials []int
	rounds      int
	waiting     int
	foreign     int
	parts       []string
	picture     string
	peer        bool
	watching    bool
	memory      string
}

func main() {
	s := settings{credentials: []int{100, 1000}, parts: parts}
	flag.Func("credentials", "how many SpacesCredentials, several `numbers` for as many rounds each (default \"100 1000\")", func(value string) (err error) {
		s.credentials, err = numbers(value)
		return err
	})
	flag.IntVar(&s.rounds, "rounds", 3, "how often each number is measured")
	flag.IntVar(&s.waiting, "waiting", 600, "how many SpacesCredentials wait for first tokens at the default rate")
	flag.IntVar(&s.foreign, "foreign", 20_000, "how many Secrets of others there are when memory is measured")
	flag.Func("parts", fmt.Sprintf("`names` of the parts to run (default %q)", strings.Join(parts, " ")), func(value string) (err error) {
		s.parts, err = names(value)
		return err
	})
	flag.Func("peer", "`yes` has "+peerName+" take part in the rounds, which takes minutes to build for the first time (default no)", func(value string) (err error) {
		s.peer, err = yes(value)
		return err
	})
	flag.Func("watching", "`yes` has the bare loop watch what an operator watches (default no)", func(value string) (err error) {
		s.watching, err = yes(value)
		return err
	})
	flag.StringVar(&s.memory, "memory", "", "the `limit` that the operator's collector keeps to, as in GOMEMLIMIT (default none)")
	flag.StringVar(&s.picture, "picture", "", "draw the spread of renewals into this `file`, and measure nothing")
	flag.Parse()
	testbed.Main("bench", func(ctx context.Context, program *testbed.Program) error {
		if s.picture != "" {
			return draw(os.Stdout, s.picture)
		}
		return (&bench{Program: program, settings: s}).run(ctx)
	})
}

// numbers reads numbers of credentials.
func numbers(value string) (all []int, err error) {
	for _, word := range strings.Fields(value) {
		number, err := strconv.Atoi(word)
		if err != nil || number < namespaces || number%namespaces != 0 {
			return nil, fmt.Errorf("%q is no number of credentials: they are spread evenly over %d namespaces", word, namespaces)
		}
		all = append(all, number)
	}
	slices.Sort(all)
	if len(all) == 0 {
		return nil, fmt.Errorf("no number of credentials is given")
	}
	return all, nil
}

// names reads names of parts.
func names(value string) ([]string, error) {
	chosen := strings.Fields(value)
	for _, name := range chosen {
		if !slices.Contains(parts, name) {
			return nil, fmt.Errorf("there is no part %q; the parts are %s", name, strings.Join(parts, ", "))
		}
	}
	return chosen, nil
}

// yes reads a choice.
func yes(value string) (bool, error) {
	if value != "yes" && value != "no" {
		return false, fmt.Errorf("%q is neither yes nor no", value)
	}
	return value == "yes", nil
}
