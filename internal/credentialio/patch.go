// Package credentialio writes SpacesCredentials: only what changed, and only in the version that was
// read.
package credentialio

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// PatchStatus sends what changed in the status since before. The credential has the version that was
// written then. Its errors are the API server's.
func PatchStatus(ctx context.Context, c client.Client, credential *v1alpha1.SpacesCredential, before *v1alpha1.SpacesCredentialStatus) error {
	return patch(credential, &v1alpha1.SpacesCredential{Status: *before}, &v1alpha1.SpacesCredential{Status: credential.Status},
		func(answer client.Object, change client.Patch) error {
			return c.Status().Patch(ctx, answer, change, client.FieldOwner(v1alpha1.FieldManagerStatus))
		})
}

// PatchMetadata sends what changed in finalizers and annotations since before. The credential has the
// version that was written then. Its errors are the API server's.
func PatchMetadata(ctx context.Context, c client.Client, credential *v1alpha1.SpacesCredential, before *metav1.ObjectMeta) error {
	written := func(m *metav1.ObjectMeta) *v1alpha1.SpacesCredential {
		return &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Finalizers: m.Finalizers, Annotations: m.Annotations}}
	}
	return patch(credential, written(before), written(&credential.ObjectMeta), func(answer client.Object, change client.Patch) error {
		return c.Patch(ctx, answer, change, client.FieldOwner(v1alpha1.FieldManager))
	})
}

// patch has a merge patch sent for the version that was read. Before and after hold only the part that
// may differ: the rest need not be encoded twice to find that it does not. The answer is for what is
// worth knowing of it: the metadata alone.
func patch(credential, before, after *v1alpha1.SpacesCredential, send func(answer client.Object, change client.Patch) error) error {
	before.ResourceVersion = credential.ResourceVersion
	body, err := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}).Data(after)
	if err != nil {
		return err
	}
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: credential.Namespace, Name: credential.Name}}
	answer.SetGroupVersionKind(v1alpha1.GroupVersionKind)
	if err := send(answer, client.RawPatch(types.MergePatchType, body)); err != nil {
		return err
	}
	credential.ResourceVersion = answer.ResourceVersion
	return nil
}
