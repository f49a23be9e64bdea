package controllers

import (
	"context"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
)

// strays releases deleted Secrets that carry our finalizer and cannot be the state of any
// credential, such as a copy of one under another name: nobody else would, and each would hold
// its namespace for ever.
type strays struct{ *Reconciler }

// setup adds the loop to a manager.
func (r strays) setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("strays").
		WatchesMetadata(&corev1.Secret{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(predicate.NewPredicateFuncs(isStray))).
		WithOptions(controller.Options{UsePriorityQueue: ptr.To(false)}).
		Complete(r)
}

// isStray tells a deleted Secret that our finalizer holds and whose name is not that of a state.
func isStray(secret client.Object) bool {
	return secret.GetDeletionTimestamp() != nil && slices.Contains(secret.GetFinalizers(), v1alpha1.FinalizerGrant) &&
		!strings.HasSuffix(secret.GetName(), v1alpha1.GrantSecretSuffix)
}

// Reconcile releases one Secret. Its errors are the API server's.
func (r strays) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	secret, err := secretio.Metadata(ctx, r.Live, request.NamespacedName)
	if err != nil || secret == nil || !isStray(secret) {
		return ctrl.Result{}, err
	}
	judged := secretio.Judged{Name: request.NamespacedName, UID: secret.UID, ResourceVersion: secret.ResourceVersion}
	err = r.dropFinalizer(ctx, judged, secret.Finalizers)
	if errors.Is(err, errConflict) {
		return ctrl.Result{RequeueAfter: afterConflict}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	r.strayReleased(ctx, secret)
	return ctrl.Result{}, nil
}
