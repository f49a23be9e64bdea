package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// quiet is for how long a lease was not renewed whose operator is gone. A living one renews it
// every few seconds.
const quiet = time.Minute

// sighting is an operator as its lease tells of it.
type sighting struct {
	lease types.NamespacedName
	// holder is empty where it was released by an operator that ended as it should.
	holder  string
	renewed time.Time
	// clocks are by how much the clocks of services are before its own, by environment; those that are
	// far apart.
	clocks map[string]time.Duration
}

// clocksOn reads what an operator says of clocks on its lease.
func clocksOn(lease *coordinationv1.Lease) map[string]time.Duration {
	clocks := map[string]time.Duration{}
	for part := range strings.SplitSeq(lease.Annotations[v1alpha1.AnnotationClockSkew], ",") {
		environment, text, _ := strings.Cut(part, "=")
		if by, err := time.ParseDuration(text); err == nil {
			clocks[environment] = by
		}
	}
	return clocks
}

// clockApart says that the clock of a service is apart from that of an operator that works, empty where none
// says so.
func clockApart(seen []sighting, environment string, now time.Time) string {
	for _, s := range seen {
		by, isApart := s.clocks[environment]
		switch {
		case !isApart || !s.isAlive(now):
		case by < 0:
			return fmt.Sprintf("The clock of the service of environment %q is %s behind the operator's.", environment, -by)
		default:
			return fmt.Sprintf("The clock of the service of environment %q is %s ahead of the operator's.", environment, by)
		}
	}
	return ""
}

// isAlive tells that this operator works, or that another one is about to take its place.
func (s sighting) isAlive(now time.Time) bool {
	return s.holder != "" && now.Sub(s.renewed) < quiet
}

// living is one of them that works, if there is one.
func living(seen []sighting, now time.Time) (sighting, bool) {
	at := slices.IndexFunc(seen, func(s sighting) bool { return s.isAlive(now) })
	if at < 0 {
		return sighting{}, false
	}
	return seen[at], true
}

// lastSeen says when an operator was there.
func lastSeen(operators []sighting) string {
	if len(operators) == 0 {
		return " (there is no lease of one)"
	}
	last := slices.MaxFunc(operators, func(a, b sighting) int { return a.renewed.Compare(b.renewed) })
	return fmt.Sprintf(" (the lease %s was renewed last at %s)", last.lease, last.renewed.UTC().Format(time.RFC3339))
}

// operators are all that ever held a lease which is still there, in whatever namespace.
func (c *cluster) operators(ctx context.Context) ([]sighting, error) {
	var leases coordinationv1.LeaseList
	if err := c.List(ctx, &leases); err != nil {
		return nil, err
	}
	var seen []sighting
	for _, lease := range leases.Items {
		if lease.Annotations[v1alpha1.AnnotationWatches] == "" && lease.Name != v1alpha1.LeaseName {
			continue
		}
		s := sighting{lease: client.ObjectKeyFromObject(&lease), holder: ptr.Deref(lease.Spec.HolderIdentity, ""), clocks: clocksOn(&lease)}
		if lease.Spec.RenewTime != nil {
			s.renewed = lease.Spec.RenewTime.Time
		}
		seen = append(seen, s)
	}
	return seen, nil
}
