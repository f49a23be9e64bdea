package controllers

import (
	"context"
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var _ = Describe("Rule 1: nothing is sent before it can be kept", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})
	expectNothingSent := func() {
		GinkgoHelper()
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretForbidden)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue)
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())
	}

	It("a credential sends nothing while a quota refuses its state Secret, and goes on once it is lifted", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		quota := w.quota(2)
		o.reconcile("bot")
		expectNothingSent()
		w.delete(quota)
		w.step(slowRecheck)
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("a credential in a terminating namespace sends nothing", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		w.delete(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
		o.reconcile("bot")
		expectNothingSent()
	})

	It("a credential sends nothing while its finalizer cannot be written", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.on(writeCredential, plannedFault{before: errRefused})
		_, err := o.pass("bot")
		Expect(err).To(HaveOccurred())
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("a renewal whose claim cannot be written sends nothing", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		o.on(writeState, plannedFault{before: forbidden()}, plannedFault{before: forbidden()}) // a patch neither
		o.reconcile("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretForbidden)
	})
})

var _ = Describe("Rule 2: every spend is claimed", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
	})

	It("a claim is written before the service hears of the spend", func() {
		var claimed *grantstate.Claim
		w.spaces.Intercept(func(fakespaces.Call) fakespaces.Fault {
			claimed = w.document("bot").OpenClaim()
			return fakespaces.NoFault
		})
		o.reconcile("bot")
		Expect(claimed).NotTo(BeNil())
		Expect(claimed.Holder).To(Equal(o.Holder))
		Expect(w.document("bot").OpenClaim()).To(BeNil())
	})

	It("a pass ends without a call when somebody else wrote the state first", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		other := w.operator()
		o.on(writeState, plannedFault{meanwhile: func() { other.reconcile("bot") }})
		o.reconcile("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2), "the seed and one renewal")
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a call is finished and saved when the process is told to stop in the middle of it", func() {
		ctx, stop := context.WithCancel(w.ctx)
		w.spaces.Intercept(func(fakespaces.Call) fakespaces.Fault {
			stop()
			return fakespaces.NoFault
		})
		_, err := o.passUntil(ctx, "bot")
		Expect(err).To(MatchError(context.Canceled), "the pass went on after its context ended")
		w.spaces.Intercept(nil)
		Expect(w.document("bot").Grant().Token).NotTo(BeNil(), "the answer was not saved")
		w.operator().reconcile("bot")
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		w.expectNothingLost()
	})

	It("a process that slept between the claim and the call sends nothing", func() {
		o.answersLate(createState, time.Minute)
		o.failsToSave("bot")
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a call and its save end by the time in their claim, however late the claim is answered", func(ctx SpecContext) {
		const timeout = 600 * time.Second // far longer than the story is given to end
		service, err := spacesauth.New(spacesauth.Environment{
			Name: "staging", AccountsURL: w.server.URL, APIURL: w.server.URL, RequestsPerSecond: 20, Burst: 40, TimeoutSeconds: int(timeout.Seconds()),
		}, spacesauth.WithClock(w.clock))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(service.CloseIdleConnections)
		o.knows("staging", service)
		w.step(o.reconcile("bot").RequeueAfter)
		claimed := w.clock.Now()
		o.answersLate(writeState, timeout-time.Second)
		w.spaces.InterceptAnswer(func(call fakespaces.Call) {
			defer GinkgoRecover()
			w.clock.SetTime(claimed.Add(timeout))
			select {
			case <-call.Gone(): // the client has left: whoever watches the claim may take over
			case <-ctx.Done():
				Fail("the call goes on beyond its claim's time")
			}
		})
		_, err = o.pass("bot")
		Expect(err).NotTo(HaveOccurred())
		w.spaces.InterceptAnswer(nil)
		Expect(w.document("bot").OpenClaim()).To(BeNil(), "the outcome was not saved in time")
		Expect(w.document("bot").Grant().Condition).To(Equal(grantstate.Ambiguous))

		o.answersLate(writeState, timeout+saveMargin+time.Second)
		w.step(5 * time.Second)
		o.failsToSave("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2), "a claim whose time was over when it was answered was used")
	}, SpecTimeout(time.Minute))

	It("a process whose wall clock was set back between the claim and the call sends nothing", func() {
		o.on(createState, plannedFault{meanwhile: func() { w.step(-2 * grantstate.ClockJump) }})
		o.reconcile("bot")
		Expect(w.spaces.Ledger().Calls[fakespaces.OperationRefresh]).To(BeZero())
	})

	It("another process's claim is left alone until it is old, then taken over and its call replayed", func() {
		w.spaces.SetGracePeriod(time.Minute)
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostAfter)
		Expect(survive(func() { o.dieBeforeSaving("bot") })).To(BeFalse())

		next := w.operator()
		wait := next.reconcile("bot").RequeueAfter
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2), "the new process called while the old one might")
		Expect(wait).To(BeNumerically(">=", 30*time.Second), "the timeout of a call and fifteen seconds")
		w.step(wait - time.Second)
		next.reconcile("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2))
		w.step(time.Second)
		next.reconcile("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(3))
		w.expectReady("bot")
		Expect(w.spaces.Ledger().ReplaysOfLostAnswers).To(Equal(1))
		w.expectNothingLost()
	})

	It("the claim of a process that ended with every answer saved is not waited for", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		o.on(writeState, plannedFault{after: errRefused}) // it never learns that its claim was written
		_, err := o.pass("bot")
		Expect(err).To(HaveOccurred())
		Expect(w.document("bot").OpenClaim()).NotTo(BeNil())
		Expect(o.Drain(w.ctx)).To(Succeed())

		next, hasDrained := w.operator(), false
		next.Drained = func(_ context.Context, holder string) bool { return hasDrained && holder == o.Holder }
		calls := w.calls(fakespaces.OperationRefresh)
		next.reconcile("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(calls), "nobody said that it has drained")
		hasDrained = true
		next.reconcile("bot")
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("the times in another process's claim are not believed: its clock may be wrong", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		grant := w.document("bot").Grant().ID
		w.editDocument("bot", func(d map[string]any) {
			d["claims"] = 2
			d["claim"] = map[string]any{"number": 2, "holder": "somebody", "time": w.clock.Now().Add(-24 * time.Hour), "grantID": grant}
		})
		next := w.operator()
		next.reconcile("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
	})

	It("a refresh without an answer is replayed within seconds, and GrantValid is Unknown until then", func() {
		w.spaces.SetGracePeriod(lifetime)
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostAfter, fakespaces.FaultLostAfter, fakespaces.FaultLostBefore)
		first := o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionUnknown, v1alpha1.ReasonAmbiguousResult)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		Expect(first.RequeueAfter).To(BeNumerically("<=", 2*time.Second))
		o.settle("bot", 30*time.Second)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionTrue)
		w.expectNothingLost()
	})

	It("a replay of a seed's refresh that is refused is believed, and a person is asked for", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostAfter)
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		calls := w.calls(fakespaces.OperationRefresh)
		o.settle("bot", 3*lifetime)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(calls+2), "after five minutes, after an hour, and never again")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReauthorizationRequired)
	})
})

