package main

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// A process that ends in peace leaves the lease free, with its name on it: the next one neither
// waits for the lease nor for its claims.
func TestWhoeverHasDrainedSaysSoOnTheLease(t *testing.T) {
	g := NewWithT(t)
	kubernetes, kubeconfig := connected(t)
	key := client.ObjectKey{Namespace: "default", Name: "drained"}
	lease := func() *coordinationv1.Lease {
		found := &coordinationv1.Lease{}
		g.Expect(client.IgnoreNotFound(kubernetes.Get(t.Context(), key, found))).To(Succeed())
		return found
	}
	var names []string
	for range 2 {
		command, _, _ := operatorCommand(t, punctual, "--kubeconfig="+kubeconfig, "--leader-election-id="+key.Name)
		operator := startOperator(t, command)
		g.Eventually(func() string { return ptr.Deref(lease().Spec.HolderIdentity, "") }).WithTimeout(time.Minute).
			ShouldNot(BeEmpty())
		names = append(names, *lease().Spec.HolderIdentity)
		g.Expect(operator.Stop()).To(Succeed())
		g.Expect(lease().Spec.HolderIdentity).To(HaveValue(BeEmpty()))
		g.Expect(drainedOf(lease())).To(Equal(names))
	}
}

func TestTheLeaseOfSomebodyElseIsLeftToThem(t *testing.T) {
	g := NewWithT(t)
	kubernetes, _ := connected(t)
	theirs := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "theirs", Annotations: map[string]string{v1alpha1.AnnotationDrained: "1,2,3,4,5,6,7,8"}},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: ptr.To("them"), LeaseDurationSeconds: ptr.To[int32](15)},
	}
	g.Expect(kubernetes.Create(t.Context(), theirs)).To(Succeed())
	clock := clocktesting.NewFakePassiveClock(time.Unix(1_000_000, 0))
	key := client.ObjectKeyFromObject(theirs)
	late := &lease{live: kubernetes, clock: clock, key: key, holder: "late"}
	next := &lease{live: kubernetes, clock: clock, key: key, holder: "next"}
	g.Expect(next.isDrained(t.Context(), "late")).To(BeFalse())
	g.Expect(late.release(t.Context())).To(Succeed())
	g.Expect(next.isDrained(t.Context(), "late")).To(BeFalse(), "it looks once in a second")
	clock.SetTime(clock.Now().Add(drainedPause))
	g.Expect(next.isDrained(t.Context(), "late")).To(BeTrue())
	g.Expect(next.isDrained(t.Context(), "2")).To(BeTrue())

	g.Expect(kubernetes.Get(t.Context(), key, theirs)).To(Succeed())
	g.Expect(*theirs.Spec.HolderIdentity).To(Equal("them"))
	g.Expect(drainedOf(theirs)).To(Equal([]string{"2", "3", "4", "5", "6", "7", "8", "late"}), "the last eight")
}
