package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

var _ = Describe("Another client that signs in as the same user", func() {
	const minutes = 2 // that a token lives
	var w *world
	var o *operator
	var rival bool
	BeforeEach(func() {
		w = newWorld(fakespaces.WithGrantsPerUser(1), fakespaces.WithTokenLifetime(minutes*time.Minute))
		o = w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		rival = true
	})
	// live lets time go by. The rival signs in each minute, as long as there is one.
	live := func(during time.Duration) {
		GinkgoHelper()
		for end := w.clock.Now().Add(during); w.clock.Now().Before(end); {
			if rival {
				w.spaces.IssueGrant(clientID, username)
			}
			o.settle("bot", time.Minute)
		}
	}
	signIns := func() int { return w.calls(fakespaces.OperationPassword) }
	told := func() string {
		GinkgoHelper()
		return meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionGrantValid).Message
	}
	warnings := func() (count int) {
		w.events.mu.Lock()
		defer w.events.mu.Unlock()
		for _, e := range w.events.events {
			if e.reason == v1alpha1.ReasonGrantRejected && e.note == rivalTold {
				count++
			}
		}
		return count
	}

	It("is told of by one event when two grants in a row are refused, and sign-ins slow down to one in a quarter of an hour", func() {
		live(2 * time.Minute)
		Expect(signIns()).To(Equal(2), "one grant that ended is no rival")
		Expect(warnings()).To(BeZero())
		live(2 * time.Minute)
		Expect(signIns()).To(Equal(2))
		Expect(warnings()).To(Equal(1))
		before := signIns()
		live(2 * time.Hour)
		Expect(signIns() - before).To(BeNumerically("~", 8, 1))
		o = w.operator()
		before = signIns()
		live(time.Hour)
		Expect(signIns()-before).To(BeNumerically("~", 4, 1), "after a restart, too")
		Expect(warnings()).To(Equal(1))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		w.expectNothingSentAgain()
	})

	It("lets a person who asks sign in once before", func() {
		live(6 * time.Minute)
		for w.document("bot").Grant().Condition == "" {
			live(time.Minute)
		}
		Expect(told()).To(Equal("The service refused the grant."))
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse)
		before := signIns()
		w.ask(v1alpha1.AnnotationRenewRequestedAt)
		rival = false
		live(time.Minute)
		Expect(signIns()).To(Equal(before + 1))
		w.expectReady("bot")
		Expect(told()).To(ContainSubstring(v1alpha1.OthersSignIn))
	})

	It("is forgotten when it has gone and a grant was renewed", func() {
		live(8 * time.Minute)
		rival = false
		live(30 * time.Minute)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionTrue)
		Expect(told()).NotTo(ContainSubstring(v1alpha1.OthersSignIn))
		before := signIns()
		live(time.Hour)
		Expect(signIns()).To(Equal(before))
	})

	It("is not what lost answers look like", func() {
		rival = false
		for range 3 {
			w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
			w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostAfter)
			o.settle("bot", time.Minute) // the replay looks like theft, and the grant is ended
			w.expectReady("bot")
		}
		Expect(signIns()).To(BeNumerically(">", 2))
		Expect(warnings()).To(BeZero())
	})
})
