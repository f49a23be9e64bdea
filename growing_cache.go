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

// growingCache is the cache of a few namespaces, to which others can be added while it runs.
// That of controller-runtime keeps those that it began with; it is embedded, and each added
// namespace has one beside it, with the same indexes and event handlers.
type growingCache struct {
	cache.Cache
	// begin makes the cache of namespaces.
	begin func(namespaces ...string) (cache.Cache, error)

	mu       sync.Mutex
	added    map[string]cache.Cache
	indexes  []fieldIndex
	handlers []eventHandler
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

func newGrowingCache(config *rest.Config, options cache.Options, namespaces []string) (*growingCache, error) {
	c := &growingCache{added: map[string]cache.Cache{}}
	c.begin = func(namespaces ...string) (cache.Cache, error) {
		own := options
		own.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces {
			own.DefaultNamespaces[namespace] = cache.Config{}
		}
		return cache.New(config, own)
	}
	var err error
	c.Cache, err = c.begin(namespaces...)
	return c, err
}

// add adds a namespace and returns when its objects are known. It is served until ctx ends.
// After an error it is not, and can be added again.
func (c *growingCache) add(ctx context.Context, namespace string) error {
	added, err := c.begin(namespace)
	if err != nil {
		return err
	}
	c.mu.Lock()
	for _, index := range c.indexes {
		err = errors.Join(err, added.IndexField(ctx, index.object, index.field, index.extract))
	}
	for _, h := range c.handlers {
		_, failed := added.GetInformer(ctx, h.object, cache.BlockUntilSynced(false))
		err = errors.Join(err, failed)
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}

	living, end := context.WithCancel(ctx)
	go func() {
		defer end()
		_ = added.Start(living) // fails only where it is started twice
	}()
	patience, cancel := context.WithTimeout(ctx, syncLimit)
	defer cancel()
	if !added.WaitForCacheSync(patience) {
		end()
		return fmt.Errorf("the objects of the namespace %s could not be read within %s", namespace, syncLimit)
	}

	// First it can be read, then it is told of: a handler may look at once.
	c.mu.Lock()
	defer c.mu.Unlock()
	c.added[namespace] = added
	for _, h := range c.handlers {
		err = errors.Join(err, h.addTo(ctx, added))
	}
	if err != nil {
		delete(c.added, namespace)
		end()
	}
	return err
}

// addTo has a handler told of what one more cache holds.
func (h eventHandler) addTo(ctx context.Context, added cache.Cache) error {
	informer, err := added.GetInformer(ctx, h.object, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandlerWithOptions(h.handler, h.options)
	return err
}

// of returns the cache that knows a namespace.
func (c *growingCache) of(namespace string) cache.Cache {
	c.mu.Lock()
	defer c.mu.Unlock()
	if added := c.added[namespace]; added != nil {
		return added
	}
	return c.Cache
}

// others are the caches of the namespaces that were added.
func (c *growingCache) others() []cache.Cache {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.added))
}

// Get implements client.Reader.
func (c *growingCache) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	return c.of(key.Namespace).Get(ctx, key, object, options...)
}

// List implements client.Reader.
func (c *growingCache) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	if asked.Namespace != "" {
		return c.of(asked.Namespace).List(ctx, list, options...)
	}
	var all []runtime.Object
	for _, one := range append(c.others(), c.Cache) {
		part := list.DeepCopyObject().(client.ObjectList)
		if err := one.List(ctx, part, options...); err != nil {
			return err
		}
		items, err := meta.ExtractList(part)
		if err != nil {
			return err
		}
		all = append(all, items...)
	}
	return meta.SetList(list, all)
}

// IndexField implements client.FieldIndexer.
func (c *growingCache) IndexField(ctx context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.indexes = append(c.indexes, fieldIndex{object, field, extract})
	err := c.Cache.IndexField(ctx, object, field, extract)
	for _, added := range c.added {
		err = errors.Join(err, added.IndexField(ctx, object, field, extract))
	}
	return err
}

// WaitForCacheSync implements cache.Informers.
func (c *growingCache) WaitForCacheSync(ctx context.Context) bool {
	for _, one := range append(c.others(), c.Cache) {
		if !one.WaitForCacheSync(ctx) {
			return false
		}
	}
	return true
}

// GetInformer implements cache.Informers.
func (c *growingCache) GetInformer(ctx context.Context, object client.Object, options ...cache.InformerGetOption) (cache.Informer, error) {
	informer, err := c.Cache.GetInformer(ctx, object, options...)
	if err != nil {
		return nil, err
	}
	return growingInformer{informer, c, object}, nil
}

// GetInformerForKind implements cache.Informers. Nothing asks for informers in this way, and
// one that knew some namespaces only would be worse than none.
func (c *growingCache) GetInformerForKind(_ context.Context, kind schema.GroupVersionKind, _ ...cache.InformerGetOption) (cache.Informer, error) {
	return nil, fmt.Errorf("no informer by kind (%s): ask for it by an object", kind)
}

// growingInformer tells its handlers of the namespaces that are added, too.
type growingInformer struct {
	cache.Informer
	cache  *growingCache
	object client.Object
}

// AddEventHandler implements cache.Informer.
func (i growingInformer) AddEventHandler(handler toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(handler, toolscache.HandlerOptions{})
}

// AddEventHandlerWithResyncPeriod implements cache.Informer.
func (i growingInformer) AddEventHandlerWithResyncPeriod(handler toolscache.ResourceEventHandler, period time.Duration) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(handler, toolscache.HandlerOptions{ResyncPeriod: &period})
}

// AddEventHandlerWithOptions implements cache.Informer. The registration is that of the
// namespaces of the beginning: whoever reads from the cache of another waits there.
func (i growingInformer) AddEventHandlerWithOptions(handler toolscache.ResourceEventHandler, options toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	i.cache.mu.Lock()
	defer i.cache.mu.Unlock()
	h := eventHandler{i.object, handler, options}
	registration, err := i.Informer.AddEventHandlerWithOptions(handler, options)
	for _, added := range i.cache.added {
		err = errors.Join(err, h.addTo(context.Background(), added)) // which waits for nothing
	}
	if err == nil {
		i.cache.handlers = append(i.cache.handlers, h)
	}
	return registration, err
}
