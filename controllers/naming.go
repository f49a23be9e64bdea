package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// secretIndex finds the credentials whose spec names a Secret.
const secretIndex = "spec.secretNames"

// namedSecrets are the Secrets that the spec of a credential names. The state is none of them: its
// name tells its owner. Nor is a published Secret that has the credential's own name, as it has by
// default: an index would need a KiB for each to say what the name says.
func namedSecrets(object client.Object) []string {
	credential := object.(*v1alpha1.SpacesCredential)
	names := credential.InputSecretNames()
	if credential.Spec.SecretName != "" {
		names = append(names, credential.Spec.SecretName)
	}
	return names
}

// naming lists the credentials that name a Secret, as an input or as the one to publish, one maybe
// twice. They are the informer's own, to be read and not to be written.
func (r *Reconciler) naming(ctx context.Context, secret types.NamespacedName) ([]*v1alpha1.SpacesCredential, error) {
	var listed v1alpha1.SpacesCredentialList
	err := r.Client.List(ctx, &listed, client.InNamespace(secret.Namespace), client.MatchingFields{secretIndex: secret.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing the SpacesCredentials that name the Secret %s: %w", secret, err)
	}
	var found []*v1alpha1.SpacesCredential
	for i := range listed.Items {
		found = append(found, &listed.Items[i])
	}
	namesake := &v1alpha1.SpacesCredential{}
	switch err := r.Client.Get(ctx, secret, namesake, client.UnsafeDisableDeepCopy); {
	case client.IgnoreNotFound(err) != nil:
		return nil, fmt.Errorf("reading the SpacesCredential that has the name of the Secret %s: %w", secret, err)
	case err == nil && namesake.EffectiveSecretName() == secret.Name:
		found = append(found, namesake)
	}
	return found, nil
}
