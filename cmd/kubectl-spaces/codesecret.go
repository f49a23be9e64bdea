package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// The schema's defaults, for objects that never passed an API server with them.
const (
	defaultCodeKey     = "code"
	defaultVerifierKey = "code_verifier"
)

// codeSecret is the Secret in which a login hands code and verifier to the operator.
// Only a Secret of the type made for it is ever written: the author of a credential
// chooses the name, and must not be able to have another Secret overwritten.
type codeSecret struct {
	cluster              *cluster
	name                 string
	codeKey, verifierKey string
	// found is what stood there before the browser was opened, or nil.
	found *corev1.Secret
	// sent is the code that this login handed over, or tried to.
	sent []byte
}

// codeSecretOf looks at the Secret that a credential names for its code, and makes
// sure that it can be written: nobody should sign in for nothing.
func (c *cluster) codeSecretOf(ctx context.Context, credential *v1alpha1.SpacesCredential) (*codeSecret, error) {
	ref := credential.Spec.AuthorizationCode.SecretRef
	s := &codeSecret{cluster: c, name: ref.Name, codeKey: orDefault(ref.CodeKey, defaultCodeKey), verifierKey: orDefault(ref.CodeVerifierKey, defaultVerifierKey)}
	if s.codeKey == s.verifierKey {
		return nil, fmt.Errorf("code and verifier cannot both stand under the key %q: correct spec.authorizationCode.secretRef", s.codeKey)
	}
	if err := c.mayWriteSecret(ctx, s.name); err != nil {
		return nil, err
	}
	found, err := c.secret(ctx, s.name)
	switch {
	case apierrors.IsNotFound(err):
		return s, nil
	case err != nil:
		return nil, c.aboutSecret(err, "get", s.name)
	case found.Type != v1alpha1.SecretTypeAuthorizationCode:
		return nil, fmt.Errorf("the Secret %q is not of type %s, so it is not overwritten: name another one in spec.authorizationCode.secretRef, or delete it",
			s.name, v1alpha1.SecretTypeAuthorizationCode)
	case found.Immutable != nil && *found.Immutable:
		return nil, fmt.Errorf("the Secret %q is immutable: delete it first", s.name)
	}
	s.found = found
	return s, nil
}

func orDefault(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// mayWriteSecret asks the API server for the rights that a login needs on its Secret.
func (c *cluster) mayWriteSecret(ctx context.Context, name string) error {
	var missing []string
	for _, verb := range []string{"get", "create", "update", "delete"} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: c.namespace, Verb: verb, Version: "v1", Resource: "secrets", Name: name},
		}}
		if verb == "create" {
			review.Spec.ResourceAttributes.Name = "" // a creation is judged without its name
		}
		if err := c.Create(ctx, review); err != nil {
			return fmt.Errorf("the API server did not tell what you may do with Secrets in namespace %q: %w", c.namespace, err)
		}
		if !review.Status.Allowed {
			missing = append(missing, verb)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("you may not %s Secret %q in namespace %q, which hands the sign-in to the operator", strings.Join(missing, ", "), name, c.namespace)
	}
	return nil
}

// write hands code and verifier over: into a new Secret, or into the very one that was
// found, as it was found.
func (s *codeSecret) write(ctx context.Context, code, verifier string) error {
	s.sent = []byte(code)
	data := map[string][]byte{s.codeKey: []byte(code), s.verifierKey: []byte(verifier)}
	var err error
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.cluster.namespace, Name: s.name},
		Type:       v1alpha1.SecretTypeAuthorizationCode, Data: data,
	}
	if s.found == nil {
		err = s.cluster.Create(ctx, secret, client.FieldOwner(fieldManager))
	} else {
		secret = s.found.DeepCopy()
		secret.Data = data
		err = s.cluster.Update(ctx, secret, client.FieldOwner(fieldManager))
	}
	switch {
	case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return fmt.Errorf("somebody else wrote or deleted Secret %q meanwhile, so it is not overwritten: begin again", s.name)
	case apierrors.IsInvalid(err):
		// Its text may repeat what was sent.
		return fmt.Errorf("the API server did not accept Secret %q", s.name)
	}
	return s.cluster.aboutSecret(err, "write", s.name)
}

// remove takes away what this login wrote, also where it never learned that it did,
// and nothing that somebody wrote since.
func (s *codeSecret) remove(ctx context.Context) error {
	found, err := s.cluster.secret(ctx, s.name)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return s.cluster.aboutSecret(err, "get", s.name)
	case found.Type != v1alpha1.SecretTypeAuthorizationCode || !bytes.Equal(found.Data[s.codeKey], s.sent):
		return nil
	}
	err = s.cluster.Delete(ctx, found, client.Preconditions{UID: &found.UID, ResourceVersion: &found.ResourceVersion})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return s.cluster.aboutSecret(err, "delete", s.name)
}
