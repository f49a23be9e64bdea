// Package deadline ends work at a time, and knows a process that was stopped.
package deadline

import (
	"context"
	"time"

	"k8s.io/utils/clock"
)

// Margin is what a process that was stopped is given when it wakes up after its deadline.
const Margin = time.Second

// Until is a context that ends at a time of c, for its cause context.DeadlineExceeded. To a process
// that was stopped, and finds that time long past when it wakes up, it gives [Margin] more: an answer
// that came meanwhile waits to be read, and may be the only copy of a grant. So whoever sends something
// looks at the clock before. The function that comes with it ends the work at once.
func Until(ctx context.Context, c clock.WithDelayedExecution, at time.Time) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	end := func() { cancel(context.DeadlineExceeded) }
	left := at.Sub(c.Now())
	if left <= 0 {
		end()
		return ctx, end
	}
	timer := c.AfterFunc(left, func() {
		// Not in the timer's own time: a clock may hold a lock while it calls.
		go func() {
			if c.Now().Sub(at) < Margin {
				end()
			} else {
				c.AfterFunc(Margin, end)
			}
		}()
	})
	return ctx, func() {
		timer.Stop()
		cancel(context.Canceled)
	}
}
