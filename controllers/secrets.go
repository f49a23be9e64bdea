package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

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
	err = r.Live.Patch(ctx, object, client.RawPatch(types.MergePatchType, body), client.FieldOwner(v1alpha1.FieldManager))
	return object, err
}

// replacing is the part of a merge patch that sets what is wanted and removes what was
// there of ours: a merge patch leaves alone what it does not name.
func replacing[V any](before []string, wanted map[string]V) map[string]any {
	change := map[string]any{}
	for _, key := range before {
		change[key] = nil
	}
	for key, value := range wanted {
		change[key] = value
	}
	return change
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

// statusReason gives the API server's own word for a refusal, never its text, which
// may repeat what was sent.
func statusReason(err error) string {
	if apierrors.HasStatusCause(err, "NamespaceTerminating") {
		return "the namespace is terminating"
	}
	return quietError{err}.Error()
}
