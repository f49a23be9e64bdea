package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// finalize takes a deleted credential to its end: the published Secret goes first,
// then the grants, then the state, then the credential itself. It returns what it
// waits for, or nil when the credential is released.
func (r *Reconciler) finalize(ctx context.Context, p *pass) (*finding, error) {
	if !controllerutil.ContainsFinalizer(p.credential, v1alpha1.FinalizerRevoke) {
		return nil, nil
	}
	living, err := r.living(ctx, p.key)
	if err != nil {
		return nil, err
	}
	if living.UID != p.credential.UID {
		// The informer is late: this one is gone, and what bears its name is another's.
		return nil, errConflict
	}
	if err := r.deletePublished(ctx, p); err != nil {
		return nil, err
	}
	f, err := r.retireState(ctx, p)
	if f != nil || err != nil {
		return f, err
	}
	return nil, r.removeFinalizer(ctx, p.credential)
}

// retireState ends the state Secret of a deleted credential, whatever is in it.
func (r *Reconciler) retireState(ctx context.Context, p *pass) (*finding, error) {
	found, err := r.observeState(ctx, p.key, p.credential.UID)
	if err != nil || found == nil {
		return nil, err
	}
	deletion := p.credential.DeletionTimestamp.Time
	terms := termsOf(p.credential)
	switch found.problem {
	case stateForeign:
		return nil, nil
	case stateCopied:
		return nil, r.releaseCopy(ctx, p.key, found)
	case stateUnreadable:
		return r.awaitReader(ctx, p.key, found, terms.deadline(deletion))
	case stateOrphaned:
		_, f, err := r.retire(ctx, p.key, found, retirement{})
		return f, err
	case stateUsable: // the usual end, below
	}
	_, f, err := r.retire(ctx, p.key, found, retirement{terms: &terms, since: deletion})
	return f, err
}

// awaitReader waits with an unreadable document: a newer operator may come back and
// revoke what it holds. At the deadline it is released as it is.
func (r *Reconciler) awaitReader(ctx context.Context, key types.NamespacedName, found *state, deadline time.Time) (*finding, error) {
	if r.Clock.Now().Before(deadline) {
		return unreadable(found).at(deadline), nil
	}
	found, err := r.markDeleted(ctx, key, found)
	if err != nil || found == nil {
		return nil, err
	}
	if err := r.releaseState(ctx, key, found); err != nil {
		return nil, err
	}
	r.abandoned(ctx, key, 1, "the state document could not be read")
	return nil, nil
}

// releaseCopy lets a copied state go without touching its grants: they belong to
// the original, and revoking them would log it out.
func (r *Reconciler) releaseCopy(ctx context.Context, key types.NamespacedName, found *state) error {
	copied, err := r.markDeleted(ctx, key, found)
	if err != nil || copied == nil {
		return err
	}
	if err := r.releaseState(ctx, key, copied); err != nil {
		return err
	}
	r.copyReleased(ctx, key)
	return nil
}

// removeFinalizer lets the credential go, under the version that was judged.
func (r *Reconciler) removeFinalizer(ctx context.Context, credential *v1alpha1.SpacesCredential) error {
	before := credential.DeepCopy()
	if !controllerutil.RemoveFinalizer(credential, v1alpha1.FinalizerRevoke) {
		return nil
	}
	return r.patchFinalizers(ctx, credential, before)
}

// addFinalizer makes sure that the credential outlives its grants.
func (r *Reconciler) addFinalizer(ctx context.Context, p *pass) error {
	before := p.credential.DeepCopy()
	if controllerutil.AddFinalizer(p.credential, v1alpha1.FinalizerRevoke) {
		return r.patchFinalizers(ctx, p.credential, before)
	}
	if p.state == nil {
		return r.stillWanted(ctx, p)
	}
	return nil
}

// stillWanted ends the pass unless the credential lives. It is asked on the way to a state
// for one that had a state before: to an informer that is late a deleted credential looks
// alive, and what it has used looks unused, since nothing is left that remembers it.
func (r *Reconciler) stillWanted(ctx context.Context, p *pass) error {
	credential, err := r.living(ctx, p.key)
	if err != nil {
		return err
	}
	if credential.UID != p.credential.UID || !credential.DeletionTimestamp.IsZero() {
		return errConflict
	}
	return nil
}