var _ = Describe("Rule 3: a newer refresh token is durable before its access token is published", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
	})

	It("an answer is saved before it is published", func() {
		var saved bool
		o.on(createPublished, plannedFault{meanwhile: func() { saved = w.document("bot").Grant().Token != nil }})
		o.reconcile("bot")
		Expect(saved).To(BeTrue())
	})

	It("an answer stays in memory while its save fails, and the save alone is repeated", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		o.on(writeState, plannedFault{}, plannedFault{before: errRefused}, plannedFault{before: errRefused}, plannedFault{before: forbidden()}, plannedFault{before: forbidden()})
		for range 3 {
			_, err := o.pass("bot")
			Expect(err).To(MatchError(ContainSubstring("kept in memory")))
			Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2))
			w.step(time.Second)
		}
		o.reconcile("bot")
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2), "the grant was spent again instead of the save")
		w.expectNothingLost()
	})

	It("a token that was saved by a process that failed to publish it is published by the next one", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		o.on(writePublished, plannedFault{before: errRefused})
		_, err := o.pass("bot")
		Expect(err).To(HaveOccurred())
		w.operator().reconcile("bot")
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2))
		w.expectNothingLost()
	})

	It("a refresh token that came without an access token is kept", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultEmptyAccessToken)
		before := w.document("bot").Grant().RefreshToken.Reveal()
		o.reconcile("bot")
		Expect(w.document("bot").Grant().RefreshToken.Reveal()).NotTo(Equal(before))
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("an answer that is unsaved when the lease is lost is saved by the drain", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		ctx, lose := context.WithCancel(w.ctx)
		w.spaces.Intercept(func(fakespaces.Call) fakespaces.Fault {
			lose()
			return fakespaces.NoFault
		})
		o.on(writeState, plannedFault{}, plannedFault{before: errRefused})
		_, err := o.passUntil(ctx, "bot")
		Expect(err).To(HaveOccurred())
		w.spaces.Intercept(nil)
		Expect(w.document("bot").OpenClaim()).NotTo(BeNil(), "the answer was saved, the story proves nothing")

		Expect(o.Drain(w.ctx)).To(Succeed())
		Expect(w.document("bot").OpenClaim()).To(BeNil())
		w.operator().reconcile("bot")
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a drain that cannot save an answer ends with the Pod's grace, and says so", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		grace, end := context.WithCancel(w.ctx)
		o.on(writeState, plannedFault{}, plannedFault{before: errRefused}, plannedFault{before: errRefused, meanwhile: end})
		_, err := o.pass("bot")
		Expect(err).To(HaveOccurred())
		Expect(o.Drain(grace)).To(MatchError(ContainSubstring("kept in memory")))
	})

	It("a late answer is dropped when the state has a newer token of the same grant", func() {
		w.spaces.SetGracePeriod(lifetime)
		w.step(o.reconcile("bot").RequeueAfter)
		next := w.operator()
		o.on(writeState, plannedFault{}, plannedFault{meanwhile: func() { w.takeOver(next, "bot") }})
		o.reconcile("bot")
		d := w.document("bot")
		Expect(d.Grant().Answered).To(Equal(int64(3)), "the old process's answer replaced the newer one")
		Expect(d.Pending()).To(BeEmpty(), "two tokens of one grant stand in two places")
		next.reconcile("bot")
		w.expectReady("bot")
	})

	It("a late answer is taken when the state calls its grant refused", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		next := w.operator()
		w.spaces.SetReuseDetection(false)
		o.on(writeState, plannedFault{}, plannedFault{meanwhile: func() { w.takeOver(next, "bot") }})
		o.reconcile("bot")
		d := w.document("bot")
		Expect(d.Grant().Condition).To(Equal(grantstate.Valid))
		Expect(d.Grant().Answered).To(Equal(int64(2)))
		w.expectReady("bot")
	})
})

