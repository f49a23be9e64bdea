package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// The names and values of the objects that are measured.
const (
	namespace   = "count"
	environment = "local"
	// slow is an environment of the default rate, and the namespace of those who wait for it.
	slow         = "slow"
	clientID     = "count-client"
	clientSecret = "count-client-secret"
	username     = "bot@example.test"
	password     = "count-password"
)

// cluster reaches the API server past the proxy, so that nothing of it is counted.
type cluster struct{ client client.Client }

func newCluster(config *rest.Config) (*cluster, error) {
	made, err := testbed.NewClient(config)
	return &cluster{client: made}, err
}

// createNamespace creates a namespace.
func (c *cluster) createNamespace(ctx context.Context, name string) error {
	return c.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// createCredentials creates credentials of an environment in a namespace. Each has a client and
// a login of its own: what many share is read once for all of them, and would not count.
func (c *cluster) createCredentials(ctx context.Context, namespace, environment string, number int) error {
	for i := range number {
		client, login := fmt.Sprintf("client-%03d", i), fmt.Sprintf("login-%03d", i)
		err := errors.Join(
			c.createSecret(ctx, namespace, client, map[string]string{"client_id": clientID, "client_secret": clientSecret}),
			c.createSecret(ctx, namespace, login, map[string]string{"username": username, "password": password}),
			c.client.Create(ctx, &v1alpha1.SpacesCredential{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("bot-%03d", i)},
				Spec: v1alpha1.SpacesCredentialSpec{
					Environment:     environment,
					ClientSecretRef: &v1alpha1.ClientSecretReference{Name: client},
					GrantType:       v1alpha1.GrantTypePassword,
					Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: login}},
				},
			}),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) createSecret(ctx context.Context, namespace, name string, values map[string]string) error {
	return c.client.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: values})
}

// areDue tells that every token is to be renewed by now.
func (c *cluster) areDue(ctx context.Context, namespace string) (bool, error) {
	var all v1alpha1.SpacesCredentialList
	if err := c.client.List(ctx, &all, client.InNamespace(namespace)); err != nil {
		return false, err
	}
	return !slices.ContainsFunc(all.Items, func(credential v1alpha1.SpacesCredential) bool {
		token := credential.Status.Token
		return token == nil || token.RenewalTime == nil || token.RenewalTime.After(time.Now())
	}), nil
}

// renewals tells how often the ready credentials were renewed: the fewest (-1 while
// one is not ready) and the most.
func (c *cluster) renewals(ctx context.Context, namespace string, number int) (fewest, most int64, err error) {
	var all v1alpha1.SpacesCredentialList
	if err := c.client.List(ctx, &all, client.InNamespace(namespace)); err != nil {
		return 0, 0, err
	}
	if len(all.Items) < number {
		return -1, 0, nil
	}
	for i := range all.Items {
		status, rotations := all.Items[i].Status, int64(-1)
		if status.Grant != nil && meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
			rotations = status.Grant.Rotations
		}
		if i == 0 {
			fewest = rotations
		}
		fewest, most = min(fewest, rotations), max(most, rotations)
	}
	return fewest, most, nil
}
