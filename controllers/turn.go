package controllers

import (
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// briefWait is a wait in the queue that is no news: it costs no write of the status.
	briefWait = 5 * time.Second
	// briefRecheck is when it is looked at again, should it last longer than expected.
	briefRecheck = time.Minute
)

// turn is the right to make one call now. It ends with made or giveBack.
type turn struct {
	r    *Reconciler
	s    *scope
	turn *gate.Turn
	call gate.Call
	// began is when it was given.
	began time.Time
}

// refusal is why there is no turn yet.
type refusal struct {
	outcome
	// queuedSince is since when the credential stands in the queue; zero while it does not.
	queuedSince time.Time
}

// turn asks for one call to an environment. Without one the refusal says what is in the way.
// Whoever stands in the queue is woken when its turn has come.
func (r *Reconciler) turn(s *scope, call gate.Call) (*turn, refusal) {
	now := r.Clock.Now()
	if call.Environment.Paused {
		return nil, refusal{outcome: environmentPaused(call.Environment.Name)}
	}
	if paced := r.pace(s, now); paced.standing != settled {
		return nil, refusal{outcome: paced}
	}
	call.Caller = s.key
	if token := s.document.Token(); token != nil {
		call.Worked = token.IssueTime
	}
	given, wait := r.Gates.Ask(call)
	if given == nil {
		return nil, refusal{outcome: waitsFor(wait, now), queuedSince: wait.Since}
	}
	return &turn{r: r, s: s, turn: given, call: call, began: now}, refusal{}
}

// pace is in the way while the last call of a credential was less than a second ago.
func (r *Reconciler) pace(s *scope, now time.Time) outcome {
	for _, last := range []time.Time{r.memory.of(s.key).lastCall, s.document.ClaimTime()} {
		if next := last.Add(callPause); backoff.Within(now, next, callPause) {
			return pacedUntil(next)
		}
	}
	return outcome{}
}

// waitsFor tells what a credential without a turn waits for.
func waitsFor(wait *gate.Wait, now time.Time) outcome {
	woken := now.Add(slowRecheck)
	switch wait.Cause {
	case gate.Patience:
		return throttled(wait.Whom).at(wait.Until)
	case gate.Down:
		return unavailable(wait.Detail).inQueue(woken)
	case gate.Queue:
	}
	paced := pacedUntil(woken)
	paced.isBrief = wait.Expected <= briefWait && now.Sub(wait.Since) < briefRecheck
	return paced
}

// begin tells that the call is prepared from now on. If the turn has lapsed it is waited for
// anew.
func (t *turn) begin() outcome {
	if t.turn.Begin() {
		return outcome{}
	}
	return pacedUntil(t.r.Clock.Now().Add(slowRecheck))
}

// send tells that the call leaves now.
func (t *turn) send() { t.turn.Send() }

// made tells how the call ended.
func (t *turn) made(failed error) {
	t.turn.Leave(failed)
	t.r.memory.change(t.s.key, func(known *recollection) { known.lastCall = t.began })
}

// hostCleared is when somebody last had a clear answer of the host.
func (t *turn) hostCleared() time.Time { return t.r.Gates.Cleared(t.call) }

// giveBack tells that no call was made.
func (t *turn) giveBack() { t.turn.GiveBack() }

// spending is a call that spends a grant, as the gate sees it.
func (s *scope) spending(client *spacesauth.Client, what grantstate.Action) gate.Call {
	isGuest := what == grantstate.SignIn && s.credential.Spec.GrantType == v1alpha1.GrantTypeAnonymous
	return gate.Call{Environment: client.Environment(), API: isGuest, Urgency: s.urgency(s.document.Failure() != nil)}
}

// checking is a check of a token. It is as urgent as what it holds up.
func (s *scope) checking(client *spacesauth.Client, which v1alpha1.Verification, attempts int32) gate.Call {
	return gate.Call{
		Environment: client.Environment(), API: which == v1alpha1.VerificationUserProfile,
		Urgency: s.urgency(attempts > 0),
	}
}

// revoking is the revocation of a grant. At its deadline it is owed. One that nobody waits for
// has time.
func (s *scope) revoking(client *spacesauth.Client, isOwed, isAsked bool) gate.Call {
	call := gate.Call{Environment: client.Environment(), Owed: isOwed, Urgency: gate.Urgency{Class: gate.First}}
	if isOwed || isAsked || s.isEnding() {
		call.Urgency.Class = gate.Urgent
	}
	return call
}

// isEnding tells that somebody waits for the end of the credential, or of its state.
func (s *scope) isEnding() bool {
	return s.isGone() || !s.credential.DeletionTimestamp.IsZero() || s.state != nil && !s.state.deletion.IsZero()
}

// urgency is that of a call for the next token: by the end of the one that is published, or was
// last. In its last tenth it is urgent, unless the last try failed: what fails again and again
// must not come before everything else.
func (s *scope) urgency(failed bool) gate.Urgency {
	current := s.document.Publishable()
	if current == nil {
		return gate.Urgency{Class: gate.First}
	}
	u := gate.Urgency{Class: gate.Renewal, Expires: current.Token.ExpirationTime}
	if !failed {
		u.UrgentFrom = u.Expires.Add(-current.Token.ExpirationTime.Sub(current.Token.IssueTime) / 10)
	}
	return u
}
