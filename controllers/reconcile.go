package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// Reconcile makes one pass. Its errors are the Kubernetes API's alone: with an error
// the queue retries within milliseconds, which the service must never see. Every
// pass of a living credential returns when to look again.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	defer r.Gates.Begin(request.NamespacedName).End()
	r.passes.begin(request.NamespacedName)
	defer r.lookAgainAtNews(request.NamespacedName)
	if r.Serves != nil && !r.Serves(request.Namespace) {
		return ctrl.Result{}, r.leave(ctx, request.NamespacedName)
	}
	s, err := r.begin(ctx, request.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	// An answer in memory is the only copy of a grant: it is saved before anything
	// else is looked at.
	if err := r.saveAnswers(ctx, s.key); err != nil {
		return ctrl.Result{}, err
	}
	var wake time.Duration
	switch {
	case s.isGone():
		wake, err = r.reconcileGone(ctx, s)
	case r.lags(s):
		wake = afterConflict
	case s.credential.DeletionTimestamp.IsZero():
		wake, err = r.reconcileNormal(ctx, s)
	default:
		wake, err = r.reconcileDelete(ctx, s)
	}
	if errors.Is(err, errConflict) {
		wake, err = afterConflict, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: r.sooner(wake, r.revokeUnkept(ctx, s.key))}, nil
}

// lookAgainAtNews ends a pass. What it was shown of Secrets and did not know is for the next one.
func (r *Reconciler) lookAgainAtNews(key types.NamespacedName) {
	if hasNews := r.passes.end(key); hasNews {
		r.lookAt(key)
	}
}

// lookAt has a credential looked at, once the loop runs.
func (r *Reconciler) lookAt(key types.NamespacedName) {
	if enqueue := r.enqueue.Load(); enqueue != nil {
		(*enqueue)(key)
	}
}

// reconcileNormal makes the cluster and the service as spec wants them, tells it in the
// status, and says when to look again.
func (r *Reconciler) reconcileNormal(ctx context.Context, s *scope) (time.Duration, error) {
	out, err := r.realise(ctx, s)
	if forbidden := r.forbidden(s, err); forbidden.isTrouble() {
		out, err = forbidden, nil
	}
	switch {
	case err != nil:
		return 0, err
	case out.standing == startOver:
		return afterConflict, nil
	case s.queued.isBrief: // nothing is told of it
		return r.sooner(briefRecheck, s.published.expires), nil
	}
	return r.conclude(ctx, s, out)
}

// realise observes, decides, obtains and saves, verifies, publishes and revokes. What
// holds up one step holds up those behind it only where they say so themselves: an old
// token stays published while a new one cannot be had.
func (r *Reconciler) realise(ctx context.Context, s *scope) (outcome, error) {
	if err := r.observe(ctx, s); err != nil {
		return outcome{}, err
	}
	if !s.state.isUsable() {
		return r.replaceState(ctx, s)
	}
	held, err := r.renew(ctx, s)
	if err != nil || held.standing == startOver || s.credential.Spec.Suspend {
		return held, err
	}
	if current := s.document.Publishable(); held.isBrief && current != nil && s.published.works(s.now) && s.published.holds(current) {
		s.queued = held // the rest is looked at when its turn has come
		return held, nil
	}
	unverified, err := r.verify(ctx, s)
	if err != nil {
		return outcome{}, err
	}
	unpublished, err := r.publish(ctx, s)
	if err != nil {
		return outcome{}, err
	}
	if s.unanswered, err = r.answerExport(ctx, s); err != nil {
		return outcome{}, err
	}
	if s.isTaken {
		err = r.undoSignIn(ctx, s)
	}
	if err == nil {
		err = r.warnOfEnd(ctx, s)
	}
	if err == nil {
		s.revocation, err = r.revokeListed(ctx, s)
	}
	if err != nil {
		s.revocation, err = r.heldRevocation(s, err)
	}
	return firstTrouble(unpublished, held, unverified), err
}

// reconcileDelete takes a deleted credential to its end, and says when to look again.
func (r *Reconciler) reconcileDelete(ctx context.Context, s *scope) (time.Duration, error) {
	out, err := r.finalize(ctx, s)
	if forbidden := r.forbidden(s, err); forbidden.isTrouble() {
		out, err = forbidden, nil
	}
	switch {
	case err != nil:
		return 0, err
	case out.standing == startOver:
		return afterConflict, nil
	case out.standing == settled:
		r.memory.forget(s.key)
		return 0, nil
	}
	return r.concludeDeletion(ctx, s, out)
}

// reconcileGone looks after what a credential that is gone left behind.
func (r *Reconciler) reconcileGone(ctx context.Context, s *scope) (time.Duration, error) {
	out, err := r.retireOrphan(ctx, s)
	switch {
	case err != nil:
		return 0, err
	case out.standing == startOver:
		return afterConflict, nil
	case out.standing == settled:
		r.memory.forget(s.key)
		return 0, nil
	}
	return r.later(out), nil
}

// leave ends the work on a credential whose namespace is somebody else's to look after. An
// answer in memory is saved before: it is the only copy of a grant.
func (r *Reconciler) leave(ctx context.Context, key types.NamespacedName) error {
	if err := r.saveAnswers(ctx, key); err != nil {
		return err
	}
	r.memory.forget(key)
	return nil
}

// begin reads the credential that a pass is about.
func (r *Reconciler) begin(ctx context.Context, key types.NamespacedName) (*scope, error) {
	s := &scope{key: key, credential: &v1alpha1.SpacesCredential{}, remembered: r.memory.of(key).state}
	err := r.Client.Get(ctx, key, s.credential)
	if apierrors.IsNotFound(err) {
		s.credential = reference(key, "")
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the SpacesCredential %s: %w", key, err)
	}
	return s, nil
}
