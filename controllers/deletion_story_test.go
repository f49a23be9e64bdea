package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var _ = Describe("Rule 8: deletion", func() {
	var w *world
	var o *operator
	start := func(credential *v1alpha1.SpacesCredential) {
		w.apply(clientInput(), loginInput(), credential)
		o.reconcile("bot")
		w.expectReady("bot")
	}
	terms := func(policy v1alpha1.RevocationPolicy, deadline int32) func(*v1alpha1.SpacesCredential) {
		return func(c *v1alpha1.SpacesCredential) {
			c.Spec.Revocation = &v1alpha1.Revocation{Policy: policy, DeadlineSeconds: &deadline}
		}
	}
	expectGone := func() {
		GinkgoHelper()
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.stateExists("bot")).To(BeFalse())
	}
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})

	It("a deletion revokes the grant and leaves nothing", func() {
		start(byPassword("bot"))
		w.delete(w.credential("bot"))
		o.reconcile("bot")
		expectGone()
		Expect(w.secret("bot")).To(BeNil())
		ledger := w.spaces.Ledger()
		Expect([]int{ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{0, 1}))
		Expect(o.memory.byCredential).To(BeEmpty(), "the process remembers a credential that is gone")
	})

	It("a deletion revokes the grant though every input is gone", func() {
		start(byPassword("bot"))
		w.delete(w.secret("spaces-client"))
		w.delete(w.secret("bot-login"))
		w.delete(w.credential("bot"))
		w.operator().reconcile("bot")
		expectGone()
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	It("a deletion of a credential that never got anything ends at once", func() {
		w.apply(byPassword("bot"))
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWaitingForInput)
		w.delete(w.credential("bot"))
		expectGone()
	})

	It("a deletion while the service is down deletes the published Secret at once and ends at the deadline", func() {
		start(byPassword("bot", terms(v1alpha1.RevocationOnDelete, 120)))
		w.spaces.Down(true)
		w.delete(w.credential("bot"))
		o.reconcile("bot")
		Expect(w.secret("bot")).To(BeNil())
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting)
		Expect(w.credential("bot").Status.PendingRevocations).To(Equal(int32(1)), "its grant lives on")
		o.settle("bot", 100*time.Second)
		Expect(w.exists("bot")).To(BeTrue())
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeNumerically(">", 3))
		o.settle("bot", 30*time.Second)
		expectGone()
		Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonRevocationAbandoned))
		Expect(w.logs.text()).To(ContainSubstring("Gave up revoking"))
	})

	It("a deletion revokes the grant when the service comes back before the deadline", func() {
		start(byPassword("bot"))
		w.spaces.Down(true)
		w.delete(w.credential("bot"))
		o.settle("bot", time.Minute)
		w.spaces.Down(false)
		o.settle("bot", 2*time.Minute)
		expectGone()
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		Expect(w.events.reasons()).NotTo(ContainElement(v1alpha1.ReasonRevocationAbandoned))
	})

	It("a revocation that the service refuses without the client's secret is sent once more with it", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.spaces.SetAuthenticatedRevocation(true)
		w.delete(w.credential("bot"))
		o.settle("bot", 10*time.Second)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.calls(fakespaces.OperationRevoke)).To(Equal(2))
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		Expect(w.events.reasons()).NotTo(ContainElement(v1alpha1.ReasonRevocationAbandoned))
	})

	It("the secret of another client is not sent with a revocation", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.spaces.SetAuthenticatedRevocation(true)
		w.put("spaces-client", map[string]string{"client_id": "another-client", "client_secret": "another-secret-story"})
		var proofs []string
		w.intercept(func(call fakespaces.Call) fakespaces.Fault {
			proofs = append(proofs, call.Header.Get("Authorization"))
			return fakespaces.NoFault
		})
		w.delete(w.credential("bot"))
		o.settle("bot", time.Hour)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(proofs).NotTo(BeEmpty())
		Expect(proofs).To(HaveEach(""))
		Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonRevocationAbandoned))
	})

	It("owed revocations of a host that is held for all go one by one", func() {
		names := []string{"bot-1", "bot-2", "bot-3", "bot-4", "bot-5", "bot-6"}
		w.apply(clientInput(), loginInput())
		for _, name := range names {
			w.apply(byPassword(name, func(c *v1alpha1.SpacesCredential) {
				c.Spec.Revocation = &v1alpha1.Revocation{DeadlineSeconds: ptr.To[int32](0)}
			}))
			o.reconcile(name)
		}
		w.step(2 * time.Minute) // nobody's success speaks against it
		o.othersCall(&spacesauth.Error{Kind: spacesauth.KindThrottled, RetryAfter: time.Hour})
		w.spaces.SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultUnavailable503, 1)
		for _, name := range names {
			w.delete(w.credential(name))
		}
		o.settleAll(names, 25*time.Second)
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeNumerically("~", 5, 1), "owed ones and probes through a patience of an hour")
		o.settleAll(names, 12*time.Minute)
		for _, name := range names {
			Expect(w.exists(name)).To(BeFalse())
		}
		Expect(w.calls(fakespaces.OperationRevoke)).To(Equal(6), "one each")
	})

	It("a deletion makes at least one attempt to revoke, however late", func() {
		start(byPassword("bot", terms(v1alpha1.RevocationOnDelete, 0)))
		w.delete(w.credential("bot"))
		w.step(24 * time.Hour)
		o.reconcile("bot")
		expectGone()
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	It("a deletion with policy Never makes no call, not even for a grant that was listed before", func() {
		start(byPassword("bot", terms(v1alpha1.RevocationNever, 300)))
		w.editDocument("bot", func(d map[string]any) {
			d["pending"] = []any{map[string]any{
				"grantID": "older", "accountsURL": w.server.URL, "clientID": clientID, "tokenExpirationTime": w.clock.Now().Add(lifetime),
				"notBefore": w.clock.Now().Add(lifetime), "refreshToken": w.spaces.IssueGrant(clientID, username),
			}}
		})
		w.delete(w.credential("bot"))
		o.reconcile("bot")
		expectGone()
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
	})

	It("a deletion with policy Retain keeps the published Secret, without our labels and without an owner", func() {
		start(byPassword("bot", func(c *v1alpha1.SpacesCredential) { c.Spec.SecretDeletionPolicy = v1alpha1.SecretDeletionRetain }))
		Expect(w.secret("bot").OwnerReferences).To(BeEmpty())
		w.delete(w.credential("bot"))
		o.reconcile("bot")
		expectGone()
		retained := w.secret("bot")
		Expect(retained.Labels).NotTo(HaveKey(v1alpha1.LabelManagedBy))
		Expect(retained.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationAdoptableBy, "bot"))
		Expect(retained.Annotations).NotTo(HaveKey(v1alpha1.AnnotationCredentialUID))
	})

	It("a deletion waits for another process's claim, replays nothing, and revokes what the claim held", func() {
		start(byPassword("bot"))
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		Expect(survive(func() { o.dieBeforeSaving("bot") })).To(BeFalse())
		refreshes := w.calls(fakespaces.OperationRefresh)
		w.delete(w.credential("bot"))
		next := w.operator()
		wait := next.reconcile("bot").RequeueAfter
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero(), "the grant was revoked under another process's call")
		w.step(wait)
		next.reconcile("bot")
		expectGone()
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(refreshes))
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	It("a deletion waits without an attempt for an unlisted environment, and ends at the deadline", func() {
		start(byPassword("bot"))
		w.delete(w.credential("bot"))
		stranger := w.operator()
		stranger.Environments.Replace(nil)
		stranger.settle("bot", 4*time.Minute)
		Expect(w.exists("bot")).To(BeTrue())
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
		stranger.settle("bot", 2*time.Minute)
		expectGone()
		Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonRevocationAbandoned))
	})

	It("a deletion takes a web page for no confirmation, and goes on until the service gives one", func() {
		start(byPassword("bot"))
		w.spaces.SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultHTML200, 1)
		w.delete(w.credential("bot"))
		o.settle("bot", time.Minute)
		Expect(w.exists("bot")).To(BeTrue())
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
		w.spaces.SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultHTML200, 0)
		o.settle("bot", 3*time.Minute)
		expectGone()
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	It("a deletion takes an unclear refusal for a failure, and ends at the deadline", func() {
		start(byPassword("bot"))
		w.spaces.SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultHTML400, 1)
		w.delete(w.credential("bot"))
		o.settle("bot", 6*time.Minute)
		expectGone()
		Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonRevocationAbandoned))
	})
})

var _ = Describe("A deletion that needs a person", func() {
	It("a deletion with an unreadable state asks for a person, and ends at the deadline", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.editDocument("bot", func(d map[string]any) { d["version"] = 7 })
		w.delete(w.credential("bot"))
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonStateUnreadable)
		w.expectCondition("bot", v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonDeleting)
		o.settle("bot", v1alpha1.DefaultRevocationDeadline+time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.events.of(v1alpha1.ReasonRevocationAbandoned).uid).NotTo(BeEmpty(), "kubectl describe shows no event without the UID of its object")
	})
})

var _ = Describe("A published Secret that is to be retained", func() {
	It("loses its owner at the deletion of the credential, though the policy was changed while suspended", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		credential := w.credential("bot")
		credential.Spec.Suspend, credential.Spec.SecretDeletionPolicy = true, v1alpha1.SecretDeletionRetain
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("bot")
		w.delete(w.credential("bot"))
		o.settle("bot", 10*time.Second)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.secret("bot").OwnerReferences).To(BeEmpty(), "the garbage collector would delete it")
	})
})
