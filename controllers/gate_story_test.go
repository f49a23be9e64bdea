package controllers

import (
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var _ = Describe("The gate of an environment", func() {
	outage := &spacesauth.Error{Kind: spacesauth.KindUnavailable}
	environment := spacesauth.Environment{AccountsURL: "https://accounts.example.test", RequestsPerSecond: 20, Burst: 40}

	It("lets a thousand credentials call at the rate of the environment and no faster", func() {
		g, now := (&gates{}).of(environment), noon
		passed := 0
		for range 100 {
			for range 1000 {
				if g.enter(now) == nil {
					g.leave(nil, now)
					passed++
				}
			}
			now = now.Add(100 * time.Millisecond)
		}
		Expect(passed).To(BeNumerically("~", 40+20*10, 2))
	})

	It("does not close because one answer was lost", func() {
		g := (&gates{}).of(environment)
		Expect(g.enter(noon)).To(BeNil())
		g.leave(&spacesauth.Error{Kind: spacesauth.KindAmbiguous}, noon)
		Expect(g.enter(noon)).To(BeNil())
	})

	It("lets one probe at a time through while the environment is down, then everybody", func() {
		g, now := (&gates{}).of(environment), noon
		for range downAfter {
			Expect(g.enter(now)).To(BeNil())
			g.leave(outage, now)
		}
		Expect(g.enter(now).reason).To(Equal(v1alpha1.ReasonServiceUnavailable))
		now = now.Add(maxProbeWait)
		Expect(g.enter(now)).To(BeNil(), "the probe")
		Expect(g.enter(now).reason).To(Equal(v1alpha1.ReasonServiceUnavailable), "a second call beside the probe")
		g.leave(nil, now)
		Expect(g.enter(now)).To(BeNil())
		Expect(g.enter(now)).To(BeNil())
	})

	It("pauses no longer because many calls were under way when the service went", func() {
		g, now := (&gates{}).of(environment), noon
		const herd = 10
		for range herd {
			Expect(g.enter(now)).To(BeNil())
		}
		for range herd {
			g.leave(outage, now)
		}
		Expect(g.enter(now).reason).To(Equal(v1alpha1.ReasonServiceUnavailable))
		now = now.Add(minBackoff << (downAfter - 1))
		Expect(g.enter(now)).To(BeNil(), "the probe")
	})

	It("is not held shut by an entry that was given back", func() {
		g, now := (&gates{}).of(environment), noon
		for range downAfter {
			Expect(g.enter(now)).To(BeNil())
			g.leave(outage, now)
		}
		now = now.Add(maxProbeWait)
		Expect(g.enter(now)).To(BeNil())
		g.cancel()
		Expect(g.enter(now)).To(BeNil())
	})

	It("is not closed by refusals: they say nothing about the environment", func() {
		g := (&gates{}).of(environment)
		for range 10 {
			Expect(g.enter(noon)).To(BeNil())
			g.leave(&spacesauth.Error{Kind: spacesauth.KindRejectedGrant}, noon)
		}
		Expect(isOutage(errors.New("an error of no kind"))).To(BeTrue())
	})

	It("keeps the patience that the service asked one credential for, for all", func() {
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

	It("sees few calls while the service is away for an hour, and all credentials ready soon after", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput())
		var names []string
		for i := range 10 {
			names = append(names, fmt.Sprintf("bot-%d", i))
			w.apply(byPassword(names[i]))
		}
		w.spaces.Down(true)
		o.settleAll(names, time.Hour)
		Expect(w.calls(fakespaces.OperationPassword)).To(BeNumerically("<", 200), "a herd")
		w.spaces.Down(false)
		o.settleAll(names, 11*time.Minute)
		for _, name := range names {
			w.expectReady(name)
		}
	})

	It("lets a thousand callers wait out a service that answers 429, and then come at its rate", func() {
		w := newWorld()
		service := w.operator().Environments["staging"]
		g := (&gates{}).of(service.Environment())
		// second lets all who wait try once, and a second go by.
		second := func(waiting int) (calls, served int) {
			for range waiting {
				if g.enter(w.clock.Now()) != nil {
					continue
				}
				calls++
				_, err := service.Guest(w.ctx, spacesauth.Guest{DisplayName: "Lobby kiosk"}, nil)
				g.leave(err, w.clock.Now())
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
