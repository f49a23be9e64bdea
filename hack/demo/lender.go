package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// borrower uses a client that the platform team lends, and sees no secret of it.
	borrower = "borrower"
	// platform is where that client's Secret is.
	platform = "platform"
	// lent is the client and its Secret.
	lent = "corporate"
)

// borrow has a credential use the client of the platform team in place of its own.
func borrow(credential *v1alpha1.SpacesCredential) {
	credential.Spec.ClientSecretRef = nil
	credential.Spec.ClientRef = &v1alpha1.ClientReference{Kind: v1alpha1.ClientKindCluster, Name: lent}
}

// lend makes the platform team's client: that of the samples, for their namespace alone.
func (s *samples) lend(ctx context.Context, strict client.Client) error {
	held := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: platform, Name: lent}, StringData: s.secrets["spaces-client"].StringData}
	shared := &v1alpha1.ClusterSpacesClient{ObjectMeta: metav1.ObjectMeta{Name: lent}, Spec: v1alpha1.ClusterSpacesClientSpec{
		Environment: environment, SecretRef: v1alpha1.ClusterClientSecretReference{Name: lent},
		AllowedNamespaces: &v1alpha1.AllowedNamespaces{Names: []string{namespace}},
		AllowedGrantTypes: []v1alpha1.GrantType{v1alpha1.GrantTypePassword},
	}}
	for _, object := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: platform}}, held, shared} {
		if err := strict.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}
