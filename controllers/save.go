package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// saveAttempts bounds how often one pass writes the same answer against others who
// write the same document.
const saveAttempts = 4

// drainPause is the time between two tries of Drain.
const drainPause = time.Second

// saveAnswers records the answers that memory holds for a credential. While it
// fails they stay there; it is the write that is repeated, never the call.
func (r *Reconciler) saveAnswers(ctx context.Context, key types.NamespacedName) error {
	for _, a := range r.memory.of(key).unsaved {
		if err := r.saveAnswer(ctx, a); err != nil {
			return fmt.Errorf("an answer of the service is not saved yet and is kept in memory: %w", err)
		}
		r.memory.saved(a)
	}
	return nil
}

// saveAnswer records one answer in the state, or revokes its grant when there is no
// state any more that could keep it.
func (r *Reconciler) saveAnswer(ctx context.Context, a answer) error {
	for range saveAttempts {
		current, err := r.stateForSave(ctx, a)
		if err != nil {
			return err
		}
		if current == nil || current.problem == stateCopied || current.problem == stateOrphaned || current.problem == stateForeign {
			return r.revokeUnkept(ctx, a)
		}
		if current.problem == stateUnreadable {
			return fmt.Errorf("the state Secret %s is unreadable: %s", current.name, current.detail)
		}
		d := current.document.clone()
		d.record(a, r.Clock.Now())
		abandoned := d.abandoned
		_, err = r.writeState(ctx, a.credential, current, d)
		if errors.Is(err, errConflict) {
			continue
		}
		if err == nil {
			r.abandoned(ctx, a.credential, abandoned, "the list of grants to revoke was full")
		}
		return err
	}
	return errConflict
}

// stateForSave is the document this process wrote the claim into, or the one that
// is there now.
func (r *Reconciler) stateForSave(ctx context.Context, a answer) (*state, error) {
	if known := r.memory.of(a.credential).state; known != nil && known.document.CredentialUID == a.credentialUID {
		return known, nil
	}
	return r.readState(ctx, a.credential, a.credentialUID)
}

// Drain waits for the calls in flight and saves what is unsaved, until ctx ends. It
// is for the time after the manager stopped: with a lost lease its workers get no
// grace, but an answer of the service must still reach the state.
func (r *Reconciler) Drain(ctx context.Context) error {
	calls := make(chan struct{})
	go func() { r.inFlight.Wait(); close(calls) }()
	select {
	case <-calls:
	case <-ctx.Done():
		return fmt.Errorf("a call to the service was still under way: %w", ctx.Err())
	}
	for {
		var failed error
		for _, key := range r.memory.withUnsaved() {
			failed = errors.Join(failed, r.saveAnswers(ctx, key))
		}
		if failed == nil {
			return nil
		}
		r.Log.Error(failed, "Saving an answer failed; trying again")
		timer := r.Clock.NewTimer(drainPause)
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w (%w)", failed, ctx.Err())
		}
	}
}
