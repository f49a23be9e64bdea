package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	// namespaces are what credentials are spread over: the operator lets none of them have more
	// than a quarter of its workers.
	namespaces = 10
	// clientName and loginName are the inputs in each namespace.
	clientName = "client"
	loginName  = "login"
)

// cluster reaches the API server without a cache and without a limit of its own.
type cluster struct {
	client.WithWatch
	set *kubernetes.Clientset
}

func newCluster(config *rest.Config) (*cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.DisableCompression = true // as the operator
	made, err := testbed.NewClient(config)
	if err != nil {
		return nil, err
	}
	set, err := kubernetes.NewForConfig(config)
	return &cluster{WithWatch: made, set: set}, err
}

// watchAsOperator watches what an operator does, the metadata of Secrets and SpacesCredentials, reads
// what it is told and does nothing with it, until end is called.
func (c *cluster) watchAsOperator(ctx context.Context) (end func(), err error) {
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	ctx, cancel := context.WithCancel(ctx)
	for _, list := range []client.ObjectList{secrets, &v1alpha1.SpacesCredentialList{}} {
		watched, err := c.Watch(ctx, list)
		if err != nil {
			cancel()
			return nil, fmt.Errorf("watching: %w", err)
		}
		go func() {
			for range watched.ResultChan() { // decoded it is all the same
			}
		}()
	}
	return cancel, nil
}

func (c *cluster) version() (string, error) {
	version, err := c.set.ServerVersion()
	if err != nil {
		return "", err
	}
	return version.GitVersion, nil
}

// requests reads how many requests there were so far, by kind.
func (c *cluster) requests(ctx context.Context) (requests, error) {
	text, err := c.set.RESTClient().Get().AbsPath("/metrics").Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of kube-apiserver: %w", err)
	}
	defer func() { _ = text.Close() }()
	return readRequests(text)
}

// namespaceOf is where the i-th credential lives.
func namespaceOf(i int) string { return fmt.Sprintf("bench-%d", i%namespaces) }

// botOf is the name of the i-th credential.
func botOf(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: namespaceOf(i), Name: fmt.Sprintf("bot-%05d", i)}
}

// createNamespaces creates the namespaces, each with the Secrets that all credentials in it share.
func (c *cluster) createNamespaces(ctx context.Context) error {
	for i := range namespaces {
		if err := c.createNamespace(ctx, namespaceOf(i)); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) createNamespace(ctx context.Context, name string) error {
	if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		return err
	}
	if err := c.createLogin(ctx, name, loginName); err != nil {
		return err
	}
	return c.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: clientName},
		StringData: map[string]string{"client_id": clientID, "client_secret": clientSecret},
	})
}

func (c *cluster) createLogin(ctx context.Context, namespace, name string) error {
	return c.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		StringData: map[string]string{"username": username, "password": password},
	})
}

// half has tokens renewed after half of their life, the earliest that spec allows.
const half = 50

// credentialOf is a credential of an environment, that signs in with a login.
func credentialOf(key types.NamespacedName, environment, login string) *v1alpha1.SpacesCredential {
	percent := int32(half)
	return &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec: v1alpha1.SpacesCredentialSpec{
			Environment:     environment,
			ClientSecretRef: &v1alpha1.ClientSecretReference{Name: clientName},
			GrantType:       v1alpha1.GrantTypePassword,
			Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: login}},
			Renewal:         &v1alpha1.Renewal{RenewBeforePercent: &percent},
		},
	}
}

// createCredentials creates credentials, spread over the namespaces, and returns them as they are
// now.
func (c *cluster) createCredentials(ctx context.Context, environment string, number int) ([]*v1alpha1.SpacesCredential, error) {
	made := make([]*v1alpha1.SpacesCredential, number)
	err := together(ctx, number, func(ctx context.Context, i int) error {
		made[i] = credentialOf(botOf(i), environment, loginName)
		return c.Create(ctx, made[i])
	})
	return made, err
}

// fingerprints tells the published tokens of all credentials that are ready, by name, and how many
// credentials there are.
func (c *cluster) fingerprints(ctx context.Context) (ready map[string]string, all int, err error) {
	var found v1alpha1.SpacesCredentialList
	// What the API server has in memory is enough, and cheaper.
	err = c.List(ctx, &found, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}})
	if err != nil {
		return nil, 0, err
	}
	ready = map[string]string{}
	for i := range found.Items {
		if credential := &found.Items[i]; isReady(credential) {
			ready[client.ObjectKeyFromObject(credential).String()] = credential.Status.Token.Fingerprint
		}
	}
	return ready, len(found.Items), nil
}

// eachNamespace deletes all objects of a kind in the namespaces of the credentials.
func (c *cluster) eachNamespace(ctx context.Context, of client.Object) error {
	return together(ctx, namespaces, func(ctx context.Context, i int) error {
		for {
			// A thousand take the API server longer than it gives a request. What it has not reached by
			// then is asked for again.
			err := c.DeleteAllOf(ctx, of.DeepCopyObject().(client.Object), client.InNamespace(namespaceOf(i)))
			if !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err) {
				return err
			}
		}
	})
}

func isReady(credential *v1alpha1.SpacesCredential) bool {
	return credential.Status.Token != nil && meta.IsStatusConditionTrue(credential.Status.Conditions, v1alpha1.ConditionReady)
}

// ours are the Secrets that an operator made, and those of the bare loop.
var ours = client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue}

// clean removes all credentials and what was made for them, without an operator: what is left
// behind would be work for the next one. Grants live on at the service.
func (c *cluster) clean(ctx context.Context) error {
	var left []client.Object
	var credentials v1alpha1.SpacesCredentialList
	if err := c.List(ctx, &credentials); err != nil {
		return err
	}
	for i := range credentials.Items {
		left = append(left, &credentials.Items[i])
	}
	var secrets corev1.SecretList
	if err := c.List(ctx, &secrets, ours); err != nil {
		return err
	}
	for i := range secrets.Items {
		if secrets.Items[i].Type == v1alpha1.SecretTypeGrantState || secrets.Items[i].Labels[v1alpha1.LabelSecret] == v1alpha1.SecretPublished {
			left = append(left, &secrets.Items[i])
		}
	}
	return c.remove(ctx, left)
}

// remove deletes objects, whatever finalizers they have.
func (c *cluster) remove(ctx context.Context, left []client.Object) error {
	return together(ctx, len(left), func(ctx context.Context, i int) error {
		if len(left[i].GetFinalizers()) > 0 {
			release := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
			if err := client.IgnoreNotFound(c.Patch(ctx, left[i], release)); err != nil {
				return err
			}
		}
		return client.IgnoreNotFound(c.Delete(ctx, left[i]))
	})
}
