package main

import (
	"context"
	"fmt"
)

// work runs a manager until it ends or ctx does, and drains what is left of it. After ctx
// ended the manager has --graceful-shutdown-timeout: it may never return, which one of
// controller-runtime does not while its caches wait for a list that never succeeds.
func (s *settings) work(ctx context.Context, manager, drain func(context.Context) error) error {
	ended := make(chan error, 1) // nobody may be there any more to take it
	go func() { ended <- manager(ctx) }()
	var failed error
	select {
	case failed = <-ended:
	case <-ctx.Done():
		failed = s.stopped(ended)
	}

	// With a lost lease the manager leaves its workers no time at all. What the service
	// has answered must reach the state all the same.
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.gracefulShutdownTimeout)
	defer cancel()
	switch unsaved := drain(rest); {
	case unsaved == nil:
		return failed
	case failed == nil:
		return unsaved
	default: // on one line, which errors.Join would not keep
		return fmt.Errorf("%w; %w", failed, unsaved)
	}
}

// stopped waits for the end of a manager that was asked to end.
func (s *settings) stopped(ended <-chan error) error {
	grace := s.clock.NewTimer(s.gracefulShutdownTimeout)
	defer grace.Stop()
	select {
	case err := <-ended:
		return err
	case <-grace.C():
		return fmt.Errorf("the manager did not stop within %s (--graceful-shutdown-timeout) and is left behind; "+
			"if the log tells of lists that failed, it was waiting for those", s.gracefulShutdownTimeout)
	}
}
