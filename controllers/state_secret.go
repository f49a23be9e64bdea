package controllers

import (
	"crypto/sha256"
	"encoding/json"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// nobodyManages has the API server forget which manager owns which field. Of the state that tells
// nobody anything, and to keep account of it is a quarter of what the API server does for a write.
var nobodyManages = []metav1.ManagedFieldsEntry{{}}

// stateSecret is the state Secret of a credential as this operator makes it, around a sealed document.
func (s *scope) stateSecret(content []byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       s.key.Namespace,
			Name:            s.credential.GrantSecretName(),
			Labels:          s.ownLabels(v1alpha1.SecretGrant),
			Annotations:     map[string]string{v1alpha1.AnnotationCredential: s.key.Name, v1alpha1.AnnotationCredentialUID: string(s.credential.UID)},
			OwnerReferences: []metav1.OwnerReference{ownerReference(s.credential)},
			Finalizers:      []string{v1alpha1.FinalizerGrant},
		},
		Type: v1alpha1.SecretTypeGrantState,
		Data: map[string][]byte{v1alpha1.StateKey: content},
	}
}

// ownLabels are those of a Secret that is the operator's alone.
func (s *scope) ownLabels(kind string) map[string]string {
	labels := maps.Clone(s.stateLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelManagedBy], labels[v1alpha1.LabelSecret] = v1alpha1.ManagedByValue, kind
	return labels
}

// stateLabels are those that spec names. An answer is saved without a look at spec: the labels are
// then those of the claim.
func (s *scope) stateLabels() map[string]string {
	if s.hasSpec() || s.state == nil {
		return s.credential.StateLabels()
	}
	return s.state.labels
}

// hasSpec tells that the credential is there, and not only named.
func (s *scope) hasSpec() bool { return !s.isGone() && s.credential.Generation > 0 }

// shape is a digest of what a state Secret has beside its document. It is zero where others may have
// written more than that on it: who does not know all of a Secret must not replace it.
type shape [sha256.Size]byte

func shapeOf(secret *corev1.Secret) shape {
	if len(secret.Data) != 1 || secret.Data[v1alpha1.StateKey] == nil || secret.Immutable != nil {
		return shape{}
	}
	text, err := json.Marshal([]any{secret.Type, secret.Labels, secret.Annotations, secret.OwnerReferences, secret.Finalizers})
	if err != nil {
		return shape{}
	}
	return sha256.Sum256(text)
}
