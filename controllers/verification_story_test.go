package controllers

import (
	"strings"
	"testing"
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

var _ = Describe("Verification of a new token", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), loginInput())
	})
	checked := func(which ...v1alpha1.Verification) func(*v1alpha1.SpacesCredential) {
		return func(c *v1alpha1.SpacesCredential) { c.Spec.Verification = which }
	}
	both := checked(v1alpha1.VerificationTokenInfo, v1alpha1.VerificationUserProfile)

	It("a token is not checked when spec does not ask for it", func() {
		w.apply(byPassword("bot"))
		o.settle("bot", 2*lifetime)
		Expect(w.calls(fakespaces.OperationTokenInfo) + w.calls(fakespaces.OperationProfile)).To(BeZero())
	})

	It("a good token is published after its checks, which are made once for each token", func() {
		w.apply(byPassword("bot", both))
		w.spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
			if call.Operation == fakespaces.OperationTokenInfo || call.Operation == fakespaces.OperationProfile {
				Expect(w.token("bot")).To(BeEmpty(), "the token was published before it was verified")
			}
			return fakespaces.NoFault
		})
		o.settle("bot", 3*time.Second)
		w.spaces.Intercept(nil)
		first := w.expectReady("bot")
		for range 3 {
			w.operator().settle("bot", time.Minute)
		}
		Expect([]int{w.calls(fakespaces.OperationTokenInfo), w.calls(fakespaces.OperationProfile)}).To(Equal([]int{1, 1}))
		o.settle("bot", lifetime)
		Expect(w.expectReady("bot")).NotTo(Equal(first))
		Expect([]int{w.calls(fakespaces.OperationTokenInfo), w.calls(fakespaces.OperationProfile)}).To(Equal([]int{2, 3}), "and one of the old token")
		Expect(w.events.reasons()).To(Equal([]string{v1alpha1.ReasonIssued}))
	})

	It("a young token that the API host does not know yet is checked again, and not replaced", func() {
		w.spaces.SetReplicationDelay(20 * time.Second)
		w.apply(byPassword("bot", checked(v1alpha1.VerificationUserProfile)))
		o.settle("bot", 3*time.Second)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonVerificationFailed)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		o.settle("bot", 30*time.Second)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationProfile)).To(BeNumerically("<=", 6))
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1), "a token was minted because a check failed")
	})

	It("an old token stays published, over a restart and a repair, until the new one has passed", func() {
		w.apply(byPassword("bot", checked(v1alpha1.VerificationUserProfile)))
		o.settle("bot", 3*time.Second)
		old := w.expectReady("bot")
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		w.spaces.SetFaultRate(fakespaces.OperationProfile, fakespaces.FaultForbidden403, 1)
		o.settle("bot", 3*time.Second)
		Expect(w.expectReady("bot")).To(Equal(old))
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		status := w.credential("bot").Status
		Expect(meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady).Message).To(ContainSubstring("UserProfile"))
		Expect(status.FailedAttempts).To(BeNumerically(">", 0))
		Expect(status.NextAttemptTime).NotTo(BeNil())
		w.delete(w.secret("bot"))
		w.operator().reconcile("bot")
		Expect(w.expectReady("bot")).To(Equal(old), "repair published a token that has not passed")
		w.spaces.SetFaultRate(fakespaces.OperationProfile, fakespaces.FaultForbidden403, 0)
		o.settle("bot", 10*time.Minute)
		Expect(w.expectReady("bot")).NotTo(Equal(old))
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		Expect(w.document("bot").Check()).To(BeNil())
	})

	It("the condition Ready turns False when the old token expires and no new one has passed", func() {
		w.apply(byPassword("bot", checked(v1alpha1.VerificationUserProfile)))
		o.settle("bot", 3*time.Second)
		w.spaces.SetFaultRate(fakespaces.OperationProfile, fakespaces.FaultForbidden403, 1)
		o.settle("bot", lifetime+time.Second)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonVerificationFailed)
	})

	for fault, words := range map[fakespaces.Fault]string{
		fakespaces.FaultOtherAudience: "another client",
		fakespaces.FaultOtherUser:     "another user",
	} {
		It("a token of "+words+" is not published, and a person is told", func() {
			w.spaces.SetFaultRate(fakespaces.OperationTokenInfo, fault, 1)
			w.apply(byPassword("bot", checked(v1alpha1.VerificationTokenInfo)))
			o.settle("bot", 5*time.Minute)
			Expect(w.token("bot")).To(BeEmpty())
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonVerificationFailed)
			Expect(meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionStalled).Message).To(ContainSubstring(words))
			Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
			w.spaces.SetFaultRate(fakespaces.OperationTokenInfo, fault, 0)
			o.settle("bot", 10*time.Minute)
			w.expectReady("bot")
		})
	}

	It("a check that is taken out of spec lets the waiting token in without a call", func() {
		w.spaces.SetFaultRate(fakespaces.OperationProfile, fakespaces.FaultForbidden403, 1)
		w.apply(byPassword("bot", checked(v1alpha1.VerificationUserProfile)))
		o.settle("bot", 3*time.Second)
		calls := w.calls(fakespaces.OperationProfile)
		credential := w.credential("bot")
		credential.Spec.Verification = nil
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.settle("bot", time.Minute)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationProfile)).To(Equal(calls))
	})

	It("a check that is put into spec later looks at the next token and leaves the published one", func() {
		w.apply(byPassword("bot"))
		o.reconcile("bot")
		first := w.expectReady("bot")
		credential := w.credential("bot")
		credential.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationUserProfile}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("bot")
		Expect(w.expectReady("bot")).To(Equal(first))
		Expect(w.calls(fakespaces.OperationProfile)).To(BeZero())
		o.settle("bot", lifetime)
		Expect(w.calls(fakespaces.OperationProfile)).To(Equal(2), "with the new token and, once, with the old one")
	})

	It("an old grant stays alive for two minutes from when its successor's token could be seen", func() {
		w.apply(byPassword("bot", checked(v1alpha1.VerificationUserProfile)))
		o.settle("bot", 3*time.Second)
		old := w.expectReady("bot")
		w.spaces.AddUser("second@example.test", password)
		w.spaces.SetFaultRate(fakespaces.OperationProfile, fakespaces.FaultForbidden403, 1)
		login := w.secret("bot-login")
		login.Data["username"] = []byte("second@example.test")
		Expect(admin.Update(w.ctx, login)).To(Succeed())
		o.settle("bot", 10*time.Minute)
		Expect(w.expectReady("bot")).To(Equal(old))
		w.spaces.SetFaultRate(fakespaces.OperationProfile, fakespaces.FaultForbidden403, 0)
		for wait := o.reconcile("bot").RequeueAfter; w.token("bot") == old; wait = o.reconcile("bot").RequeueAfter {
			w.step(wait)
		}
		o.settle("bot", grantstate.Changeover-10*time.Second)
		Expect(w.spaces.TokenWorks(old)).To(BeTrue(), "the old grant was revoked before workloads could change over")
		o.settle("bot", 20*time.Second)
		Expect(w.spaces.TokenWorks(old)).To(BeFalse())
		w.expectReady("bot")
		Expect(w.credential("bot").Status.Identity.Username).To(Equal("second@example.test"))
	})

	It("a check waits while the credential is suspended", func() {
		w.spaces.SetFaultRate(fakespaces.OperationProfile, fakespaces.FaultForbidden403, 1)
		w.apply(byPassword("bot", checked(v1alpha1.VerificationUserProfile)))
		o.settle("bot", 3*time.Second)
		credential := w.credential("bot")
		credential.Spec.Suspend = true
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		calls := w.calls(fakespaces.OperationProfile)
		o.settle("bot", time.Hour)
		Expect(w.calls(fakespaces.OperationProfile)).To(Equal(calls))
	})

	It("whether the old token outlives a rotation is looked at once, with UserProfile, and told", func() {
		for _, ends := range []bool{true, false} {
			w := newWorld(fakespaces.WithTokensEndAtRotation(ends))
			o := w.operator()
			w.apply(clientInput(), loginInput(), byPassword("bot", checked(v1alpha1.VerificationUserProfile)))
			o.settle("bot", lifetime)
			w.expectReady("bot")
			Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
			Expect(w.calls(fakespaces.OperationProfile)).To(Equal(3), "of each new token, and once of the old one")
			series, _ := w.scraped()
			Expect(series).To(HaveKeyWithValue(ContainSubstring("spaces_old_token_survives_rotation"), map[bool]float64{false: 1}[ends]))
			valid := meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionGrantValid)
			Expect(strings.Contains(valid.Message, v1alpha1.EndsOldTokens)).To(Equal(ends))
			o.settle("bot", lifetime)
			Expect(w.calls(fakespaces.OperationProfile)).To(Equal(4+w.calls(fakespaces.OperationRefresh)-2), "it is not looked at again")
		}
	})

	It("an answer without an ID token leaves nothing to ask about, and is published", func() {
		w.spaces.Next(fakespaces.OperationPassword, fakespaces.FaultNoIDToken)
		w.apply(byPassword("bot", checked(v1alpha1.VerificationTokenInfo, v1alpha1.VerificationUserProfile)))
		o.settle("bot", 3*time.Second)
		w.expectReady("bot")
		Expect([]int{w.calls(fakespaces.OperationTokenInfo), w.calls(fakespaces.OperationProfile)}).To(Equal([]int{0, 1}))
		o.settle("bot", lifetime)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationTokenInfo)).To(Equal(1), "the refresh brought one")
	})

	It("a guest's profile is asked for with the guest's own scheme", func() {
		w.apply(asGuest("kiosk", checked(v1alpha1.VerificationUserProfile)))
		o.settle("kiosk", 3*time.Second)
		w.expectReady("kiosk")
		Expect(w.calls(fakespaces.OperationProfile)).To(Equal(1))
	})
})

