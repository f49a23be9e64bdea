package main

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"
)

func TestWhatTheManagerLeavesIsDrainedWhateverItDoes(t *testing.T) {
	failed, unsaved := errors.New("the lease is lost"), errors.New("an answer is kept in memory")
	for sentence, c := range map[string]struct {
		stays, asked    bool
		ends, drained   error
		says            string
		withoutAnyError bool
	}{
		"one that ends well when it is asked":        {asked: true, withoutAnyError: true},
		"one that loses its lease":                   {ends: failed, says: "the lease is lost"},
		"one that stays":                             {asked: true, stays: true, says: "the manager did not stop within 25s"},
		"one that stays, and leaves something":       {asked: true, stays: true, drained: unsaved, says: "left behind; if the log tells of lists that failed, it was waiting for those; an answer is kept in memory"},
		"one that ends well, and leaves something":   {asked: true, drained: unsaved, says: "an answer is kept in memory"},
		"one that loses its lease, and leaves a bit": {ends: failed, drained: unsaved, says: "the lease is lost; an answer is kept in memory"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g := NewWithT(t)
			now := clocktesting.NewFakeClock(time.Unix(1_000_000, 0))
			s := &settings{clock: now, gracefulShutdownTimeout: 25 * time.Second}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if c.asked {
				stop()
			}
			hold := make(chan struct{})
			t.Cleanup(func() { close(hold) })
			drained, done := false, make(chan error, 1)
			go func() {
				done <- s.work(ctx, func(context.Context) error {
					if c.stays {
						<-hold
					}
					return c.ends
				}, func(ctx context.Context) error {
					drained = ctx.Err() == nil
					return c.drained
				})
			}()
			if c.stays {
				g.Eventually(now.HasWaiters).Should(BeTrue())
				now.Step(25*time.Second - 1)
				g.Expect(done).NotTo(Receive(), "the manager has all of its time")
				now.Step(1)
			}
			var err error
			g.Eventually(done).Should(Receive(&err))
			g.Expect(drained).To(BeTrue(), "with time of its own")
			if c.withoutAnyError {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			g.Expect(err.Error()).NotTo(ContainSubstring("\n"))
		})
	}
}
