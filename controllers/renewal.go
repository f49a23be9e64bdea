package controllers

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// minRenewBefore is the least life a token has left when it is renewed.
	minRenewBefore = 5 * time.Second
	// clockJump is how far ahead of the clock an issue time may stand before it is
	// taken for a clock that jumped.
	clockJump = 60 * time.Second
	// minWait is the least time from the beginning of the second of issue to the renewal,
	// so that even a token of some seconds is not renewed within the second it was made.
	minWait = 2 * time.Second
	// maxSpread is the share of the wait that spreads renewals, in percent.
	maxSpread = 10
)

// schedule computes the times of a token answer, once, in whole seconds. The
// renewal is moved earlier by a stable share of the wait, so that tokens issued
// together are not renewed together.
func schedule(uid types.UID, renewal v1alpha1.Renewal, issueTime time.Time, lifetime time.Duration) (issue, renew, expire time.Time) {
	issue = issueTime.UTC().Truncate(time.Second)
	lifetime = max(lifetime.Truncate(time.Second), time.Second)
	wait := lifetime - renewBefore(renewal, lifetime)
	share := stableShare(uid, issue.Unix())
	spread := time.Duration(float64(wait) * share * maxSpread / 100)
	renew = issue.Add(max((wait - spread).Truncate(time.Second), min(minWait, lifetime)))
	return issue, renew, issue.Add(lifetime)
}

// renewBefore is how much life is left at the renewal: at least five seconds, and
// at most half of the lifetime, which wins.
func renewBefore(renewal v1alpha1.Renewal, lifetime time.Duration) time.Duration {
	percent := int32(v1alpha1.DefaultRenewBeforePercent)
	if renewal.RenewBeforePercent != nil {
		percent = *renewal.RenewBeforePercent
	}
	before := lifetime / 100 * time.Duration(percent)
	if renewal.RenewBeforeSeconds != nil {
		before = time.Duration(*renewal.RenewBeforeSeconds) * time.Second
	}
	return min(max(before, minRenewBefore), lifetime/2)
}

// stableShare gives a number in [0, 1) that depends on its arguments alone.
func stableShare(uid types.UID, number int64) float64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(uid))
	_ = binary.Write(hash, binary.BigEndian, number)
	// FNV leaves its high bits poorly mixed for short inputs; fold them.
	mixed := hash.Sum64()
	mixed ^= mixed >> 33
	mixed *= 0xff51afd7ed558ccd
	mixed ^= mixed >> 33
	return float64(mixed>>11) / (1 << 53)
}

const (
	// minBackoff and maxBackoff bound the wait after a failed call.
	minBackoff = time.Second
	maxBackoff = 10 * time.Minute
)

// backoff is the wait after the count-th failure in a row: exponential, moved by a
// stable share. While the token has life left it is at most a quarter of it.
func backoff(uid types.UID, count int32, lifeLeft time.Duration) time.Duration {
	wait := maxBackoff
	if doubled := float64(minBackoff) * math.Pow(2, float64(max(count, 1)-1)); doubled < float64(maxBackoff) {
		wait = time.Duration(doubled)
	}
	if lifeLeft > 0 {
		wait = min(wait, lifeLeft/4)
	}
	wait -= time.Duration(float64(wait) * 0.5 * stableShare(uid, int64(count)))
	return max(wait, minBackoff)
}
