package controllers

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

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

	It("a check, too, is held back for the one who was told, and for nobody else", func() {
		w := newWorld()
		o := w.operator()
		checked := func(c *v1alpha1.SpacesCredential) {
			c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationUserProfile}
		}
		w.apply(clientInput(), loginInput(), byPassword("first", checked), byPassword("second", checked))
		w.spaces.SetRetryAfter(10 * time.Minute)
		w.spaces.Next(fakespaces.OperationProfile, fakespaces.FaultThrottledSeconds)
		o.settle("first", 5*time.Second)
		w.expectCondition("first", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonVerificationFailed)
		o.settle("second", 5*time.Second)
		w.expectReady("second")
		o.settle("first", 10*time.Minute)
		w.expectReady("first")
	})

	It("guests whom their host fails do not hold back those who call another one", func() {
		w := newWorld()
		o := w.operator()
		guests := newWorldAt(w.clock)
		guests.spaces.Down(true)
		split := o.Environments.Named("staging").Environment()
		split.APIURL = guests.server.URL
		service, err := spacesauth.New(split, spacesauth.WithClock(w.clock))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(service.CloseIdleConnections)
		o.knows("staging", service)
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		for i := range 5 {
			name := fmt.Sprintf("kiosk-%d", i)
			w.apply(asGuest(name))
			o.reconcile(name)
		}
		w.expectCondition("kiosk-4", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonServiceUnavailable)
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("clients that the service fails for their own sake do not close the host for those whom it serves", func() {
		w := newWorld()
		o := w.operator()
		other := newWorldAt(w.clock)
		unknown := func(call fakespaces.Call) fakespaces.Fault {
			if call.ClientID == "unknown-client" {
				return fakespaces.FaultErrorIn200 // go-oauth2 says server_error
			}
			return fakespaces.NoFault
		}
		w.intercept(unknown)
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		strange := clientInput()
		strange.StringData["client_id"] = "unknown-client"
		other.apply(strange, loginInput())
		of := &operator{Reconciler: o.Reconciler, faults: o.faults, world: other, timers: o.timers, woken: map[string]bool{}}
		for i := range 10 {
			name := fmt.Sprintf("harm-%d", i)
			other.apply(byPassword(name))
			of.reconcile(name)
		}
		other.expectCondition("harm-9", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonServiceUnavailable)
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		o.reconcile("bot")
		w.expectReady("bot")
		Expect(w.credential("bot").Status.Grant.Rotations).To(BeEquivalentTo(1))
		Expect(meta.FindStatusCondition(other.credential("harm-9").Status.Conditions, v1alpha1.ConditionReady).Message).To(ContainSubstring("server_error"), "the cause is told")
	})

	It("two environments with one accounts URL keep their API hosts, and their namespaces, apart", func() {
		w := newWorld()
		o := w.operator()
		staging := o.Environments.Named("staging").Environment()
		alpha := staging
		alpha.Name, alpha.APIURL, alpha.Namespaces = "alpha", "http://127.0.0.1:1/alpha", []string{"somebody-elses"}
		client, err := spacesauth.New(alpha, spacesauth.WithClock(w.clock))
		Expect(err).NotTo(HaveOccurred())
		o.knows("alpha", client)
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationUserProfile}
		}))
		o.settle("bot", lifetime)
		w.expectReady("bot")
		Expect(string(w.secret("bot").Data[v1alpha1.KeyAPIURL])).To(Equal(staging.APIURL))
		Expect(w.calls(fakespaces.OperationProfile)).To(Equal(3))

		// Without its own environment it is not given to the other.
		o.Environments.Replace(map[string]*spacesauth.Client{"alpha": client})
		o.settle("bot", lifetime)
		Expect(w.calls(fakespaces.OperationProfile)).To(Equal(3))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnknownEnvironment)
	})

	It("a renewal in the queue reads nothing and writes nothing until its turn comes", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		staging := o.Environments.Named("staging").Environment()
		spent := 0
		for ; ; spent++ { // all that the rate allows
			caller := types.NamespacedName{Namespace: "crowd", Name: fmt.Sprint(spent)}
			if !o.callAs(gate.Call{Caller: caller, Environment: staging}, func() error { return nil }) {
				break
			}
		}
		Expect(spent).To(Equal(staging.Burst))
		before := o.requests()
		for range 3 { // something of it changed, and changed again
			_, err := o.Reconcile(w.ctx, ctrl.Request{NamespacedName: w.key("bot")})
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(o.requests()).To(Equal(before), "requests of the API server")
		Expect(w.calls(fakespaces.OperationRefresh)).To(BeZero())
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue)
		for end := w.clock.Now().Add(time.Minute); !o.woken["bot"]; {
			Expect(w.clock.Now()).To(BeTemporally("<", end), "it is never woken")
			clear(o.woken)
			o.sleep(end)
		}
		o.reconcile("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
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
			called = o.callAs(gate.Call{Caller: w.key(name), Environment: service.Environment(), API: true}, func() error {
				_, err := service.Guest(w.ctx, spacesauth.Guest{DisplayName: "Lobby kiosk"}, nil)
				served = err == nil
				return err
			})
			return called, served
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
