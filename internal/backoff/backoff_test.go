package backoff_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
)

func TestBackoff(t *testing.T) {
	for count := int32(0); count < 100; count++ {
		for _, left := range []time.Duration{-time.Hour, 0, time.Second, time.Minute, time.Hour, 10000 * time.Hour} {
			wait := backoff.After("uid", count, left)
			if wait < backoff.Shortest || wait > backoff.Longest {
				t.Errorf("failure %d with %s left waits %s", count, left, wait)
			}
			if quarter := max(left/4, backoff.Shortest); left > 0 && wait > quarter {
				t.Errorf("failure %d with %s left waits %s, more than a quarter", count, left, wait)
			}
		}
	}
	if backoff.After("a", 30, 0) == backoff.After("b", 30, 0) {
		t.Error("two credentials wait equally long")
	}
}

func TestAnyWaitIsWithinItsBounds(t *testing.T) {
	chance := rand.New(rand.NewPCG(2, 2))
	for range 100_000 {
		count := int32(chance.Uint32())
		if chance.IntN(2) == 0 {
			count %= 20
		}
		left := time.Duration(chance.Int64N(int64(4*365*24*time.Hour))) - 2*365*24*time.Hour
		for range chance.IntN(40) {
			left = left * 2 / 3
		}
		wait := backoff.After(fmt.Sprint(chance.Uint64()), count, left)
		if wait < backoff.Shortest || wait > backoff.Longest || left > 0 && wait > max(left/4, backoff.Shortest) {
			t.Fatalf("failure %d with %s left waits %s", count, left, wait)
		}
	}
}

// A wait that is longer than its own cap comes from a clock that was set back.
func TestWithin(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for sentence, c := range map[string]struct {
		until time.Time
		want  bool
	}{
		"the time has come":       {noon, false},
		"the time is past":        {noon.Add(-time.Hour), false},
		"a moment is left":        {noon.Add(1), true},
		"the whole wait is left":  {noon.Add(time.Minute), true},
		"more than it could have": {noon.Add(time.Minute + 1), false},
		"no time was ever set":    {time.Time{}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := backoff.Within(noon, c.until, time.Minute); got != c.want {
				t.Errorf("it is %v", got)
			}
		})
	}
}
