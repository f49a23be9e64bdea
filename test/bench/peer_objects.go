package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// peerInputName is the Secret with client and login in each namespace, peerWebhookName the
	// generator that sends them.
	peerInputName   = "peer-input"
	peerWebhookName = "token"

	externalSecretVersion = "external-secrets.io/v1"
	externalSecretKind    = "ExternalSecret"
	generatorVersion      = "generators.external-secrets.io/v1alpha1"
	generatorKind         = "Webhook"
)

// theirs are the Secrets that the peer made.
var theirs = client.MatchingLabels{"reconcile.external-secrets.io/managed": "true"}

// createPeerInputs creates what the ExternalSecrets of a namespace share, in each of them.
func (c *cluster) createPeerInputs(ctx context.Context, serviceURL string) error {
	for i := range namespaces {
		if err := c.Create(ctx, peerInput(namespaceOf(i))); err != nil {
			return err
		}
		if err := c.Create(ctx, webhookOf(namespaceOf(i), serviceURL)); err != nil {
			return err
		}
	}
	return nil
}

// peerInput holds client and login in one Secret, so that the peer has but one to read.
func peerInput(namespace string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: peerInputName, Labels: map[string]string{"external-secrets.io/type": "webhook"}},
		StringData: map[string]string{"client_id": clientID, "client_secret": clientSecret, "username": username, "password": password},
	}
}

// webhookOf is the generator that sends what the operator sends to sign in, and takes the whole answer.
func webhookOf(namespace, serviceURL string) *unstructured.Unstructured {
	body := "grant_type=password"
	for _, member := range []string{"username", "password", "client_id", "client_secret"} {
		body += fmt.Sprintf("&%s={{ .input.%s | urlquery }}", member, member)
	}
	return objectOf(generatorVersion, generatorKind, types.NamespacedName{Namespace: namespace, Name: peerWebhookName}, map[string]any{
		"method":  "POST",
		"url":     serviceURL + "/oauth2/access_token",
		"headers": map[string]any{"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
		"body":    body,
		"result":  map[string]any{"jsonPath": "$"},
		"secrets": []any{map[string]any{"name": "input", "secretRef": map[string]any{"name": peerInputName}}},
	})
}

// externalSecretOf is an object of the peer: a token of its own in a Secret of its name, another one
// after each interval.
func externalSecretOf(key types.NamespacedName, interval time.Duration) *unstructured.Unstructured {
	generator := map[string]any{"apiVersion": generatorVersion, "kind": generatorKind, "name": peerWebhookName}
	return objectOf(externalSecretVersion, externalSecretKind, key, map[string]any{
		"refreshInterval": interval.String(),
		"dataFrom":        []any{map[string]any{"sourceRef": map[string]any{"generatorRef": generator}}},
	})
}

func objectOf(version, kind string, key types.NamespacedName, spec map[string]any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetAPIVersion(version)
	object.SetKind(kind)
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	return object
}

// createExternalSecrets creates a number of them, spread over the namespaces as credentials are.
func (c *cluster) createExternalSecrets(ctx context.Context, number int, interval time.Duration) error {
	return together(ctx, number, func(ctx context.Context, i int) error {
		return c.Create(ctx, externalSecretOf(botOf(i), interval))
	})
}

// peerTokens tells the tokens that the peer has published, by the name of their Secret, and how many
// Secrets it has made.
func (c *cluster) peerTokens(ctx context.Context) (tokens map[string]string, all int, err error) {
	var found corev1.SecretList
	if err := c.List(ctx, &found, theirs, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}); err != nil {
		return nil, 0, err
	}
	tokens = map[string]string{}
	for i := range found.Items {
		if token := found.Items[i].Data["access_token"]; len(token) > 0 {
			tokens[client.ObjectKeyFromObject(&found.Items[i]).String()] = string(token)
		}
	}
	return tokens, len(found.Items), nil
}

// cleanPeer removes all ExternalSecrets and what was made for them, without the peer.
func (c *cluster) cleanPeer(ctx context.Context) error {
	objects := &unstructured.UnstructuredList{}
	objects.SetAPIVersion(externalSecretVersion)
	objects.SetKind(externalSecretKind + "List")
	if err := c.List(ctx, objects); err != nil {
		return err
	}
	var secrets corev1.SecretList
	if err := c.List(ctx, &secrets, theirs); err != nil {
		return err
	}
	var left []client.Object
	for i := range objects.Items {
		left = append(left, &objects.Items[i])
	}
	for i := range secrets.Items {
		left = append(left, &secrets.Items[i])
	}
	return c.remove(ctx, left)
}
