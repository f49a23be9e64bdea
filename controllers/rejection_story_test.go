package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// rejects has a workload say that it was refused with the token that is published.
func (w *world) rejects(name string) {
	GinkgoHelper()
	w.rejectsToken(name, w.secret(name).Annotations[v1alpha1.AnnotationFingerprint])
}

// rejectsToken has a workload say that it was refused with some token.
func (w *world) rejectsToken(name, fingerprint string) {
	GinkgoHelper()
	secret := w.secret(name)
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1alpha1.AnnotationRejected, fingerprint)
	Expect(admin.Update(w.ctx, secret)).To(Succeed())
}

var _ = Describe("A workload that was refused", func() {
	const old = lifetime/10 + time.Second
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})
	begin := func() {
		GinkgoHelper()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.settle("bot", old)
		w.expectReady("bot")
	}

	It("has the published token renewed, once, without an event, and by a renewal's four requests", func() {
		begin()
		before := w.token("bot")
		w.rejects("bot")
		o.forget()
		o.reconcile("bot")
		Expect(w.expectReady("bot")).NotTo(Equal(before))
		Expect(o.requests()).To(Equal([]request{writeState, writeState, writePublished, writeStatus}))
		Expect(w.document("bot").HandledRejection()).NotTo(BeEmpty())
		o.settle("bot", time.Minute)
		w.operator().settle("bot", time.Minute)
		Expect(w.renewals()).To(Equal(1))
		Expect(w.events.reasons()).To(Equal([]string{v1alpha1.ReasonIssued}))
		series, _ := w.scraped()
		Expect(series).To(HaveKeyWithValue("spaces_tokens_rejected_total{environment=staging,operator=1}", 1.0))
		w.expectNothingLost()
	})

	It("waits until the token is older than a tenth of its life, and is not forgotten over a restart", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.rejects("bot")
		Expect(o.reconcile("bot").RequeueAfter).To(BeNumerically("<=", lifetime/10))
		o = w.operator()
		o.settle("bot", lifetime/10-5*time.Second)
		Expect(w.renewals()).To(BeZero())
		o.settle("bot", 10*time.Second)
		Expect(w.renewals()).To(Equal(1))
		w.expectNothingLost()
	})

	It("is not heard of a token that is not the published one", func() {
		begin()
		former := w.secret("bot").Annotations[v1alpha1.AnnotationFingerprint]
		w.ask(v1alpha1.AnnotationRenewRequestedAt)
		o.settle("bot", old)
		for _, fingerprint := range []string{former, "0123456789ab", "", "some text that a workload made up"} {
			w.rejectsToken("bot", fingerprint)
			o.settle("bot", time.Minute)
		}
		Expect(w.renewals()).To(Equal(1), "that of the request alone")
		w.expectReady("bot")
	})

	It("is heard three times an hour, whatever restarts", func() {
		w.spaces.SetTokenLifetime(10 * time.Minute)
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		times := func(during time.Duration) (heard int) {
			last := w.document("bot").HandledRejection()
			for end := w.clock.Now().Add(during); w.clock.Now().Before(end); {
				w.operator().settle("bot", time.Minute+5*time.Second)
				w.rejects("bot")
				if now := w.document("bot").HandledRejection(); now != last {
					heard, last = heard+1, now
				}
			}
			return heard
		}
		Expect(times(50 * time.Minute)).To(Equal(3))
		Expect(times(2 * time.Hour)).To(BeNumerically("~", 6, 1))
		w.expectNothingLost()
	})

	It("lifts no refusal and shortens no wait", func() {
		begin()
		w.spaces.SetRetryAfter(30 * time.Minute)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultThrottledSeconds)
		w.rejects("bot")
		o.settle("bot", time.Minute)
		Expect(w.renewals()).To(Equal(1))
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		w.delete(w.secret("bot"))
		o.settle("bot", time.Minute)
		w.rejects("bot")
		o.settle("bot", 27*time.Minute)
		Expect(w.renewals()).To(Equal(1))
		o.settle("bot", 5*time.Minute)
		Expect(w.renewals()).To(Equal(2))
		w.expectReady("bot")

		By("a client that was refused")
		o.settle("bot", old)
		w.spaces.SetClientSecret(clientID, "another-client-secret")
		w.put("spaces-client", map[string]string{"client_secret": "mistyped-client-secret-9c11"})
		w.secrets = append(w.secrets, "another-client-secret", "mistyped-client-secret-9c11")
		w.ask(v1alpha1.AnnotationRenewRequestedAt)
		o.settle("bot", time.Minute)
		refused := w.renewals()
		w.rejects("bot")
		o.settle("bot", 10*time.Minute)
		Expect(w.renewals()).To(Equal(refused))
	})

	It("is heard when the object is resumed, not while it is suspended", func() {
		begin()
		suspend := func(value bool) {
			credential := w.credential("bot")
			credential.Spec.Suspend = value
			Expect(admin.Update(w.ctx, credential)).To(Succeed())
		}
		suspend(true)
		w.rejects("bot")
		o.settle("bot", 20*time.Minute)
		Expect(w.renewals()).To(BeZero())
		suspend(false)
		o.settle("bot", time.Minute)
		Expect(w.renewals()).To(Equal(1))
	})

	It("makes no guest anew, and asks no person to sign in", func() {
		w.spaces.SetGuestLifetime(lifetime)
		w.spaces.Next(fakespaces.OperationAuthorizationCode, fakespaces.FaultNoRefreshToken)
		w.apply(clientInput(), w.codeInput(), byCode("bot"), asGuest("kiosk"))
		names := []string{"bot", "kiosk"}
		o.settleAll(names, 5*time.Minute)
		w.step(10 * time.Minute)
		for _, name := range names {
			w.rejects(name)
		}
		o.settleAll(names, 5*time.Minute)
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(2))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
	})

	It("has a token renewed that passes its checks, and keeps the one before until then", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationUserProfile}
		}))
		o.settle("bot", old)
		before := w.expectReady("bot")
		w.spaces.SetFaultRate(fakespaces.OperationProfile, fakespaces.FaultForbidden403, 1)
		w.rejects("bot")
		o.settle("bot", time.Minute)
		Expect(w.token("bot")).To(Equal(before))
		w.spaces.SetFaultRate(fakespaces.OperationProfile, fakespaces.FaultForbidden403, 0)
		o.settle("bot", 10*time.Minute)
		Expect(w.expectReady("bot")).NotTo(Equal(before))
		Expect(w.renewals()).To(Equal(1))
	})
})
