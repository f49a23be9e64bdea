package controllers

import (
	"context"
	"slices"

	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// renew brings the document up to date: it decides whether a call is due and has it made.
// It returns what holds the credential up.
func (r *Reconciler) renew(ctx context.Context, s *scope) (outcome, error) {
	if s.credential.Spec.Suspend {
		return suspended(), nil
	}
	if s.queued.standing != settled {
		return s.queued, nil
	}
	if wait := r.othersClaim(ctx, s); wait.isTrouble() {
		return wait, nil
	}
	if err := r.noteConsent(ctx, s); err != nil {
		return outcome{}, err
	}
	if err := r.export(ctx, s); err != nil {
		return outcome{}, err
	}
	verdict := s.decide(s.inputs.seen)
	switch {
	case s.judged(s.inputs.seen).RevokeRequest() != "":
		return r.revokeOnRequest(ctx, s, verdict)
	case s.consent.forbids(verdict):
		return s.consent.problem, nil
	case s.obstacle.isTrouble():
		return s.obstacle, nil
	case verdict.Hold == grantstate.EnvironmentPaused && verdict.Action == grantstate.Nothing:
		// An input that is changed, and changed back before the environment is resumed, was changed.
		return s.held(verdict), r.forgiveOthers(ctx, s, grantstate.SignIn)
	case verdict.Action == grantstate.Nothing:
		return s.held(verdict), nil
	case verdict.Action == grantstate.SignIn && s.revocationGoesFirst():
		return s.retryLater(), nil
	}
	claims := s.document.Claims()
	out, err := r.obtain(ctx, s, verdict)
	if err == nil && out.standing != startOver && s.exportWaits {
		err = r.export(ctx, s)
		if s.document.Exported() != nil {
			return s.held(s.decide(s.inputs.seen)), err
		}
	}
	if err != nil || out.standing == startOver || verdict.Hold == grantstate.Free || s.document.Claims() > claims {
		return out, err
	}
	// The living grant is to be renewed meanwhile. What is told is what holds up the new one.
	return s.held(verdict).orSooner(out.wake), nil
}

// revocationGoesFirst tells that a person asked for the end of grants that were not tried to
// be revoked yet. A sign-in that failed once has to wait for that: there is one call in a pass.
func (s *scope) revocationGoesFirst() bool {
	return slices.ContainsFunc(s.document.Pending(), func(l grantstate.Listed) bool { return l.Always && l.Attempts == 0 })
}

// retryLater tells of a sign-in whose time has come and that is made in the next pass.
func (s *scope) retryLater() outcome {
	next := s.now.Add(callPause)
	if failed := s.document.Failure(); failed != nil {
		return failedBefore(failed, s.credential).at(next)
	}
	return pacedUntil(next)
}

// revokeOnRequest lists every grant as due now because a person asks for it, whatever the
// policy says. What can sign in by itself tries that once before, and the answer lists the
// old grants, whatever it is; a turn that has not come yet is waited for.
func (r *Reconciler) revokeOnRequest(ctx context.Context, s *scope, verdict grantstate.Verdict) (outcome, error) {
	request := s.judged(s.inputs.seen).RevokeRequest()
	held := firstTrouble(s.consent.problem, s.obstacle, s.environmentProblem)
	if verdict.Action == grantstate.SignIn && held.standing == settled {
		var err error
		if held, err = r.obtain(ctx, s, verdict); err != nil || held.standing == paced || held.standing == startOver {
			return held, err
		}
	}
	if s.document.HandledRevokeRequest() == request {
		return held, nil
	}
	err := r.update(ctx, s, func(d *grantstate.Document) { d.RevokeAll(request, r.Clock.Now()) })
	if err != nil {
		return outcome{}, err
	}
	return firstTrouble(held, s.held(s.decide(s.inputs.seen))), nil
}

// undoSignIn gives up the sign-in of this pass, because a rival was seen too late: a
// grant nobody can use is not kept. A seed's grant is kept, it cannot be had again.
func (r *Reconciler) undoSignIn(ctx context.Context, s *scope) error {
	if !s.signedIn {
		return nil
	}
	return r.update(ctx, s, func(d *grantstate.Document) { d.Undo(r.Clock.Now()) })
}
