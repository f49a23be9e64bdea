package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/statekey"
)

// stateKeySecret is the Secret of the keys that seal state documents: the flag's, else one
// beside the lease.
func (s *settings) stateKeySecret() (types.NamespacedName, error) {
	if s.stateKeyFlag == "" {
		return types.NamespacedName{Namespace: s.leaseNamespace(), Name: v1alpha1.StateKeySecretName}, nil
	}
	namespace, name, ok := strings.Cut(s.stateKeyFlag, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return types.NamespacedName{}, fmt.Errorf("--state-key-secret must be namespace/name, not %q", s.stateKeyFlag)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// loadKeys reads the keys, or makes the first one. The namespaces are those in which there may
// be states; the empty name stands for all.
func (s *settings) loadKeys(ctx context.Context, live client.Client, namespaces []string) (*statekey.Keys, error) {
	name, err := s.stateKeySecret()
	if err != nil {
		return nil, err
	}
	keys := &statekey.Keys{Live: live, Name: name, Clock: s.clock, Random: rand.Reader}
	err = keys.Load(ctx, func(ctx context.Context) error { return s.mayMakeKey(ctx, live, name, namespaces) })
	return keys, err
}

// mayMakeKey is against a new key where states are sealed with one that is gone: a new one
// opens none of them, and hides that the old one is missing. A namespace that may not be read is
// not asked: it must not hold the others up.
func (s *settings) mayMakeKey(ctx context.Context, live client.Reader, name types.NamespacedName, namespaces []string) error {
	if s.newStateKey {
		return nil
	}
	for _, namespace := range namespaces {
		states := &metav1.PartialObjectMetadataList{}
		states.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		err := live.List(ctx, states, client.InNamespace(namespace), client.MatchingFields{"type": v1alpha1.SecretTypeGrantState}, client.Limit(1))
		if err != nil {
			return fmt.Errorf("looking for sealed states before a key is made: %w", err)
		}
		for _, state := range states.Items {
			return fmt.Errorf("the Secret %s with the keys of sealed states is gone, and there are such states (%s/%s is one): "+
				"put it back from a backup, or start once with --new-state-key, which gives their grants up", name, state.Namespace, state.Name)
		}
	}
	return nil
}
