// Package periodic does something again and again, by a clock that may be a test's.
package periodic

import (
	"context"
	"time"

	"k8s.io/utils/clock"
)

// Run calls f each time that an interval has gone by, for the first time after one, until ctx
// ends. It returns nil then, as a manager.Runnable does.
func Run(ctx context.Context, c clock.WithTicker, interval time.Duration, f func(context.Context)) error {
	ticker := c.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
			f(ctx)
		}
	}
}
