package controllers

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

var _ = Describe("A state Secret that is put back", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), loginInput())
	})

	// saved is what a state Secret holds now; putBack writes it over what is there by then, as
	// kubectl replace or the restore of a snapshot does.
	saved := func() []byte {
		GinkgoHelper()
		return w.secret("bot-grant").Data[v1alpha1.StateKey]
	}
	putBack := func(content []byte) {
		GinkgoHelper()
		secret := w.secret("bot-grant")
		secret.Data[v1alpha1.StateKey] = content
		Expect(admin.Update(w.ctx, secret)).To(Succeed())
	}
	// renew lets the time of the next renewal come and go.
	renew := func() {
		GinkgoHelper()
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
	}

	It("the process that knows the newer document writes it back, and sends nothing twice", func() {
		w.apply(w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		old := saved()
		renew()
		putBack(old)
		o.settle("bot", 2*lifetime)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		w.expectNothingLost()
	})

	It("another process spends nothing of it, and a seed's grant asks for a person", func() {
		w.apply(w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		old := saved()
		renew()
		token := w.token("bot")
		putBack(old)
		next := w.operator()
		next.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.token("bot")).To(Equal(token), "the newer token was put back, too")
		next.settle("bot", 2*lifetime)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2))
		w.expectNothingLost()

		w.put("seed", map[string]string{"refresh_token": w.spaces.IssueGrant(clientID, username, "spaces")})
		next.settle("bot", time.Minute)
		w.expectReady("bot")
		next.settle("bot", 2*lifetime)
		w.expectReady("bot")
	})

	It("another process signs in anew by password, once, and the token of before works on meanwhile", func() {
		w.apply(byPassword("bot"))
		o.reconcile("bot")
		old := saved()
		renew()
		before := w.token("bot")
		putBack(old)
		next := w.operator()
		next.settle("bot", 10*time.Second)
		w.expectReady("bot")
		Expect(w.token("bot")).NotTo(Equal(before))
		Expect(w.spaces.TokenWorks(before)).To(BeTrue(), "workloads had no time to change over")
		next.settle("bot", 10*lifetime)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2))
		w.expectNothingSentAgain()
	})

	It("a state of the moment of a claim is not taken for one whose answer is out", func() {
		w.apply(w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		var claimed []byte
		o.after = func(_ int, what request) {
			if what == writeState && claimed == nil {
				claimed = saved()
			}
		}
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
		putBack(claimed)
		w.operator().settle("bot", 10*time.Minute)
		w.expectNothingLost()
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
	})

	It("a claim annotation that somebody made is not believed", func() {
		w.apply(w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		forge := func(change func(*corev1.Secret)) {
			GinkgoHelper()
			secret := w.secret("bot")
			change(secret)
			Expect(admin.Update(w.ctx, secret)).To(Succeed())
			w.operator().settle("bot", 10*time.Second)
			w.expectReady("bot")
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		}
		forge(func(s *corev1.Secret) {
			_, rest, _ := strings.Cut(s.Annotations[v1alpha1.AnnotationClaim], ".")
			s.Annotations[v1alpha1.AnnotationClaim] = "99." + rest
		})
		forge(func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationClaim] = "99" })
		forge(func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationClaim) })
		renew()
		w.expectNothingLost()
	})
})
