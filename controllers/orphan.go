package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// bury looks after what a credential that is gone left behind: its state Secret,
// whose grants are to be revoked, and answers that were under way.
func (r *Reconciler) bury(ctx context.Context, key types.NamespacedName) (*finding, error) {
	if err := r.saveAnswers(ctx, key); err != nil {
		return nil, err
	}
	found, err := r.observeOrphan(ctx, key)
	if err != nil {
		return nil, err
	}
	if found == nil {
		r.memory.forget(key)
		return nil, nil
	}
	living, err := r.living(ctx, key)
	if err != nil || living.UID != "" {
		return nil, err
	}
	return r.retireOrphan(ctx, key, found)
}

// observeOrphan returns the state Secret that a credential left behind, or nil. A
// Secret that merely has such a name costs no read.
func (r *Reconciler) observeOrphan(ctx context.Context, key types.NamespacedName) (*state, error) {
	seen, err := r.secretMetadata(ctx, stateName(key))
	if err != nil || seen == nil {
		return nil, err
	}
	if !controllerutil.ContainsFinalizer(seen, v1alpha1.FinalizerGrant) && seen.Labels[v1alpha1.LabelSecret] != v1alpha1.SecretGrant {
		return nil, nil
	}
	found, err := r.readState(ctx, key, "")
	if err != nil || found == nil || found.problem == stateForeign {
		return nil, err
	}
	return found, nil
}

// retireOrphan ends a state whose credential is gone or has another UID. It is
// deleted first, so that its own deletion starts the recorded deadline.
func (r *Reconciler) retireOrphan(ctx context.Context, key types.NamespacedName, found *state) (*finding, error) {
	if found.problem == stateCopied {
		return nil, r.releaseCopy(ctx, key, found)
	}
	if found.problem == stateUnreadable {
		marked, err := r.markDeleted(ctx, key, found)
		if err != nil || marked == nil {
			return nil, err
		}
		return r.awaitReader(ctx, key, marked, marked.deletion.Add(v1alpha1.DefaultRevocationDeadline))
	}
	_, f, err := r.retire(ctx, key, found, retirement{})
	return f, err
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
