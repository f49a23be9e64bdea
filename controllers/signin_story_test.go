package controllers

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

var _ = Describe("A credential's life", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})

	It("a sign-in by password takes one pass and seven requests to the API server", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		result := o.reconcile("bot")
		w.expectReady("bot")
		Expect(o.requests()).To(ConsistOf(writeCredential, createState, readSecret, readSecret, writeState, createPublished, writeStatus))
		Expect(w.events.reasons()).To(Equal([]string{v1alpha1.ReasonIssued}))
		credential := w.credential("bot")
		Expect(result.RequeueAfter).To(Equal(credential.Status.Token.RenewalTime.Sub(w.clock.Now())))
		Expect(credential.Status.Token.ObtainedBy).To(Equal(v1alpha1.GrantTypePassword))
		published := w.secret("bot")
		Expect(keysOf(published.Data)).To(ConsistOf("access_token", "token_type", "authorization", "expires_at", "scope",
			"api_url", "socket_url", "socket_token_type", "type", "provider"))
		Expect(string(published.Data["authorization"])).To(Equal("Bearer " + string(published.Data["access_token"])))
		w.expectCondition("bot", v1alpha1.ConditionReconciling, metav1.ConditionFalse)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionTrue)
	})

	It("a seed is sent once, and its grant is renewed without it", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		w.delete(w.secret("seed"))
		o.settle("bot", 3*lifetime)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a token is renewed before it expires, with four requests and without an event", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		first := o.reconcile("bot")
		before := w.expectReady("bot")
		o.forget()
		w.step(first.RequeueAfter)
		Expect(w.spaces.TokenWorks(before)).To(BeTrue(), "the old token expired before the renewal")
		o.reconcile("bot")
		Expect(w.expectReady("bot")).NotTo(Equal(before))
		Expect(o.requests()).To(Equal([]request{writeState, writeState, writePublished, writeStatus}))
		Expect(w.events.reasons()).To(Equal([]string{v1alpha1.ReasonIssued}))
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewed)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		w.expectNothingLost()
	})

	It("a password's grant is renewed for two days without another sign-in", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.settle("bot", 48*time.Hour)
		w.expectReady("bot")
		Expect(w.spaces.Ledger().GrantsIssued).To(Equal(1))
		Expect(w.credential("bot").Status.Grant.Rotations).To(BeNumerically(">", 60))
		w.expectNothingLost()
	})

	It("a restart of the operator mints nothing", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		token := w.expectReady("bot")
		for range 3 {
			w.operator().reconcile("bot")
			w.step(time.Minute)
		}
		Expect(w.token("bot")).To(Equal(token))
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
	})

	It("a pass without a reason makes no request at all", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		o.forget()
		o.reconcile("bot")
		Expect(o.requests()).To(BeEmpty())
	})

	It("a pass whose informer lags behind our own status tells nothing twice", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		old := w.credential("bot")
		o.reconcile("bot")
		o.forget()
		current := o.Client
		o.Client = interceptor.NewClient(admin, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				if credential, ok := object.(*v1alpha1.SpacesCredential); ok {
					old.DeepCopyInto(credential)
					return nil
				}
				return c.Get(ctx, key, object, options...)
			},
		})
		Expect(o.reconcile("bot").RequeueAfter).To(Equal(time.Second))
		Expect(o.requests()).To(BeEmpty())
		Expect(w.events.reasons()).To(HaveLen(1))
		o.Client = current
		o.reconcile("bot")
		Expect(o.requests()).To(BeEmpty())
	})

	It("the condition Ready turns False at the second of expiry and not before", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.spaces.Down(true)
		expiry := w.credential("bot").Status.Token.ExpirationTime.Time
		o.settle("bot", expiry.Add(-time.Second).Sub(w.clock.Now()))
		w.clock.SetTime(expiry.Add(-time.Second))
		result := o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		w.expectCondition("bot", v1alpha1.ConditionReconciling, metav1.ConditionFalse)
		Expect(result.RequeueAfter).To(BeNumerically("<=", 2*time.Second))
		w.clock.SetTime(expiry)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonExpired)
	})
})
