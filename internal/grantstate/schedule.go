package grantstate

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
)

const (
	// minRenewBefore is the least life a token has left when it is renewed.
	minRenewBefore = 5 * time.Second
	// ClockJump is how far ahead of the clock an issue time may stand before it is
	// taken for a clock that jumped.
	ClockJump = 60 * time.Second
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
	share := backoff.Share(string(uid), issue.Unix())
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
