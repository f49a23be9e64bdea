package grantstate

import (
	"errors"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Refusals that are not believed at once are asked again at these waits, then at the last one for
// ever. No life of a token shortens them.
var (
	// rungs are those of a refresh, and of a guest.
	rungs = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}
	// firstUseRungs are those of a seed and a code: a person waits for them.
	firstUseRungs = rungs[:3]
	// refusedRungs are those of a grant that only a person can replace. There are no more.
	refusedRungs = []time.Duration{5 * time.Minute, time.Hour}
)

const (
	// afterWebPage and afterUnclear are the waits before a password is sent once more: whoever
	// answered with a web page may not be the service at all.
	afterWebPage = time.Minute
	afterUnclear = 15 * time.Minute
	// codeLifetime is the longest that a code should live, RFC 6749 §4.1.2.
	codeLifetime = 10 * time.Minute
)

// rung is the wait before another try, after so many that ended alike.
func rung(rungs []time.Duration, count int32) time.Duration {
	return rungs[min(max(int(count), 1), len(rungs))-1]
}

// Failure is a spend that failed and is tried again.
type Failure struct {
	Kind   spacesauth.Kind `json:"kind"`
	SignIn bool            `json:"signIn,omitempty"`
	// Detail is spacesauth's own text.
	Detail string `json:"detail"`
	// Code is the service's, where there is one of OAuth.
	Code string `json:"code,omitempty"`
	// InputsHash covers what was sent beside a rotated refresh token. OtherHash is that of the
	// client's other secret, where that was refused just before.
	InputsHash string `json:"inputsHash,omitempty"`
	OtherHash  string `json:"otherHash,omitempty"`
	// GrantRefused tells that the service called the grant itself refused.
	GrantRefused bool `json:"grantRefused,omitempty"`
	// Refusals counts the refusals of the grant in a row, Rung the answers that are not believed
	// at once, and UnclearTime is when the last of those came.
	Refusals    int32     `json:"refusals,omitempty"`
	Rung        int32     `json:"rung,omitempty"`
	UnclearTime time.Time `json:"unclearTime,omitzero"`
	// Agreed tells that the failure before it said the same of a grant that can be replaced.
	Agreed bool `json:"agreed,omitempty"`
	// Told tells that the service asked for the wait. No request and no edit shortens it.
	Told bool `json:"told,omitempty"`
	// Count counts failures in a row.
	Count int32 `json:"count"`
	// Exponent is that of the backoff. It begins anew when the token expires: what was
	// tried often while life was left must not end in the longest wait.
	Exponent int32 `json:"exponent"`
	// Expired tells that no life was left at this failure.
	Expired bool `json:"expired,omitempty"`
	// NextAttemptTime is when the next call may be made.
	NextAttemptTime time.Time `json:"nextAttemptTime"`
}

// Failure is the last failed spend that is not made good, or nil: that of a sign-in goes
// before that of a refresh, because a sign-in is what a refused refresh leads to.
func (d Document) Failure() *Failure {
	if d.signInFailure != nil {
		return clone(d.signInFailure)
	}
	return clone(d.refreshFailure)
}

