package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/seal"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
)

// stateProblem is why a state Secret cannot be worked with.
type stateProblem string

const (
	stateUsable stateProblem = ""
	// stateForeign is a Secret of that name without our type.
	stateForeign stateProblem = "foreign"
	// stateUnreadable is written by a newer operator, or sealed with a key that is not there.
	stateUnreadable stateProblem = "unreadable"
	// stateNobodys carries no seal, or does not open with a key that is there: it was damaged,
	// moved from elsewhere, or made by hand.
	stateNobodys stateProblem = "nobody's"
	// stateCopied names another Secret: a restored backup, somebody's copy.
	stateCopied stateProblem = "copied"
	// stateOrphaned names another credential.
	stateOrphaned stateProblem = "orphaned"
)

// state is a state Secret as last read or written.
type state struct {
	name            types.NamespacedName
	uid             types.UID
	resourceVersion string
	finalizers      []string
	shape           shape
	// labels are those of spec.stateLabels that this process wrote there last.
	labels   map[string]string
	creation time.Time
	// deletion is when the Secret was deleted; zero while it is not.
	deletion time.Time
	problem  stateProblem
	// detail says what is unreadable about the document.
	detail   string
	document grantstate.Document
	// isRecalled tells that the Secret holds nobody's document or an older one, and that this
	// process knows the one that it wrote or read there before.
	isRecalled bool
}

// isUsable tells that a pass may work with what there is; a state that does not exist yet
// can be made.
func (s *state) isUsable() bool {
	return s == nil || s.problem == stateUsable && s.deletion.IsZero()
}

// isOf tells whether the state can take an answer for a credential.
func (s *state) isOf(credential types.UID) bool {
	return s.problem == stateUsable && s.document.CredentialUID() == credential
}

// judged names the Secret as it was judged.
func (s *state) judged() secretio.Judged {
	return secretio.Judged{Name: s.name, UID: s.uid, ResourceVersion: s.resourceVersion}
}

// othersFinalizers are those that are not ours.
func (s *state) othersFinalizers() []string { return withoutOurs(s.finalizers) }

// stateName is the state Secret of a credential.
func stateName(credential types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: credential.Namespace, Name: credential.Name + v1alpha1.GrantSecretSuffix}
}

// observeState sets the state and its document.
func (r *Reconciler) observeState(ctx context.Context, s *scope) error {
	var err error
	if s.state, err = r.findState(ctx, s.key, s.credential.UID); err != nil {
		return err
	}
	if s.state != nil {
		s.document = s.state.document
		if s.state.isRecalled && s.state.isUsable() {
			log.FromContext(ctx).Info("A state document was damaged or put back to an older one, and is written anew as this process knows it", "secret", s.state.name.String())
			return r.update(ctx, s, func(*grantstate.Document) {})
		}
		return nil
	}
	s.document, err = r.newDocument(ctx, s)
	return err
}

// newDocument begins a document: the successor of one that was released, as this process or
// the credential remembers it, or a new one.
func (r *Reconciler) newDocument(ctx context.Context, s *scope) (grantstate.Document, error) {
	if next := r.memory.of(s.key).successor; next != nil && next.CredentialUID() == s.credential.UID {
		return next.Clone(), nil
	}
	if next := r.notedUsed(ctx, s); next != nil {
		return *next, nil
	}
	return grantstate.New(s.credential, r.Random)
}

// findState returns the state Secret of a credential, or nil. What this process
// last read or wrote is taken as it is, unless the informer has seen a newer
// version: a claim then needs no read, and cannot succeed on an old document.
func (r *Reconciler) findState(ctx context.Context, credential types.NamespacedName, uid types.UID) (*state, error) {
	known := r.memory.of(credential).state
	seen, err := secretio.Metadata(ctx, r.Client, stateName(credential))
	if err != nil {
		return nil, err
	}
	if known == nil && seen == nil {
		return nil, nil
	}
	if known != nil && seen != nil && known.uid == seen.UID && known.deletion.IsZero() &&
		known.document.CredentialUID() == uid && secretio.NotNewer(seen.ResourceVersion, known.resourceVersion) {
		return known, nil
	}
	return r.readState(ctx, credential, uid)
}

// readState reads the state Secret from the API server.
func (r *Reconciler) readState(ctx context.Context, credential types.NamespacedName, uid types.UID) (*state, error) {
	var secret corev1.Secret
	err := r.Live.Get(ctx, stateName(credential), &secret)
	if apierrors.IsNotFound(err) {
		r.rememberState(credential, nil)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state Secret %s: %w", stateName(credential), err)
	}
	found, err := r.judgeState(ctx, &secret, uid)
	if err != nil {
		return nil, err
	}
	found.recall(r.memory.of(credential).newest)
	r.rememberState(credential, found)
	return found, nil
}

// stillNewest ends the pass when the state is not the one it judged any more. What differs
// in a published Secret or a status may be the newer word of another process, if this one
// was stopped: asked between the reading of the object and its write, the state tells.
func (r *Reconciler) stillNewest(ctx context.Context, s *scope) error {
	found, err := r.readState(ctx, s.key, s.credential.UID)
	if err != nil {
		return err
	}
	if found == nil || found.uid != s.state.uid || found.resourceVersion != s.state.resourceVersion {
		return errConflict
	}
	return nil
}

