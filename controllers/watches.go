package controllers

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

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

// rivalsOf lists the credentials that may have to act because another one came, went
// or changed.
func (r *Reconciler) rivalsOf(ctx context.Context, object client.Object) []types.NamespacedName {
	credential, ok := object.(*v1alpha1.SpacesCredential)
	if !ok {
		return nil
	}
	var naming v1alpha1.SpacesCredentialList
	err := r.Client.List(ctx, &naming, client.InNamespace(credential.Namespace), client.MatchingFields{secretIndex: credential.EffectiveSecretName()})
	if err != nil {
		log.FromContext(ctx).Error(err, "Listing the SpacesCredentials that name a Secret failed", "namespace", credential.Namespace, "secret", credential.EffectiveSecretName())
	}
	var rivals []types.NamespacedName
	for _, other := range naming.Items {
		if other.Name != credential.Name {
			rivals = append(rivals, client.ObjectKeyFromObject(&other))
		}
	}
	return rivals
}
