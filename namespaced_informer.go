package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// namespacedInformer is the informers of one kind, of all namespaces of a cache and of those that
// will be added. Its handlers stay for as long as the cache.
type namespacedInformer struct {
	cache  *namespacedCache
	object client.Object
}

// AddEventHandler implements cache.Informer.
func (i namespacedInformer) AddEventHandler(handler toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(handler, toolscache.HandlerOptions{})
}

// AddEventHandlerWithResyncPeriod implements cache.Informer.
func (i namespacedInformer) AddEventHandlerWithResyncPeriod(handler toolscache.ResourceEventHandler, period time.Duration) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(handler, toolscache.HandlerOptions{ResyncPeriod: &period})
}

// AddEventHandlerWithOptions implements cache.Informer. The registration is that of the
// namespaces of this moment: an added one is told of before anybody reads it.
func (i namespacedInformer) AddEventHandlerWithOptions(handler toolscache.ResourceEventHandler, options toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	i.cache.mu.Lock()
	defer i.cache.mu.Unlock()
	h := eventHandler{i.object, handler, options}
	all := registrations{}
	for _, one := range i.cache.caches {
		registration, err := h.addTo(context.Background(), one) // which waits for nothing
		if err != nil {
			return nil, err
		}
		all = append(all, registration)
	}
	i.cache.handlers = append(i.cache.handlers, h)
	return all, nil
}

// RemoveEventHandler implements cache.Informer. Nothing does that.
func (i namespacedInformer) RemoveEventHandler(toolscache.ResourceEventHandlerRegistration) error {
	return errors.ErrUnsupported
}

// AddIndexers implements cache.Informer. Nothing does that: fields are indexed by the cache.
func (i namespacedInformer) AddIndexers(toolscache.Indexers) error { return errors.ErrUnsupported }

// informers are those of this moment.
func (i namespacedInformer) informers() (all []cache.Informer) {
	for _, one := range i.cache.all() {
		if informer, err := one.GetInformer(context.Background(), i.object, cache.BlockUntilSynced(false)); err == nil {
			all = append(all, informer)
		}
	}
	return all
}

// HasSynced implements cache.Informer.
func (i namespacedInformer) HasSynced() bool { return isDone(i.HasSyncedChecker()) }

// HasSyncedChecker implements cache.Informer.
func (i namespacedInformer) HasSyncedChecker() toolscache.DoneChecker {
	all := allDone{name: fmt.Sprintf("%T of some namespaces", i.object)}
	for _, informer := range i.informers() {
		all.checkers = append(all.checkers, informer.HasSyncedChecker())
	}
	return all
}

// IsStopped implements cache.Informer.
func (i namespacedInformer) IsStopped() bool {
	for _, informer := range i.informers() {
		if !informer.IsStopped() {
			return false
		}
	}
	return true
}

// registrations are those of one handler in several namespaces.
type registrations []toolscache.ResourceEventHandlerRegistration

// HasSynced implements toolscache.ResourceEventHandlerRegistration.
func (r registrations) HasSynced() bool { return isDone(r.HasSyncedChecker()) }

// HasSyncedChecker implements toolscache.ResourceEventHandlerRegistration.
func (r registrations) HasSyncedChecker() toolscache.DoneChecker {
	all := allDone{name: "a handler of some namespaces"}
	for _, one := range r {
		all.checkers = append(all.checkers, one.HasSyncedChecker())
	}
	return all
}

// allDone is done when all of several are.
type allDone struct {
	name     string
	checkers []toolscache.DoneChecker
}

// Name implements toolscache.DoneChecker.
func (a allDone) Name() string { return a.name }

// Done implements toolscache.DoneChecker.
func (a allDone) Done() <-chan struct{} {
	done := make(chan struct{})
	if isDone(a.checkers...) {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		for _, one := range a.checkers {
			<-one.Done()
		}
	}()
	return done
}

// isDone tells whether all are done now.
func isDone(all ...toolscache.DoneChecker) bool {
	for _, one := range all {
		if several, ok := one.(allDone); ok {
			if !isDone(several.checkers...) {
				return false
			}
			continue
		}
		select {
		case <-one.Done():
		default:
			return false
		}
	}
	return true
}
