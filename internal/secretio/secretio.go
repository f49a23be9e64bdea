// Package secretio reads what an informer knows of Secrets, and writes Secrets only as they
// were judged: under the UID and the resourceVersion of what was looked at. What the API server
// answers to a write is told by its reason alone, since its text may repeat what was sent.
package secretio

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

// Metadata returns what the cache behind a reader knows of a Secret, or nil. It is the cache's own, to
// be read and not to be written: a pass looks at several, and would copy each. Its errors are the
// reader's.
func Metadata(ctx context.Context, cache client.Reader, name types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	seen := &metav1.PartialObjectMetadata{}
	seen.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := cache.Get(ctx, name, seen, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the metadata of Secret %s: %w", name, err)
	}
	return seen, nil
}

// Judged names a Secret as it was looked at.
type Judged struct {
	Name            types.NamespacedName
	UID             types.UID
	ResourceVersion string
}

// Patch sends a merge patch that the API server refuses with a conflict when the Secret is
// another one or was changed. The answer holds metadata only. Its errors are the API server's.
func Patch(ctx context.Context, live client.Writer, judged Judged, change map[string]any) (*metav1.PartialObjectMetadata, error) {
	metadata, _ := change["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		change["metadata"] = metadata
	}
	metadata["uid"], metadata["resourceVersion"] = judged.UID, judged.ResourceVersion
	body, err := json.Marshal(change)
	if err != nil {
		return nil, err
	}
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: judged.Name.Namespace, Name: judged.Name.Name}}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err = live.Patch(ctx, object, client.RawPatch(types.MergePatchType, body), client.FieldOwner(v1alpha1.FieldManager))
	return object, err
}

// Delete deletes a Secret if it still is what was judged. Its errors are the API server's.
func Delete(ctx context.Context, live client.Writer, judged Judged) error {
	return live.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: judged.Name.Namespace, Name: judged.Name.Name}},
		client.Preconditions{UID: &judged.UID, ResourceVersion: &judged.ResourceVersion})
}

// Replacing is the part of a merge patch that sets what is wanted and removes what was
// there of ours: a merge patch leaves alone what it does not name.
func Replacing[V any](before []string, wanted map[string]V) map[string]any {
	change := map[string]any{}
	for _, key := range before {
		change[key] = nil
	}
	for key, value := range wanted {
		change[key] = value
	}
	return change
}

// NotNewer tells whether version a of an object is b or older (Kubernetes compares
// resourceVersions as integers). Versions that cannot be compared count as newer.
func NotNewer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order <= 0
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

// Quiet hides the text of an answer of the API server; other errors, such as a broken
// connection, say what they say.
func Quiet(err error) error {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return quietError{err}
	}
	return err
}

// Reason gives the API server's own word for a refusal, never its text, which
// may repeat what was sent.
func Reason(err error) string {
	if apierrors.HasStatusCause(err, "NamespaceTerminating") {
		return "the namespace is terminating"
	}
	return quietError{err}.Error()
}