var _ = Describe("Verification with a burst of one call", func() {
	It("two checks with a burst of one call come to their end, and what has passed is not asked again", func() {
		w := newWorld()
		o := w.operator()
		service, err := spacesauth.New(spacesauth.Environment{
			Name: "staging", AccountsURL: w.server.URL, APIURL: w.server.URL, RequestsPerSecond: 0.5, Burst: 1, TimeoutSeconds: 15,
		}, spacesauth.WithClock(w.clock))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(service.CloseIdleConnections)
		o.knows("staging", service)
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo, v1alpha1.VerificationUserProfile}
		}))
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
		Expect([]int{w.calls(fakespaces.OperationTokenInfo), w.calls(fakespaces.OperationProfile)}).To(Equal([]int{1, 1}))
	})
})

var _ = Describe("The outcome of a pass", func() {
	It("a check never calls an environment that is closed to its namespace, whatever a state says", func() {
		w := newWorld()
		o := w.operator()
		closed := w.neighbour(o)
		environment := o.Environments.Named("other").Environment()
		environment.Namespaces = []string{"somebody-elses"}
		client, err := spacesauth.New(environment, spacesauth.WithClock(w.clock))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(client.CloseIdleConnections)
		o.knows("other", client)
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationUserProfile}
		}))
		o.settle("bot", 5*time.Second)
		w.editDocument("bot", func(d map[string]any) {
			grant := d["grant"].(map[string]any)
			grant["environment"], grant["accountsURL"] = environment.Name, environment.AccountsURL
			grant["token"].(map[string]any)["check"] = map[string]any{}
		})
		o.settle("bot", time.Minute)
		Expect(closed.spaces.Ledger().Calls).To(BeEmpty())
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnknownEnvironment)
	})

	It("a missing input is told after a renewal, too", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.delete(w.secret("bot-login"))
		w.spaces.RevokeGrantOf(w.document("bot").Grant().RefreshToken.Reveal())
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		o.settle("bot", 3*time.Second)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		Expect(meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionReady).Message).To(ContainSubstring(`"bot-login" does not exist`))
	})
})

func TestTroubleIsToldBeforeTurnsAndTheSoonestWakes(t *testing.T) {
	trouble, person, turn := waitingFor("A", "a").at(noon.Add(time.Hour)), blockedBy("B", "b"), pacedUntil(noon.Add(time.Second))
	for sentence, c := range map[string]struct {
		outcomes []outcome
		reason   string
		standing standing
		wake     time.Time
	}{
		"nothing":                     {nil, "", settled, time.Time{}},
		"a turn":                      {[]outcome{{}, turn}, "", paced, turn.wake},
		"a turn before a person":      {[]outcome{turn, person}, "B", blocked, turn.wake},
		"a person before a turn":      {[]outcome{person, turn}, "B", blocked, turn.wake},
		"two troubles: the first one": {[]outcome{trouble, person}, "A", waiting, trouble.wake},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := firstTrouble(c.outcomes...); got.reason != c.reason || got.standing != c.standing || !got.wake.Equal(c.wake) {
				t.Errorf("told is %+v", got)
			}
		})
	}
}
