package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// secretPage is how many Secrets the API server is asked for at a time.
const secretPage = 500

// remains is what there is of the operator's objects, in one namespace or in all.
type remains struct {
	credentials []v1alpha1.SpacesCredential
	// held are the Secrets with the operator's finalizer: states, and whatever was copied from one.
	held []metav1.PartialObjectMetadata
	// published are the published Secrets that a SpacesCredential owns: they go with it. The garbage
	// collector takes them only while it knows the kind of the owner, so nothing is over before.
	published []metav1.PartialObjectMetadata
	// retained is how many published Secrets nobody owns.
	retained int
}

// remains looks for them. Of Secrets only the metadata is asked for.
func (c *cluster) remains(ctx context.Context) (*remains, error) {
	found := &remains{}
	var credentials v1alpha1.SpacesCredentialList
	if err := c.List(ctx, &credentials, client.InNamespace(c.namespace)); err != nil && !isUnknownKind(err) {
		return nil, c.aboutCredential(err, "list", "")
	}
	found.credentials = credentials.Items
	var page metav1.PartialObjectMetadataList
	page.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	for {
		if err := c.List(ctx, &page, client.InNamespace(c.namespace), client.Limit(secretPage), client.Continue(page.Continue)); err != nil {
			return nil, because(err, "the Secrets, which may be states, could not be listed: %v", err)
		}
		for _, secret := range page.Items {
			secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
			isPublished := secret.Labels[v1alpha1.LabelSecret] == v1alpha1.SecretPublished
			switch {
			case slices.Contains(secret.Finalizers, v1alpha1.FinalizerGrant):
				found.held = append(found.held, secret)
			case isPublished && isOwned(&secret):
				found.published = append(found.published, secret)
			case isPublished:
				found.retained++
			}
		}
		if page.Continue == "" {
			return found, nil
		}
	}
}

// isState tells that a Secret with our finalizer was made to hold a state.
func isState(secret *metav1.PartialObjectMetadata) bool {
	return secret.Labels[v1alpha1.LabelSecret] == v1alpha1.SecretGrant || isOwned(secret)
}

// isOwned tells that a SpacesCredential is the controller of a Secret.
func isOwned(secret *metav1.PartialObjectMetadata) bool {
	owner := metav1.GetControllerOf(secret)
	return owner != nil && owner.Kind == v1alpha1.Kind
}

func (r *remains) isNothing() bool { return len(r.credentials)+len(r.held)+len(r.published) == 0 }

// grants is how many are known: those that a status tells of, and one for each state that has no
// SpacesCredential any more.
func (r *remains) grants() int {
	count := 0
	living := map[client.ObjectKey]bool{}
	for i := range r.credentials {
		credential := &r.credentials[i]
		living[client.ObjectKeyFromObject(credential)] = true
		count += int(credential.Status.PendingRevocations)
		if credential.Status.Grant != nil && credential.Status.Grant.Present {
			count++
		}
	}
	for i := range r.held {
		secret := &r.held[i]
		name, isNamedLikeOne := strings.CutSuffix(secret.Name, v1alpha1.GrantSecretSuffix)
		isCounted := isNamedLikeOne && living[client.ObjectKey{Namespace: secret.Namespace, Name: name}]
		if isState(secret) && !isCounted {
			count++
		}
	}
	return count
}

// counts says in one sentence how much there is.
func (r *remains) counts() string {
	namespaces := map[string]bool{}
	for i := range r.credentials {
		namespaces[r.credentials[i].Namespace] = true
	}
	for i := range r.held {
		namespaces[r.held[i].Namespace] = true
	}
	return fmt.Sprintf("There are %s and %s with the operator's finalizer in %s, with %s.",
		counted(len(r.credentials), "SpacesCredential"), counted(len(r.held), "Secret"), counted(len(namespaces), "namespace"), counted(r.grants(), "grant"))
}

// tellsOfProgress says who is left.
func (r *remains) tellsOfProgress() string {
	return fmt.Sprintf("%d left: %s", len(r.credentials)+len(r.held)+len(r.published), strings.Join(r.named(), "; "))
}

// named names those that are left, the first of them.
func (r *remains) named() []string {
	var names []string
	for i := range r.credentials {
		credential := &r.credentials[i]
		name := fmt.Sprintf("%s/%s", credential.Namespace, credential.Name)
		if why := problem(credential); why != "" {
			name += " (" + why + ")"
		}
		names = append(names, name)
	}
	for _, secret := range slices.Concat(r.held, r.published) {
		names = append(names, fmt.Sprintf("Secret %s/%s", secret.Namespace, secret.Name))
	}
	return firstOf(names, namedLeft)
}

// firstOf are the first of many names, and how many more there are.
func firstOf(names []string, most int) []string {
	if more := len(names) - most; more > 0 {
		return append(names[:most:most], fmt.Sprintf("and %d more", more))
	}
	return names
}

// farewell says that nothing is left, and what stays because somebody wished it.
func (r *remains) farewell() string {
	text := "No SpacesCredential and no state is left: the operator can be removed, and then the CRD."
	if r.retained > 0 {
		text += fmt.Sprintf(" Published Secrets whose spec said Retain stay: %d.", r.retained)
	}
	return text
}
