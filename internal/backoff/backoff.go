// Package backoff says how long something that failed is left alone. Its waits depend
// on their arguments alone: chance would make a wait that nobody can compute again.
package backoff

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"time"
)

// Shortest and Longest bound the wait after a failed call.
const (
	Shortest = time.Second
	Longest  = 10 * time.Minute
)

// After is the wait after the count-th failure in a row of what key names: exponential,
// moved by a stable share. While there is life left it is at most a quarter of it.
func After(key string, count int32, lifeLeft time.Duration) time.Duration {
	wait := Longest
	if doubled := float64(Shortest) * math.Pow(2, float64(max(count, 1)-1)); doubled < float64(Longest) {
		wait = time.Duration(doubled)
	}
	if lifeLeft > 0 {
		wait = min(wait, lifeLeft/4)
	}
	wait -= time.Duration(float64(wait) * 0.5 * Share(key, int64(count)))
	return max(wait, Shortest)
}

// Within tells whether a wait is not over. One longer than its own cap comes from a
// clock that was set back, and is.
func Within(now, until time.Time, longest time.Duration) bool {
	left := until.Sub(now)
	return left > 0 && left <= longest
}

// Share gives a number in [0, 1) that depends on its arguments alone.
func Share(key string, number int64) float64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(key))
	_ = binary.Write(hash, binary.BigEndian, number)
	// FNV leaves its high bits poorly mixed for short inputs; fold them.
	mixed := hash.Sum64()
	mixed ^= mixed >> 33
	mixed *= 0xff51afd7ed558ccd
	mixed ^= mixed >> 33
	return float64(mixed>>11) / (1 << 53)
}
