package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// readinessPause is for how long an answer of the API server is good: anybody may ask
	// for readiness as often as they like.
	readinessPause = 10 * time.Second
	// syncPatience is for how long a cache is asked whether it is synced. One that is says so
	// at once.
	syncPatience = 100 * time.Millisecond
)

// readiness answers /readyz: whether what is served is known, and may still be read.
type readiness struct {
	live   client.Reader
	clock  clock.PassiveClock
	log    logr.Logger
	cache  cache.Informers
	served func() []string
	// refused tells that nothing is served because nothing may be read.
	refused func() error

	mu     sync.Mutex
	looked time.Time
	found  error
}

// caches checks that all that is served was read.
func (r *readiness) caches(request *http.Request) error {
	ctx, cancel := context.WithTimeout(request.Context(), syncPatience)
	defer cancel()
	if !r.cache.WaitForCacheSync(ctx) {
		return errors.New("SpacesCredentials and Secrets are not read yet")
	}
	return nil
}

// namespaces checks that the CRD is there and that at least one namespace may be read. It asks
// the API server at most once in ten seconds.
func (r *readiness) namespaces(request *http.Request) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.looked.IsZero() && r.clock.Since(r.looked) < readinessPause {
		return r.found
	}
	// Whoever asks may lose patience, and what is found is for those that ask later, too.
	found := r.look(context.WithoutCancel(request.Context()))
	if found != nil && (r.found == nil || r.found.Error() != found.Error()) {
		r.log.Error(found, "Not ready")
	}
	r.looked, r.found = r.clock.Now(), found
	return found
}

// look ends at the first namespace that may be read.
func (r *readiness) look(ctx context.Context) error {
	failed := r.refused()
	for _, namespace := range r.served() {
		err := mayServe(ctx, r.live, namespace)
		if err == nil {
			return nil
		}
		if failed == nil {
			failed = err
		}
	}
	return failed
}
