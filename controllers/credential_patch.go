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
	patch, err := s.difference(&v1alpha1.SpacesCredential{Status: *before}, &v1alpha1.SpacesCredential{Status: s.credential.Status})
	if err != nil {
		return err
	}
	answer := s.answer()
	if err := r.Live.Status().Patch(ctx, answer, patch, client.FieldOwner(v1alpha1.FieldManagerStatus)); err != nil {
		return err
	}
	r.wroteCredential(s, answer.ResourceVersion)
	return nil
}

// patchMetadata sends what changed in finalizers and annotations since before, unless somebody wrote
// the object since it was read. Its errors are the API server's.
func (r *Reconciler) patchMetadata(ctx context.Context, s *scope, before *metav1.ObjectMeta) error {
	written := func(m *metav1.ObjectMeta) *v1alpha1.SpacesCredential {
		return &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Finalizers: m.Finalizers, Annotations: m.Annotations}}
	}
	patch, err := s.difference(written(before), written(&s.credential.ObjectMeta))
	if err != nil {
		return err
	}
	answer := s.answer()
	if err := r.Live.Patch(ctx, answer, patch, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
		return err
	}
	r.wroteCredential(s, answer.ResourceVersion)
	return nil
}

// difference is a merge patch for the version that was read. Before and after hold only the part that
// may differ: the rest need not be encoded twice to find that it does not.
func (s *scope) difference(before, after *v1alpha1.SpacesCredential) (client.Patch, error) {
	before.ResourceVersion = s.credential.ResourceVersion
	body, err := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}).Data(after)
	return client.RawPatch(types.MergePatchType, body), err
}

// answer is for what the API server says of the credential after a write: its metadata alone.
func (s *scope) answer() *metav1.PartialObjectMetadata {
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: s.key.Namespace, Name: s.key.Name}}
	answer.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("SpacesCredential"))
	return answer
}

// wroteCredential remembers the version that was written.
func (r *Reconciler) wroteCredential(s *scope, version string) {
	s.credential.ResourceVersion = version
	r.memory.change(s.key, func(known *recollection) { known.credentialVersion = version })
}
