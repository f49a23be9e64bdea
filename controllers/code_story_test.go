package controllers

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

var _ = Describe("Rule 2: a code", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), byCode("bot"))
	})
	exchanges := func() int { return w.calls(fakespaces.OperationAuthorizationCode) }
	replaceCode := func() {
		GinkgoHelper()
		if old := w.secret("bot-code"); old != nil {
			w.delete(old)
		}
		w.apply(w.codeInput())
	}

	It("a missing code is waited for: status tells a browser where to go, and nothing is made", func() {
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAuthorizationPending)
		w.expectCondition("bot", v1alpha1.ConditionReconciling, metav1.ConditionTrue)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		status := w.credential("bot").Status
		Expect(status.ClientID).To(Equal(clientID))
		Expect(status.AuthorizationEndpoint).To(Equal(w.server.URL + "/oauth2/authorize"))
		ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		Expect(ready.Message).To(ContainSubstring("kubectl spaces login bot -n " + w.namespace))
		Expect(w.stateExists("bot")).To(BeFalse())
		Expect(w.credential("bot").Finalizers).To(BeEmpty())
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())
	})

	It("a code is exchanged once, with its verifier; its grant is renewed by refresh and revoked at deletion", func() {
		o.reconcile("bot")
		w.apply(w.codeInput())
		o.reconcile("bot")
		first := w.expectReady("bot")
		Expect(w.credential("bot").Status.Token.ObtainedBy).To(Equal(v1alpha1.GrantTypeAuthorizationCode))
		Expect(w.credential("bot").Status.Identity.Username).To(Equal(username))
		Expect(w.document("bot").FirstUse()).To(BeNil())
		w.delete(w.secret("bot-code"))
		o.settle("bot", 3*lifetime)
		Expect(w.expectReady("bot")).NotTo(Equal(first))
		Expect(w.credential("bot").Status.Token.ObtainedBy).To(Equal(v1alpha1.GrantTypeRefreshToken))
		Expect(exchanges()).To(Equal(1))
		w.delete(w.credential("bot"))
		o.settle("bot", time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		w.expectNothingLost()
	})

	It("a code stands in the state before it is sent", func() {
		w.apply(w.codeInput())
		w.spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
			d := w.document("bot")
			Expect(d.OpenClaim()).NotTo(BeNil())
			Expect(d.FirstUse().Code.Reveal()).To(Equal(call.Form.Get("code")))
			return fakespaces.NoFault
		})
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("a code without an answer is sent again as it was claimed, though its Secret is gone", func() {
		w.apply(w.codeInput())
		w.spaces.Next(fakespaces.OperationAuthorizationCode, fakespaces.FaultLostBefore)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAmbiguousResult)
		w.delete(w.secret("bot-code"))
		credential := w.credential("bot")
		credential.Spec.AuthorizationCode.RedirectURI = "http://localhost:4000"
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		w.operator().settle("bot", time.Minute)
		w.expectReady("bot")
		Expect(exchanges()).To(Equal(2))
		w.expectNothingLost()
	})

	It("a code whose answer was lost counts as refused once the service says so, until a new one comes", func() {
		w.apply(w.codeInput())
		w.spaces.Next(fakespaces.OperationAuthorizationCode, fakespaces.FaultLostAfter)
		o.settle("bot", time.Hour)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
		Expect(exchanges()).To(Equal(2))
		ledger := w.spaces.Ledger()
		Expect([]int{ledger.ReplaysOfLostAnswers, ledger.CodesSentAgainAfterDelivery}).To(Equal([]int{1, 0}))
		replaceCode()
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("a refused code is sent again by no process and on no request", func() {
		w.apply(w.codeInput())
		w.spaces.Next(fakespaces.OperationAuthorizationCode, fakespaces.FaultInvalidGrant)
		o.settle("bot", time.Hour)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
		credential := w.credential("bot")
		credential.Annotations = map[string]string{v1alpha1.AnnotationRenewRequestedAt: "now"}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		w.operator().settle("bot", time.Hour)
		Expect(exchanges()).To(Equal(1))
		w.delete(w.secret("bot-code"))
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAuthorizationPending)
	})

	It("a code is sent again once the client that was refused with it is mended", func() {
		w.apply(w.codeInput())
		w.spaces.SetClientSecret(clientID, "another-story-secret")
		o.settle("bot", 5*time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientRejected)
		Expect(exchanges()).To(Equal(1))
		client := w.secret("spaces-client")
		client.Data["client_secret"] = []byte("another-story-secret")
		Expect(admin.Update(w.ctx, client)).To(Succeed())
		o.reconcile("bot")
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a new code replaces a living grant, which is revoked two minutes later", func() {
		w.apply(w.codeInput())
		o.reconcile("bot")
		first := w.expectReady("bot")
		replaceCode()
		o.reconcile("bot")
		Expect(w.expectReady("bot")).NotTo(Equal(first))
		Expect(w.spaces.TokenWorks(first)).To(BeTrue())
		o.settle("bot", grantstate.Changeover+10*time.Second)
		ledger := w.spaces.Ledger()
		Expect([]int{ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{1, 1}))
		w.expectNothingLost()
	})

	It("a refused new code leaves the living grant alone, which is renewed meanwhile", func() {
		w.apply(w.codeInput())
		o.reconcile("bot")
		w.expectReady("bot")
		w.spaces.Next(fakespaces.OperationAuthorizationCode, fakespaces.FaultInvalidGrant)
		replaceCode()
		o.settle("bot", 3*lifetime)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
		Expect(w.spaces.Ledger().GrantsRevoked).To(BeZero())
		w.expectNothingLost()
	})

	It("a dead grant asks for a new code while its token lives on, and a new code heals it at once", func() {
		w.apply(w.codeInput())
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultInvalidGrant, 1)
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		o.settle("bot", 2*lifetime)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(3))
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReauthorizationRequired)
		replaceCode()
		o.reconcile("bot")
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(exchanges()).To(Equal(2))
	})

	It("a grant that was called dead in passing goes on by itself", func() {
		w.apply(w.codeInput())
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultInvalidGrant) // of a storage that failed
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		o.settle("bot", 5*time.Minute)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(exchanges()).To(Equal(1))
		w.expectNothingLost()
	})

	It("a code that met a firewall is sent again while it lives, and then a person is asked for", func() {
		w.apply(w.codeInput())
		w.spaces.Next(fakespaces.OperationAuthorizationCode, fakespaces.FaultHTML400)
		o.settle("bot", 59*time.Second)
		Expect(exchanges()).To(Equal(1))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")

		replaceCode()
		w.spaces.SetFaultRate(fakespaces.OperationAuthorizationCode, fakespaces.FaultHTML400, 1)
		o.settle("bot", 20*time.Minute)
		Expect(exchanges()).To(Equal(2+3), "at once, after one minute and after six; the one after twenty-one is the last")
		o.settle("bot", 2*time.Hour)
		Expect(exchanges()).To(Equal(2 + 4))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonResponseUnclear)
	})

	It("a code that was used is not sent after an emergency stop or a request to revoke", func() {
		w.apply(w.codeInput())
		o.reconcile("bot")
		w.delete(w.secret("bot-grant"))
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		replaceCode()
		o.reconcile("bot")
		w.expectReady("bot")
		credential := w.credential("bot")
		credential.Annotations = map[string]string{v1alpha1.AnnotationRevokeRequestedAt: "now"}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.settle("bot", time.Hour)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.token("bot")).To(BeEmpty())
		Expect(exchanges()).To(Equal(2))
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		w.expectNothingLost()
	})

	It("a code on its way at an emergency stop is not sent again", func() {
		w.apply(w.codeInput())
		w.spaces.Next(fakespaces.OperationAuthorizationCode, fakespaces.FaultLostAfter)
		o.reconcile("bot")
		w.delete(w.secret("bot-grant"))
		o.settle("bot", time.Hour)
		Expect(exchanges()).To(Equal(1))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
	})

	It("changed scopes of a code's grant ask for a person, and the old grant is renewed meanwhile", func() {
		w.apply(w.codeInput())
		o.reconcile("bot")
		credential := w.credential("bot")
		credential.Spec.Scopes = []string{"email"}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.settle("bot", 2*lifetime)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReauthorizationRequired)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.spaces.TokenWorks(w.token("bot"))).To(BeTrue(), "the old grant is not renewed")
		Expect(exchanges()).To(Equal(1))
	})

	It("a code goes with the redirect URI that it was given for, if spec lists that", func() {
		const another = "http://localhost:3001"
		with := func(uri string) *corev1.Secret {
			input := w.codeInputFor(uri)
			input.StringData[v1alpha1.KeyRedirectURI] = uri
			return input
		}
		w.apply(with(another))
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInputInvalid)
		ready := meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionReady)
		Expect(ready.Message).To(And(ContainSubstring("redirectURIs"), ContainSubstring(`Secret "bot-code"`), Not(ContainSubstring(another))))
		Expect(exchanges()).To(BeZero())
		credential := w.credential("bot")
		credential.Spec.AuthorizationCode.RedirectURIs = []string{"http://localhost:3002", another}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("bot")
		w.expectReady("bot")
		Expect(exchanges()).To(Equal(1))
		w.delete(w.secret("bot-code"))
		w.apply(with(redirectURI)) // the first choice may be named as well
		o.reconcile("bot")
		w.expectReady("bot")
		Expect(exchanges()).To(Equal(2))
		w.expectNothingLost()
	})

	Describe("of whom one user is expected", func() {
		expecting := func(user string) *corev1.Secret {
			input := w.codeInput()
			input.StringData[v1alpha1.KeyExpectedUser] = user
			return input
		}
		neverRevoking := func() {
			GinkgoHelper()
			credential := w.credential("bot")
			credential.Spec.Revocation = &v1alpha1.Revocation{Policy: v1alpha1.RevocationNever}
			Expect(admin.Update(w.ctx, credential)).To(Succeed())
		}

		It("is exchanged, whatever the case of the name", func() {
			w.apply(expecting(strings.ToUpper(username)))
			o.reconcile("bot")
			w.expectReady("bot")
			Expect(w.spaces.Ledger().GrantsRevoked).To(BeZero())
		})

		It("the grant of another is revoked, never published and told, also where nothing is to be revoked", func() {
			neverRevoking()
			w.apply(expecting("ann@example.test"))
			o.settle("bot", time.Minute)
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
			ready := meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionReady)
			Expect(ready.Message).To(And(ContainSubstring("Not the expected user signed in"), ContainSubstring("kubectl spaces login bot"),
				Not(ContainSubstring("ann@")), Not(ContainSubstring(username))))
			Expect(w.secret("bot")).To(BeNil())
			ledger := w.spaces.Ledger()
			Expect([]int{ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{0, 1}))
			o.settle("bot", time.Hour)
			w.operator().settle("bot", time.Hour)
			Expect(exchanges()).To(Equal(1), "the code is never sent again")
			replaceCode()
			o.reconcile("bot")
			w.expectReady("bot")
			w.expectNothingLost()
		})

		It("the grant of another does not take the place of a living one", func() {
			w.apply(w.codeInput())
			o.reconcile("bot")
			w.expectReady("bot")
			w.delete(w.secret("bot-code"))
			w.apply(expecting("ann@example.test"))
			o.settle("bot", 3*lifetime)
			w.expectReady("bot")
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
			w.delete(w.secret("bot-code"))
			o.settle("bot", lifetime)
			w.expectReady("bot")
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
			ledger := w.spaces.Ledger()
			Expect([]int{ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{1, 1}))
			w.expectNothingLost()
		})
	})

	It("a code with a line break in it is bad input, and is not sent", func() {
		input := w.codeInput()
		input.StringData["code"] = "two\nlines"
		w.apply(input)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInputInvalid)
		Expect(exchanges()).To(BeZero())
	})
})
