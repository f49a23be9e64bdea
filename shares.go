package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/ptr"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// abandonedAfter is for how long a lease was not renewed whose holder will not come back to
// release it.
const abandonedAfter = 10 * time.Minute

// watches says which SpacesCredentials the flags choose.
func (s *settings) watches() string {
	what := "all SpacesCredentials"
	if !s.watchLabelSelector.Empty() {
		what = fmt.Sprintf("SpacesCredentials with the labels %q", s.watchLabelSelector)
	}
	if !s.watched.areAll() {
		what += " of " + s.watched.String()
	}
	return what
}

// sharedLeases are the leases as a process sees them that looks after some SpacesCredentials:
// one that is held for others cannot be had, or it would take the place of a replica of those,
// and they would be without an operator.
type sharedLeases struct {
	coordinationclient.LeasesGetter
	own *lease
}

// Leases implements LeasesGetter.
func (s sharedLeases) Leases(namespace string) coordinationclient.LeaseInterface {
	return sharedLease{s.LeasesGetter.Leases(namespace), s.own}
}

type sharedLease struct {
	coordinationclient.LeaseInterface
	own *lease
}

// Get implements LeaseInterface. It fails while the lease is held for others.
func (s sharedLease) Get(ctx context.Context, name string, options metav1.GetOptions) (*coordinationv1.Lease, error) {
	found, err := s.LeaseInterface.Get(ctx, name, options)
	if err != nil {
		return nil, err
	}
	s.own.saw(found)
	watches, holder := found.Annotations[v1alpha1.AnnotationWatches], ptr.Deref(found.Spec.HolderIdentity, "")
	isAbandoned := found.Spec.RenewTime == nil || s.own.clock.Since(found.Spec.RenewTime.Time) > abandonedAfter
	if watches == "" || watches == s.own.watches || holder == "" || isAbandoned {
		return found, nil
	}
	return nil, fmt.Errorf("the lease %s is held for %s, and this process looks after %s; it waits until that is released: "+
		"give each a --leader-election-id of its own", s.own.key, watches, s.own.watches)
}

// Create implements LeaseInterface.
func (s sharedLease) Create(ctx context.Context, made *coordinationv1.Lease, options metav1.CreateOptions) (*coordinationv1.Lease, error) {
	return s.seen(s.LeaseInterface.Create(ctx, s.told(made), options))
}

// Update implements LeaseInterface.
func (s sharedLease) Update(ctx context.Context, held *coordinationv1.Lease, options metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	return s.seen(s.LeaseInterface.Update(ctx, s.told(held), options))
}

// seen notes which lease was written.
func (s sharedLease) seen(written *coordinationv1.Lease, err error) (*coordinationv1.Lease, error) {
	if err == nil {
		s.own.saw(written)
	}
	return written, err
}

// told says on a lease what its holder looks after, and which clocks are apart from its own.
func (s sharedLease) told(held *coordinationv1.Lease) *coordinationv1.Lease {
	metav1.SetMetaDataAnnotation(&held.ObjectMeta, v1alpha1.AnnotationWatches, s.own.watches)
	s.own.skews.told(held.Annotations)
	return held
}

// parseSelector reads a flag that is a label selector.
func parseSelector(flag, text string) (labels.Selector, error) {
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s %q is no label selector: %w", flag, text, err)
	}
	return selector, nil
}

// parseNamespaces reads the flags that choose namespaces.
func parseNamespaces(names, selector string) (chosen chosenNamespaces, err error) {
	chosen.names = list(names)
	slices.Sort(chosen.names)
	chosen.names = slices.Compact(chosen.names)
	if selector == "" {
		return chosen, nil
	}
	if len(chosen.names) > 0 {
		return chosen, errors.New("--watch-namespaces and --watch-namespace-selector are both given: namespaces are chosen by name or by label")
	}
	chosen.selector, err = parseSelector("--watch-namespace-selector", selector)
	return chosen, err
}
