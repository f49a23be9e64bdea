package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
)

// replaceState ends a state Secret that a living credential cannot work with, and has the
// next pass begin with another one.
func (r *Reconciler) replaceState(ctx context.Context, s *scope) (outcome, error) {
	switch s.state.problem {
	case stateForeign:
		if s.state.deletion.IsZero() {
			return stateTaken(s.state.name.Name), nil
		}
		return r.releaseForeign(ctx, s)
	case stateUnreadable:
		if s.state.deletion.IsZero() {
			return unreadable(s.state.name.Name, s.state.detail), nil
		}
		if wait := r.readerMayCome(s, grantstate.TermsOf(s.credential).Deadline(s.state.deletion)); wait.isTrouble() {
			return wait, nil
		}
		return r.succeed(ctx, s, r.giveUpUnread)
	case stateNobodys:
		if s.state.deletion.IsZero() {
			return nobodys(s.state.name.Name), nil
		}
		return r.succeed(ctx, s, r.releaseNobodys)
	case stateOrphaned:
		living, err := r.living(ctx, s.key)
		if err != nil {
			return outcome{}, err
		}
		if living.UID == s.state.document.CredentialUID() {
			return again, nil // the informer lags behind
		}
		return endsPass(r.retire(ctx, s, grantstate.Retirement{}))
	case stateCopied:
		return r.succeed(ctx, s, r.releaseCopy)
	case stateUsable: // and deleted: the emergency stop, below
	}
	// Nothing is spent from it any more and its grants are revoked, whatever the policy says.
	return r.succeed(ctx, s, func(ctx context.Context, s *scope) (outcome, error) {
		return r.retire(ctx, s, grantstate.Retirement{Always: true})
	})
}

// succeed ends a state, if its credential still lives, and makes the one that follows it:
// what was used and refused is taken over, so that a seed is not sent a second time. While
// somebody else's finalizer holds the old one, the new one has to wait.
func (r *Reconciler) succeed(ctx context.Context, s *scope, end func(context.Context, *scope) (outcome, error)) (outcome, error) {
	if err := r.stillWanted(ctx, s); err != nil {
		return outcome{}, err
	}
	// From before the release on: whatever fails then, what was used is not forgotten.
	next, err := r.successor(ctx, s)
	if err != nil {
		return outcome{}, err
	}
	if err := r.noteUsed(ctx, s, next); err != nil {
		return outcome{}, err
	}
	out, err := end(ctx, s)
	if err != nil || out.standing != settled {
		return out, err
	}
	if s.state != nil && len(s.state.othersFinalizers()) > 0 {
		return heldState(s.state.name.Name, s.state.othersFinalizers()[0]), nil
	}
	s.state, s.document = nil, next
	err = r.update(ctx, s, func(d *grantstate.Document) { d.Own(ownedBy(s.credential)) })
	if out := r.refusedWrite(s, err); out.isTrouble() {
		return out, nil
	}
	return again, err
}

// successor is the document that follows the one of a state that ends while its credential
// lives. Where that cannot be read, a seed or a code that stands beside it may have been used.
func (r *Reconciler) successor(ctx context.Context, s *scope) (grantstate.Document, error) {
	if s.state.problem == stateUsable || s.state.problem == stateCopied {
		return s.document.Successor(s.credential), nil
	}
	next, err := r.newDocument(ctx, s)
	if err != nil {
		return next, err
	}
	in, err := r.readInputs(ctx, &scope{key: s.key, credential: s.credential, document: next}, live)
	if err != nil {
		return next, err
	}
	next.CountAsUsed(in.seen)
	return next, nil
}

// retireState ends the state Secret of a deleted credential, whatever is in it.
func (r *Reconciler) retireState(ctx context.Context, s *scope) (outcome, error) {
	if err := r.observeState(ctx, s); err != nil || s.state == nil {
		return outcome{}, err
	}
	deletion := s.credential.DeletionTimestamp.Time
	terms := grantstate.TermsOf(s.credential)
	switch s.state.problem {
	case stateForeign:
		return r.releaseForeign(ctx, s)
	case stateCopied:
		return r.releaseCopy(ctx, s)
	case stateUnreadable:
		return r.awaitReader(ctx, s, terms.Deadline(deletion))
	case stateNobodys:
		if s.state.deletion.IsZero() {
			r.abandoned(ctx, s.credential, 1, withoutSeal)
		}
		return r.releaseNobodys(ctx, s)
	case stateOrphaned:
		return r.retire(ctx, s, grantstate.Retirement{})
	case stateUsable: // the usual end, below
	}
	return r.retire(ctx, s, grantstate.Retirement{Terms: &terms, Since: deletion})
}

