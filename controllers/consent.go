package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// consent is what a ClusterSpacesClient says to the credential that names it. It is judged before
// anything else of that credential. Its zero value is that nobody has to be asked.
type consent struct {
	// isAsked tells that spec names a client that is not the namespace's own.
	isAsked bool
	// client is the one whose Secret is read. One that refuses is still here for as long as that
	// does not count: the living grant is renewed with it, and nothing else.
	client *v1alpha1.ClusterSpacesClient
	// problem is told of a client that does not consent: the same whatever the cause.
	problem outcome
	// refuser is the client that was seen to refuse, live; nil where there is none to be seen.
	// isRemoval tells that it does so because of the namespace or of the grant type, and not of
	// what the credential has come to ask for.
	refuser   *v1alpha1.ClusterSpacesClient
	isRemoval bool
}

// forbids tells that what was decided must not be done. While a refusal does not count the living
// grant is renewed, and no other is made.
func (c consent) forbids(verdict grantstate.Verdict) bool {
	isLeftAlone := verdict.Hold == grantstate.Free && (verdict.Action == grantstate.Refresh || verdict.Action == grantstate.Nothing)
	return c.problem.isTrouble() && (c.client == nil || !isLeftAlone)
}

// observeConsent asks the client that spec names. What the informers show is believed where it
// consents. A refusal is looked at live: an informer that is late, or was just started, must not
// take a client away.
func (r *Reconciler) observeConsent(ctx context.Context, s *scope) (consent, error) {
	ref := s.credential.Spec.ClientRef
	switch {
	case ref == nil:
		return consent{}, nil
	case !ref.Kind.IsKnown():
		return consent{isAsked: true, problem: unknownValues(s.credential)}, nil
	case r.ClientNamespace == "":
		return consent{isAsked: true, problem: noClusterClients()}, nil
	}
	refused := consent{isAsked: true, problem: clientForbidden(ref.Name)}
	shown, err := findClusterClient(ctx, r.Client, ref.Name)
	if err != nil {
		return consent{}, err
	}
	if shown != nil {
		if allows, err := r.allows(ctx, r.shownLabels, shown, s.credential); err != nil || allows {
			return consent{isAsked: true, client: shown}, err
		}
	}
	living, err := findClusterClient(ctx, r.Live, ref.Name)
	if err != nil || living == nil || !living.DeletionTimestamp.IsZero() {
		return refused, unreadableRefuses(err)
	}
	allows, err := r.allows(ctx, r.liveLabels, living, s.credential)
	switch {
	case err != nil:
		return refused, unreadableRefuses(err)
	case allows:
		return consent{isAsked: true, client: living}, nil
	}
	isIn, err := r.isIn(ctx, r.liveLabels, living, s.key.Namespace)
	if err != nil {
		return refused, unreadableRefuses(err)
	}
	refused.refuser, refused.isRemoval = living, !isIn || !living.AllowsGrantType(s.credential.Spec.GrantType)
	if d := s.document; d.IsLentBy(living.UID) && !d.IsWithdrawn(s.now) {
		refused.client = living
	}
	return refused, nil
}

// unreadableRefuses takes a client that may not be read for one that is not there. Other errors end
// the pass: they say nothing of consent.
func unreadableRefuses(err error) error {
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

// noteConsent writes down since when a lender refuses, that it consents again, and what follows when
// its refusal counts.
func (r *Reconciler) noteConsent(ctx context.Context, s *scope) error {
	d, refuser := s.document.Clone(), s.consent.refuser
	switch {
	case s.state == nil:
		return nil
	case !s.consent.problem.isTrouble():
		if !d.Allow() {
			return nil
		}
		return r.update(ctx, s, func(d *grantstate.Document) { d.Allow() })
	case refuser == nil || !d.IsLentBy(refuser.UID):
		return nil
	case d.Deny(s.now):
		return r.update(ctx, s, func(d *grantstate.Document) { d.Deny(s.now) })
	case !d.IsWithdrawn(s.now) || !refuser.Spec.RevokeOnRemoval || !s.consent.isRemoval:
		return nil
	}
	log.FromContext(ctx).Info("A client was withdrawn, and its grants are revoked", "client", refuser.Name)
	return r.update(ctx, s, func(d *grantstate.Document) { d.Withdraw(s.now) })
}

// findClusterClient reads a client, or returns nil.
func findClusterClient(ctx context.Context, from client.Reader, name string) (*v1alpha1.ClusterSpacesClient, error) {
	found := &v1alpha1.ClusterSpacesClient{}
	err := from.Get(ctx, types.NamespacedName{Name: name}, found)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the ClusterSpacesClient %s: %w", name, err)
	}
	return found, nil
}

// readLabels reads the labels of a namespace.
type readLabels func(ctx context.Context, namespace string) (labels.Set, error)

// allows tells whether a client may be used by a credential, as it is and where it is.
func (r *Reconciler) allows(ctx context.Context, read readLabels, shared *v1alpha1.ClusterSpacesClient, credential *v1alpha1.SpacesCredential) (bool, error) {
	if !shared.DeletionTimestamp.IsZero() || !shared.AllowsUse(credential) {
		return false, nil
	}
	return r.isIn(ctx, read, shared, credential.Namespace)
}

// isIn tells whether a client allows a namespace. Its labels are read only where a selector asks
// for them.
func (r *Reconciler) isIn(ctx context.Context, read readLabels, shared *v1alpha1.ClusterSpacesClient, namespace string) (bool, error) {
	if shared.NamesNamespace(namespace) {
		return true, nil
	}
	selector, err := shared.NamespaceSelector()
	if err != nil || selector == nil { // the API server lets none through that cannot be read
		return false, nil
	}
	found, err := read(ctx, namespace)
	return err == nil && found != nil && selector.Matches(found), err
}

// shownLabels are the labels of a namespace as the informer shows them, once it shows any.
func (r *Reconciler) shownLabels(ctx context.Context, namespace string) (labels.Set, error) {
	if r.namespaces != nil && !r.namespaces.isShown(ctx) {
		return r.liveLabels(ctx, namespace)
	}
	return labelsOf(ctx, r.Client, namespace)
}

// liveLabels are the labels of a namespace as they are.
func (r *Reconciler) liveLabels(ctx context.Context, namespace string) (labels.Set, error) {
	return labelsOf(ctx, r.Live, namespace)
}

// labelsOf are the labels of a namespace; nil where there is none.
func labelsOf(ctx context.Context, from client.Reader, namespace string) (labels.Set, error) {
	found := namespaceMetadata()
	err := from.Get(ctx, types.NamespacedName{Name: namespace}, found)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the namespace %s: %w", namespace, err)
	case found.Labels == nil:
		return labels.Set{}, nil
	}
	return found.Labels, nil
}

// namespaceMetadata asks for the metadata of a namespace, and nothing else of it.
func namespaceMetadata() *metav1.PartialObjectMetadata {
	asked := &metav1.PartialObjectMetadata{}
	asked.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return asked
}
