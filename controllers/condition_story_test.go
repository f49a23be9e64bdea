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

var _ = Describe("The conditions", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
	})
	edit := func(change func(*v1alpha1.SpacesCredential)) {
		GinkgoHelper()
		credential := w.credential("bot")
		change(credential)
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
	}
	are := func(ready, reconciling, stalled metav1.ConditionStatus) {
		GinkgoHelper()
		w.expectCondition("bot", v1alpha1.ConditionReady, ready)
		w.expectCondition("bot", v1alpha1.ConditionReconciling, reconciling)
		w.expectCondition("bot", v1alpha1.ConditionStalled, stalled)
	}
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse

	It("a credential stays Ready over an edit that needs no new grant and no new content, without a call", func() {
		o.reconcile("bot")
		edit(func(c *v1alpha1.SpacesCredential) {
			c.Spec.Renewal = &v1alpha1.Renewal{RenewBeforePercent: ptr.To(int32(20))}
			c.Spec.Revocation.Policy = v1alpha1.RevocationNever
		})
		o.reconcile("bot")
		are(yes, no, no)
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
		Expect(w.events.reasons()).To(Equal([]string{v1alpha1.ReasonIssued}))
	})

	It("a credential stays Ready over an edit while the service is away, if the edit needs nothing of it", func() {
		o.reconcile("bot")
		w.spaces.Down(true)
		edit(func(c *v1alpha1.SpacesCredential) {
			c.Spec.SecretTemplate = &v1alpha1.SecretTemplate{Formats: []v1alpha1.SecretFormat{v1alpha1.SecretFormatCurl}}
		})
		o.reconcile("bot")
		are(yes, no, no)
	})

	It("a credential is not Ready after an edit that needs a new grant, until that is published", func() {
		o.reconcile("bot")
		w.spaces.Down(true)
		edit(func(c *v1alpha1.SpacesCredential) { c.Spec.Scopes = []string{"email"} })
		o.reconcile("bot")
		are(no, yes, no)
		w.spaces.Down(false)
		o.settle("bot", time.Minute)
		are(yes, no, no)
	})

	It("a credential is not Ready after an edit whose content cannot be published", func() {
		o.reconcile("bot")
		edit(func(c *v1alpha1.SpacesCredential) {
			c.Spec.SecretTemplate = &v1alpha1.SecretTemplate{Formats: []v1alpha1.SecretFormat{v1alpha1.SecretFormatCurl}}
		})
		o.on(writePublished, plannedFault{before: forbidden()})
		o.reconcile("bot")
		are(no, no, yes)
		w.expectCondition("bot", v1alpha1.ConditionReady, no, v1alpha1.ReasonSecretForbidden)
	})

	It("a credential whose input changed to something refused stays Ready, and is Stalled", func() {
		o.reconcile("bot")
		login := w.secret("bot-login")
		login.Data["username"] = []byte("nobody@example.test")
		Expect(admin.Update(w.ctx, login)).To(Succeed())
		o.reconcile("bot")
		are(yes, no, yes)
		w.expectCondition("bot", v1alpha1.ConditionReady, yes, v1alpha1.ReasonRenewalFailing)
	})

	It("renewals, their retries and a service that is away do not set Reconciling", func() {
		o.reconcile("bot")
		w.spaces.Down(true)
		o.settle("bot", 3*lifetime)
		are(no, no, no)
		w.expectCondition("bot", v1alpha1.ConditionReady, no, v1alpha1.ReasonExpired)
	})

	It("a generation that was realised once is not Reconciling again after a stall", func() {
		o.reconcile("bot")
		login := w.secret("bot-login")
		login.Data["username"] = []byte{0xff}
		Expect(admin.Update(w.ctx, login)).To(Succeed())
		w.spaces.SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultInvalidGrant, 1)
		o.settle("bot", 2*lifetime)
		are(no, no, yes)
		w.delete(w.secret("bot-login"))
		o.settle("bot", time.Minute)
		are(no, no, no)
		w.expectCondition("bot", v1alpha1.ConditionReady, no, v1alpha1.ReasonExpired)
	})

	It("a generation that stalled before it was realised is Reconciling again after the stall", func() {
		login := w.secret("bot-login")
		login.Data["password"] = []byte("")
		Expect(admin.Update(w.ctx, login)).To(Succeed())
		o.reconcile("bot")
		are(no, no, yes)
		w.delete(w.secret("bot-login"))
		o.reconcile("bot")
		are(no, yes, no)
		w.expectCondition("bot", v1alpha1.ConditionReady, no, v1alpha1.ReasonWaitingForInput)
	})
})

var _ = Describe("Ready", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("the condition Ready follows the published Secret that is deleted while suspended", func() {
		credential := w.credential("bot")
		credential.Spec.Suspend = true
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
		w.delete(w.secret("bot"))
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
		Expect(w.credential("bot").Status.Token).To(BeNil())
		w.operator().reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	})

	It("the condition Ready follows the published Secret that is deleted and may not be made again", func() {
		w.delete(w.secret("bot"))
		o.on(createPublished, plannedFault{before: forbidden()})
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretForbidden)
		Expect(w.credential("bot").Status.Token).To(BeNil())
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("the condition Ready follows the published Secret that keeps an older token until that expires", func() {
		old := w.credential("bot").Status.Token
		w.step(old.RenewalTime.Sub(w.clock.Now()))
		for range 20 {
			o.on(writePublished, plannedFault{before: forbidden()})
		}
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		Expect(w.credential("bot").Status.Token.Fingerprint).To(Equal(old.Fingerprint))
		w.clock.SetTime(old.ExpirationTime.Time)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretForbidden)
	})

	It("a generation that one process realised is not Reconciling for the next one", func() {
		w.delete(w.secret("bot-login"))
		w.spaces.Down(true)
		o = w.operator()
		o.settle("bot", 2*lifetime)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonExpired)
		w.expectCondition("bot", v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonIssued)
	})
})
