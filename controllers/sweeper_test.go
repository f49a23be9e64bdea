package controllers

import (
	"context"
	"runtime"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/event"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

var _ = Describe("The sweeper", func() {
	It("finds the credential whose timer was lost, and no other", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("lost"), byPassword("healthy"))
		o.reconcile("lost")
		w.step(30 * time.Minute)
		o.reconcile("healthy")
		w.step(w.credential("lost").Status.Token.RenewalTime.Sub(w.clock.Now()) + sweepMargin)

		swept := make(chan event.TypedGenericEvent[*v1alpha1.SpacesCredential])
		s := &sweeper{client: admin, clock: w.clock, metrics: o.Metrics, queue: swept}
		ctx, stop := context.WithCancel(w.ctx)
		ended := make(chan error)
		go func() { ended <- s.Start(ctx) }()
		for !w.clock.HasWaiters() {
			runtime.Gosched()
		}
		w.step(sweepInterval)
		var found []string
		for len(found) < 1 || found[len(found)-1] != "lost" {
			swept := <-swept
			if swept.Object.Namespace == w.namespace {
				found = append(found, swept.Object.Name)
			}
		}
		stop()
		Expect(<-ended).To(Succeed())
		Expect(found).To(Equal([]string{"lost"}))

		o.reconcile("lost")
		overdue, err := s.overdue(w.ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(overdue).NotTo(ContainElement(HaveField("Namespace", w.namespace)))
	})
})