// settle turns a failed call into what the document remembers: a failure, which is
// tried again at its time, or a refusal of these inputs, which is not.
func (d Document) settle(s Spend, failed error, now time.Time) (*Failure, *Refusal) {
	uid, previous := d.credentialUID, d.failureOf(s.signIn)
	f := &Failure{
		Kind: spacesauth.KindOf(failed), SignIn: s.signIn, Detail: failed.Error(),
		InputsHash: s.hash, Count: 1, Exponent: 1, Expired: s.lifeLeft(now) <= 0,
	}
	var answered *spacesauth.Error
	if errors.As(failed, &answered) {
		f.Code = answered.Code
	}
	f.afterOther(s, previous, d.inputs)
	if previous != nil {
		f.Count = previous.Count + 1
		f.Refusals, f.Rung, f.UnclearTime = previous.Refusals, previous.Rung, previous.UnclearTime
		if f.Expired == previous.Expired {
			f.Exponent = previous.Exponent + 1
		}
	}
	f.NextAttemptTime = now.Add(backoff.After(string(uid), f.Exponent, s.lifeLeft(now)))
	refused := &Refusal{Hash: s.hash, Kind: f.Kind, Detail: f.Detail, Code: f.Code, SignIn: f.SignIn}
	if s.first != nil {
		refused.GrantID, refused.Import = s.first.GrantID, s.first.Import != nil
	}

	switch f.Kind {
	case spacesauth.KindRejectedGrant:
		if f.SignIn {
			return nil, refused
		}
		f.refuseGrant(s, now)
	case spacesauth.KindRejectedClient, spacesauth.KindRejectedRequest:
		// Servers say so of their own trouble, too. What worked before is worth another try, and so
		// is what can be replaced in the end.
		isReplaceable := s.replaceable && f.Kind == spacesauth.KindRejectedRequest
		workedBefore := d.inputs.Refreshed == s.hash || s.other != "" && d.inputs.Refreshed == s.other
		switch {
		case s.isRotating(f) && !s.hasExpiredCode(now): // the service may have changed it between the two
		case f.SignIn, !workedBefore && !isReplaceable:
			return nil, refused
		}
		f.Agreed = isReplaceable && agrees(previous, f)
		f.climb(rungs, now)
	case spacesauth.KindUnclear:
		switch {
		case s.by == v1alpha1.GrantTypePassword:
			if !f.sendOnceMore(s, failed, now) {
				return nil, refused
			}
		case s.first != nil:
			if s.hasExpiredCode(now) {
				return nil, refused
			}
			f.climb(firstUseRungs, now)
		default:
			f.Agreed = s.replaceable && agrees(previous, f)
			f.climb(rungs, now)
		}
	case spacesauth.KindThrottled:
		if answered != nil && answered.RetryAfter > 0 {
			f.Told, f.NextAttemptTime = true, now.Add(answered.RetryAfter)
		}
	case spacesauth.KindUnavailable, spacesauth.KindAmbiguous:
		// The backoff begins with one second: a quick replay comes first.
	}
	return f, nil
}

// hasExpiredCode tells that what was sent is a code that no service should take any more.
func (s Spend) hasExpiredCode(now time.Time) bool {
	return s.first != nil && !s.first.Code.Empty() && now.Sub(s.first.Time) >= codeLifetime
}

// refuseGrant believes that the grant has ended. What can sign in by itself does so at once.
// Where a person has to, it is told at once, and the service is asked twice more.
func (f *Failure) refuseGrant(s Spend, now time.Time) {
	f.GrantRefused = true
	f.Refusals++
	f.NextAttemptTime = now.Add(backoff.Shortest)
	if !s.replaceable {
		f.NextAttemptTime = now.Add(rung(refusedRungs, f.Refusals))
	}
}

// climb has what was not believed asked again.
func (f *Failure) climb(rungs []time.Duration, now time.Time) {
	f.Rung++
	f.UnclearTime = now
	f.NextAttemptTime = now.Add(rung(rungs, f.Rung))
}

// countsAsRefused tells that a grant that can be replaced is not worth waiting for: its token has
// expired, and the service said the same of it twice.
func (f *Failure) countsAsRefused(grant *Grant, now time.Time) bool {
	return f != nil && f.Agreed && grant.Token != nil && !now.Before(grant.Token.ExpirationTime)
}

// agrees tells that two failures of a refresh in a row say the same.
func agrees(previous, f *Failure) bool {
	return previous != nil && previous.Kind == f.Kind && !f.SignIn
}

