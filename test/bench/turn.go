package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// turn is that of an operator in a round: of ours, or of the peer.
type turn struct {
	*round
	who     string
	results results
	// again is why there may be more calls than objects.
	again string
	start func() (*operator, error)
	// published tells the tokens that workloads can have now, by name, and how many objects there
	// are in all.
	published func(context.Context) (tokens map[string]string, objects int, err error)

	// operator is the one that runs, and lastToken when it had the last token.
	operator  *operator
	lastToken time.Time
	tokens    map[string]string
	objects   int
	// passes are those of the operator in the phases before.
	passes int
}

// phase is one of a turn.
type phase struct {
	name string
	// prepare is not measured, from begin on all is.
	prepare, begin func(context.Context) error
	// times are when the service did what is to be done for each object.
	times func() []time.Time
	// done tells whether the objects show it, too, where they had other tokens before.
	done func(before map[string]string) bool
}

// tokenPhases are those in which each object gets a new token.
func (t *turn) tokenPhases() []phase {
	return []phase{
		{phaseFirst, t.atOnce, t.begin, t.service.given, t.allAreNew},
		{phaseRenew, t.freezeUntilDue, t.renewAll, t.service.given, t.allAreNew},
		{phaseStart, t.stopUntilDue, t.begin, t.service.given, t.allAreNew},
	}
}

func (t *turn) run(ctx context.Context, phases ...phase) error {
	for _, p := range phases {
		if err := t.measure(ctx, p); err != nil {
			return fmt.Errorf("%s, %s: %w", t.who, p.name, err)
		}
	}
	return t.operator.Stop()
}

// measure measures a phase from its begin until each object has what it was to get.
func (t *turn) measure(ctx context.Context, p phase) error {
	if err := p.prepare(ctx); err != nil {
		return err
	}
	t.service.forget()
	before, err := t.used(ctx, nil)
	if err != nil {
		return err
	}
	if err := p.begin(ctx); err != nil {
		return err
	}
	// What a start costs the operator belongs to no token.
	err = t.await(ctx, t.operator, patience(t.number), "the first is there", func(context.Context) (bool, string, error) {
		return len(p.times()) > 0, "none so far", nil
	})
	if err != nil {
		return err
	}
	already := len(p.times())
	started, err := t.processor(t.operator)
	if err != nil {
		return err
	}
	profile := t.profile(ctx, p.name)
	if err := t.awaitAll(ctx, p); err != nil {
		return err
	}
	after, err := t.used(ctx, t.operator)
	if err != nil {
		return err
	}
	moments := p.times()
	t.lastToken = moments[len(moments)-1]
	m := since(before, after, moments)
	m.OperatorMS = eachMS(after.before.operator-started.operator, len(moments)-already)
	if m.PeakMiB, err = peakMemory(t.operator.ID()); err != nil {
		return err
	}
	done, err := t.operator.work(ctx)
	if err != nil {
		return err
	}
	m.Passes, t.passes = float64(done.passes-t.passes)/float64(len(moments)), done.passes
	if len(moments) > t.number {
		t.Say("  %d calls for %d credentials: %s", len(moments), t.number, t.again)
	}
	t.results[p.name] = append(t.results[p.name], m)
	t.Say("  %s, %s: %.0f a second, %.1f requests, %.1f passes, %.1f ms of its own, %.1f of kube-apiserver", t.who, p.name, m.PerSecond, m.Requests.all(), m.Passes, m.OperatorMS, m.APIServerMS)
	return <-profile
}

func (t *turn) atOnce(context.Context) error { return nil }

// freezeUntilDue waits until all is due, while nobody acts on it.
func (t *turn) freezeUntilDue(ctx context.Context) error {
	if err := t.operator.freeze(); err != nil {
		return err
	}
	return t.untilDue(ctx)
}

// stopUntilDue waits until all is due, while no operator runs.
func (t *turn) stopUntilDue(ctx context.Context) error {
	if err := t.operator.Stop(); err != nil {
		return err
	}
	t.service.SetTokenLifetime(time.Hour) // nothing of the operator is due in what follows
	return t.untilDue(ctx)
}

func (t *turn) untilDue(ctx context.Context) error {
	return sleep(ctx, time.Until(t.lastToken.Add(t.wait+time.Second)))
}

func (t *turn) begin(context.Context) (err error) {
	t.passes = 0
	t.operator, err = t.start()
	return err
}

func (t *turn) renewAll(context.Context) error { return t.operator.thaw() }

// awaitAll waits until the service was called for each object, and the objects show it.
func (t *turn) awaitAll(ctx context.Context, p phase) error {
	before := t.tokens
	return t.await(ctx, t.operator, patience(t.number), "each credential has what it was to get", func(ctx context.Context) (done bool, progress string, err error) {
		progress = fmt.Sprintf("%d of %d", len(p.times()), t.number)
		if len(p.times()) < t.number {
			return false, progress, nil
		}
		// The last ones are written yet. To look more often would cost the API server more than they do.
		if err := sleep(ctx, time.Second); err != nil {
			return false, progress, err
		}
		if t.tokens, t.objects, err = t.published(ctx); err != nil {
			return false, progress, err
		}
		return p.done(before), fmt.Sprintf("%d calls, %d of %d objects are ready", len(p.times()), len(t.tokens), t.objects), nil
	})
}

func (t *turn) allAreNew(before map[string]string) bool { return isNewOf(before, t.tokens, t.number) }

func (t *turn) allAreGone(map[string]string) bool { return t.objects == 0 }

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
func (t *turn) profile(ctx context.Context, phase string) <-chan error {
	done := make(chan error, 1)
	files := map[string]string{phaseFirst: "first", phaseRenew: "renewal", phaseStart: "start", phaseDelete: "deletion"}
	if !t.profiled || t.number < 500 || t.operator.profiles == "" {
		done <- nil
		return done
	}
	go func() {
		done <- errors.Join(
			t.operator.keepProfile(ctx, fmt.Sprintf("profile?seconds=%d", int(profileTime.Seconds())), t.Path(files[phase]+".cpu.pprof")),
			t.operator.keepProfile(ctx, "allocs", t.Path(files[phase]+".allocs.pprof")),
		)
	}()
	return done
}
