package main

import (
	"context"
	"time"

	"k8s.io/utils/clock"
)

// every calls f each time that an interval has gone by, until ctx ends.
func every(ctx context.Context, c clock.WithTicker, interval time.Duration, f func(context.Context)) error {
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
