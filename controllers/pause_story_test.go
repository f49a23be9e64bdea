package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// pauses has a process read that an environment is paused, or is not any more.
func (o *operator) pauses(name string, paused bool) {
	GinkgoHelper()
	environment := o.Environments.Named(name).Environment()
	environment.Paused = paused
	service, err := spacesauth.New(environment, spacesauth.WithClock(o.world.clock))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(service.CloseIdleConnections)
	o.knows(name, service)
}

var _ = Describe("An environment that is paused", func() {
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	paused := v1alpha1.ReasonEnvironmentPaused
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})
	asked := func() (all int) {
		for _, calls := range w.spaces.Ledger().Calls {
			all += calls
		}
		return all
	}

	It("gets no renewal; what is published stays, is repaired, and is told of when it expires", func() {
		ready(w, byPassword("bot"), clientInput(), loginInput())
		o.reconcile("bot")
		token := w.expectReady("bot")
		before := asked()
		o.pauses("staging", true)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, yes, paused)
		w.expectCondition("bot", v1alpha1.ConditionReconciling, no)
		w.expectCondition("bot", v1alpha1.ConditionStalled, no)
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, yes)
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		o.settle("bot", 5*time.Minute)
		w.delete(w.secret("bot"))
		o.settle("bot", time.Minute)
		Expect(w.token("bot")).To(Equal(token), "repair needs no service")
		Expect(w.events.reasons()).To(Equal([]string{v1alpha1.ReasonIssued}), "a pause that tokens outlive is no news of each of them")

		o.settle("bot", lifetime)
		w.expectCondition("bot", v1alpha1.ConditionReady, no, paused)
		w.expectCondition("bot", v1alpha1.ConditionStalled, no)
		Expect(meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionReady).Message).To(And(
			ContainSubstring("has expired"), ContainSubstring(`"staging"`)))
		o.settle("bot", 24*time.Hour)
		w.paused = true
		w.operator().settle("bot", time.Hour)
		Expect(asked()).To(Equal(before), "something was sent")
		Expect(w.events.reasons()).To(Equal([]string{v1alpha1.ReasonIssued, paused}))

		o.pauses("staging", false)
		o.settle("bot", time.Minute)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1), "the grant of before goes on")
		w.expectNothingLost()
	})

	It("gets no first sign-in, no guest, no seed and no code, and no turn in the queue is waited for", func() {
		w.paused = true
		o = w.operator()
		w.apply(clientInput(), loginInput(), w.seedInput(), w.codeInput(), byPassword("bot"), bySeed("by-seed"), byCode("by-code"), asGuest("kiosk"))
		names := []string{"bot", "by-seed", "by-code", "kiosk"}
		o.settleAll(names, 5*time.Minute)
		for _, name := range names {
			w.expectCondition(name, v1alpha1.ConditionReady, no, paused)
			w.expectCondition(name, v1alpha1.ConditionReconciling, yes, paused)
			Expect(o.Gates.Waits(w.key(name))).To(BeFalse())
		}
		Expect(w.credential("by-code").Status.AuthorizationEndpoint).To(BeEmpty(), "a code would lapse")
		Expect(asked()).To(BeZero())
		o.pauses("staging", false)
		o.settleAll(names, time.Minute)
		for _, name := range names {
			w.expectReady(name)
		}
		Expect(w.credential("by-code").Status.AuthorizationEndpoint).NotTo(BeEmpty())
	})

	It("gets no check of a token", func() {
		w.spaces.Next(fakespaces.OperationProfile, fakespaces.FaultServerError500)
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationUserProfile}
		}))
		o.reconcile("bot")
		o.pauses("staging", true)
		before := asked()
		o.settle("bot", 10*time.Minute)
		Expect(asked()).To(Equal(before))
		w.expectCondition("bot", v1alpha1.ConditionReady, no, paused)
		o.pauses("staging", false)
		o.settle("bot", 10*time.Minute)
		w.expectReady("bot")
	})

	It("gets no replay of a call whose answer was lost", func() {
		due(w, bySeed("bot"), clientInput(), w.seedInput())
		w.spaces.SetGracePeriod(time.Hour)
		Expect(survive(func() {
			o.at = func(_ int, what request) plannedFault {
				if what == writeState && w.calls(fakespaces.OperationRefresh) > 1 {
					panic(death{})
				}
				return plannedFault{}
			}
			o.settle("bot", time.Minute)
		})).To(BeFalse(), "it lives: the story needs an open claim")
		Expect(w.document("bot").OpenClaim()).NotTo(BeNil())
		before := asked()
		w.paused = true
		next := w.operator()
		next.settle("bot", 15*time.Minute)
		Expect(asked()).To(Equal(before))
		Expect(w.document("bot").OpenClaim()).NotTo(BeNil())
		next.pauses("staging", false)
		next.settle("bot", time.Minute)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, yes, v1alpha1.ReasonRenewed)
		w.expectGrantsDead(0)
	})

	It("owes a deletion no attempt: that waits until its deadline and gives the grant up", func() {
		ready(w, byPassword("bot"), clientInput(), loginInput())
		o.pauses("staging", true)
		w.delete(w.credential("bot"))
		o.settle("bot", v1alpha1.DefaultRevocationDeadline-time.Minute)
		Expect(w.secret("bot")).To(BeNil())
		w.expectCondition("bot", v1alpha1.ConditionReady, no, v1alpha1.ReasonDeleting)
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionUnknown, paused)
		o.settle("bot", 2*time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.stateExists("bot")).To(BeFalse())
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
		Expect(w.events.of(v1alpha1.ReasonRevocationAbandoned)).NotTo(BeZero())
	})

	It("is sent the revocation of a deletion as soon as it is resumed", func() {
		ready(w, byPassword("bot"), clientInput(), loginInput())
		o.pauses("staging", true)
		w.delete(w.credential("bot"))
		o.settle("bot", time.Minute)
		o.pauses("staging", false)
		o.settle("bot", 5*time.Second)
		nothingPublished(w)
		Expect(w.spaces.Ledger().GrantsRevoked).To(Equal(1))
	})

	It("keeps what a person wants revoked for as long as it takes, and a password signs in anew then", func() {
		ready(w, byPassword("bot"), clientInput(), loginInput())
		o.pauses("staging", true)
		w.ask(v1alpha1.AnnotationRevokeRequestedAt)
		o.settle("bot", 48*time.Hour)
		Expect(w.credential("bot").Status.LastHandledRevokeRequest).To(Equal("now"))
		Expect(w.document("bot").Pending()).To(HaveLen(1))
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
		Expect(w.token("bot")).To(BeEmpty())
		o.pauses("staging", false)
		o.settle("bot", 10*time.Second)
		Expect(w.spaces.Ledger().GrantsRevoked).To(Equal(1))
		w.expectReady("bot")
	})

	It("does not stop the grant of another one that is to be followed by its own", func() {
		ready(w, byPassword("bot"), clientInput(), loginInput())
		other := w.neighbour(o)
		o.pauses("other", true)
		credential := w.credential("bot")
		credential.Spec.Environment = "other"
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.settle("bot", 3*lifetime)
		w.expectCondition("bot", v1alpha1.ConditionReconciling, yes, paused)
		Expect(w.spaces.TokenWorks(w.token("bot"))).To(BeTrue(), "the old grant was not renewed")
		Expect(other.spaces.Ledger().Calls).To(BeEmpty())
		o.pauses("other", false)
		o.settle("bot", 5*time.Minute)
		Expect(other.spaces.TokenWorks(w.token("bot"))).To(BeTrue())
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	It("has a password sent again that was changed and changed back meanwhile", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		w.put("bot-login", map[string]string{"password": "mistyped-password-4411"})
		w.secrets = append(w.secrets, "mistyped-password-4411")
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, yes, v1alpha1.ReasonGrantRejected)
		o.pauses("staging", true)
		w.put("bot-login", map[string]string{"password": "another-password-4411"})
		w.secrets = append(w.secrets, "another-password-4411")
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionReady, no, paused)
		w.put("bot-login", map[string]string{"password": "mistyped-password-4411"})
		w.spaces.SetPassword(username, "mistyped-password-4411")
		o.settle("bot", time.Minute)
		o.pauses("staging", false)
		o.settle("bot", time.Minute)
		w.expectReady("bot")
	})

	It("is told of by the clients that namespaces share", func() {
		shared := w.lend()
		o = w.operator()
		o.pauses("staging", true)
		Expect(o.tell(shared).Conditions).To(ContainElement(And(HaveField("Status", no), HaveField("Reason", paused))))
		o.pauses("staging", false)
		Expect(o.tell(shared).Conditions).To(ContainElement(HaveField("Status", yes)))
	})
})
