package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// rival finds out, before anything is spent, whether the name of the published
// Secret belongs to somebody else: to a Secret that is not ours to change, or to
// another credential.
func (r *Reconciler) rival(ctx context.Context, s *scope, seen *metav1.PartialObjectMetadata) (outcome, error) {
	if s.published.whose == ours {
		return outcome{}, nil
	}
	holder, err := r.rightful(ctx, s, seen)
	switch {
	case err != nil:
		return outcome{}, err
	case holder != s.credential.Name:
		return rivalPublishes(holder, s.credential), nil
	case seen == nil:
		return outcome{}, nil
	}
	return r.adoptable(ctx, s)
}

// rightful names the credential that may publish into the Secret: the living one
// whose UID it carries, else the oldest of those that name it, else the first by
// name.
func (r *Reconciler) rightful(ctx context.Context, s *scope, seen *metav1.PartialObjectMetadata) (string, error) {
	naming, err := r.naming(ctx, s.publishedName())
	if err != nil {
		return "", err
	}
	best := s.credential
	for _, other := range naming {
		if other.EffectiveSecretName() != s.credential.EffectiveSecretName() || other.UID == s.credential.UID {
			continue
		}
		if seen != nil && isPublishedBy(seen, other) {
			return other.Name, nil
		}
		if other.DeletionTimestamp.IsZero() && precedes(other, best) {
			best = other
		}
	}
	return best.Name, nil
}

// precedes tells which of two credentials that name one Secret has the better right.
func precedes(a, b *v1alpha1.SpacesCredential) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// adoptable tells why somebody else's Secret may not be taken over; it is settled when its
// owner allows it and it can be written, or when the informer is late and it is ours. It is
// looked at before anything is spent.
func (r *Reconciler) adoptable(ctx context.Context, s *scope) (outcome, error) {
	var secret corev1.Secret
	if err := r.Live.Get(ctx, s.publishedName(), &secret); err != nil {
		if apierrors.IsNotFound(err) {
			return outcome{}, nil
		}
		return outcome{}, fmt.Errorf("reading the Secret %s to adopt: %w", s.publishedName(), err)
	}
	if isPublishedBy(&secret, s.credential) {
		return outcome{}, nil
	}
	_, problem, err := r.adoption(ctx, s, &secret)
	return problem, err
}

// adoption judges a Secret that this credential may take over, because somebody offers it or
// because an earlier credential of this name left it, and returns the owners it keeps.
func (r *Reconciler) adoption(ctx context.Context, s *scope, secret *corev1.Secret) ([]metav1.OwnerReference, outcome, error) {
	isLeft, err := r.isLeft(ctx, s, secret)
	if err != nil {
		return nil, outcome{}, err
	}
	owners := secret.OwnerReferences
	if isLeft { // the one that it had is dead
		uid := types.UID(secret.Annotations[v1alpha1.AnnotationCredentialUID])
		owners = slices.DeleteFunc(slices.Clone(owners), func(o metav1.OwnerReference) bool { return o.UID == uid })
	}
	controller := metav1.GetControllerOf(&metav1.ObjectMeta{OwnerReferences: owners})
	switch {
	case !isLeft && secret.Annotations[v1alpha1.AnnotationAdoptableBy] != s.credential.Name:
		return nil, publishedTaken(s.credential.EffectiveSecretName()), nil
	case secret.Immutable != nil && *secret.Immutable:
		return nil, adoptionImmutable(secret.Name), nil
	case controller != nil:
		return nil, adoptionControlled(secret.Name, controller), nil
	case string(secret.Type) != s.credential.EffectiveSecretType():
		return nil, adoptionOfType(secret, s.credential.EffectiveSecretType()), nil
	}
	return owners, outcome{}, nil
}

// isLeft tells that an earlier credential of this name left the Secret behind, as a restored
// backup shows it: it has our label, this credential's name, and a UID that none has that
// lives in this namespace.
func (r *Reconciler) isLeft(ctx context.Context, s *scope, secret *corev1.Secret) (bool, error) {
	uid := types.UID(secret.Annotations[v1alpha1.AnnotationCredentialUID])
	if secret.Labels[v1alpha1.LabelSecret] != v1alpha1.SecretPublished || secret.Annotations[v1alpha1.AnnotationCredential] != s.credential.Name || uid == "" {
		return false, nil
	}
	var living v1alpha1.SpacesCredentialList
	if err := r.Client.List(ctx, &living, client.InNamespace(s.key.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("listing the SpacesCredentials of namespace %s: %w", s.key.Namespace, err)
	}
	return !slices.ContainsFunc(living.Items, func(c v1alpha1.SpacesCredential) bool { return c.UID == uid }), nil
}