// sendOnceMore tells when a password is sent again that had an unclear answer; false is never. The
// second such answer is a refusal if somebody had a clear one of that host in between: it is the
// password then, and not what stands on the way.
func (f *Failure) sendOnceMore(s Spend, failed error, now time.Time) bool {
	before := f.UnclearTime
	f.Rung++
	f.UnclearTime = now
	var answered *spacesauth.Error
	switch {
	case f.Rung > 1 && s.hostCleared.After(before):
		return false
	case f.Rung > 1:
		f.NextAttemptTime = now.Add(time.Hour)
	case errors.As(failed, &answered) && answered.WebPage:
		f.NextAttemptTime = now.Add(afterWebPage)
	default:
		f.NextAttemptTime = now.Add(afterUnclear)
	}
	return true
}

// IsLasting tells that the client, or the form of the request, was refused for so long that a
// person has to look.
func (f *Failure) IsLasting() bool {
	isRefusal := f.Kind == spacesauth.KindRejectedClient || f.Kind == spacesauth.KindRejectedRequest
	return isRefusal && int(f.Rung) >= len(rungs)
}

// isAskedAgain tells that a grant was refused that only a person can replace, and that the service
// is asked once more.
func (f *Failure) isAskedAgain() bool {
	return f != nil && f.GrantRefused && int(f.Refusals) <= len(refusedRungs)
}

// failureOf is the last failure of a kind of spend.
func (d Document) failureOf(signIn bool) *Failure {
	if signIn {
		return d.signInFailure
	}
	return d.refreshFailure
}

// failed remembers the last failure of a kind of spend; nil when it is judged for good.
func (d *Document) failed(signIn bool, f *Failure) {
	if signIn {
		d.signInFailure = f
	} else {
		d.refreshFailure = f
	}
}

// holds tells whether the failure still stands in the way of a call that sends what hash
// covers: its time has not come, and no input has changed since. No change shortens what the
// service asked for. A wait that is longer
// than any it could have been given comes from a clock that was set back, and has passed.
func (f Failure) holds(now time.Time, hash string) bool {
	if !f.Told && hash != "" && f.InputsHash != "" && hash != f.InputsHash && hash != f.OtherHash {
		return false
	}
	return backoff.Within(now, f.NextAttemptTime, f.longestWait())
}

// longestWait is the cap of the wait that a failure is given.
func (f Failure) longestWait() time.Duration {
	switch f.Kind {
	case spacesauth.KindUnclear, spacesauth.KindRejectedGrant, spacesauth.KindRejectedClient, spacesauth.KindRejectedRequest:
		return rungs[len(rungs)-1]
	case spacesauth.KindThrottled:
		return spacesauth.MaxRetryAfter
	case spacesauth.KindUnavailable, spacesauth.KindAmbiguous:
	}
	return backoff.Longest
}

// leaves gives what the failure says of the grant that was sent.
func (f Failure) leaves(before Condition) Condition {
	switch {
	case f.GrantRefused:
		return Refused
	case f.Kind == spacesauth.KindAmbiguous:
		return Ambiguous
	}
	return before
}

// Wakes lists the times at which a look at the document may find something new to do,
// from stored times alone; some may be past.
func (d Document) Wakes(now time.Time) []time.Time {
	var wakes []time.Time
	if token := d.Token(); token != nil {
		wakes = append(wakes, token.RenewalTime, token.ExpirationTime)
		if token.Check != nil {
			wakes = append(wakes, token.Check.NextAttemptTime)
		}
	}
	if d.grant != nil {
		wakes = append(wakes, d.grant.End.wakes()...)
	}
	if current := d.Publishable(); current != nil {
		wakes = append(wakes, current.Token.ExpirationTime)
	}
	for _, f := range []*Failure{d.signInFailure, d.refreshFailure} {
		if f != nil {
			wakes = append(wakes, f.NextAttemptTime, now.Add(f.longestWait()))
		}
	}
	if !d.deniedSince.IsZero() {
		wakes = append(wakes, d.deniedSince.Add(Withdrawal))
	}
	for _, entry := range d.pending {
		wakes = append(wakes, entry.NotBefore, entry.TokenExpirationTime)
		if entry.Attempts > 0 {
			wakes = append(wakes, entry.NextAttemptTime)
		}
	}
	return wakes
}