var _ = Describe("A late answer", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
	})

	It("a late answer to a sign-in is revoked when another process signed in meanwhile", func() {
		next := w.operator()
		o.on(writeState, plannedFault{meanwhile: func() { w.takeOver(next, "bot") }})
		o.reconcile("bot")
		o.settle("bot", 2*time.Second)
		w.expectReady("bot")
		ledger := w.spaces.Ledger()
		Expect([]int{ledger.GrantsIssued, ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{2, 1, 1}))
	})

	It("a late answer is revoked from memory when the credential and its state are gone", func() {
		o.on(writeState, plannedFault{meanwhile: func() {
			w.delete(w.credential("bot"))
			w.tearOffFinalizers("bot")
		}})
		_, err := o.pass("bot")
		Expect(err).NotTo(HaveOccurred())
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
		o.settle("bot", 2*time.Second)
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	It("a late answer that no state can keep is tried until the deadline, then given up with an event", func() {
		o.on(writeState, plannedFault{meanwhile: func() {
			w.delete(w.credential("bot"))
			w.tearOffFinalizers("bot")
			w.spaces.Down(true)
		}})
		o.reconcile("bot")
		deadline := w.clock.Now().Add(v1alpha1.DefaultRevocationDeadline)
		for len(o.memory.withAnswers()) > 0 {
			Expect(w.events.reasons()).NotTo(ContainElement(v1alpha1.ReasonRevocationAbandoned))
			wake := o.reconcile("bot").RequeueAfter
			Expect(w.clock.Now()).To(BeTemporally("<=", deadline.Add(2*time.Second)))
			w.step(max(wake, time.Second))
		}
		Expect(o.memory.withAnswers()).To(BeEmpty())
		Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonRevocationAbandoned))
	})

	It("a late answer to a deleted credential joins its revocation", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		o.on(writeState, plannedFault{}, plannedFault{meanwhile: func() { w.delete(w.credential("bot")) }})
		_, err := o.pass("bot")
		Expect(err).NotTo(HaveOccurred())
		o.settle("bot", time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})
})