// retireOrphan ends the state Secret that a credential left behind, if there is one: its
// grants are revoked. It is deleted first, so that its own deletion starts the recorded
// deadline. A Secret that merely has such a name costs no read, nor does one whose owner may be
// another shard's: without that owner the garbage collector deletes it.
func (r *Reconciler) retireOrphan(ctx context.Context, s *scope) (outcome, error) {
	seen, err := secretio.Metadata(ctx, r.Client, stateName(s.key))
	if err != nil || seen == nil {
		return outcome{}, err
	}
	if !controllerutil.ContainsFinalizer(seen, v1alpha1.FinalizerGrant) && seen.Labels[v1alpha1.LabelSecret] != v1alpha1.SecretGrant {
		return outcome{}, nil
	}
	if r.IsShard && seen.DeletionTimestamp == nil && metav1.GetControllerOf(seen) != nil {
		return outcome{}, nil
	}
	if s.state, err = r.readState(ctx, s.key, ""); err != nil || s.state == nil {
		return outcome{}, err
	}
	if s.state.problem == stateForeign {
		return r.releaseForeign(ctx, s)
	}
	s.document = s.state.document
	living, err := r.living(ctx, s.key)
	if err != nil || living.UID != "" {
		return outcome{}, err
	}
	switch s.state.problem {
	case stateCopied:
		// Its credential may be on its way, from the same backup. What this state knows of its seed
		// must not be lost before.
		if until := s.state.creation.Add(v1alpha1.DefaultRevocationDeadline); s.state.deletion.IsZero() && r.Clock.Now().Before(until) {
			return outcome{standing: waiting, wake: until}, nil
		}
		return r.releaseCopy(ctx, s)
	case stateUnreadable:
		if err := r.markDeleted(ctx, s); err != nil || s.state == nil {
			return outcome{}, err
		}
		return r.awaitReader(ctx, s, s.state.deletion.Add(v1alpha1.DefaultRevocationDeadline))
	case stateNobodys:
		return r.releaseNobodys(ctx, s)
	case stateOrphaned, stateUsable, stateForeign:
	}
	return r.retire(ctx, s, grantstate.Retirement{})
}

// retire ends what a state Secret holds: it is deleted, its grants are revoked, it is
// released. It is settled when nothing is left to revoke.
//
// The order is safe at every step: a deleted state is never spent from, and the
// release is refused if an answer was saved in between.
func (r *Reconciler) retire(ctx context.Context, s *scope, how grantstate.Retirement) (outcome, error) {
	if wait := r.othersClaim(ctx, s); wait.isTrouble() {
		return wait, nil
	}
	if err := r.markDeleted(ctx, s); err != nil || s.state == nil {
		return outcome{}, err
	}
	if how.Since.IsZero() {
		how.Since = s.state.deletion
	}
	d, exported := s.document.Clone(), s.document.Exported()
	d.Retire(how, r.Clock.Now())
	round := r.revoke(ctx, s, d.Pending(), func(grantstate.Listed) bool { return true })
	round.record(&d)
	left, news := len(d.Pending()), round.isNews() || !s.document.IsRetired()
	// With nothing left the release says it all, unless somebody else's finalizer keeps the
	// Secret: there an emptied document says that nothing is to be revoked any more.
	if news && (left > 0 || len(s.state.othersFinalizers()) > 0) {
		if err := r.update(ctx, s, func(into *grantstate.Document) { *into = d }); err != nil {
			return outcome{}, err
		}
	}
	if left == 0 {
		if _, err := r.releaseState(ctx, s); err != nil {
			return outcome{}, err
		}
	}
	if exported != nil {
		r.exportedReleased(ctx, s.credential, *exported)
	}
	r.abandoned(ctx, s.credential, round.abandoned, "the service did not confirm it before the deadline")
	if left == 0 {
		return outcome{}, nil
	}
	return round.outcome, nil
}

