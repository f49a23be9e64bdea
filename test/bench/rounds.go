package main

import (
	"context"
	"errors"
	"fmt"
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

// measureRounds measures bare loop and operator side by side, round by round, so that what the
// machine does beside it meets both.
func (b *bench) measureRounds(ctx context.Context) error {
	before, err := b.load()
	if err != nil {
		return err
	}
	for _, number := range b.settings.credentials {
		of := rounds{Credentials: number, Bare: map[string][]measured{}, Operator: map[string][]measured{}}
		for i := range b.settings.rounds {
			b.Say("round %d of %d with %d credentials", i+1, b.settings.rounds, number)
			isLast := i == b.settings.rounds-1 && number == b.settings.credentials[len(b.settings.credentials)-1]
			r := &round{bench: b, number: number, rounds: &of, profiled: isLast}
			err := r.runBareLoop(ctx)
			if err == nil {
				err = r.runOperator(ctx)
			}
			if err != nil { // what was measured until then took its time
				b.report.Measured = append(b.report.Measured, of)
				return err
			}
		}
		b.report.Measured = append(b.report.Measured, of)
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
	// operator is the one that runs, and lastToken when it had the last token.
	operator  *operator
	lastToken time.Time
	published map[string]string
	// passes are those of the operator in the phases before.
	passes int
}

// runBareLoop is the round of the bare loop. How long it takes says how long tokens have to live
// so that none is renewed before all are there.
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

// runOperator is the round of the operator. Everything is in place before it starts.
func (r *round) runOperator(ctx context.Context) (err error) {
	r.service.SetTokenLifetime(2 * r.wait)
	if _, err := r.cluster.createCredentials(ctx, fastEnvironment, r.number); err != nil {
		return err
	}
	for _, phase := range []struct {
		name  string
		begin func(context.Context) error
		times func() []time.Time
	}{
		{phaseFirst, r.begin, r.service.given},
		{phaseRenew, r.renewAll, r.service.given},
		{phaseStart, r.restart, r.service.given},
		{phaseDelete, r.deleteAll, r.service.ended},
	} {
		if err := r.measurePhase(ctx, phase.name, phase.begin, phase.times); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	return r.operator.Stop()
}

// measurePhase measures from begin until each credential has what it was to get.
func (r *round) measurePhase(ctx context.Context, name string, begin func(context.Context) error, times func() []time.Time) error {
	if err := r.prepare(ctx, name); err != nil {
		return err
	}
	r.service.forget()
	before, err := r.used(ctx, nil)
	if err != nil {
		return err
	}
	if err := begin(ctx); err != nil {
		return err
	}
	// What a start costs the operator belongs to no token.
	err = r.await(ctx, r.operator, patience(r.number), "the first is there", func(context.Context) (bool, string, error) {
		return len(times()) > 0, "none so far", nil
	})
	if err != nil {
		return err
	}
	already := len(times())
	started, err := r.processor(r.operator)
	if err != nil {
		return err
	}
	profile := r.profile(ctx, name)
	if err := r.awaitAll(ctx, name, times); err != nil {
		return err
	}
	after, err := r.used(ctx, r.operator)
	if err != nil {
		return err
	}
	moments := times()
	r.lastToken = moments[len(moments)-1]
	m := since(before, after, moments)
	m.OperatorMS = eachMS(after.before.operator-started.operator, len(moments)-already)
	if m.PeakMiB, err = peakMemory(r.operator.ID()); err != nil {
		return err
	}
	done, err := r.operator.work(ctx)
	if err != nil {
		return err
	}
	m.Passes, r.passes = float64(done.passes-r.passes)/float64(len(moments)), done.passes
	if len(moments) > r.number {
		r.Say("  %d calls for %d credentials: some were renewed twice, this machine is too slow or too busy", len(moments), r.number)
	}
	r.rounds.Operator[name] = append(r.rounds.Operator[name], m)
	r.Say("  operator, %s: %.0f a second, %.1f requests, %.1f passes, %.1f ms of its own, %.1f of kube-apiserver", name, m.PerSecond, m.Requests.all(), m.Passes, m.OperatorMS, m.APIServerMS)
	return <-profile
}

// prepare waits until all that is to be renewed is due, while nobody acts on it.
func (r *round) prepare(ctx context.Context, name string) error {
	switch name {
	case phaseRenew:
		if err := r.operator.freeze(); err != nil {
			return err
		}
	case phaseStart:
		if err := r.operator.Stop(); err != nil {
			return err
		}
		r.service.SetTokenLifetime(time.Hour) // nothing is due in what follows
	default:
		return nil
	}
	return sleep(ctx, time.Until(r.lastToken.Add(r.wait+time.Second)))
}

func (r *round) begin(context.Context) (err error) {
	r.passes = 0
	r.operator, err = r.startOperator()
	return err
}

func (r *round) renewAll(context.Context) error { return r.operator.thaw() }

func (r *round) restart(ctx context.Context) error { return r.begin(ctx) }

func (r *round) deleteAll(ctx context.Context) error {
	return r.cluster.eachNamespace(ctx, &v1alpha1.SpacesCredential{})
}

// awaitAll waits until each credential has a token that is another one than before, or is gone.
func (r *round) awaitAll(ctx context.Context, name string, times func() []time.Time) error {
	before := r.published
	return r.await(ctx, r.operator, patience(r.number), "each credential has what it was to get", func(ctx context.Context) (done bool, progress string, err error) {
		progress = fmt.Sprintf("%d of %d", len(times()), r.number)
		if len(times()) < r.number {
			return false, progress, nil
		}
		// The last ones are written yet. To look more often would cost the API server more than they do.
		if err := sleep(ctx, time.Second); err != nil {
			return false, progress, err
		}
		var left int
		if r.published, left, err = r.cluster.fingerprints(ctx); err != nil {
			return false, progress, err
		}
		if name == phaseDelete {
			return left == 0, fmt.Sprintf("%d are left", left), nil
		}
		return isNewOf(before, r.published, r.number), fmt.Sprintf("%d are ready", len(r.published)), nil
	})
}

// isNewOf tells whether all of a number of tokens are published, and none of before.
func isNewOf(before, now map[string]string, number int) bool {
	for name, token := range now {
		if before[name] == token {
			return false
		}
	}
	return len(now) == number
}

// profileTime is how long a profile of the processor takes; a phase of a thousand takes longer.
const profileTime = 5 * time.Second

// profile keeps profiles of a phase of the last round, beside it.
func (r *round) profile(ctx context.Context, phase string) <-chan error {
	done := make(chan error, 1)
	files := map[string]string{phaseFirst: "first", phaseRenew: "renewal", phaseStart: "start", phaseDelete: "deletion"}
	if !r.profiled || r.number < 500 {
		done <- nil
		return done
	}
	go func() {
		done <- errors.Join(
			r.operator.keepProfile(ctx, fmt.Sprintf("profile?seconds=%d", int(profileTime.Seconds())), r.Path(files[phase]+".cpu.pprof")),
			r.operator.keepProfile(ctx, "allocs", r.Path(files[phase]+".allocs.pprof")),
		)
	}()
	return done
}
