package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// clientIndex finds the credentials that use a ClusterSpacesClient, by its name.
	clientIndex = "spec.clientRef.name"
	// clientSecretIndex finds the ClusterSpacesClients that name a Secret.
	clientSecretIndex = "spec.secretRef.name"
)

// clusterClients tells in the status of each ClusterSpacesClient whether it can be used, and by how
// many. Credentials read nothing of it.
type clusterClients struct{ *Reconciler }

// Reconcile implements reconcile.Reconciler.
func (c clusterClients) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	shared, err := findClusterClient(ctx, c.Client, request.Name)
	if err != nil || shared == nil || !shared.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, err
	}
	before := shared.DeepCopy()
	users, err := c.users(ctx, shared.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	lent, err := c.readLender(ctx, lenderOf(shared))
	if err != nil {
		return ctrl.Result{}, err
	}
	status := &shared.Status
	status.ObservedGeneration = shared.Generation
	status.Environment = shared.EffectiveEnvironment()
	status.ClientID = acceptedID(shared, lent, users)
	if status.Users, err = c.count(ctx, shared, users); err != nil {
		return ctrl.Result{}, err
	}
	ready := c.readiness(shared, lent)
	ready.ObservedGeneration = shared.Generation
	ready.LastTransitionTime = metav1.NewTime(c.Clock.Now().UTC().Truncate(time.Second))
	meta.SetStatusCondition(&status.Conditions, ready)
	if equality.Semantic.DeepEqual(before.Status, *status) {
		return ctrl.Result{RequeueAfter: slowRecheck}, nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err = c.Live.Status().Patch(ctx, shared, patch, client.FieldOwner(v1alpha1.FieldManagerStatus))
	switch {
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: afterConflict}, nil
	case client.IgnoreNotFound(err) != nil:
		return ctrl.Result{}, fmt.Errorf("writing the status of ClusterSpacesClient %s: %w", shared.Name, err)
	}
	return ctrl.Result{RequeueAfter: slowRecheck}, nil
}

// users are the living credentials that name a client.
func (r *Reconciler) users(ctx context.Context, name string) ([]v1alpha1.SpacesCredential, error) {
	var naming v1alpha1.SpacesCredentialList
	// What is only read needs no copy of its own.
	if err := r.Client.List(ctx, &naming, client.MatchingFields{clientIndex: name}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing the users of ClusterSpacesClient %s: %w", name, err)
	}
	var living []v1alpha1.SpacesCredential
	for _, credential := range naming.Items {
		if credential.DeletionTimestamp.IsZero() {
			living = append(living, credential)
		}
	}
	return living, nil
}

// count counts the credentials that may use the client that they name. An operator that sees some of
// them only counts none.
func (c clusterClients) count(ctx context.Context, shared *v1alpha1.ClusterSpacesClient, users []v1alpha1.SpacesCredential) (*int32, error) {
	if c.IsShard {
		return nil, nil
	}
	var counted int32
	for i := range users {
		allows, err := c.allows(ctx, c.shownLabels, shared, &users[i])
		if err != nil {
			return nil, err
		}
		if allows {
			counted++
		}
	}
	return &counted, nil
}

// acceptedID is the client's ID, where it may be told: it stands under a key that is called so, or the
// service has accepted it from a user. A status must be no way to read a Secret.
func acceptedID(shared *v1alpha1.ClusterSpacesClient, lent lentClient, users []v1alpha1.SpacesCredential) string {
	id := lent.application.ID
	isAccepted := func(user v1alpha1.SpacesCredential) bool {
		return user.Status.ClientID == id && user.Status.Grant != nil && user.Status.Grant.StartTime != nil
	}
	switch {
	case lent.problem.isTrouble():
		return ""
	case shared.Spec.SecretRef.ClientIDKey == clientIDKey, slices.ContainsFunc(users, isAccepted):
		return id
	}
	return ""
}

// readiness tells whether a client can be used, as far as is known without the service.
func (c clusterClients) readiness(shared *v1alpha1.ClusterSpacesClient, lent lentClient) metav1.Condition {
	environment := shared.EffectiveEnvironment()
	switch {
	case c.Environments.Named(environment) == nil:
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonUnknownEnvironment,
			fmt.Sprintf("There is no environment %q. Correct spec.environment, or have it added in the operator's environments file.", environment))
	case c.Environments.Named(environment).Environment().Paused:
		paused := environmentPaused(environment)
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, paused.reason, paused.message)
	case lent.problem.isTrouble():
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, lent.problem.reason,
			fmt.Sprintf("In namespace %q, where the operator keeps such clients: %s", c.ClientNamespace, lent.problem.message))
	}
	return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonIssued, "The client can be used by whom spec allows.")
}

// namedClient is the client that a credential names, or "".
func namedClient(credential *v1alpha1.SpacesCredential) string {
	if credential.Spec.ClientRef == nil {
		return ""
	}
	return credential.Spec.ClientRef.Name
}

// usersOf are the credentials that have to look when a client, or its Secret, changed.
func (r *Reconciler) usersOf(ctx context.Context, name string) ([]types.NamespacedName, error) {
	users, err := r.users(ctx, name)
	if err != nil {
		return nil, err
	}
	keys := make([]types.NamespacedName, 0, len(users))
	for i := range users {
		keys = append(keys, client.ObjectKeyFromObject(&users[i]))
	}
	return keys, nil
}

// lendersOf are the clients that a Secret holds.
func (r *Reconciler) lendersOf(ctx context.Context, secret client.Object) ([]string, error) {
	if r.ClientNamespace == "" || secret.GetNamespace() != r.ClientNamespace {
		return nil, nil
	}
	var naming v1alpha1.ClusterSpacesClientList
	if err := r.Client.List(ctx, &naming, client.MatchingFields{clientSecretIndex: secret.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing the ClusterSpacesClients that name the Secret %s: %w", secret.GetName(), err)
	}
	names := make([]string, 0, len(naming.Items))
	for _, shared := range naming.Items {
		names = append(names, shared.Name)
	}
	return names, nil
}
