package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// errConflict ends a pass: somebody else wrote the object that was judged.
var errConflict = errors.New("the object changed while it was judged")

// stateProblem is why a state Secret cannot be worked with.
type stateProblem string

const (
	stateUsable stateProblem = ""
	// stateForeign is a Secret of that name without our type.
	stateForeign stateProblem = "foreign"
	// stateUnreadable is damaged, or written by a newer operator.
	stateUnreadable stateProblem = "unreadable"
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
	// deletion is when the Secret was deleted; zero while it is not.
	deletion time.Time
	problem  stateProblem
	// detail says what is unreadable about the document.
	detail   string
	document document
}

// stateName is the state Secret of a credential.
func stateName(credential types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: credential.Namespace, Name: credential.Name + v1alpha1.GrantSecretSuffix}
}

// observeState returns the state Secret of a credential, or nil. What this process
// last read or wrote is taken as it is, unless the informer has seen a newer
// version: a claim then needs no read, and cannot succeed on an old document.
func (r *Reconciler) observeState(ctx context.Context, credential types.NamespacedName, uid types.UID) (*state, error) {
	known := r.memory.of(credential).state
	seen, err := r.secretMetadata(ctx, stateName(credential))
	if err != nil {
		return nil, err
	}
	if known == nil && seen == nil {
		return nil, nil
	}
	if known != nil && seen != nil && known.uid == seen.UID && known.deletion.IsZero() &&
		known.document.CredentialUID == uid && notNewer(seen.ResourceVersion, known.resourceVersion) {
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
	found := judgeState(&secret, uid)
	r.rememberState(credential, found)
	return found, nil
}

// stillNewest ends the pass when the state is not the one it judged any more. What differs
// in a published Secret or a status may be the newer word of another process, if this one
// was stopped: asked between the reading of the object and its write, the state tells.
func (r *Reconciler) stillNewest(ctx context.Context, p *pass) error {
	found, err := r.readState(ctx, p.key, p.credential.UID)
	if err != nil {
		return err
	}
	if found == nil || found.uid != p.state.uid || found.resourceVersion != p.state.resourceVersion {
		return errConflict
	}
	return nil
}

// judgeState tells what a Secret of the state's name is to the credential uid.
func judgeState(secret *corev1.Secret, uid types.UID) *state {
	found := &state{
		name:            client.ObjectKeyFromObject(secret),
		uid:             secret.UID,
		resourceVersion: secret.ResourceVersion,
		finalizers:      secret.Finalizers,
	}
	if secret.DeletionTimestamp != nil {
		found.deletion = secret.DeletionTimestamp.Time
	}
	if secret.Type != v1alpha1.SecretTypeGrantState {
		found.problem = stateForeign
		return found
	}
	document, err := readDocument(secret.Data[v1alpha1.StateKey])
	switch {
	case err != nil:
		found.problem, found.detail = stateUnreadable, err.Error()
	case document.SecretUID != "" && document.SecretUID != secret.UID:
		found.problem = stateCopied
	case document.CredentialUID != uid:
		found.problem = stateOrphaned
	}
	found.document = document
	return found
}

// createState makes the state Secret, with the first claim already in it.
func (r *Reconciler) createState(ctx context.Context, credential *v1alpha1.SpacesCredential, d document) (*state, error) {
	content, err := d.bytes()
	if err != nil {
		return nil, err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       credential.Namespace,
			Name:            credential.GrantSecretName(),
			Labels:          map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelSecret: v1alpha1.SecretGrant},
			Annotations:     map[string]string{v1alpha1.AnnotationCredential: credential.Name, v1alpha1.AnnotationCredentialUID: string(credential.UID)},
			OwnerReferences: []metav1.OwnerReference{ownerReference(credential)},
			Finalizers:      []string{v1alpha1.FinalizerGrant},
		},
		Type: v1alpha1.SecretTypeGrantState,
		Data: map[string][]byte{v1alpha1.StateKey: content},
	}
	err = r.Live.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		r.rememberState(client.ObjectKeyFromObject(credential), nil)
		return nil, errConflict
	}
	if err != nil {
		return nil, fmt.Errorf("creating the state Secret %s: %w", client.ObjectKeyFromObject(secret), quiet(err))
	}
	made := judgeState(secret, credential.UID)
	r.rememberState(client.ObjectKeyFromObject(credential), made)
	return made, nil
}

