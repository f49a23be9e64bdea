package controllers

import (
	"context"
	"errors"
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
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
)

const (
	// firstRetry and lastRetry bound the wait after an error of the API server.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// SetupWithManager adds the loop, its watches and the sweeper to a manager.
func (r *Reconciler) SetupWithManager(ctx context.Context, manager ctrl.Manager, concurrency int) error {
	if err := manager.GetFieldIndexer().IndexField(ctx, &v1alpha1.SpacesCredential{}, secretIndex, namedSecrets); err != nil {
		return err
	}
	if err := manager.Add(&sweeper{client: manager.GetClient(), clock: r.Clock, metrics: r.Metrics, isHeldUp: r.isHeldUp, enqueue: r.lookAt}); err != nil {
		return err
	}
	if err := manager.Add(r.Gates); err != nil {
		return err
	}
	if err := (strays{r}).setup(manager); err != nil {
		return err
	}
	loop := ctrl.NewControllerManagedBy(manager)
	if r.ClientNamespace != "" {
		if err := (clusterClients{r}).setup(ctx, manager); err != nil {
			return err
		}
		loop = loop.Watches(&v1alpha1.ClusterSpacesClient{}, r.clientEvents(), builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	}
	return loop.
		Named("spacescredential").
		For(&v1alpha1.SpacesCredential{}, builder.WithPredicates(predicate.Or[client.Object](
			predicate.GenerationChangedPredicate{}, requestChanged))).
		Watches(&v1alpha1.SpacesCredential{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
			return requestsFor(r.rivalsOf(ctx, object))
		}), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, r.secretEvents()).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			enqueue := func(key types.NamespacedName) { queue.Add(reconcile.Request{NamespacedName: key}) }
			r.enqueue.Store(&enqueue)
			r.Gates.OnTurn(enqueue)
			return nil
		})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			// Errors are the API server's. An answer that waits in memory to be saved must
			// not wait a quarter of an hour after it came back.
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
			// In the priority queue a watch event can consume a pending timer. This is the
			// classic one, on our clock and in our order.
			UsePriorityQueue: ptr.To(false),
			NewQueue: func(name string, limiter workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
				ordered := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[reconcile.Request]{Name: name, Clock: r.Clock, Queue: newTurnsFirst(r.Gates.HasTurn)})
				return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{
					DelayingQueue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[reconcile.Request]{Name: name, Clock: r.Clock, Queue: ordered}),
				})
			},
		}).
		Complete(r)
}

// requestChanged lets through what a person asked for. Any other change of metadata is no work.
var requestChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, now := e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations()
	return before[v1alpha1.AnnotationRenewRequestedAt] != now[v1alpha1.AnnotationRenewRequestedAt] ||
		before[v1alpha1.AnnotationRevokeRequestedAt] != now[v1alpha1.AnnotationRevokeRequestedAt] ||
		before[v1alpha1.AnnotationExportRequestedAt] != now[v1alpha1.AnnotationExportRequestedAt]
}}

// isHeldUp tells that the last pass of this process found something in the way, that the
// credential waits for its turn, or that it had it just now: the informer may not show that yet.
func (r *Reconciler) isHeldUp(key types.NamespacedName) bool {
	known := r.memory.of(key)
	return known.isHeldUp || r.Gates.Waits(key) || backoff.Within(r.Clock.Now(), known.lastCall.Add(sweepMargin), sweepMargin)
}

