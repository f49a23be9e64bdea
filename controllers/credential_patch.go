package controllers

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/credentialio"
)

// patchStatus sends what changed in the status since before, and remembers the version that was
// written. Its errors are the API server's.
func (r *Reconciler) patchStatus(ctx context.Context, s *scope, before *v1alpha1.SpacesCredentialStatus) error {
	return r.written(s, credentialio.PatchStatus(ctx, r.Live, s.credential, before))
}

// patchMetadata sends what changed in finalizers and annotations since before, and remembers the
// version that was written. Its errors are the API server's.
func (r *Reconciler) patchMetadata(ctx context.Context, s *scope, before *metav1.ObjectMeta) error {
	return r.written(s, credentialio.PatchMetadata(ctx, r.Live, s.credential, before))
}

// written remembers the version of the credential that a write left, if it was made.
func (r *Reconciler) written(s *scope, failed error) error {
	if failed == nil {
		version := s.credential.ResourceVersion
		r.memory.change(s.key, func(known *recollection) { known.credentialVersion = version })
	}
	return failed
}
