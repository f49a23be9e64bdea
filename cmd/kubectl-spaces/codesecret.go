package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
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
	// labels are those that spec wants on it.
	labels map[string]string
	// expectedUser and redirectURI go with the code, where they are not empty.
	expectedUser, redirectURI string
	// found is what stood there before the browser was opened, or nil.
	found *corev1.Secret
	// sent is the code that this login handed over, or tried to.
	sent []byte
}

// codeSecretOf looks at the Secret that a credential names for its code, and makes
// sure that this person and this command may write it.
func (c *cluster) codeSecretOf(ctx context.Context, credential *v1alpha1.SpacesCredential, expectedUser string) (*codeSecret, error) {
	ref := credential.Spec.AuthorizationCode.SecretRef
	s := &codeSecret{
		cluster: c, name: ref.Name, labels: credential.StateLabels(), expectedUser: expectedUser,
		codeKey: orDefault(ref.CodeKey, defaultCodeKey), verifierKey: orDefault(ref.CodeVerifierKey, defaultVerifierKey),
	}
	if s.codeKey == s.verifierKey {
		return nil, fmt.Errorf("code and verifier cannot both stand under the key %q: correct spec.authorizationCode.secretRef", s.codeKey)
	}
	for _, key := range []string{v1alpha1.KeyExpectedUser, v1alpha1.KeyRedirectURI} {
		if key == s.codeKey || key == s.verifierKey {
			return nil, fmt.Errorf("the key %q is for something else than code and verifier: correct spec.authorizationCode.secretRef", key)
		}
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

// rehearse asks the API server, and with it policies, webhooks and quota, whether it would
// take the Secret: nobody should sign in for nothing. No code is in it yet, so what they
// say of it can be repeated.
func (s *codeSecret) rehearse(ctx context.Context) error {
	err := s.put(ctx, client.NewDryRunClient(s.cluster), "code", "verifier")
	if isRefusal(err) {
		return because(err, "the API server would not take Secret %q, which hands the sign-in to the operator: %v; "+
			"if a policy asks for labels, put them into spec.stateLabels", s.name, err)
	}
	return s.judged(err)
}

// write hands code and verifier over: into a new Secret, or into the very one that was
// found, as it was found.
func (s *codeSecret) write(ctx context.Context, code, verifier string) error {
	s.sent = []byte(code)
	err := s.put(ctx, s.cluster, code, verifier)
	if isRefusal(err) {
		// Its text may repeat what was sent.
		return fmt.Errorf("the API server did not take Secret %q, although it would have before the sign-in: begin again to be told why", s.name)
	}
	return s.judged(err)
}

// isRefusal tells that the API server, a policy, a webhook or a quota does not want what
// was sent.
func isRefusal(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}

// judged is what any other answer to put means.
func (s *codeSecret) judged(err error) error {
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return fmt.Errorf("somebody else wrote or deleted Secret %q meanwhile, so it is not overwritten: begin again", s.name)
	}
	return s.cluster.aboutSecret(err, "write", s.name)
}

// put sends the Secret. Labels of others stay on it; what an earlier login put there goes,
// unless spec still wants it.
func (s *codeSecret) put(ctx context.Context, to client.Writer, code, verifier string) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.cluster.namespace, Name: s.name},
		Type:       v1alpha1.SecretTypeAuthorizationCode,
	}
	if s.found != nil {
		secret = s.found.DeepCopy()
	}
	secret.Data = map[string][]byte{s.codeKey: []byte(code), s.verifierKey: []byte(verifier)}
	if s.expectedUser != "" {
		secret.Data[v1alpha1.KeyExpectedUser] = []byte(s.expectedUser)
	}
	if s.redirectURI != "" {
		secret.Data[v1alpha1.KeyRedirectURI] = []byte(s.redirectURI)
	}
	labels := map[string]string{}
	maps.Copy(labels, secret.Labels)
	for _, key := range labelsOfLogin(secret) {
		delete(labels, key)
	}
	maps.Copy(labels, s.labels)
	secret.Labels = labels
	if s.found == nil {
		return to.Create(ctx, secret, client.FieldOwner(fieldManager))
	}
	return to.Update(ctx, secret, client.FieldOwner(fieldManager))
}

// labelsOfLogin are the labels that an earlier login has put on a Secret: the API server
// remembers who set each of them last.
func labelsOfLogin(secret *corev1.Secret) []string {
	var keys []string
	for _, entry := range secret.ManagedFields {
		var set struct {
			Metadata struct {
				Labels map[string]struct{} `json:"f:labels"`
			} `json:"f:metadata"`
		}
		if entry.Manager != fieldManager || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &set) != nil {
			continue
		}
		for field := range set.Metadata.Labels {
			keys = append(keys, strings.TrimPrefix(field, "f:"))
		}
	}
	return keys
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
