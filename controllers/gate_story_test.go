package controllers

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var _ = Describe("The gate of an environment", func() {
	It("the patience that the service asks of one credential is kept by it, whatever is edited or asked, and by nobody else", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"), byPassword("second"))
		w.spaces.SetRetryAfter(5 * time.Minute)
		w.spaces.Next(fakespaces.OperationPassword, fakespaces.FaultThrottledDate)
		wait := o.reconcile("bot").RequeueAfter
		Expect(wait).To(BeNumerically("~", 5*time.Minute, time.Second))
		o.reconcile("second")
		w.expectReady("second")

		w.ask(v1alpha1.AnnotationRenewRequestedAt)
		w.put("bot-login", map[string]string{"password": password + "-other"})
		w.step(time.Minute)
		o.reconcile("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2))
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonThrottled)
		w.put("bot-login", map[string]string{"password": password})
		o.settle("bot", wait)
		w.expectReady("bot")
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
		o := w.operator()
		service := o.Environments.Named("staging")
		turns, waiting := []string{}, 0
		o.Gates.OnTurn(func(key types.NamespacedName) { turns = append(turns, key.Name) })
		// come has a caller try once.
		come := func(name string) (called, served bool) {
			pass := o.Gates.Begin(w.key(name))
			defer pass.End()
			turn, _ := o.Gates.Ask(gate.Call{Caller: w.key(name), Environment: service.Environment(), API: true})
			if turn == nil {
				return false, false
			}
			turn.Begin()
			turn.Send()
			_, err := service.Guest(w.ctx, spacesauth.Guest{DisplayName: "Lobby kiosk"}, nil)
			turn.Leave(err)
			return true, err == nil
		}
		w.spaces.SetRetryAfter(time.Minute)
		w.spaces.SetFaultRate(fakespaces.OperationGuest, fakespaces.FaultThrottledSeconds, 1)
		for i := range 1000 {
			if called, _ := come(fmt.Sprint(i)); !called {
				waiting++
			}
		}
		Expect(w.calls(fakespaces.OperationGuest)).To(Equal(3), "who was told to wait before all of them were held")
		during := func(d time.Duration) (calls int) {
			for end := w.clock.Now().Add(d); w.clock.Now().Before(end); {
				w.step(100 * time.Millisecond)
				o.Gates.Look()
				for len(turns) > 0 {
					name := turns[0]
					turns = turns[1:]
					called, served := come(name)
					Expect(called).To(BeTrue(), "it is its turn")
					calls++
					if served {
						waiting--
					}
				}
			}
			return calls
		}
		Expect(during(50*time.Second)).To(BeNumerically("<=", 5), "one probe in ten seconds")

		w.spaces.SetFaultRate(fakespaces.OperationGuest, fakespaces.FaultThrottledSeconds, 0)
		for range 60 {
			Expect(during(time.Second)).To(BeNumerically("<=", 40+20), "calls in a second")
		}
		Expect(waiting).To(BeNumerically("<=", 5), "callers who still wait: the probes, who were told to")
	})
})
