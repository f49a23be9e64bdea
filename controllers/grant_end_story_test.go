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

var _ = Describe("The end of a grant", func() {
	const life = 70 * time.Hour
	var w *world
	var o *operator
	var began time.Time
	BeforeEach(func() {
		w = newWorld(fakespaces.WithGrantLifetime(life))
		o = w.operator()
		began = w.clock.Now()
	})
	told := func() string {
		GinkgoHelper()
		return meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionGrantValid).Message
	}
	end := func() time.Time {
		GinkgoHelper()
		at := w.credential("bot").Status.Grant.ExpirationTime
		Expect(at).NotTo(BeNil())
		return at.UTC()
	}
	warnings := func() (count int) {
		for _, reason := range w.events.reasons() {
			if reason == v1alpha1.ReasonReauthorizationRequired {
				count++
			}
		}
		return count
	}

	It("is told from the first answer on, and a person is warned once when a seventh of its life is left", func() {
		w.apply(clientInput(), w.codeInput(), byCode("bot"))
		o.settle("bot", time.Second)
		at := end()
		Expect(at).To(BeTemporally("~", began.Add(life), 2*time.Second))
		Expect(told()).To(HaveSuffix("It ends at " + at.Format(time.RFC3339) + "."))

		o.settle("bot", began.Add(life*6/7-time.Minute).Sub(w.clock.Now()))
		Expect(warnings()).To(BeZero())
		Expect(end()).To(Equal(at), "renewals do not move it, though each tells it anew")
		o.settle("bot", 2*time.Minute)
		Expect(warnings()).To(Equal(1))
		warned := w.events.of(v1alpha1.ReasonReauthorizationRequired)
		Expect(warned.kind).To(Equal("Warning"))
		Expect(warned.note).To(And(ContainSubstring(at.Format(time.RFC3339)), ContainSubstring("kubectl spaces login bot")))
		for range 3 {
			w.operator().settle("bot", time.Hour)
		}
		Expect(warnings()).To(Equal(1), "a restart is no news")
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)

		By("a person who signs in before it ends")
		w.delete(w.secret("bot-code"))
		w.apply(w.codeInput())
		o.settle("bot", 5*time.Minute)
		Expect(end()).To(BeTemporally("~", w.clock.Now().Add(life), 6*time.Minute))
		o.settle("bot", life*6/7)
		Expect(warnings()).To(Equal(2), "of the other grant")
		w.expectReady("bot")
		w.expectNothingSentAgain()
	})

	It("is told once though the process dies before the event, and never twice", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.settle("bot", life*6/7-time.Hour)
		o.faults.on(writeState, plannedFault{after: errRefused})
		o.settle("bot", 2*time.Hour)
		Expect(warnings()).To(BeNumerically("<=", 1))
		o.settle("bot", time.Hour)
		Expect(warnings()).To(BeNumerically("<=", 1))
	})

	It("is moved by a renewal that gives a whole life again, and nobody is warned", func() {
		w.spaces.SetGrantsLiveAnew(true)
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.settle("bot", 3*life)
		Expect(end()).To(BeTemporally(">", w.clock.Now().Add(life-time.Hour)))
		Expect(warnings()).To(BeZero())
		w.expectNothingLost()
	})

	It("asks nobody where a password signs in anew by itself", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.settle("bot", life+2*lifetime)
		Expect(warnings()).To(BeZero())
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2))
		Expect(end()).To(BeTemporally("~", began.Add(2*life), 2*time.Hour))
		w.expectNothingSentAgain()
	})

	It("asks a person when it has come", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.settle("bot", life+3*time.Hour)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		w.expectNothingSentAgain()
	})

	It("is what the environment says where answers do not; it stops no renewal", func() {
		w.spaces.SetGrantLifetime(0)
		environment := o.Environments.Named("staging").Environment()
		environment.GrantLifetimeSeconds = int(life / time.Second)
		service, err := spacesauth.New(environment, spacesauth.WithClock(w.clock))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(service.CloseIdleConnections)
		o.knows("staging", service)
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.settle("bot", time.Hour)
		Expect(end()).To(Equal(began.Add(life).UTC()))
		o.settle("bot", life+24*time.Hour)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionTrue)
		Expect(told()).To(HaveSuffix("and is renewed for as long as the service does that."))
		Expect(warnings()).To(Equal(1))
		w.expectNothingLost()
	})

	It("is not known of a guest, and not of a grant that ends with its token", func() {
		w.spaces.Next(fakespaces.OperationPassword, fakespaces.FaultNoRefreshToken)
		w.apply(clientInput(), loginInput(), byPassword("bot"), asGuest("kiosk"))
		o.settleAll([]string{"bot", "kiosk"}, time.Minute)
		for _, name := range []string{"bot", "kiosk"} {
			w.expectReady(name)
			Expect(w.credential(name).Status.Grant.ExpirationTime).To(BeNil())
		}
	})
})
