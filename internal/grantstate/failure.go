package grantstate

import (
	"errors"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// recheckUnclear is how long an unclear refusal is left alone.
const recheckUnclear = time.Hour

// Failure is a spend that failed and is tried again.
type Failure struct {
	Kind   spacesauth.Kind `json:"kind"`
	SignIn bool            `json:"signIn,omitempty"`
	// Detail is spacesauth's own text.
	Detail string `json:"detail"`
	// InputsHash covers what was sent beside a rotated refresh token.
	InputsHash string `json:"inputsHash,omitempty"`
	// GrantRefused tells that the service called the grant itself refused.
	GrantRefused bool `json:"grantRefused,omitempty"`
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
	if previous != nil {
		f.Count = previous.Count + 1
		if f.Expired == previous.Expired {
			f.Exponent = previous.Exponent + 1
		}
	}
	f.NextAttemptTime = now.Add(backoff.After(string(uid), f.Exponent, s.lifeLeft(now)))
	refused := &Refusal{Hash: s.hash, Kind: f.Kind, Detail: f.Detail, SignIn: f.SignIn}
	if s.first != nil {
		refused.GrantID = s.first.GrantID
	}

	switch f.Kind {
	case spacesauth.KindRejectedGrant:
		if f.SignIn {
			return nil, refused
		}
		f.GrantRefused = true
		f.NextAttemptTime = now.Add(backoff.Shortest)
	case spacesauth.KindRejectedClient, spacesauth.KindRejectedRequest:
		return nil, refused
	case spacesauth.KindUnclear:
		// A seed may still be good, and a guest has nothing that could be wrong for good.
		if s.by == v1alpha1.GrantTypePassword || s.by == v1alpha1.GrantTypeAuthorizationCode {
			return nil, refused
		}
		agreed := previous != nil && previous.Kind == spacesauth.KindUnclear && !f.SignIn
		if s.replaceable && agreed && s.lifeLeft(now) <= 0 {
			f.GrantRefused = true
			f.NextAttemptTime = now.Add(backoff.Shortest)
			break
		}
		f.NextAttemptTime = now.Add(recheckUnclear)
	case spacesauth.KindThrottled:
		var answered *spacesauth.Error
		if errors.As(failed, &answered) && answered.RetryAfter > 0 {
			f.NextAttemptTime = now.Add(answered.RetryAfter)
		}
	case spacesauth.KindUnavailable, spacesauth.KindAmbiguous:
		// The backoff begins with one second: a quick replay comes first.
	}
	return f, nil
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
// covers: its time has not come, and no input has changed since. A wait that is longer
// than any it could have been given comes from a clock that was set back, and has passed.
func (f Failure) holds(now time.Time, hash string) bool {
	if hash != "" && f.InputsHash != "" && hash != f.InputsHash {
		return false
	}
	return backoff.Within(now, f.NextAttemptTime, f.longestWait())
}

// longestWait is the cap of the wait that a failure is given.
func (f Failure) longestWait() time.Duration {
	switch f.Kind {
	case spacesauth.KindUnclear:
		return recheckUnclear
	case spacesauth.KindThrottled:
		return spacesauth.MaxRetryAfter
	case spacesauth.KindRejectedGrant, spacesauth.KindRejectedClient, spacesauth.KindRejectedRequest,
		spacesauth.KindUnavailable, spacesauth.KindAmbiguous:
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
	if current := d.Publishable(); current != nil {
		wakes = append(wakes, current.Token.ExpirationTime)
	}
	for _, f := range []*Failure{d.signInFailure, d.refreshFailure} {
		if f != nil {
			wakes = append(wakes, f.NextAttemptTime, now.Add(f.longestWait()))
		}
	}
	for _, entry := range d.pending {
		wakes = append(wakes, entry.NotBefore, entry.TokenExpirationTime)
		if entry.Attempts > 0 {
			wakes = append(wakes, entry.NextAttemptTime)
		}
	}
	return wakes
}
