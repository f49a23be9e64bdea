package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/metrics"
	"github.com/spaces-operator/spaces-credential-operator/internal/periodic"
)

const (
	// sweepInterval is how often the sweeper looks.
	sweepInterval = time.Minute
	// sweepMargin is how late a renewal may be before it counts as overdue: the
	// queue may be busy.
	sweepMargin = 5 * time.Second
)

// sweeper looks for credentials whose timer was lost and enqueues them. Timers are
// not trusted alone.
type sweeper struct {
	client  client.Reader
	clock   clock.WithTicker
	metrics *metrics.Metrics
	// isHeldUp tells that the last pass found something in the way of a credential, which
	// a look from here does not end.
	isHeldUp func(types.NamespacedName) bool
	enqueue  func(types.NamespacedName)
}

// Start implements manager.Runnable.
func (s *sweeper) Start(ctx context.Context) error {
	return periodic.Run(ctx, s.clock, sweepInterval, s.sweep)
}

// sweep enqueues what is overdue now.
func (s *sweeper) sweep(ctx context.Context) {
	found, err := s.overdue(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "Looking for SpacesCredentials whose timer was lost failed; trying again in a minute")
		return
	}
	s.metrics.Overdue(len(found))
	for _, key := range found {
		s.enqueue(key)
	}
}

// overdue lists the credentials that should have been renewed and wait for nothing.
func (s *sweeper) overdue(ctx context.Context) ([]types.NamespacedName, error) {
	var all v1alpha1.SpacesCredentialList
	if err := s.client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing SpacesCredentials: %w", err)
	}
	now := s.clock.Now()
	var found []types.NamespacedName
	for i := range all.Items {
		key := client.ObjectKeyFromObject(&all.Items[i])
		if isOverdue(&all.Items[i], now) && !s.isHeldUp(key) {
			found = append(found, key)
		}
	}
	return found, nil
}

func isOverdue(credential *v1alpha1.SpacesCredential, now time.Time) bool {
	token, next := credential.Status.Token, credential.Status.NextAttemptTime
	switch {
	case credential.Spec.Suspend, !credential.DeletionTimestamp.IsZero(), token == nil, token.RenewalTime == nil:
		return false
	case next != nil && next.After(now):
		return false
	}
	return now.After(token.RenewalTime.Add(sweepMargin))
}
