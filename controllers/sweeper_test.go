package controllers

import (
	"context"
	"runtime"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

var _ = Describe("The sweeper", func() {
	It("the sweeper finds the credential whose timer was lost, and no other", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("lost"), byPassword("healthy"))
		o.reconcile("lost")
		w.step(30 * time.Minute)
		o.reconcile("healthy")
		w.step(w.credential("lost").Status.Token.RenewalTime.Sub(w.clock.Now()) + sweepMargin)

		swept := make(chan types.NamespacedName)
		ctx, stop := context.WithCancel(w.ctx)
		s := &sweeper{client: admin, clock: w.clock, metrics: o.Metrics, isHeldUp: o.isHeldUp, enqueue: func(key types.NamespacedName) {
			select {
			case swept <- key:
			case <-ctx.Done():
			}
		}}
		ended := make(chan error)
		go func() { ended <- s.Start(ctx) }()
		for !w.clock.HasWaiters() {
			runtime.Gosched()
		}
		w.step(sweepInterval)
		var found []string
		for len(found) < 1 || found[len(found)-1] != "lost" {
			if key := <-swept; key.Namespace == w.namespace {
				found = append(found, key.Name)
			}
		}
		stop()
		Expect(<-ended).To(Succeed())
		Expect(found).To(Equal([]string{"lost"}))

		o.reconcile("lost")
		overdue, err := s.overdue(w.ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(overdue).NotTo(ContainElement(HaveField("Namespace", w.namespace)))
	})
})

func TestOverdue(t *testing.T) {
	renewal := noon
	credential := func(change func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential {
		c := byPassword("bot")
		c.Status.Token = &v1alpha1.TokenStatus{RenewalTime: atSecond(renewal)}
		if change != nil {
			change(c)
		}
		return c
	}
	for sentence, c := range map[string]struct {
		credential *v1alpha1.SpacesCredential
		at         time.Time
		want       bool
	}{
		"a renewal that is late":       {credential(nil), noon.Add(time.Minute), true},
		"a renewal that is just due":   {credential(nil), noon.Add(sweepMargin), false},
		"one in backoff":               {credential(func(c *v1alpha1.SpacesCredential) { c.Status.NextAttemptTime = atSecond(noon.Add(time.Hour)) }), noon.Add(time.Minute), false},
		"one whose backoff has passed": {credential(func(c *v1alpha1.SpacesCredential) { c.Status.NextAttemptTime = atSecond(noon) }), noon.Add(time.Minute), true},
		"a suspended one":              {credential(func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true }), noon.Add(time.Minute), false},
		"one without a token":          {byPassword("bot"), noon.Add(time.Minute), false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := isOverdue(c.credential, c.at); got != c.want {
				t.Errorf("overdue is %v", got)
			}
		})
	}
}

var _ = Describe("The sweeper's count", func() {
	It("the sweeper's count leaves out a credential that is held up", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.spaces.RevokeGrantOf(w.document("bot").Grant().RefreshToken.Reveal())
		o.settle("bot", 2*lifetime)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue)
		s := &sweeper{client: admin, clock: w.clock, metrics: o.Metrics, isHeldUp: o.isHeldUp}
		overdue, err := s.overdue(w.ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(overdue).NotTo(ContainElement(HaveField("Namespace", w.namespace)))
	})
})