// quota forbids more Secrets than the given number in the story's namespace. No
// controller counts here, so the story tells the quota its use.
func (w *world) quota(secrets int64) *corev1.ResourceQuota {
	GinkgoHelper()
	limit := corev1.ResourceList{corev1.ResourceSecrets: *resource.NewQuantity(secrets, resource.DecimalSI)}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "few-secrets"}, Spec: corev1.ResourceQuotaSpec{Hard: limit}}
	w.apply(quota)
	quota.Status = corev1.ResourceQuotaStatus{Hard: limit, Used: limit}
	Expect(admin.Status().Update(w.ctx, quota)).To(Succeed())
	return quota
}

// editDocument changes the state document behind the operator's back.
func (w *world) editDocument(name string, change func(map[string]any)) {
	GinkgoHelper()
	secret := w.secret(name + v1alpha1.GrantSecretSuffix)
	var d map[string]any
	Expect(json.Unmarshal(w.opened(secret), &d)).To(Succeed())
	change(d)
	content, err := json.Marshal(d)
	Expect(err).NotTo(HaveOccurred())
	w.fill(secret, content)
}

// tearOffFinalizers removes every finalizer of a credential and its state.
func (w *world) tearOffFinalizers(name string) {
	GinkgoHelper()
	if w.exists(name) {
		credential := w.credential(name)
		credential.Finalizers = nil
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
	}
	if secret := w.secret(name + v1alpha1.GrantSecretSuffix); secret != nil {
		secret.Finalizers = nil
		Expect(admin.Update(w.ctx, secret)).To(Succeed())
		if secret.DeletionTimestamp == nil {
			w.delete(secret)
		}
	}
}

// answersLate lets the next request of a kind take effect at once, and be answered late.
func (o *operator) answersLate(late request, by time.Duration) {
	o.faults.after = func(_ int, what request) {
		if what == late {
			o.faults.after = nil
			o.world.step(by)
		}
	}
}

// failsToSave makes a pass whose save meets a stop that is longer than it may take: the
// answer stays in memory.
func (o *operator) failsToSave(name string) {
	GinkgoHelper()
	_, err := o.pass(name)
	Expect(err).To(MatchError(ContainSubstring("kept in memory")))
}

// takeOver lets another process watch the open claim until it is old, and act.
func (w *world) takeOver(next *operator, name string) {
	GinkgoHelper()
	w.step(next.reconcile(name).RequeueAfter)
	next.reconcile(name)
}

// dieBeforeSaving makes a pass whose process ends when it is about to save.
func (o *operator) dieBeforeSaving(name string) {
	o.on(writeState, plannedFault{}, plannedFault{meanwhile: func() { panic(death{}) }})
	_, _ = o.pass(name)
}
