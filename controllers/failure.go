package controllers

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// recheckUnclear is how long an unclear refusal of a refresh is left alone.
const recheckUnclear = time.Hour

// settle turns a failed call into what the document remembers: a failure, which is
// tried again at its time, or a refusal of these inputs, which is not.
func settle(uid types.UID, s spend, previous *failure, failed error, now time.Time) (*failure, *refusal) {
	f := &failure{
		Kind: spacesauth.KindOf(failed), SignIn: s.signIn, Detail: failed.Error(),
		InputsHash: s.inputsHash, Count: 1, Exponent: 1, Expired: s.lifeLeft(now) <= 0,
	}
	if previous != nil && previous.SignIn == f.SignIn {
		f.Count = previous.Count + 1
		if f.Expired == previous.Expired {
			f.Exponent = previous.Exponent + 1
		}
	}
	f.NextAttemptTime = now.Add(backoff(uid, f.Exponent, s.lifeLeft(now)))
	refused := &refusal{Hash: s.inputsHash, Kind: f.Kind, Detail: f.Detail, SignIn: f.SignIn}
	if s.first != nil {
		refused.GrantID = s.first.GrantID
	}

	switch f.Kind {
	case spacesauth.KindRejectedGrant:
		if f.SignIn {
			return nil, refused
		}
		f.GrantRefused = true
		f.NextAttemptTime = now.Add(minBackoff)
	case spacesauth.KindRejectedClient, spacesauth.KindRejectedRequest:
		return nil, refused
	case spacesauth.KindUnclear:
		// A seed may still be good, and a guest has nothing that could be wrong for good.
		if s.by == v1alpha1.GrantTypePassword || s.by == v1alpha1.GrantTypeAuthorizationCode {
			return nil, refused
		}
		agreed := previous != nil && previous.Kind == spacesauth.KindUnclear && !previous.SignIn
		if s.passwordIsLeft && agreed && s.lifeLeft(now) <= 0 {
			f.GrantRefused = true
			f.NextAttemptTime = now.Add(minBackoff)
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

// holds tells whether the failure still stands in the way of a call: its time has not
// come, and no input has changed since. A wait that is longer than any it could have
// been given comes from a clock that was set back, and has passed.
func (f failure) holds(now time.Time, signInHash, refreshHash string) bool {
	hash := refreshHash
	if f.SignIn {
		hash = signInHash
	}
	if hash != "" && f.InputsHash != "" && hash != f.InputsHash {
		return false
	}
	return within(now, f.NextAttemptTime, f.longestWait())
}

// longestWait is the cap of the wait that a failure is given.
func (f failure) longestWait() time.Duration {
	switch f.Kind {
	case spacesauth.KindUnclear:
		return recheckUnclear
	case spacesauth.KindThrottled:
		return spacesauth.MaxRetryAfter
	case spacesauth.KindRejectedGrant, spacesauth.KindRejectedClient, spacesauth.KindRejectedRequest,
		spacesauth.KindUnavailable, spacesauth.KindAmbiguous:
	}
	return maxBackoff
}

// leaves gives what the failure says of the grant that was sent.
func (f failure) leaves(before grantCondition) grantCondition {
	switch {
	case f.GrantRefused:
		return grantRefused
	case f.Kind == spacesauth.KindAmbiguous:
		return grantAmbiguous
	}
	return before
}

// reason is the condition reason of a failure.
func (f failure) reason() string { return reasonOf(f.Kind) }

// message is the condition message of a failure.
func (f failure) message() string {
	what := "Refreshing the grant"
	if f.SignIn {
		what = "Signing in"
	}
	return fmt.Sprintf("%s failed: %s. The operator tries again by itself.", what, f.Detail)
}

// finding is the condition of a refusal that stands.
func (r refusal) finding(credential *v1alpha1.SpacesCredential) *finding {
	what := "refresh"
	switch {
	case r.SignIn && credential.Spec.RefreshToken != nil:
		what = "refresh token that was put in"
	case r.SignIn && credential.Spec.AuthorizationCode != nil:
		what = "code of the sign-in"
	case r.SignIn:
		what = "sign-in"
	}
	return blocked(reasonOf(r.Kind), "The service refused the %s: %s. It is not asked again until an input changes. %s", what, r.Detail, remedyOf(r.Kind, credential))
}

// remedyOf says what a person can do about a refusal.
func remedyOf(kind spacesauth.Kind, credential *v1alpha1.SpacesCredential) string {
	switch kind {
	case spacesauth.KindRejectedGrant:
		if credential.Spec.Password == nil {
			return signInAgain(credential)
		}
		return "Correct user name and password in the Secret that spec.password names."
	case spacesauth.KindRejectedClient:
		return "Correct client ID and secret in the Secret that spec.clientSecretRef names, or have the client allowed this grant type."
	case spacesauth.KindRejectedRequest:
		return "Correct spec.scopes, or have the client allowed this grant type."
	case spacesauth.KindUnclear, spacesauth.KindThrottled, spacesauth.KindUnavailable, spacesauth.KindAmbiguous:
	}
	return "Change the inputs to try again."
}

// reasonOf names the condition reason of each kind of failure.
func reasonOf(kind spacesauth.Kind) string {
	switch kind {
	case spacesauth.KindRejectedGrant:
		return v1alpha1.ReasonGrantRejected
	case spacesauth.KindRejectedClient:
		return v1alpha1.ReasonClientRejected
	case spacesauth.KindRejectedRequest:
		return v1alpha1.ReasonRequestRejected
	case spacesauth.KindUnclear:
		return v1alpha1.ReasonResponseUnclear
	case spacesauth.KindThrottled:
		return v1alpha1.ReasonThrottled
	case spacesauth.KindUnavailable:
		return v1alpha1.ReasonServiceUnavailable
	case spacesauth.KindAmbiguous:
		return v1alpha1.ReasonAmbiguousResult
	}
	return v1alpha1.ReasonServiceUnavailable
}
