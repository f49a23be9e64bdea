package controllers

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// patchStatus sends what changed in the status since before, unless somebody wrote the object since
// it was read. Its errors are the API server's.
func (r *Reconciler) patchStatus(ctx context.Context, s *scope, before *v1alpha1.SpacesCredentialStatus) error {
	return r.patchCredential(s, &v1alpha1.SpacesCredential{Status: *before}, &v1alpha1.SpacesCredential{Status: s.credential.Status},
		func(answer client.Object, patch client.Patch) error {
			return r.Live.Status().Patch(ctx, answer, patch, client.FieldOwner(v1alpha1.FieldManagerStatus))
		})
}

// patchMetadata sends what changed in finalizers and annotations since before, unless somebody wrote
// the object since it was read. Its errors are the API server's.
func (r *Reconciler) patchMetadata(ctx context.Context, s *scope, before *metav1.ObjectMeta) error {
	written := func(m *metav1.ObjectMeta) *v1alpha1.SpacesCredential {
		return &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Finalizers: m.Finalizers, Annotations: m.Annotations}}
	}
	return r.patchCredential(s, written(before), written(&s.credential.ObjectMeta), func(answer client.Object, patch client.Patch) error {
		return r.Live.Patch(ctx, answer, patch, client.FieldOwner(v1alpha1.FieldManager))
	})
}

// patchCredential has a merge patch sent for the version that was read, and remembers the version
// that was written. Before and after hold only the part that may differ: the rest need not be encoded
// twice to find that it does not. The answer is for what is worth knowing of it: the metadata alone.
func (r *Reconciler) patchCredential(s *scope, before, after *v1alpha1.SpacesCredential, send func(answer client.Object, patch client.Patch) error) error {
	before.ResourceVersion = s.credential.ResourceVersion
	body, err := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}).Data(after)
	if err != nil {
		return err
	}
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: s.key.Namespace, Name: s.key.Name}}
	answer.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("SpacesCredential"))
	if err := send(answer, client.RawPatch(types.MergePatchType, body)); err != nil {
		return err
	}
	s.credential.ResourceVersion = answer.ResourceVersion
	r.memory.change(s.key, func(known *recollection) { known.credentialVersion = answer.ResourceVersion })
	return nil
}