// writeState replaces the document, if nobody else has since it was judged.
func (r *Reconciler) writeState(ctx context.Context, credential types.NamespacedName, judged *state, d document) (*state, error) {
	d.SecretUID = judged.uid
	content, err := d.bytes()
	if err != nil {
		return nil, err
	}
	object, err := r.patchSecret(ctx, judged.name, judged.uid, judged.resourceVersion, map[string]any{
		"data": map[string][]byte{v1alpha1.StateKey: content},
	})
	if err != nil {
		r.rememberState(credential, nil)
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return nil, errConflict
		}
		return nil, fmt.Errorf("writing the state Secret %s: %w", judged.name, quiet(err))
	}
	d.abandoned = 0
	written := *judged
	written.resourceVersion, written.document = object.ResourceVersion, d
	r.rememberState(credential, &written)
	return &written, nil
}

// markDeleted deletes the state Secret under preconditions. Its finalizer keeps it;
// the result is what is there then, or nil when it is gone.
func (r *Reconciler) markDeleted(ctx context.Context, credential types.NamespacedName, judged *state) (*state, error) {
	if !judged.deletion.IsZero() {
		return judged, nil
	}
	r.rememberState(credential, nil)
	err := r.Live.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: judged.name.Namespace, Name: judged.name.Name}},
		client.Preconditions{UID: &judged.uid, ResourceVersion: &judged.resourceVersion})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case apierrors.IsConflict(err):
		return nil, errConflict
	case err != nil:
		return nil, fmt.Errorf("deleting the state Secret %s: %w", judged.name, err)
	}
	deleted, err := r.readState(ctx, credential, judged.document.CredentialUID)
	if err != nil || deleted == nil {
		return nil, err
	}
	if deleted.uid != judged.uid {
		return nil, errConflict
	}
	return deleted, nil
}

// releaseState takes our finalizer from a deleted state Secret, if it still is what
// was judged: an answer saved meanwhile must not go with it.
func (r *Reconciler) releaseState(ctx context.Context, credential types.NamespacedName, judged *state) error {
	r.rememberState(credential, nil)
	others := slices.DeleteFunc(slices.Clone(judged.finalizers), func(f string) bool { return f == v1alpha1.FinalizerGrant })
	_, err := r.patchSecret(ctx, judged.name, judged.uid, judged.resourceVersion, map[string]any{
		"metadata": map[string]any{"finalizers": others},
	})
	if apierrors.IsConflict(err) {
		return errConflict
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("releasing the state Secret %s: %w", judged.name, err)
	}
	return nil
}

func (r *Reconciler) rememberState(credential types.NamespacedName, s *state) {
	r.memory.change(credential, func(known *recollection) { known.state = s })
}

// secretMetadata returns what the informer knows of a Secret, or nil.
func (r *Reconciler) secretMetadata(ctx context.Context, name types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	seen := &metav1.PartialObjectMetadata{}
	seen.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := r.Client.Get(ctx, name, seen)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the metadata of Secret %s: %w", name, err)
	}
	return seen, nil
}

// patchSecret sends a merge patch that the API server refuses when the Secret is
// another one or was changed. The answer holds metadata only.
func (r *Reconciler) patchSecret(ctx context.Context, name types.NamespacedName, uid types.UID, resourceVersion string, change map[string]any) (*metav1.PartialObjectMetadata, error) {
	metadata, _ := change["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		change["metadata"] = metadata
	}
	metadata["uid"], metadata["resourceVersion"] = uid, resourceVersion
	body, err := json.Marshal(change)
	if err != nil {
		return nil, err
	}
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err = r.Live.Patch(ctx, object, client.RawPatch(types.MergePatchType, body))
	return object, err
}

// notNewer tells whether version a of an object is b or older (Kubernetes compares
// resourceVersions as integers). Versions that cannot be compared count as newer.
func notNewer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order <= 0
}

// ownerReference makes credential the controller of a Secret.
func ownerReference(credential *v1alpha1.SpacesCredential) metav1.OwnerReference {
	return *metav1.NewControllerRef(credential, v1alpha1.GroupVersion.WithKind("SpacesCredential"))
}

// quietError is the API server's answer to the write of a Secret, without its text:
// a webhook or a validation may repeat there what was sent.
type quietError struct{ error }

// Error implements error.
func (q quietError) Error() string {
	return fmt.Sprintf("the API server answered %s", apierrors.ReasonForError(q.error))
}

// Unwrap keeps the answer's class.
func (q quietError) Unwrap() error { return q.error }

// quiet hides the text of an answer of the API server; other errors, such as a broken
// connection, say what they say.
func quiet(err error) error {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return quietError{err}
	}
	return err
}
