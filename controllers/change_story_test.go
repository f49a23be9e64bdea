package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var _ = Describe("Rule 5: changed inputs", func() {
	var w *world
	var o *operator
	edit := func(change func(*v1alpha1.SpacesCredential)) {
		GinkgoHelper()
		credential := w.credential("bot")
		change(credential)
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
	}
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})

	It("a new environment gets a sign-in and no token of the old one, whose grant is then revoked", func() {
		other := w.neighbour(o)
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		old := w.expectReady("bot")
		edit(func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = "other" })
		other.spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
			Expect(call.Operation).To(Equal(fakespaces.OperationPassword), "a grant of one service was sent to the other")
			return fakespaces.NoFault
		})
		o.reconcile("bot")
		published := w.secret("bot")
		Expect(string(published.Data["access_token"])).NotTo(Equal(old))
		Expect(other.spaces.TokenWorks(string(published.Data["access_token"]))).To(BeTrue())
		Expect(string(published.Data["api_url"])).To(Equal(other.server.URL))
		o.settle("bot", grantstate.Changeover+10*time.Second)
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero(), "the grant of the old environment lives on")
		Expect(other.spaces.Ledger().GrantsLive).To(Equal(1))
	})

	It("the old token stays published with its own hosts while a new environment is away", func() {
		other := w.neighbour(o)
		other.spaces.Down(true)
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		edit(func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = "other" })
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse)
		w.expectCondition("bot", v1alpha1.ConditionReconciling, metav1.ConditionTrue)
		published := w.secret("bot")
		Expect(w.spaces.TokenWorks(string(published.Data["access_token"]))).To(BeTrue())
		Expect(string(published.Data["api_url"])).To(Equal(w.server.URL))
		Expect(w.calls(fakespaces.OperationRefresh)).To(BeZero())
	})

	It("changed scopes lead to a new sign-in at once", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		edit(func(c *v1alpha1.SpacesCredential) { c.Spec.Scopes = []string{"email"} })
		o.reconcile("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2))
		Expect(string(w.secret("bot").Data["scope"])).To(ContainSubstring("email"))
		Expect(string(w.secret("bot").Data["scope"])).NotTo(ContainSubstring("profile"))
		w.expectReady("bot")
	})

	It("a living grant is kept when nothing but the password changes", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.spaces.SetPassword(username, "a-new-story-password")
		login := w.secret("bot-login")
		login.Data["password"] = []byte("a-new-story-password")
		Expect(admin.Update(w.ctx, login)).To(Succeed())
		o.settle("bot", 2*lifetime)
		Expect(w.spaces.Ledger().GrantsIssued).To(Equal(1))
		w.expectReady("bot")
	})

	It("a living grant is renewed while a changed user is refused, and the user is not tried again", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		login := w.secret("bot-login")
		login.Data["username"] = []byte("nobody@example.test")
		Expect(admin.Update(w.ctx, login)).To(Succeed())
		o.settle("bot", 5*lifetime)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2), "the refused user was tried again")

		login = w.secret("bot-login")
		login.Data["username"] = []byte(username)
		Expect(admin.Update(w.ctx, login)).To(Succeed())
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a seed's grant is renewed where it lives after a change of environment, until a new seed comes", func() {
		other := w.neighbour(o)
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		edit(func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = "other" })
		o.settle("bot", 3*lifetime)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonReauthorizationRequired)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.spaces.TokenWorks(w.token("bot"))).To(BeTrue(), "the old grant is not renewed")
		Expect(other.spaces.Ledger().Calls).To(BeEmpty())

		seed := w.secret("seed")
		seed.Data["refresh_token"] = []byte(other.spaces.IssueGrant(clientID, username, "spaces"))
		Expect(admin.Update(w.ctx, seed)).To(Succeed())
		o.settle("bot", grantstate.Changeover+10*time.Second)
		Expect(other.spaces.TokenWorks(w.token("bot"))).To(BeTrue())
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		w.expectNothingLost()
	})

	It("a new seed begins a new grant at once, and the old grant is revoked", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		seed := w.secret("seed")
		seed.Data["refresh_token"] = []byte(w.spaces.IssueGrant(clientID, username, "spaces"))
		Expect(admin.Update(w.ctx, seed)).To(Succeed())
		o.settle("bot", grantstate.Changeover+10*time.Second)
		w.expectReady("bot")
		ledger := w.spaces.Ledger()
		Expect([]int{ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{1, 1}))
		w.expectNothingLost()
	})

	It("a living grant is renewed while a new seed is refused, and that seed is not sent again", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		seed := w.secret("seed")
		seed.Data["refresh_token"] = []byte("a-mistyped-refresh-token")
		w.secrets = append(w.secrets, "a-mistyped-refresh-token")
		Expect(admin.Update(w.ctx, seed)).To(Succeed())
		o.settle("bot", 3*lifetime)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
		ledger := w.spaces.Ledger()
		Expect([]int{ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{1, 0}))
		Expect(ledger.Refused).To(HaveKeyWithValue("invalid_grant", 1), "the refused seed was sent again")
		w.expectNothingLost()
	})

	It("a new seed without an answer leaves the old token Ready, and a deletion revokes both grants", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		seed := w.secret("seed")
		seed.Data["refresh_token"] = []byte(w.spaces.IssueGrant(clientID, username, "spaces"))
		Expect(admin.Update(w.ctx, seed)).To(Succeed())
		w.spaces.SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultLostBefore, 1)
		o.settle("bot", 10*time.Minute)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		w.delete(w.credential("bot"))
		o.settle("bot", time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	for name, begin := range map[string]func() *v1alpha1.SpacesCredential{
		"seed": func() *v1alpha1.SpacesCredential { w.apply(w.seedInput()); return bySeed("bot") },
		"code": func() *v1alpha1.SpacesCredential { w.apply(w.codeInput()); return byCode("bot") },
	} {
		It("a "+name+" without an answer is not sent to the environment that spec is changed to", func() {
			other := w.neighbour(o)
			w.apply(clientInput(), begin())
			w.spaces.Down(true)
			o.settle("bot", time.Minute)
			edit(func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = "other" })
			o.settle("bot", 5*time.Minute) // less than a code lives
			Expect(other.spaces.Ledger().Calls).To(BeEmpty(), "what one service issued was sent to another")
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)

			w.spaces.Down(false)
			edit(func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = "staging" })
			o.settle("bot", time.Minute)
			w.expectReady("bot")
			w.delete(w.credential("bot"))
			o.settle("bot", time.Minute)
			Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		})
	}

	It("a used seed and its grant are not sent under another client, and a person is asked for", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.spaces.AddClient("another-client", "another-client-secret")
		input := w.secret("spaces-client")
		input.Data["client_id"], input.Data["client_secret"] = []byte("another-client"), []byte("another-client-secret")
		Expect(admin.Update(w.ctx, input)).To(Succeed())
		o.settle("bot", 2*lifetime)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1), "the grant was sent under another client")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		w.expectNothingLost()
	})
})

