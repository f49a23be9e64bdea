package deadline_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/deadline"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func TestWorkEndsAtItsTime(t *testing.T) {
	for when, c := range map[string]struct {
		left  time.Duration
		steps []time.Duration
		ended []bool
	}{
		"in time":                         {15 * time.Second, []time.Duration{14 * time.Second, time.Second}, []bool{false, true}},
		"a little late":                   {15 * time.Second, []time.Duration{15*time.Second + deadline.Margin - 1}, []bool{true}},
		"a moment after a stop":           {15 * time.Second, []time.Duration{time.Hour, deadline.Margin - 1, 1}, []bool{false, false, true}},
		"at once where the time has come": {0, []time.Duration{0}, []bool{true}},
		"at once where it is past":        {-time.Hour, []time.Duration{0}, []bool{true}},
	} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := clocktesting.NewFakeClock(noon)
				ctx, end := deadline.Until(t.Context(), clock, noon.Add(c.left))
				defer end()
				for i, step := range c.steps {
					clock.Step(step)
					synctest.Wait()
					if ended := ctx.Err() != nil; ended != c.ended[i] {
						t.Fatalf("after step %d of %v it has ended: %v", i+1, c.steps, ended)
					}
				}
				if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
					t.Errorf("the cause is %v", cause)
				}
			})
		})
	}
}

func TestWorkThatIsDoneLeavesNoTimer(t *testing.T) {
	clock := clocktesting.NewFakeClock(noon)
	ctx, end := deadline.Until(t.Context(), clock, noon.Add(time.Second))
	end()
	if !errors.Is(ctx.Err(), context.Canceled) || clock.HasWaiters() {
		t.Errorf("it ended by %v, and a timer is left: %v", ctx.Err(), clock.HasWaiters())
	}
}
