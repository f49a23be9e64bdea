package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/internal/periodic"
)

// lookInterval is how often it is looked whether namespaces may be read.
const lookInterval = time.Minute

// namespaces are those of --watch-namespaces, or the one that stands for all: which are
// served, and which may not be read. Those are served once they may.
type namespaces struct {
	live  client.Reader
	clock clock.WithTicker
	log   logr.Logger
	// unreadable has the value 1 for each namespace that may not be read.
	unreadable *prometheus.GaugeVec

	named []string
	told  map[string]bool // those that are known not to be readable
	cache *growingCache   // nil where all namespaces are served

	mu     sync.Mutex
	served []string
}

// findNamespaces looks which of the named namespaces may be read; without names it is all of
// them at once. It is an error if none may.
func findNamespaces(ctx context.Context, live client.Reader, clock clock.WithTicker, log logr.Logger, named []string) (*namespaces, error) {
	if len(named) == 0 {
		named = []string{metav1.NamespaceAll}
	}
	slices.Sort(named)
	n := &namespaces{
		live: live, clock: clock, log: log, named: slices.Compact(named), told: map[string]bool{},
		unreadable: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "spaces_namespaces_unreadable",
			Help: "1 for each namespace that the operator should look after and may not read.",
		}, []string{"namespace"}),
	}
	var refusals []*unreadableError
	for _, namespace := range n.named {
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
	if len(n.served) == 0 {
		return nil, nothingReadable(refusals)
	}
	for _, refused := range refusals {
		n.tell(refused, "A namespace is left out until it may be read; bind the ClusterRole of config/rbac there")
	}
	return n, nil
}

// newCache makes the cache of the namespaces that are served.
func (n *namespaces) newCache(config *rest.Config, options cache.Options) (cache.Cache, error) {
	grown, err := newGrowingCache(config, options, n.served)
	n.cache = grown
	return grown, err
}

// areAll tells that no namespace was named.
func (n *namespaces) areAll() bool { return n.named[0] == metav1.NamespaceAll }

// Served lists the namespaces that are served; the empty name stands for all.
func (n *namespaces) Served() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.served)
}

// Start implements manager.Runnable: it looks each minute what may be read, and serves what
// may be read at last. What is served stays so when its rights go: its informers go on by
// themselves when they are back.
func (n *namespaces) Start(ctx context.Context) error {
	return periodic.Run(ctx, n.clock, lookInterval, func(ctx context.Context) {
		for _, namespace := range n.named {
			n.lookAgain(ctx, namespace)
		}
	})
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: a replica that waits must know
// what it will serve.
func (n *namespaces) NeedLeaderElection() bool { return false }

func (n *namespaces) lookAgain(ctx context.Context, namespace string) {
	err := mayServe(ctx, n.live, namespace)
	if refused := asUnreadable(err); refused != nil {
		n.tell(refused, "A namespace may not be read any more; what is known of it grows old until the ClusterRole of config/rbac is bound there again")
		return
	}
	if err != nil {
		return // it says nothing of rights; readiness tells of it
	}
	if !slices.Contains(n.Served(), namespace) {
		if err := n.cache.add(ctx, namespace); err != nil {
			n.log.Error(err, "A namespace may be read now and cannot be served yet; trying again in a minute", "namespace", namespace)
			return
		}
		n.mu.Lock()
		n.served = append(n.served, namespace)
		n.mu.Unlock()
	}
	if n.told[namespace] {
		delete(n.told, namespace)
		n.unreadable.DeleteLabelValues(namespace)
		n.log.Info("A namespace that could not be read is served", "namespace", namespace)
	}
}

// tell tells once that a namespace may not be read.
func (n *namespaces) tell(refused *unreadableError, what string) {
	if n.told[refused.namespace] {
		return
	}
	n.told[refused.namespace] = true
	n.unreadable.WithLabelValues(refused.namespace).Set(1)
	n.log.Error(refused, what, "namespace", refused.namespace)
}
