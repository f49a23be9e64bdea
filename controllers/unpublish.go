package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// deletePublished deletes the published Secret if it is ours. With policy Retain it
// stays, loses our labels and may be taken back by a credential of the same name.
func (r *Reconciler) deletePublished(ctx context.Context, s *scope) error {
	seen, err := r.secretMetadata(ctx, s.publishedName())
	if err != nil || seen == nil || !isPublishedBy(seen, s.credential) {
		return err
	}
	if isRetained(s.credential) {
		_, err = r.patchSecret(ctx, s.publishedName(), seen.UID, seen.ResourceVersion, map[string]any{
			"metadata": map[string]any{
				"labels": map[string]any{v1alpha1.LabelManagedBy: nil, v1alpha1.LabelSecret: nil},
				"annotations": map[string]any{
					v1alpha1.AnnotationCredential: nil, v1alpha1.AnnotationCredentialUID: nil,
					v1alpha1.AnnotationAdoptableBy: s.credential.Name,
				},
			},
		})
	} else {
		err = r.Live.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: seen.Namespace, Name: seen.Name}},
			client.Preconditions{UID: &seen.UID, ResourceVersion: &seen.ResourceVersion})
	}
	if apierrors.IsConflict(err) {
		return errConflict
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the published Secret %s: %w", s.publishedName(), err)
	}
	return nil
}

// emptyPublished empties the token in the published Secret: the grant was revoked on
// request and has no successor, so the token must not be tried any more.
func (r *Reconciler) emptyPublished(ctx context.Context, s *scope) error {
	seen, err := r.secretMetadata(ctx, s.publishedName())
	if err != nil || seen == nil || !isPublishedBy(seen, s.credential) || seen.Annotations[v1alpha1.AnnotationFingerprint] == "" {
		return err
	}
	if err := r.stillNewest(ctx, s); err != nil {
		return err
	}
	data := map[string]any{}
	for _, key := range s.document.Published().Keys {
		if !slices.Contains(withoutToken, key) {
			data[key] = []byte{}
		}
	}
	_, err = r.patchSecret(ctx, s.publishedName(), seen.UID, seen.ResourceVersion, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{v1alpha1.AnnotationFingerprint: "", v1alpha1.AnnotationExpiresAt: ""}},
		"data":     data,
	})
	r.memory.change(s.key, func(known *recollection) { known.published = published{} })
	s.published.fingerprint = ""
	if apierrors.IsConflict(err) {
		return errConflict
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("emptying the published Secret %s: %w", s.publishedName(), quiet(err))
	}
	return nil
}

// withoutToken are the published keys that say nothing of the token.
var withoutToken = []string{
	v1alpha1.KeyAPIURL, v1alpha1.KeySocketURL, v1alpha1.KeySocketTokenType, v1alpha1.KeyTokenType, v1alpha1.KeyType, v1alpha1.KeyProvider,
}
