package controllers

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// scope is what one pass carries from step to step.
type scope struct {
	key types.NamespacedName
	// credential is as the informer showed it; its status is what the pass writes. It has
	// no UID when it is gone.
	credential *v1alpha1.SpacesCredential
	// observation is set by observe, once. The steps that change what it saw of the
	// published Secret, publish and what empties it, say so there.
	observation
	// state is the state Secret, and document what is in it: a new one while there is no
	// state. Both are set by observe, and after that by update and by the save of an answer
	// alone.
	state    *state
	document grantstate.Document
	// isKnown tells that the state could be read, and is one to work with: the document
	// tells what there is. Set by observe.
	isKnown bool
	// remembered is the state that this process had in memory when the pass began.
	remembered *state

	// isPublished tells that the published Secret holds all that is wanted; set by publish.
	isPublished bool
	// revocation is what holds listed grants up; set by revokeListed.
	revocation outcome
	// signedIn tells that this pass made a new grant that can be made again at will; set
	// by obtain.
	signedIn bool
}

// isGone tells that there is no such credential.
func (s *scope) isGone() bool { return s.credential.UID == "" }

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

// lags tells that the informer does not show our own last write of the credential
// yet. A pass on the older status would write and announce the same once more.
func (r *Reconciler) lags(s *scope) bool {
	written := r.memory.of(s.key).credentialVersion
	behind := written != "" && !notNewer(written, s.credential.ResourceVersion)
	return !r.wentBack(s.key, behind) && behind
}

// lagPatience is how long an informer may show older versions than were written. After
// that it is no informer that is late: the API server was restored from a backup.
const lagPatience = 30 * time.Second

// wentBack tells whether what is remembered is newer than what there is for too long, and
// then begins anew with what there is.
func (r *Reconciler) wentBack(key types.NamespacedName, behind bool) bool {
	now, over := r.Clock.Now(), false
	r.memory.change(key, func(known *recollection) {
		switch {
		case !behind:
			known.behindSince = time.Time{}
		case known.behindSince.IsZero() || known.behindSince.After(now):
			known.behindSince = now
		case now.Sub(known.behindSince) >= lagPatience:
			over = true
			known.beginAnew()
		}
	})
	return over
}
