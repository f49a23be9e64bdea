package main

import (
	"context"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// The phases of a round.
const (
	phaseFirst  = "first tokens"
	phaseRenew  = "renewals, all due at once"
	phaseStart  = "all due at a start"
	phaseDelete = "deletion, with revocations"
)

var phases = []string{phaseFirst, phaseRenew, phaseStart, phaseDelete}

// measureRounds measures the contestants side by side, round by round, each with every number of
// credentials, so that what the machine does beside them meets all.
func (b *bench) measureRounds(ctx context.Context) error {
	before, err := b.load()
	if err != nil {
		return err
	}
	for _, number := range b.settings.credentials {
		of := rounds{Credentials: number, Bare: results{}, Operator: results{}}
		if b.peer != nil {
			of.Peer = results{}
		}
		b.report.Measured = append(b.report.Measured, of)
	}
	for i := range b.settings.rounds {
		for j := range b.report.Measured {
			of := &b.report.Measured[j]
			b.Say("round %d of %d with %d credentials", i+1, b.settings.rounds, of.Credentials)
			isLast := i == b.settings.rounds-1 && j == len(b.report.Measured)-1
			r := &round{bench: b, number: of.Credentials, rounds: of, profiled: isLast}
			if err := r.run(ctx); err != nil { // what was measured until then took its time
				return err
			}
		}
	}
	after, err := b.load()
	b.report.Others = othersSince(before, after)
	return err
}

// round is one round of all phases.
type round struct {
	*bench
	number   int
	rounds   *rounds
	profiled bool
	// wait is the least time from a token to its renewal in this round.
	wait time.Duration
}

// run gives each contestant its turn. The bare loop comes first: how long it takes says how long
// tokens have to live so that none is renewed before all are there.
func (r *round) run(ctx context.Context) error {
	turns := []func(context.Context) error{r.runBareLoop, r.runOperator}
	if r.peer != nil {
		turns = append(turns, r.runPeer)
	}
	for _, turn := range turns {
		if err := turn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// runBareLoop is the turn of the bare loop.
func (r *round) runBareLoop(ctx context.Context) error {
	r.service.SetTokenLifetime(time.Hour)
	credentials, err := r.cluster.createCredentials(ctx, fastEnvironment, r.number)
	if err != nil {
		return err
	}
	loop, err := r.newBareLoop(credentials)
	if err != nil {
		return err
	}
	if r.settings.watching {
		end, err := r.cluster.watchAsOperator(ctx)
		if err != nil {
			return err
		}
		defer end()
	}
	for _, phase := range []struct {
		name  string
		steps []step
	}{{phaseFirst, firstToken}, {phaseRenew, renewal}, {phaseStart, afterStart}} {
		r.service.forget()
		before, err := r.used(ctx, nil)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := loop.run(ctx, phase.steps...); err != nil {
			return err
		}
		if phase.name == phaseFirst {
			r.wait = waitFor(time.Since(began))
		}
		after, err := r.used(ctx, nil)
		if err != nil {
			return err
		}
		m := since(before, after, r.service.given())
		r.rounds.Bare[phase.name] = append(r.rounds.Bare[phase.name], m)
		r.Say("  bare loop, %s: %.0f a second, %.1f requests, %.1f ms of kube-apiserver", phase.name, m.PerSecond, m.Requests.all(), m.APIServerMS)
	}
	return r.cluster.clean(ctx)
}

// waitFor is how long after its token a renewal may come at the earliest, where the bare loop needs
// that long for first tokens: the operator must be done, and have time to be looked at.
func waitFor(bare time.Duration) time.Duration {
	return (bare*9/5 + 4*time.Second).Truncate(time.Second)
}

// runOperator is the turn of the operator. Everything is in place before it starts.
func (r *round) runOperator(ctx context.Context) error {
	r.service.SetTokenLifetime(2 * r.wait) // and half of it is the wait
	if _, err := r.cluster.createCredentials(ctx, fastEnvironment, r.number); err != nil {
		return err
	}
	t := &turn{
		round: r, who: "operator", results: r.rounds.Operator, start: r.startOperator, published: r.cluster.fingerprints,
		again: "some were renewed twice, this machine is too slow or too busy",
	}
	deletion := phase{name: phaseDelete, prepare: t.atOnce, begin: t.deleteAll, times: r.service.ended, done: t.allAreGone}
	return t.run(ctx, append(t.tokenPhases(), deletion)...)
}

func (t *turn) deleteAll(ctx context.Context) error {
	return t.cluster.eachNamespace(ctx, &v1alpha1.SpacesCredential{})
}

// runPeer is the turn of the peer, with as many objects. It renews by the clock alone.
func (r *round) runPeer(ctx context.Context) error {
	r.service.SetTokenLifetime(time.Hour)
	if err := r.cluster.createExternalSecrets(ctx, r.number, r.wait); err != nil {
		return err
	}
	t := &turn{
		round: r, who: "peer", results: r.rounds.Peer, start: r.startPeer, published: r.cluster.peerTokens,
		again: "the peer made some again before its cache showed its own writes, or this machine is too slow or too busy",
	}
	if err := t.run(ctx, t.tokenPhases()...); err != nil {
		return err
	}
	return r.cluster.cleanPeer(ctx)
}
