package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/credentialio"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
)

// finalize takes a deleted credential to its end: the published Secret goes first,
// then the grants, then the state, then the credential itself. It is settled when the
// credential is released.
func (r *Reconciler) finalize(ctx context.Context, s *scope) (outcome, error) {
	if !controllerutil.ContainsFinalizer(s.credential, v1alpha1.FinalizerRevoke) {
		return outcome{}, nil
	}
	living, err := r.living(ctx, s.key)
	if err != nil {
		return outcome{}, err
	}
	if living.UID != s.credential.UID {
		// The informer is late: this one is gone, and what bears its name is another's.
		return again, nil
	}
	if err := r.deletePublished(ctx, s); err != nil {
		return outcome{}, err
	}
	if err := r.deleteExport(ctx, s); err != nil {
		return outcome{}, err
	}
	if out, err := r.retireState(ctx, s); err != nil || out.standing != settled {
		return out, err
	}
	return outcome{}, r.removeFinalizer(ctx, s)
}

// removeFinalizer lets the credential go, under the version that was judged.
func (r *Reconciler) removeFinalizer(ctx context.Context, s *scope) error {
	before := s.credential.ObjectMeta.DeepCopy()
	controllerutil.RemoveFinalizer(s.credential, v1alpha1.FinalizerRevoke)
	return r.writeMetadata(ctx, s, before)
}

// addFinalizer makes sure that the credential outlives its grants.
func (r *Reconciler) addFinalizer(ctx context.Context, s *scope) error {
	before := s.credential.ObjectMeta.DeepCopy()
	if controllerutil.AddFinalizer(s.credential, v1alpha1.FinalizerRevoke) {
		return r.writeMetadata(ctx, s, before)
	}
	if s.state == nil {
		return r.stillWanted(ctx, s)
	}
	return nil
}

// writeMetadata writes changed finalizers or annotations, unless the object changed meanwhile.
func (r *Reconciler) writeMetadata(ctx context.Context, s *scope, before *metav1.ObjectMeta) error {
	err := credentialio.PatchMetadata(ctx, r.Live, s.credential, before)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return errConflict
	}
	if err != nil {
		return fmt.Errorf("writing the metadata of SpacesCredential %s: %w", s.key, err)
	}
	r.wroteCredential(s)
	return nil
}

// deletePublished deletes the published Secret if it is ours. With policy Retain it
// stays, loses our labels and may be taken back by a credential of the same name.
func (r *Reconciler) deletePublished(ctx context.Context, s *scope) error {
	seen, err := secretio.Metadata(ctx, r.Client, s.publishedName())
	if err != nil || seen == nil || !isPublishedBy(seen, s.credential) {
		return err
	}
	if isRetained(s.credential) {
		err = r.retainPublished(ctx, s)
	} else {
		err = secretio.Delete(ctx, r.Live, secretio.Judged{Name: s.publishedName(), UID: seen.UID, ResourceVersion: seen.ResourceVersion})
	}
	if apierrors.IsConflict(err) {
		return errConflict
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the published Secret %s: %w", s.publishedName(), err)
	}
	return nil
}

// retainPublished takes from the published Secret what makes it ours, our owner reference too:
// the garbage collector would undo the policy.
func (r *Reconciler) retainPublished(ctx context.Context, s *scope) error {
	var secret corev1.Secret
	if err := r.Live.Get(ctx, s.publishedName(), &secret); err != nil {
		return err
	}
	if !isPublishedBy(&secret, s.credential) {
		return nil
	}
	judged := secretio.Judged{Name: s.publishedName(), UID: secret.UID, ResourceVersion: secret.ResourceVersion}
	_, err := secretio.Patch(ctx, r.Live, judged, map[string]any{
		"metadata": map[string]any{
			"labels": map[string]any{v1alpha1.LabelManagedBy: nil, v1alpha1.LabelSecret: nil},
			"annotations": map[string]any{
				v1alpha1.AnnotationCredential: nil, v1alpha1.AnnotationCredentialUID: nil, v1alpha1.AnnotationClaim: nil,
				v1alpha1.AnnotationAdoptableBy: s.credential.Name,
			},
			"ownerReferences": s.publishedOwners(secret.OwnerReferences),
		},
	})
	return err
}