var _ = Describe("What a person is told", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})

	It("a dead grant of a seed is told in the conditions and in one event that asks for a person", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultInvalidGrant, 1)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.events.reasons()).To(Equal([]string{v1alpha1.ReasonIssued, v1alpha1.ReasonRenewalFailing, v1alpha1.ReasonReauthorizationRequired}))
		o.settle("bot", 10*time.Minute)
		Expect(w.events.reasons()).To(HaveLen(3))
	})

	It("the message of a deletion that has to wait stays the same while the problem does", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.spaces.Down(true)
		w.delete(w.credential("bot"))
		messages := map[string]bool{}
		for range 20 {
			wait := o.reconcile("bot").RequeueAfter
			if !w.exists("bot") {
				break
			}
			messages[meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionReady).Message] = true
			o.reconcile("bot")
			messages[meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionReady).Message] = true
			w.step(wait)
		}
		Expect(len(messages)).To(BeNumerically("<=", 2), "%v", keysOf(messages))
	})

	It("an older grant that cannot be revoked is told in GrantValid, and the credential stays ready", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultInvalidGrant)
		w.spaces.SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultServerError500, 1)
		o.settle("bot", grantstate.Changeover+time.Minute)
		Expect(w.credential("bot").Status.PendingRevocations).To(Equal(int32(1)))
		valid := meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionGrantValid)
		Expect(valid.Message).To(ContainSubstring("not revoked yet"))
		w.expectReady("bot")
	})

	It("a client ID that the service has not taken is told only under the key client_id", func() {
		odd := clientInput()
		odd.Name = "odd-client"
		odd.StringData["something"] = "not-a-client-id-at-all"
		w.apply(clientInput(), loginInput(), odd, byPassword("odd", func(c *v1alpha1.SpacesCredential) {
			c.Spec.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "odd-client", ClientIDKey: "something"}
		}), byPassword("refused", func(c *v1alpha1.SpacesCredential) {
			c.Spec.Password.SecretRef.Name = "wrong-login"
		}))
		wrong := loginInput()
		wrong.Name, wrong.StringData["password"] = "wrong-login", "wrong-password-story"
		w.apply(wrong)
		o.reconcile("odd")
		Expect(w.credential("odd").Status.ClientID).To(BeEmpty())
		o.reconcile("refused")
		Expect(w.credential("refused").Status.ClientID).To(Equal(clientID))
	})

	It("a credential is ready again after a short outage within the time that the outage took", func() {
		o = w.operator()
		w.spaces.SetTokenLifetime(time.Minute)
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.Down(true)
		o.settle("bot", 40*time.Second)
		w.spaces.Down(false)
		o.settle("bot", 40*time.Second)
		w.expectReady("bot")
	})
})

