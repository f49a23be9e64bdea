package controllers

import (
	"context"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Reconciler keeps one SpacesCredential at a time as its spec wants it. All its
// fields are set before the first pass.
type Reconciler struct {
	// Client reads SpacesCredentials and the metadata of Secrets, from a cache.
	Client client.Client
	// Live reads Secrets and writes everything, past any cache. It must outlive the
	// manager, see [Reconciler.Drain].
	Live client.Client
	// Environments are the clients of the known environments by name.
	Environments map[string]*spacesauth.Client
	// DenySecretMetadata are prefixes of labels and annotations that no published
	// Secret may carry, beside those the CRD reserves.
	DenySecretMetadata []string
	// Clock and Random are the only sources of time and randomness.
	Clock  clock.WithTickerAndDelayedExecution
	Random io.Reader
	// Holder names this life of this process in claims; no two lives share one.
	Holder  string
	Events  events.EventRecorder
	Metrics *Metrics

	memory  memory
	gates   gate.Gates
	flights flights
}

const (
	// firstRetry and lastRetry bound the wait after an error of the API server.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// SetupWithManager adds the loop, its watches and the sweeper to a manager.
func (r *Reconciler) SetupWithManager(ctx context.Context, manager ctrl.Manager, concurrency int) error {
	err := manager.GetFieldIndexer().IndexField(ctx, &v1alpha1.SpacesCredential{}, secretIndex, func(object client.Object) []string {
		return secretNames(object.(*v1alpha1.SpacesCredential))
	})
	if err != nil {
		return err
	}
	swept := make(chan event.TypedGenericEvent[*v1alpha1.SpacesCredential])
	if err := manager.Add(&sweeper{client: manager.GetClient(), clock: r.Clock, metrics: r.Metrics, isHeldUp: r.isHeldUp, queue: swept}); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(manager).
		Named("spacescredential").
		For(&v1alpha1.SpacesCredential{}, builder.WithPredicates(predicate.Or[client.Object](
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&v1alpha1.SpacesCredential{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
			return requestsFor(r.rivalsOf(ctx, object))
		}), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.concerned)).
		WatchesRawSource(source.Channel(swept, &handler.TypedEnqueueRequestForObject[*v1alpha1.SpacesCredential]{})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			// Errors are the API server's. An answer that waits in memory to be saved must
			// not wait a quarter of an hour after it came back.
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
			// In the priority queue a watch event can consume a pending timer. This is the
			// classic one, on our clock.
			UsePriorityQueue: ptr.To(false),
			NewQueue: func(name string, limiter workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
				return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{Name: name, Clock: r.Clock})
			},
		}).
		Complete(r)
}

// isHeldUp tells that the last pass of this process found something in the way.
func (r *Reconciler) isHeldUp(key types.NamespacedName) bool { return r.memory.of(key).isHeldUp }
