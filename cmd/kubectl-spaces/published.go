package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// publishedSecret reads the Secret with a living token of a credential. A Secret that
// is not this very credential's is refused: the author of an object must not be able
// to have another Secret shown or sent somewhere.
func (c *cluster) publishedSecret(ctx context.Context, credential *v1alpha1.SpacesCredential) (*corev1.Secret, error) {
	name, why := credential.EffectiveSecretName(), c.pasteSpaces("explain", credential)+" says why"
	secret, err := c.secret(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("no token is published: %w; %s", c.aboutSecret(err, "get", name), why)
	case err != nil:
		return nil, fmt.Errorf("the token cannot be read: %w", c.aboutSecret(err, "get", name))
	case !ownedBy(secret, credential):
		return nil, fmt.Errorf("the Secret %q was not published for SpacesCredential %q; %s", name, credential.Name, why)
	case len(secret.Data[v1alpha1.KeyAccessToken]) == 0:
		return nil, fmt.Errorf("the Secret %q holds no token at present; %s", name, why)
	}
	expires, err := time.Parse(time.RFC3339, string(secret.Data[v1alpha1.KeyExpiresAt]))
	if err != nil {
		return nil, fmt.Errorf("the Secret %q does not tell when its token expires; %s", name, why)
	}
	if now := c.clock.Now(); !now.Before(expires) {
		return nil, fmt.Errorf("the token expired %s; %s", away(expires, now), why)
	}
	return secret, nil
}

// ownedBy tells whether a Secret carries the UID of the living credential.
func ownedBy(secret *corev1.Secret, credential *v1alpha1.SpacesCredential) bool {
	return secret.Annotations[v1alpha1.AnnotationCredentialUID] == string(credential.UID)
}
