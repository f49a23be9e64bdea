package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/internal/periodic"
)

// lookInterval is how often it is looked whether namespaces may be read.
const lookInterval = time.Minute

// chosenNamespaces are those to look after: the named ones, or those with labels, or all.
type chosenNamespaces struct {
	names    []string
	selector labels.Selector // nil where labels choose none
}

// areAll tells that neither names nor labels choose.
func (c chosenNamespaces) areAll() bool { return len(c.names) == 0 && c.selector == nil }

// String says which they are, for the lease.
func (c chosenNamespaces) String() string {
	switch {
	case c.selector != nil:
		return fmt.Sprintf("namespaces with the labels %q", c.selector)
	case len(c.names) > 0:
		return "namespaces " + strings.Join(c.names, ", ")
	}
	return "all namespaces"
}

// list finds their names. The empty one stands for all.
func (c chosenNamespaces) list(ctx context.Context, live client.Reader) ([]string, error) {
	switch {
	case c.areAll():
		return []string{metav1.NamespaceAll}, nil
	case c.selector == nil:
		return c.names, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	found := &metav1.PartialObjectMetadataList{}
	found.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	switch err := live.List(ctx, found, client.MatchingLabelsSelector{Selector: c.selector}); {
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("the operator may not list namespaces, which --watch-namespace-selector needs: "+
			"bind a ClusterRole that lets it, as the chart does (%s)", oneLine(err))
	case err != nil:
		return nil, fmt.Errorf("listing the namespaces of --watch-namespace-selector: %w", err)
	}
	names := make([]string, 0, len(found.Items))
	for _, namespace := range found.Items {
		names = append(names, namespace.Name)
	}
	return names, nil
}

// namespaces are those that are chosen: which are served, and which may not be read. Those are
// served once they may.
type namespaces struct {
	live  client.Reader
	clock clock.WithTicker
	log   logr.Logger
	// unreadable has the value 1 for each namespace that may not be read.
	unreadable *prometheus.GaugeVec

	chosen chosenNamespaces
	told   map[string]*unreadableError // those that are known not to be readable
	cache  *namespacedCache            // nil where all namespaces are served

	mu      sync.Mutex
	served  []string
	refused error // that nothing may be read of all that is chosen
}

// findNamespaces looks which of the chosen namespaces may be read. It is an error if none of
// the named ones may; those that labels choose may come later.
func findNamespaces(ctx context.Context, live client.Reader, clock clock.WithTicker, log logr.Logger, chosen chosenNamespaces) (*namespaces, error) {
	n := &namespaces{
		live: live, clock: clock, log: log, chosen: chosen, told: map[string]*unreadableError{},
		unreadable: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "spaces_namespaces_unreadable",
			Help: "1 for each namespace that the operator should look after and may not read.",
		}, []string{"namespace"}),
	}
	names, err := chosen.list(ctx, live)
	if err != nil {
		return nil, err
	}
	var refusals []*unreadableError
	for _, namespace := range names {
		err := mayServe(ctx, live, namespace)
		if refused := asUnreadable(err); refused != nil {
			refusals = append(refusals, refused)
			continue
		}
		if err != nil {
			return nil, err
		}
		n.served = append(n.served, namespace)
	}
	switch {
	case len(n.served) == 0 && chosen.selector == nil:
		return nil, nothingReadable(refusals)
	case len(names) == 0:
		log.Info("No namespace has the labels yet", "selector", chosen.selector.String())
	}
	for _, refused := range refusals {
		n.tell(refused, "A namespace is left out until it may be read; bind the ClusterRole of config/rbac there")
	}
	n.judge()
	return n, nil
}

// newCache makes the cache of the namespaces that are served.
func (n *namespaces) newCache(config *rest.Config, options cache.Options) (made cache.Cache, err error) {
	n.cache, err = newNamespacedCache(config, options, n.served)
	return n.cache, err
}

// Served lists the namespaces that are served; the empty name stands for all.
func (n *namespaces) Served() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.served)
}

// Serves tells whether a namespace is served.
func (n *namespaces) Serves(namespace string) bool {
	return n.chosen.areAll() || slices.Contains(n.Served(), namespace)
}

// Refused tells that something is chosen and nothing of it may be read.
func (n *namespaces) Refused() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.refused
}

// Start implements manager.Runnable: it looks each minute what is chosen and may be read, serves
// what may be read at last, and leaves alone what is chosen no more. What is served stays so
// when its rights go: its informers go on by themselves when they are back.
func (n *namespaces) Start(ctx context.Context) error {
	return periodic.Run(ctx, n.clock, lookInterval, func(ctx context.Context) {
		names, err := n.chosen.list(ctx, n.live)
		if err != nil {
			n.log.Error(err, "The namespaces that were served stay so")
			return
		}
		for _, namespace := range names {
			n.lookAgain(ctx, namespace)
		}
		n.leave(func(namespace string) bool { return !slices.Contains(names, namespace) })
		n.judge()
	})
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: a replica that waits must know
// what it will serve.
func (n *namespaces) NeedLeaderElection() bool { return false }

func (n *namespaces) lookAgain(ctx context.Context, namespace string) {
	err := mayServe(ctx, n.live, namespace)
	if refused := asUnreadable(err); refused != nil {
		n.tell(refused, "A namespace may not be read; what is known of it grows old until the ClusterRole of config/rbac is bound there")
		return
	}
	if err != nil {
		return // it says nothing of rights; readiness tells of it
	}
	if !slices.Contains(n.Served(), namespace) {
		n.serve(namespace) // before the first event of it: whoever looks must find it served
		if err := n.cache.add(ctx, namespace); err != nil {
			n.unserve(namespace)
			n.log.Error(err, "A namespace may be read now and cannot be served yet; trying again in a minute", "namespace", namespace)
			return
		}
		n.log.Info("A namespace is served from now on", "namespace", namespace)
	} else if n.told[namespace] != nil {
		n.log.Info("A namespace may be read again", "namespace", namespace)
	}
	n.forget(namespace)
}

// serve begins to serve a namespace.
func (n *namespaces) serve(namespace string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.served = append(n.served, namespace)
}

// unserve ends to serve a namespace.
func (n *namespaces) unserve(namespace string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.served = slices.DeleteFunc(n.served, func(served string) bool { return served == namespace })
}

// leave ends to serve namespaces. What the operator holds there stays, for whoever serves them next.
func (n *namespaces) leave(isLeft func(string) bool) {
	for _, namespace := range slices.DeleteFunc(n.Served(), func(served string) bool { return !isLeft(served) }) {
		n.unserve(namespace)
		n.cache.remove(namespace)
		n.log.Info("A namespace is chosen no more and left alone", "namespace", namespace)
	}
	for namespace := range n.told {
		if isLeft(namespace) {
			n.forget(namespace)
		}
	}
}

// judge finds out whether anything may be read of what is chosen.
func (n *namespaces) judge() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refused = nil
	if len(n.served) == 0 && len(n.told) > 0 {
		n.refused = nothingReadable(slices.Collect(maps.Values(n.told)))
	}
}

// forget forgets that a namespace could not be read.
func (n *namespaces) forget(namespace string) {
	delete(n.told, namespace)
	n.unreadable.DeleteLabelValues(namespace)
}

// tell tells once that a namespace may not be read.
func (n *namespaces) tell(refused *unreadableError, what string) {
	if n.told[refused.namespace] != nil {
		return
	}
	n.told[refused.namespace] = refused
	n.unreadable.WithLabelValues(refused.namespace).Set(1)
	n.log.Error(refused, what, "namespace", refused.namespace)
}
