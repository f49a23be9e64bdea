package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

var _ = Describe("A guest", func() {
	const day = 24 * time.Hour
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})
	guests := func() int { return w.spaces.Ledger().GuestsIssued }

	It("a guest is made without a client, and its token is published with the scheme jwt", func() {
		w.apply(asGuest("kiosk"))
		o.reconcile("kiosk")
		token := w.expectReady("kiosk")
		data := w.secret("kiosk").Data
		for key, want := range map[string]string{"token_type": "jwt", "authorization": "jwt " + token, "socket_token_type": "jwt", "scope": ""} {
			Expect(string(data[key])).To(Equal(want), key)
		}
		status := w.credential("kiosk").Status
		Expect(status.Token.ObtainedBy).To(Equal(v1alpha1.GrantTypeAnonymous))
		Expect(status.Token.ExpirationTime.Sub(status.Token.IssueTime.Time)).To(Equal(day))
		Expect(status.Grant.Present).To(BeFalse(), "there is nothing to renew a guest from")
		Expect(status.ClientID).To(BeEmpty())
		Expect(status.Identity).To(BeNil())
		w.expectCondition("kiosk", v1alpha1.ConditionGrantValid, metav1.ConditionTrue)
	})

	It("a guest is renewed late, as another guest, without an event and with nothing to revoke", func() {
		w.apply(asGuest("kiosk"))
		o.reconcile("kiosk")
		first := w.expectReady("kiosk")
		token := w.credential("kiosk").Status.Token
		wait, usual := token.RenewalTime.Sub(token.IssueTime.Time), day-v1alpha1.DefaultGuestRenewBefore
		Expect(wait).To(And(BeNumerically("<=", usual), BeNumerically(">=", usual*9/10-time.Second)))
		o.settle("kiosk", day)
		Expect(w.expectReady("kiosk")).NotTo(Equal(first))
		Expect(guests()).To(Equal(2))
		w.expectCondition("kiosk", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewed)
		Expect(w.events.reasons()).To(Equal([]string{v1alpha1.ReasonIssued}))
		Expect(w.credential("kiosk").Status.PendingRevocations).To(BeZero())
		w.delete(w.credential("kiosk"))
		o.settle("kiosk", time.Minute)
		Expect(w.exists("kiosk")).To(BeFalse())
		Expect(w.stateExists("kiosk")).To(BeFalse())
		Expect(w.secret("kiosk")).To(BeNil())
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
	})

	It("a guest is renewed as early as spec asks for it", func() {
		w.apply(asGuest("kiosk", func(c *v1alpha1.SpacesCredential) {
			c.Spec.Renewal = &v1alpha1.Renewal{RenewBeforePercent: ptr.To(int32(50))}
		}))
		o.reconcile("kiosk")
		token := w.credential("kiosk").Status.Token
		Expect(token.RenewalTime.Sub(token.IssueTime.Time)).To(BeNumerically("<=", day/2))
	})

	It("a guest whose token tells no expiry lives for a day", func() {
		w.spaces.Next(fakespaces.OperationGuest, fakespaces.FaultGuestOpaque)
		w.apply(asGuest("kiosk"))
		o.reconcile("kiosk")
		token := w.credential("kiosk").Status.Token
		Expect(token.ExpirationTime.Sub(token.IssueTime.Time)).To(Equal(day))
	})

	It("a guest whose name is changed is another guest at once", func() {
		w.apply(asGuest("kiosk"))
		o.reconcile("kiosk")
		first := w.expectReady("kiosk")
		credential := w.credential("kiosk")
		credential.Spec.Anonymous.DisplayName = "Reception"
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("kiosk")
		Expect(w.expectReady("kiosk")).NotTo(Equal(first))
		o.settle("kiosk", time.Hour)
		Expect(guests()).To(Equal(2))
	})

	It("a guest is not made anew because the operator restarted", func() {
		w.apply(asGuest("kiosk"))
		o.reconcile("kiosk")
		for range 3 {
			w.operator().settle("kiosk", time.Hour)
		}
		Expect(guests()).To(Equal(1))
	})

	It("a guest is made anew on a request to renew or to revoke, once for each", func() {
		w.apply(asGuest("kiosk"))
		o.reconcile("kiosk")
		for i, annotation := range []string{v1alpha1.AnnotationRenewRequestedAt, v1alpha1.AnnotationRevokeRequestedAt} {
			before := w.expectReady("kiosk")
			credential := w.credential("kiosk")
			credential.Annotations = map[string]string{annotation: "now"}
			Expect(admin.Update(w.ctx, credential)).To(Succeed())
			w.step(2 * time.Second)
			o.settle("kiosk", 5*time.Minute)
			Expect(w.expectReady("kiosk")).NotTo(Equal(before))
			Expect(guests()).To(Equal(2 + i))
		}
		Expect(w.credential("kiosk").Status.LastHandledRevokeRequest).To(Equal("now"))
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
	})

	It("a guest that is refused without a reason is asked for again, at last each hour", func() {
		w.spaces.SetFaultRate(fakespaces.OperationGuest, fakespaces.FaultHTML400, 1)
		w.apply(asGuest("kiosk"))
		o.settle("kiosk", 80*time.Minute)
		Expect(w.calls(fakespaces.OperationGuest)).To(Equal(4), "at once, after one minute, six and twenty-one")
		w.expectCondition("kiosk", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonResponseUnclear)
		w.spaces.SetFaultRate(fakespaces.OperationGuest, fakespaces.FaultHTML400, 0)
		o.settle("kiosk", 2*time.Minute)
		w.expectReady("kiosk")
	})

	It("a guest outlives an outage that is shorter than the life its token has left", func() {
		w.apply(asGuest("kiosk"))
		w.step(o.reconcile("kiosk").RequeueAfter)
		w.spaces.Down(true)
		o.settle("kiosk", 5*time.Minute)
		w.expectCondition("kiosk", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		w.spaces.Down(false)
		o.settle("kiosk", 5*time.Minute)
		w.expectCondition("kiosk", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewed)
	})

	It("a guest takes a single call of the service, the one that makes it", func() {
		w.apply(asGuest("kiosk"))
		o.reconcile("kiosk")
		Expect(w.spaces.Ledger().Calls).To(Equal(map[fakespaces.Operation]int{fakespaces.OperationGuest: 1}))
	})
})
