package controllers

import (
	"context"
	"fmt"

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
func (r *Reconciler) rival(ctx context.Context, p *pass) (*finding, error) {
	seen, err := r.secretMetadata(ctx, p.publishedName())
	if err != nil || seen != nil && isPublishedBy(seen, p.credential) {
		return nil, err
	}
	holder, err := r.rightful(ctx, p, seen)
	if err != nil {
		return nil, err
	}
	if holder != p.credential.Name {
		return blocked(v1alpha1.ReasonSecretConflict,
			"SpacesCredential %q publishes into Secret %q. Choose another secretName for one of the two, or delete one.", holder, p.credential.EffectiveSecretName()), nil
	}
	if seen == nil {
		return nil, nil
	}
	return r.adoptable(ctx, p)
}

// rightful names the credential that may publish into the Secret: the living one
// whose UID it carries, else the oldest of those that name it, else the first by
// name.
func (r *Reconciler) rightful(ctx context.Context, p *pass, seen *metav1.PartialObjectMetadata) (string, error) {
	var naming v1alpha1.SpacesCredentialList
	err := r.Client.List(ctx, &naming, client.InNamespace(p.key.Namespace), client.MatchingFields{secretIndex: p.credential.EffectiveSecretName()})
	if err != nil {
		return "", fmt.Errorf("listing the SpacesCredentials that name Secret %s: %w", p.publishedName(), err)
	}
	best := p.credential
	for i := range naming.Items {
		other := &naming.Items[i]
		if other.EffectiveSecretName() != p.credential.EffectiveSecretName() || other.UID == p.credential.UID {
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

// adoptable tells why somebody else's Secret may not be taken over; nil when its
// owner allows it and it can be written, or when the informer is late and it is ours. It is
// looked at before anything is spent.
func (r *Reconciler) adoptable(ctx context.Context, p *pass) (*finding, error) {
	var secret corev1.Secret
	if err := r.Live.Get(ctx, p.publishedName(), &secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("reading the Secret %s to adopt: %w", p.publishedName(), err)
	}
	if isPublishedBy(&secret, p.credential) {
		return nil, nil
	}
	return p.adoption(&secret), nil
}

// adoption judges a Secret that this credential may take over.
func (p *pass) adoption(secret *corev1.Secret) *finding {
	controller := metav1.GetControllerOf(secret)
	switch {
	case secret.Annotations[v1alpha1.AnnotationAdoptableBy] != p.credential.Name:
		return conflict(p)
	case secret.Immutable != nil && *secret.Immutable:
		return blocked(v1alpha1.ReasonSecretImmutable, "Secret %q may be adopted, but it is immutable. Delete it; it is published at once.", secret.Name)
	case controller != nil:
		return blocked(v1alpha1.ReasonSecretConflict, "Secret %q may be adopted, but its controller is %s %q. Remove that owner reference, or the annotation adoptable-by.", secret.Name, controller.Kind, controller.Name)
	case string(secret.Type) != p.credential.EffectiveSecretType():
		return blocked(v1alpha1.ReasonSecretConflict, "Secret %q may be adopted, but its type is %q and spec wants %q. A type cannot be changed: delete the Secret, or the annotation adoptable-by.",
			secret.Name, secret.Type, p.credential.EffectiveSecretType())
	}
	return nil
}

// undoSignIn gives up the sign-in of this pass, because a rival was seen too late: a
// grant nobody can use is not kept. A seed's grant is kept, it cannot be had again.
func (r *Reconciler) undoSignIn(ctx context.Context, p *pass) error {
	d := p.state.document.clone()
	d.list(d.Grant, p.now, p.now, p.now)
	d.Grant = nil
	written, err := r.writeState(ctx, p.key, p.state, d)
	if err != nil {
		return err
	}
	p.state = written
	return nil
}

// rivalsOf lists the credentials that may have to act because another one came, went
// or changed.
func (r *Reconciler) rivalsOf(ctx context.Context, object client.Object) []types.NamespacedName {
	credential, ok := object.(*v1alpha1.SpacesCredential)
	if !ok {
		return nil
	}
	var naming v1alpha1.SpacesCredentialList
	err := r.Client.List(ctx, &naming, client.InNamespace(credential.Namespace), client.MatchingFields{secretIndex: credential.EffectiveSecretName()})
	if err != nil {
		r.Log.Error(err, "Listing the SpacesCredentials that name a Secret failed", "namespace", credential.Namespace, "secret", credential.EffectiveSecretName())
	}
	var rivals []types.NamespacedName
	for _, other := range naming.Items {
		if other.Name != credential.Name {
			rivals = append(rivals, client.ObjectKeyFromObject(&other))
		}
	}
	return rivals
}
