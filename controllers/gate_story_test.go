package controllers

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var _ = Describe("The gate of an environment", func() {
	It("the patience that the service asks of one credential holds for all of its environment", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("first"), byPassword("second"))
		w.spaces.SetRetryAfter(5 * time.Minute)
		w.spaces.Next(fakespaces.OperationPassword, fakespaces.FaultThrottledDate)
		o.reconcile("first")
		wait := o.reconcile("second").RequeueAfter
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		w.expectCondition("second", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonThrottled)
		Expect(wait).To(BeNumerically("~", 5*time.Minute, time.Second))
		w.step(wait)
		o.reconcile("second")
		w.expectReady("second")
	})

	It("an outage of an hour sees few calls, and all credentials are ready soon after it", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput())
		var names []string
		for i := range 3 {
			names = append(names, fmt.Sprintf("bot-%d", i))
			w.apply(byPassword(names[i]))
		}
		w.spaces.Down(true)
		o.settleAll(names, time.Hour)
		Expect(w.calls(fakespaces.OperationPassword)).To(BeNumerically("<", 100), "a herd")
		w.spaces.Down(false)
		o.settleAll(names, 11*time.Minute)
		for _, name := range names {
			w.expectReady(name)
		}
	})

	It("a thousand callers wait out a service that answers 429, and then come at its rate", func() {
		w := newWorld()
		service := w.operator().Environments["staging"]
		g := (&gate.Gates{}).Of(service.Environment())
		// second lets all who wait try once, and a second go by.
		second := func(waiting int) (calls, served int) {
			for range waiting {
				if g.Enter(w.clock.Now()) != nil {
					continue
				}
				calls++
				_, err := service.Guest(w.ctx, spacesauth.Guest{DisplayName: "Lobby kiosk"}, nil)
				g.Leave(err, w.clock.Now())
				if err == nil {
					served++
				}
			}
			w.step(time.Second)
			return calls, served
		}
		waiting := 1000
		w.spaces.SetRetryAfter(time.Minute)
		w.spaces.SetFaultRate(fakespaces.OperationGuest, fakespaces.FaultThrottledSeconds, 1)
		for range 10 * 60 {
			second(waiting)
		}
		Expect(w.calls(fakespaces.OperationGuest)).To(Equal(10), "one call for each minute of patience")

		w.spaces.SetFaultRate(fakespaces.OperationGuest, fakespaces.FaultThrottledSeconds, 0)
		for range 2 * 60 {
			calls, served := second(waiting)
			Expect(calls).To(BeNumerically("<=", 40+20), "calls in a second")
			Expect(served).To(Equal(calls))
			waiting -= served
		}
		Expect(waiting).To(BeZero(), "callers who still wait")
	})
})
