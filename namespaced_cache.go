package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// syncLimit is how long the objects of an added namespace may take to be read.
const syncLimit = time.Minute

// namespacedCache is one cache for each of some namespaces, which come and go while it runs. The
// one of controller-runtime keeps the namespaces that it began with.
type namespacedCache struct {
	// begin makes the cache of one namespace.
	begin func(namespace string) (cache.Cache, error)

	mu       sync.Mutex
	living   context.Context // in which caches run; nil before Start
	caches   map[string]*runningCache
	indexes  []fieldIndex
	handlers []eventHandler
}

// runningCache is the cache of one namespace.
type runningCache struct {
	cache.Cache
	end func() // nil before it runs
}

type fieldIndex struct {
	object  client.Object
	field   string
	extract client.IndexerFunc
}

type eventHandler struct {
	object  client.Object
	handler toolscache.ResourceEventHandler
	options toolscache.HandlerOptions
}

func newNamespacedCache(config *rest.Config, options cache.Options, namespaces []string) (*namespacedCache, error) {
	c := &namespacedCache{caches: map[string]*runningCache{}}
	c.begin = func(namespace string) (cache.Cache, error) {
		own := options
		own.DefaultNamespaces = map[string]cache.Config{namespace: {}}
		return cache.New(config, own)
	}
	for _, namespace := range namespaces {
		begun, err := c.begin(namespace)
		if err != nil {
			return nil, err
		}
		c.caches[namespace] = &runningCache{Cache: begun}
	}
	return c, nil
}

// Start implements cache.Informers: it runs the caches until ctx ends.
func (c *namespacedCache) Start(ctx context.Context) error {
	c.mu.Lock()
	c.living = ctx
	for _, one := range c.caches {
		one.start(ctx)
	}
	c.mu.Unlock()
	<-ctx.Done()
	return nil
}

// start runs a cache until ctx ends, or end is called.
func (r *runningCache) start(ctx context.Context) {
	living, end := context.WithCancel(ctx)
	r.end = end
	go func() {
		defer end()
		_ = r.Start(living) // fails only where it is started twice
	}()
}

// add adds a namespace to a cache that runs, and returns when its objects are known. After an
// error it is not served, and can be added again.
func (c *namespacedCache) add(ctx context.Context, namespace string) error {
	begun, err := c.begin(namespace)
	if err != nil {
		return err
	}
	added := &runningCache{Cache: begun}
	c.mu.Lock()
	for _, index := range c.indexes {
		err = errors.Join(err, added.IndexField(ctx, index.object, index.field, index.extract))
	}
	for _, h := range c.handlers {
		_, failed := added.GetInformer(ctx, h.object, cache.BlockUntilSynced(false))
		err = errors.Join(err, failed)
	}
	living := c.living
	c.mu.Unlock()
	if err != nil {
		return err
	}
	added.start(living)
	patience, cancel := context.WithTimeout(ctx, syncLimit)
	defer cancel()
	if !added.WaitForCacheSync(patience) {
		added.end()
		return fmt.Errorf("the objects of the namespace %s could not be read within %s", namespace, syncLimit)
	}

	// First it can be read, then it is told of: a handler may look at once.
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caches[namespace] = added
	for _, h := range c.handlers {
		_, failed := h.addTo(ctx, added)
		err = errors.Join(err, failed)
	}
	if err != nil {
		delete(c.caches, namespace)
		added.end()
	}
	return err
}

// remove ends the cache of a namespace. Nobody is told that its objects are gone, because they
// are not.
func (c *namespacedCache) remove(namespace string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if removed := c.caches[namespace]; removed != nil {
		delete(c.caches, namespace)
		removed.end()
	}
}

// addTo has a handler told of what one more cache holds.
func (h eventHandler) addTo(ctx context.Context, added cache.Cache) (toolscache.ResourceEventHandlerRegistration, error) {
	informer, err := added.GetInformer(ctx, h.object, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, err
	}
	return informer.AddEventHandlerWithOptions(h.handler, h.options)
}

// of returns the cache of a namespace.
func (c *namespacedCache) of(namespace string) (cache.Cache, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.caches[namespace]; one != nil {
		return one, nil
	}
	return nil, fmt.Errorf("the namespace %s is not looked after", namespace)
}

// all are the caches of all namespaces.
func (c *namespacedCache) all() []*runningCache {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.caches))
}

// Get implements client.Reader.
func (c *namespacedCache) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	one, err := c.of(key.Namespace)
	if err != nil {
		return err
	}
	return one.Get(ctx, key, object, options...)
}

// List implements client.Reader.
func (c *namespacedCache) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	if asked.Namespace != "" {
		one, err := c.of(asked.Namespace)
		if err != nil {
			return err
		}
		return one.List(ctx, list, options...)
	}
	var found []runtime.Object
	for _, one := range c.all() {
		part := list.DeepCopyObject().(client.ObjectList)
		if err := one.List(ctx, part, options...); err != nil {
			return err
		}
		items, err := meta.ExtractList(part)
		if err != nil {
			return err
		}
		found = append(found, items...)
	}
	return meta.SetList(list, found)
}

// IndexField implements client.FieldIndexer.
func (c *namespacedCache) IndexField(ctx context.Context, object client.Object, field string, extract client.IndexerFunc) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.indexes = append(c.indexes, fieldIndex{object, field, extract})
	for _, one := range c.caches {
		err = errors.Join(err, one.IndexField(ctx, object, field, extract))
	}
	return err
}

// WaitForCacheSync implements cache.Informers.
func (c *namespacedCache) WaitForCacheSync(ctx context.Context) bool {
	for _, one := range c.all() {
		if !one.WaitForCacheSync(ctx) {
			return false
		}
	}
	return true
}

// GetInformer implements cache.Informers.
func (c *namespacedCache) GetInformer(ctx context.Context, object client.Object, options ...cache.InformerGetOption) (cache.Informer, error) {
	for _, one := range c.all() {
		if _, err := one.GetInformer(ctx, object, options...); err != nil {
			return nil, err
		}
	}
	return namespacedInformer{c, object}, nil
}

// RemoveInformer implements cache.Informers.
func (c *namespacedCache) RemoveInformer(ctx context.Context, object client.Object) (err error) {
	for _, one := range c.all() {
		err = errors.Join(err, one.RemoveInformer(ctx, object))
	}
	return err
}

// GetInformerForKind implements cache.Informers. Nothing asks for informers in this way, and
// one that knew some namespaces only would be worse than none.
func (c *namespacedCache) GetInformerForKind(_ context.Context, kind schema.GroupVersionKind, _ ...cache.InformerGetOption) (cache.Informer, error) {
	return nil, fmt.Errorf("no informer by kind (%s): ask for it by an object", kind)
}
