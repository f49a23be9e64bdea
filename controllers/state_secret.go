package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/seal"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
)

// sealed is a document as a Secret holds it.
func (r *Reconciler) sealed(secret types.NamespacedName, d grantstate.Document) ([]byte, error) {
	content, err := d.Bytes()
	if err != nil {
		return nil, err
	}
	return r.Keys.Seal(seal.Place{Namespace: secret.Namespace, Name: secret.Name, Credential: d.CredentialUID()}, content)
}

// update changes the document of a pass. It is the only way in which one is written: under
// the version that was judged, remembered, and with the report of what a full list gave up.
func (r *Reconciler) update(ctx context.Context, s *scope, change func(*grantstate.Document)) error {
	d := s.document.Clone()
	change(&d)
	write := r.writeState
	if s.state == nil {
		write = r.createState
	}
	written, err := write(ctx, s, d)
	r.rememberState(s.key, written)
	if err != nil {
		return err
	}
	s.state, s.document = written, written.document
	r.abandoned(ctx, s.credential, d.Abandoned(), "the list of grants to revoke was full")
	return nil
}

// createState makes the state Secret: with the first claim already in it, or in place of one
// that was released.
func (r *Reconciler) createState(ctx context.Context, s *scope, d grantstate.Document) (*state, error) {
	content, err := r.sealed(stateName(s.key), d)
	if err != nil {
		return nil, err
	}
	secret := s.stateSecret(content)
	err = r.Live.Create(ctx, secret, client.FieldOwner(v1alpha1.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		return nil, errConflict
	}
	if err != nil {
		return nil, fmt.Errorf("creating the state Secret %s: %w", client.ObjectKeyFromObject(secret), secretio.Quiet(err))
	}
	r.memory.change(s.key, func(known *recollection) { known.successor = nil })
	made := stateOf(secret)
	made.document, made.labels = d.Written(), s.stateLabels()
	return made, nil
}

// writeState replaces the document, if nobody else has since it was judged.
func (r *Reconciler) writeState(ctx context.Context, s *scope, d grantstate.Document) (*state, error) {
	d.StandsIn(s.state.uid)
	content, err := r.sealed(s.state.name, d)
	if err != nil {
		return nil, err
	}
	written, err := r.overwriteState(ctx, s, content)
	if written == nil && err == nil {
		written, err = r.patchState(ctx, s, d, content)
	}
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil, errConflict
	}
	if err != nil {
		return nil, fmt.Errorf("writing the state Secret %s: %w", s.state.name, secretio.Quiet(err))
	}
	written.document, written.labels = d.Written(), s.stateLabels()
	return written, nil
}

// overwriteState replaces the whole Secret, which costs the API server half of what a patch does. It
// returns nil where more stands on it than this operator writes, and where it may not do so.
func (r *Reconciler) overwriteState(ctx context.Context, s *scope, content []byte) (*state, error) {
	secret := s.stateSecret(content)
	if s.state.shape == (shape{}) || s.state.shape != shapeOf(secret) {
		return nil, nil
	}
	secret.UID, secret.ResourceVersion, secret.ManagedFields = s.state.uid, s.state.resourceVersion, nobodyManages
	err := r.Live.Update(ctx, secret, client.FieldOwner(v1alpha1.FieldManager))
	if apierrors.IsForbidden(err) { // a role of before allows patches alone, and an answer must be saved
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	written := stateOf(secret)
	written.problem, written.detail = s.state.problem, s.state.detail
	return written, nil
}

// patchState replaces the document alone, and the labels that spec names.
func (r *Reconciler) patchState(ctx context.Context, s *scope, d grantstate.Document, content []byte) (*state, error) {
	metadata := map[string]any{"managedFields": nobodyManages}
	if s.hasSpec() {
		metadata["labels"] = secretio.Replacing(d.Owned().StateLabels, s.credential.StateLabels())
	}
	change := map[string]any{"metadata": metadata, "data": map[string][]byte{v1alpha1.StateKey: content}}
	object, err := secretio.Patch(ctx, r.Live, s.state.judged(), change)
	if err != nil {
		return nil, err
	}
	written := *s.state
	written.resourceVersion, written.shape, written.isRecalled = object.ResourceVersion, shape{}, false
	return &written, nil
}

// nobodyManages has the API server forget which manager owns which field. Of the state that tells
// nobody anything, and to keep account of it is a quarter of what the API server does for a write.
var nobodyManages = []metav1.ManagedFieldsEntry{{}}

// stateSecret is the state Secret of a credential as this operator makes it, around a sealed document.
func (s *scope) stateSecret(content []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       s.key.Namespace,
			Name:            s.credential.GrantSecretName(),
			Labels:          s.ownLabels(v1alpha1.SecretGrant),
			Annotations:     map[string]string{v1alpha1.AnnotationCredential: s.key.Name, v1alpha1.AnnotationCredentialUID: string(s.credential.UID)},
			OwnerReferences: []metav1.OwnerReference{ownerReference(s.credential)},
			Finalizers:      []string{v1alpha1.FinalizerGrant},
		},
		Type: v1alpha1.SecretTypeGrantState,
		Data: map[string][]byte{v1alpha1.StateKey: content},
	}
}

// ownLabels are those of a Secret that is the operator's alone.
func (s *scope) ownLabels(kind string) map[string]string {
	labels := maps.Clone(s.stateLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelManagedBy], labels[v1alpha1.LabelSecret] = v1alpha1.ManagedByValue, kind
	return labels
}

// stateLabels are those that spec names. An answer is saved without a look at spec: the labels are
// then those of the claim.
func (s *scope) stateLabels() map[string]string {
	if s.hasSpec() || s.state == nil {
		return s.credential.StateLabels()
	}
	return s.state.labels
}

// hasSpec tells that the credential is there, and not only named.
func (s *scope) hasSpec() bool { return !s.isGone() && s.credential.Generation > 0 }

// shape is a digest of what a state Secret has beside its document. It is zero where others may have
// written more than that on it: who does not know all of a Secret must not replace it.
type shape [sha256.Size]byte

func shapeOf(secret *corev1.Secret) shape {
	if secret.Type != v1alpha1.SecretTypeGrantState || len(secret.Data) != 1 || secret.Data[v1alpha1.StateKey] == nil || secret.Immutable != nil {
		return shape{}
	}
	text, err := json.Marshal([]any{secret.Labels, secret.Annotations, secret.OwnerReferences, secret.Finalizers})
	if err != nil {
		return shape{}
	}
	return sha256.Sum256(text)
}