// secretEvents has credentials look at Secrets that changed. What this process wrote itself is no
// news to whom it wrote it for.
func (r *Reconciler) secretEvents() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	// tell tells whom a Secret concerns, unless it knows what is shown of it now.
	tell := func(ctx context.Context, q queue, secret, shown client.Object) {
		for _, request := range r.concerned(ctx, secret) {
			key := request.NamespacedName
			if shown == nil || !r.memory.of(key).knows(shown) && !r.passes.isShown(key, shown) {
				q.Add(request)
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { tell(ctx, q, e.Object, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			if ownerIn(e.ObjectOld) != ownerIn(e.ObjectNew) {
				tell(ctx, q, e.ObjectOld, e.ObjectNew)
			}
			tell(ctx, q, e.ObjectNew, e.ObjectNew)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { tell(ctx, q, e.Object, nil) },
	}
}

// ownerIn is the credential that a Secret names as its own; all others are found by its name.
func ownerIn(secret client.Object) string {
	return secret.GetAnnotations()[v1alpha1.AnnotationCredential]
}

// knows tells that a Secret is the state or the published one of the credential, in the very
// version that was written or read last. An older one is news: the API server may have gone back.
func (known recollection) knows(secret client.Object) bool {
	if secret.GetDeletionTimestamp() != nil {
		return false
	}
	isKnown := func(uid types.UID, version string) bool {
		return version != "" && uid == secret.GetUID() && version == secret.GetResourceVersion()
	}
	return known.state != nil && isKnown(known.state.uid, known.state.resourceVersion) || isKnown(known.published.uid, known.published.resourceVersion)
}

// concerned lists the credentials that have to look at a changed Secret: its owner,
// which may be gone, all that name it, and all users of a client that it holds.
func (r *Reconciler) concerned(ctx context.Context, secret client.Object) []reconcile.Request {
	var names []string
	if name := ownerIn(secret); name != "" {
		names = append(names, name)
	}
	if name, isState := strings.CutSuffix(secret.GetName(), v1alpha1.GrantSecretSuffix); isState {
		names = append(names, name)
	}
	naming, err := r.naming(ctx, client.ObjectKeyFromObject(secret))
	if err != nil {
		log.FromContext(ctx).Error(err, "The SpacesCredentials that name a changed Secret look at it when something else wakes them")
	}
	for _, credential := range naming {
		names = append(names, credential.Name)
	}
	slices.Sort(names)
	var keys []types.NamespacedName
	for _, name := range slices.Compact(names) {
		keys = append(keys, types.NamespacedName{Namespace: secret.GetNamespace(), Name: name})
	}
	lenders, err := r.lendersOf(ctx, secret)
	for _, lender := range lenders {
		users, failed := r.usersOf(ctx, lender)
		keys, err = append(keys, users...), errors.Join(err, failed)
	}
	if err != nil {
		log.FromContext(ctx).Error(err, "The users of a changed client look at it when something else wakes them")
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

// keptValue bounds what is kept of a label or an annotation. Ours are shorter; somebody else's
// may have a quarter of a MiB.
const keptValue = 256

// StripSecretMetadata is the transform of the Secret informer: it keeps what the loop looks
// at and drops the rest, since last-applied-configuration would repeat the data of a Secret.
// What anybody may write on one costs at most 1 KiB.
func StripSecretMetadata(object any) (any, error) {
	secret, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	stripped := &metav1.PartialObjectMetadata{TypeMeta: secret.TypeMeta}
	stripped.Name, stripped.Namespace = secret.Name, secret.Namespace
	stripped.UID, stripped.ResourceVersion = secret.UID, secret.ResourceVersion
	stripped.DeletionTimestamp = secret.DeletionTimestamp
	if slices.Contains(secret.Finalizers, v1alpha1.FinalizerGrant) {
		stripped.Finalizers = []string{v1alpha1.FinalizerGrant}
	}
	if owner := metav1.GetControllerOf(secret); owner != nil && len(owner.Name)+len(owner.Kind)+len(owner.APIVersion) <= 2*keptValue {
		stripped.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	kind := secret.Labels[v1alpha1.LabelSecret]
	stripped.Labels = kindLabels[kind]
	if kind == v1alpha1.SecretGrant {
		return stripped, nil // its name says whose it is
	}
	stripped.Annotations = kept(secret.Annotations, v1alpha1.AnnotationCredential, v1alpha1.AnnotationCredentialUID,
		v1alpha1.AnnotationFingerprint, v1alpha1.AnnotationExpiresAt, v1alpha1.AnnotationClaim)
	if rejected := secret.Annotations[v1alpha1.AnnotationRejected]; rejected != "" && rejected == secret.Annotations[v1alpha1.AnnotationFingerprint] {
		// That of any other token is nothing to look at.
		stripped.Annotations[v1alpha1.AnnotationRejected] = stripped.Annotations[v1alpha1.AnnotationFingerprint]
	}
	return stripped, nil
}

// kindLabels are the labels that are kept, for each of our kinds of Secrets: the same map for all of them,
// since each of its own would have a third of a KiB.
var kindLabels = func() map[string]map[string]string {
	of := map[string]map[string]string{}
	for _, kind := range []string{v1alpha1.SecretPublished, v1alpha1.SecretGrant, v1alpha1.SecretExport} {
		of[kind] = map[string]string{v1alpha1.LabelSecret: kind}
	}
	return of
}()

// kept are the named entries, cut. They are copied, or the bytes around them would stay, too.
func kept(values map[string]string, names ...string) map[string]string {
	var found map[string]string
	for _, name := range names {
		value, ok := values[name]
		if !ok {
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		found[name] = strings.Clone(value[:min(len(value), keptValue)])
	}
	return found
}

// StripCredential is the transform of the SpacesCredential informer: it drops what repeats
// the object.
func StripCredential(object any) (any, error) {
	credential, ok := object.(*v1alpha1.SpacesCredential)
	if !ok {
		return object, nil
	}
	credential.ManagedFields = nil
	delete(credential.Annotations, corev1.LastAppliedConfigAnnotation)
	return credential, nil
}

// rivalsOf lists the credentials that may have to act because another one came, went
// or changed.
func (r *Reconciler) rivalsOf(ctx context.Context, object client.Object) []types.NamespacedName {
	credential, ok := object.(*v1alpha1.SpacesCredential)
	if !ok {
		return nil
	}
	naming, err := r.naming(ctx, types.NamespacedName{Namespace: credential.Namespace, Name: credential.EffectiveSecretName()})
	if err != nil {
		log.FromContext(ctx).Error(err, "The SpacesCredentials that name the Secret of another one look at it when something else wakes them")
	}
	var rivals []types.NamespacedName
	for _, other := range naming {
		if other.Name != credential.Name {
			rivals = append(rivals, client.ObjectKeyFromObject(other))
		}
	}
	return rivals
}
