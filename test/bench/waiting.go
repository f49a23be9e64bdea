package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// queue is what it costs to wait for the service's rate.
type queue struct {
	Credentials int `json:"credentials"`
	// Rate is the rate that is allowed, PerSecond the one that was used once the burst was over.
	Rate float64 `json:"rate"`
	measured
}

// measureWaiting has many credentials wait for first tokens at the default rate.
func (b *bench) measureWaiting(ctx context.Context) error {
	number := b.settings.waiting
	b.Say("%d credentials wait for first tokens, %d a second", number, spacesauth.DefaultRequestsPerSecond)
	if number <= spacesauth.DefaultBurst {
		return fmt.Errorf("%d credentials need not wait: the burst is %d; give more by --waiting", number, spacesauth.DefaultBurst)
	}
	if _, err := b.cluster.createCredentials(ctx, slowEnvironment, number); err != nil {
		return err
	}
	b.slow.forget()
	before, err := b.used(ctx, nil)
	if err != nil {
		return err
	}
	o, err := b.startOperator()
	if err != nil {
		return err
	}
	err = b.await(ctx, o, patience(number), "each has its token", func(ctx context.Context) (bool, string, error) {
		progress := fmt.Sprintf("%d of %d", len(b.slow.given()), number)
		if len(b.slow.given()) < number {
			return false, progress, nil
		}
		if err := sleep(ctx, time.Second); err != nil {
			return false, progress, err
		}
		ready, _, err := b.cluster.fingerprints(ctx)
		return len(ready) == number, progress, err
	})
	if err != nil {
		return err
	}
	after, err := b.used(ctx, o)
	if err != nil {
		return err
	}
	done, err := o.work(ctx)
	if err != nil {
		return err
	}
	moments := b.slow.given()
	found := queue{Credentials: number, Rate: spacesauth.DefaultRequestsPerSecond, measured: since(before, after, moments)}
	found.Passes = float64(done.passes) / float64(number)
	found.PerSecond = perSecond(moments[spacesauth.DefaultBurst:])
	b.report.Waiting = &found
	b.Say("  %.1f tokens a second, %.1f requests and %.1f passes each", found.PerSecond, found.Requests.all(), found.Passes)
	return errors.Join(o.Stop(), b.cluster.clean(ctx))
}