// recall takes the document that this process knows of the very Secret in place of nobody's,
// or of an older one.
func (s *state) recall(known *state) {
	if known == nil || known.uid != s.uid || known.problem != stateUsable {
		return
	}
	if s.problem == stateNobodys || s.problem == stateUsable && s.document.IsOlderThan(known.document) {
		s.problem, s.detail, s.document, s.isRecalled = stateUsable, "", known.document, true
	}
}

// stateOf is a Secret of the state's name, before anything of its document is known.
func stateOf(secret *corev1.Secret) *state {
	found := &state{
		name:            client.ObjectKeyFromObject(secret),
		uid:             secret.UID,
		resourceVersion: secret.ResourceVersion,
		finalizers:      secret.Finalizers,
		shape:           shapeOf(secret),
		creation:        secret.CreationTimestamp.Time,
	}
	if secret.DeletionTimestamp != nil {
		found.deletion = secret.DeletionTimestamp.Time
	}
	return found
}

// judgeState tells what a Secret of the state's name is to the credential uid. Its error is
// that of a read of the keys.
func (r *Reconciler) judgeState(ctx context.Context, secret *corev1.Secret, uid types.UID) (*state, error) {
	found := stateOf(secret)
	if secret.Type != v1alpha1.SecretTypeGrantState {
		found.problem = stateForeign
		return found, nil
	}
	content, err := r.Keys.Open(ctx, found.name, secret.Data[v1alpha1.StateKey])
	unknownKey, newer := (*seal.UnknownKeyError)(nil), (*seal.NewerError)(nil)
	switch {
	case errors.Is(err, seal.ErrBroken):
		found.problem, found.detail = stateNobodys, err.Error()
		return found, nil
	case errors.As(err, &unknownKey), errors.As(err, &newer):
		found.problem, found.detail = stateUnreadable, err.Error()
		return found, nil
	case err != nil:
		return nil, err
	}
	document, err := grantstate.Read(content)
	switch {
	case err != nil:
		found.problem, found.detail = stateUnreadable, err.Error()
	case document.SecretUID() != "" && document.SecretUID() != secret.UID:
		found.problem = stateCopied
	case document.CredentialUID() != uid:
		found.problem = stateOrphaned
	}
	found.document = document
	return found, nil
}

// markDeleted deletes the state Secret under preconditions. Its finalizer keeps it;
// the state is then what is there, or nil when it is gone.
func (r *Reconciler) markDeleted(ctx context.Context, s *scope) error {
	judged := s.state
	if !judged.deletion.IsZero() {
		return nil
	}
	r.rememberState(s.key, nil)
	err := secretio.Delete(ctx, r.Live, judged.judged())
	switch {
	case apierrors.IsNotFound(err):
		s.state = nil
		return nil
	case apierrors.IsConflict(err):
		return errConflict
	case err != nil:
		return fmt.Errorf("deleting the state Secret %s: %w", judged.name, err)
	}
	if s.state, err = r.readState(ctx, s.key, judged.document.CredentialUID()); err != nil || s.state == nil {
		return err
	}
	if s.state.uid != judged.uid {
		return errConflict
	}
	s.state.problem, s.document = judged.problem, s.state.document
	return nil
}

// releaseState takes our finalizer from a deleted state Secret, if it still is what
// was judged: an answer saved meanwhile must not go with it. It tells whether it was there.
func (r *Reconciler) releaseState(ctx context.Context, s *scope) (bool, error) {
	r.rememberState(s.key, nil)
	if !slices.Contains(s.state.finalizers, v1alpha1.FinalizerGrant) {
		return false, nil
	}
	if err := r.dropFinalizer(ctx, s.state.judged(), s.state.finalizers); err != nil {
		return false, err
	}
	return true, nil
}

// dropFinalizer takes our finalizer from a Secret, if it still is what was judged.
func (r *Reconciler) dropFinalizer(ctx context.Context, judged secretio.Judged, finalizers []string) error {
	_, err := secretio.Patch(ctx, r.Live, judged, map[string]any{"metadata": map[string]any{"finalizers": withoutOurs(finalizers)}})
	if apierrors.IsConflict(err) {
		return errConflict
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("releasing the Secret %s: %w", judged.Name, secretio.Quiet(err))
	}
	return nil
}

// withoutOurs are the finalizers that are not ours.
func withoutOurs(finalizers []string) []string {
	return slices.DeleteFunc(slices.Clone(finalizers), func(f string) bool { return f == v1alpha1.FinalizerGrant })
}

func (r *Reconciler) rememberState(credential types.NamespacedName, s *state) {
	if s != nil {
		r.passes.knows(credential, version{s.uid, s.resourceVersion})
	}
	r.memory.change(credential, func(known *recollection) {
		known.state = s
		if s == nil || s.problem != stateUsable {
			return
		}
		if known.newest == nil || known.newest.uid != s.uid || !s.document.IsOlderThan(known.newest.document) {
			known.newest = s
		}
	})
}
