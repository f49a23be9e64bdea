package main

import (
	"context"
	"sync"
	"sync/atomic"
)

// atATime is how much is done side by side: by the bare loop, by the operator, and while things
// are made ready.
const atATime = 16

// together does something for each of a number of things, [atATime] at a time, until one fails.
func together(ctx context.Context, number int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(atATime, number) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < number && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}
