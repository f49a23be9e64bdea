package controllers

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
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

// countPause is for how long changes among the users of a client are gathered before they are
// counted: a thousand that come at once cost a few writes of its status.
const countPause = 5 * time.Second

// setup adds the indexes by which users and clients find each other, the loop that tells of clients,
// and the watch of namespaces, which is begun when a client first asks for labels.
func (c clusterClients) setup(ctx context.Context, manager ctrl.Manager) error {
	indexer := manager.GetFieldIndexer()
	err := errors.Join(
		indexer.IndexField(ctx, &v1alpha1.SpacesCredential{}, clientIndex, indexedClient),
		indexer.IndexField(ctx, &v1alpha1.ClusterSpacesClient{}, clientSecretIndex, indexedSecret),
	)
	if err != nil {
		return err
	}
	c.namespaces = &namespaceWatch{cache: manager.GetCache(), changed: func(namespace string) { c.namespaceChanged(ctx, namespace) }}
	return ctrl.NewControllerManagedBy(manager).
		Named("clusterspacesclient").
		For(&v1alpha1.ClusterSpacesClient{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.SpacesCredential{}, userEvents()).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, secret client.Object) []reconcile.Request {
			names, err := c.lendersOf(ctx, secret)
			if err != nil {
				log.FromContext(ctx).Error(err, "A changed client is told of when something else has it looked at")
			}
			return requestsForClients(names)
		}), builder.WithPredicates(inNamespace(c.ClientNamespace))).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			count := func(name string) {
				queue.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, countPause)
			}
			c.recount.Store(&count)
			return nil
		})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: 1,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
			UsePriorityQueue:        ptr.To(false),
		}).
		Complete(c)
}

// indexedClient is by which client a credential is found.
func indexedClient(object client.Object) []string {
	if name := namedClient(object.(*v1alpha1.SpacesCredential)); name != "" {
		return []string{name}
	}
	return nil
}

// indexedSecret is by which Secret a client is found.
func indexedSecret(object client.Object) []string {
	return []string{object.(*v1alpha1.ClusterSpacesClient).Spec.SecretRef.Name}
}

func requestsForClients(names []string) []reconcile.Request {
	var keys []types.NamespacedName
	for _, name := range names {
		keys = append(keys, types.NamespacedName{Name: name})
	}
	return requestsFor(keys)
}

// inNamespace lets through what is in one namespace.
func inNamespace(name string) predicate.Predicate {
	return predicate.NewPredicateFuncs(func(object client.Object) bool { return object.GetNamespace() == name })
}

// userEvents has a client counted whose users came, went, or had the client accepted. They are
// gathered for a while.
func userEvents() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	count := func(q queue, names ...string) {
		for _, name := range names {
			if name != "" {
				q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, countPause)
			}
		}
	}
	of := func(object client.Object) (*v1alpha1.SpacesCredential, string) {
		credential := object.(*v1alpha1.SpacesCredential)
		return credential, namedClient(credential)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { _, name := of(e.Object); count(q, name) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, old := of(e.ObjectOld)
			now, name := of(e.ObjectNew)
			isNews := before.Generation != now.Generation || before.Status.ClientID != now.Status.ClientID ||
				before.DeletionTimestamp.IsZero() != now.DeletionTimestamp.IsZero()
			if isNews {
				count(q, old, name)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { _, name := of(e.Object); count(q, name) },
	}
}

// namespaceChanged has those look that a changed label of a namespace may concern: its credentials
// that use a client of others, and the clients that choose namespaces by labels.
func (r *Reconciler) namespaceChanged(ctx context.Context, namespace string) {
	wake, recount := r.enqueue.Load(), r.recount.Load()
	if wake == nil || recount == nil {
		return // nothing was looked at yet
	}
	var credentials v1alpha1.SpacesCredentialList
	if err := r.Client.List(ctx, &credentials, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing the SpacesCredentials of a namespace whose labels changed failed", "namespace", namespace)
		return
	}
	named := map[string]bool{}
	for i := range credentials.Items {
		if name := namedClient(&credentials.Items[i]); name != "" {
			(*wake)(client.ObjectKeyFromObject(&credentials.Items[i]))
			named[name] = true
		}
	}
	for name := range named {
		(*recount)(name)
	}
}

// namespaceWatch is the informer of namespaces. It is begun when a client first chooses namespaces by
// their labels: an operator whose clients name them reads none.
type namespaceWatch struct {
	cache   cache.Cache
	changed func(namespace string)

	begin    sync.Mutex
	informer atomic.Pointer[cache.Informer]
}

// isShown tells that the cache shows namespaces; the first question has it begin to.
func (w *namespaceWatch) isShown(ctx context.Context) bool {
	informer := w.informer.Load()
	if informer == nil {
		w.start(ctx)
		return false
	}
	return (*informer).HasSynced()
}

func (w *namespaceWatch) start(ctx context.Context) {
	w.begin.Lock()
	defer w.begin.Unlock()
	if w.informer.Load() != nil {
		return
	}
	informer, err := w.cache.GetInformer(ctx, namespaceMetadata(), cache.BlockUntilSynced(false))
	if err == nil {
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			UpdateFunc: func(before, now any) {
				was, is := before.(*metav1.PartialObjectMetadata), now.(*metav1.PartialObjectMetadata)
				if !maps.Equal(was.Labels, is.Labels) {
					w.changed(is.Name)
				}
			},
		})
	}
	if err != nil {
		log.FromContext(ctx).Error(err, "Namespaces cannot be watched; their labels are read when they are asked for")
		return
	}
	w.informer.Store(&informer)
}

// StripNamespace is the transform of the informer of namespaces: it keeps name and labels.
func StripNamespace(object any) (any, error) {
	namespace, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	stripped := &metav1.PartialObjectMetadata{TypeMeta: namespace.TypeMeta}
	stripped.Name, stripped.UID, stripped.ResourceVersion = namespace.Name, namespace.UID, namespace.ResourceVersion
	stripped.Labels = namespace.Labels
	return stripped, nil
}

// StripClusterClient is the transform of the informer of ClusterSpacesClients: it drops what repeats
// the object.
func StripClusterClient(object any) (any, error) {
	shared, ok := object.(*v1alpha1.ClusterSpacesClient)
	if !ok {
		return object, nil
	}
	shared.ManagedFields = nil
	delete(shared.Annotations, corev1.LastAppliedConfigAnnotation)
	return shared, nil
}

// recountAll has all clients told of anew, because the environments changed.
func (r *Reconciler) recountAll(ctx context.Context) {
	recount := r.recount.Load()
	if recount == nil {
		return
	}
	var all v1alpha1.ClusterSpacesClientList
	if err := r.Client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing the ClusterSpacesClients failed; they look at the changed environments when something else wakes them")
	}
	for i := range all.Items {
		(*recount)(all.Items[i].Name)
	}
}

// clientEvents has the users of a client look when its spec changed, it came or it went.
func (r *Reconciler) clientEvents() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, shared client.Object) []reconcile.Request {
		keys, err := r.usersOf(ctx, shared.GetName())
		if err != nil {
			log.FromContext(ctx).Error(err, "The users of a changed client look at it when something else wakes them")
		}
		return requestsFor(keys)
	})
}