var _ = Describe("A new seed or code that is not accepted", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput())
	})

	// livesOn says that the old grant is renewed and its token stays published and Ready.
	livesOn := func() {
		GinkgoHelper()
		old := w.expectReady("bot")
		o.settle("bot", 3*lifetime)
		Expect(w.expectReady("bot")).NotTo(Equal(old), "the living grant was not renewed")
		w.expectNothingSentAgain()
	}

	It("a living grant goes on beside a mistyped seed that is answered with a web page", func() {
		w.apply(w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.put("seed", map[string]string{"refresh_token": "mistyped"})
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultHTML400)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		livesOn()
	})

	It("a living grant goes on beside a new seed that the service throttles", func() {
		w.apply(w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.put("seed", map[string]string{"refresh_token": "mistyped"})
		w.spaces.SetRetryAfter(time.Hour)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultThrottledSeconds)
		o.reconcile("bot")
		livesOn()
	})

	It("a living grant goes on beside a new code that is refused as a request", func() {
		w.apply(w.codeInput(), byCode("bot"))
		o.reconcile("bot")
		w.delete(w.secret("bot-code"))
		w.apply(w.codeInput())
		w.spaces.SetFaultRate(fakespaces.OperationAuthorizationCode, fakespaces.FaultInvalidScope, 1)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRequestRejected)
		livesOn()
	})

	It("an environment that the operator comes to know later is signed in to, without a change of spec or Secrets", func() {
		w.apply(loginInput(), byPassword("bot"))
		o.reconcile("bot")
		old := w.expectReady("bot")
		known := o.Environments.Named("staging")
		o = w.operator()
		o.Reconfigure(w.ctx, map[string]*spacesauth.Client{})
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnknownEnvironment)
		o.knows("staging", known)
		w.spaces.RevokeGrantOf(w.document("bot").Grant().RefreshToken.Reveal())
		o.settle("bot", lifetime)
		Expect(w.expectReady("bot")).NotTo(Equal(old))
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2))
	})

	It("a living grant is renewed and its token repaired while spec names a mistyped environment", func() {
		w.apply(loginInput(), byPassword("bot"))
		o.reconcile("bot")
		old := w.expectReady("bot")
		credential := w.credential("bot")
		credential.Spec.Environment = "stagign"
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.settle("bot", lifetime)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnknownEnvironment)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonUnknownEnvironment)
		Expect(w.token("bot")).NotTo(Equal(old))
		Expect(w.spaces.TokenWorks(w.token("bot"))).To(BeTrue())
		w.delete(w.secret("bot"))
		o.reconcile("bot")
		Expect(w.spaces.TokenWorks(w.token("bot"))).To(BeTrue(), "a repair needs no environment in spec: the issuer stands in the state")
	})
})