// awaitReader waits with an unreadable document: a newer operator may come back and
// revoke what it holds. At the deadline it is released as it is.
func (r *Reconciler) awaitReader(ctx context.Context, s *scope, deadline time.Time) (outcome, error) {
	if wait := r.readerMayCome(s, deadline); wait.isTrouble() {
		return wait, nil
	}
	return r.giveUpUnread(ctx, s)
}

// readerMayCome waits until the deadline for who can read the document.
func (r *Reconciler) readerMayCome(s *scope, deadline time.Time) outcome {
	if r.Clock.Now().Before(deadline) {
		return unreadable(s.state.name.Name, s.state.detail).at(deadline)
	}
	return outcome{}
}

// giveUpUnread lets a state go that nobody came to read.
func (r *Reconciler) giveUpUnread(ctx context.Context, s *scope) (outcome, error) {
	if err := r.markDeleted(ctx, s); err != nil || s.state == nil {
		return outcome{}, err
	}
	return r.release(ctx, s, func() { r.abandoned(ctx, s.credential, 1, "the state document could not be read") })
}

// releaseForeign takes our finalizer, which does not belong there, from a deleted Secret that
// is none of ours.
func (r *Reconciler) releaseForeign(ctx context.Context, s *scope) (outcome, error) {
	if s.state.deletion.IsZero() {
		return outcome{}, nil
	}
	return r.release(ctx, s, func() {
		r.strayReleased(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.state.name.Namespace, Name: s.state.name.Name, UID: s.state.uid}})
	})
}

// releaseNobodys lets a deleted Secret go whose document is nobody's. One that is not deleted
// is left alone: what is in it was not written by us for that Secret.
func (r *Reconciler) releaseNobodys(ctx context.Context, s *scope) (outcome, error) {
	if s.state.deletion.IsZero() {
		return outcome{}, nil
	}
	return r.release(ctx, s, func() { r.abandoned(ctx, s.credential, 1, withoutSeal) })
}

// withoutSeal is why what a document that is nobody's may have held is given up.
const withoutSeal = "the state document carried no seal that fits it"

// releaseCopy lets a copied state go without touching its grants: they belong to
// the original, and revoking them would log it out.
func (r *Reconciler) releaseCopy(ctx context.Context, s *scope) (outcome, error) {
	if err := r.markDeleted(ctx, s); err != nil || s.state == nil {
		return outcome{}, err
	}
	return r.release(ctx, s, func() { r.copyReleased(ctx, s.credential) })
}

// release releases a deleted state, and tells of it if it was there.
func (r *Reconciler) release(ctx context.Context, s *scope, tell func()) (outcome, error) {
	released, err := r.releaseState(ctx, s)
	if released {
		tell()
	}
	return outcome{}, err
}

// endsPass has the next pass begin with what is there now.
func endsPass(out outcome, err error) (outcome, error) {
	if err == nil && out.standing == settled {
		return again, nil
	}
	return out, err
}

// living asks the API server itself, just before acting, for a credential; it has no UID
// when there is none. An informer may lag behind one that was just made, or has just gone.
func (r *Reconciler) living(ctx context.Context, key types.NamespacedName) (v1alpha1.SpacesCredential, error) {
	var credential v1alpha1.SpacesCredential
	err := r.Live.Get(ctx, key, &credential)
	if apierrors.IsNotFound(err) {
		return v1alpha1.SpacesCredential{}, nil
	}
	if err != nil {
		return credential, fmt.Errorf("reading the SpacesCredential %s: %w", key, err)
	}
	return credential, nil
}

// stillWanted ends the pass unless the credential lives. It is asked on the way to a state
// for one that had a state before: to an informer that is late a deleted credential looks
// alive, and what it has used looks unused, since nothing is left that remembers it.
func (r *Reconciler) stillWanted(ctx context.Context, s *scope) error {
	credential, err := r.living(ctx, s.key)
	if err != nil {
		return err
	}
	if credential.UID != s.credential.UID || !credential.DeletionTimestamp.IsZero() {
		return errConflict
	}
	return nil
}
