package controllers

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// secretIndex finds the credentials that name a Secret, as an input or as the one
// to publish.
const secretIndex = "spec.secretNames"

// secretNames are the Secrets a credential has to hear of, but its state, whose name
// tells its owner.
func secretNames(credential *v1alpha1.SpacesCredential) []string {
	return append(credential.InputSecretNames(), credential.EffectiveSecretName())
}

// concerned lists the credentials that have to look at a changed Secret: its owner,
// which may be gone, and all that name it.
func (r *Reconciler) concerned(ctx context.Context, secret client.Object) []reconcile.Request {
	var names []string
	if name := secret.GetAnnotations()[v1alpha1.AnnotationCredential]; name != "" {
		names = append(names, name)
	}
	if name, isState := strings.CutSuffix(secret.GetName(), v1alpha1.GrantSecretSuffix); isState {
		names = append(names, name)
	}
	var naming v1alpha1.SpacesCredentialList
	if err := r.Client.List(ctx, &naming, client.InNamespace(secret.GetNamespace()), client.MatchingFields{secretIndex: secret.GetName()}); err != nil {
		log.FromContext(ctx).Error(err, "Listing the SpacesCredentials that name a Secret failed", "namespace", secret.GetNamespace(), "secret", secret.GetName())
	}
	for _, credential := range naming.Items {
		names = append(names, credential.Name)
	}
	slices.Sort(names)
	var keys []types.NamespacedName
	for _, name := range slices.Compact(names) {
		keys = append(keys, types.NamespacedName{Namespace: secret.GetNamespace(), Name: name})
	}
	return requestsFor(keys)
}

func requestsFor(keys []types.NamespacedName) []reconcile.Request {
	var requests []reconcile.Request
	for _, key := range keys {
		requests = append(requests, reconcile.Request{NamespacedName: key})
	}
	return requests
}

// StripSecretMetadata is the transform of the Secret informer: it keeps what the
// loop looks at and drops the rest, since last-applied-configuration would repeat
// the data of a Secret.
func StripSecretMetadata(object any) (any, error) {
	secret, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	stripped := &metav1.PartialObjectMetadata{TypeMeta: secret.TypeMeta}
	stripped.Name, stripped.Namespace = secret.Name, secret.Namespace
	stripped.UID, stripped.ResourceVersion = secret.UID, secret.ResourceVersion
	stripped.DeletionTimestamp = secret.DeletionTimestamp
	stripped.OwnerReferences, stripped.Finalizers = secret.OwnerReferences, secret.Finalizers
	stripped.Labels, stripped.Annotations = underOurGroup(secret.Labels), underOurGroup(secret.Annotations)
	return stripped, nil
}

// underOurGroup keeps the entries under our group.
func underOurGroup(values map[string]string) map[string]string {
	var kept map[string]string
	for key, value := range values {
		if strings.HasPrefix(key, v1alpha1.GroupName+"/") {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}
