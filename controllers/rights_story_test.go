package controllers

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// forbid takes the right to some requests away from one operator.
func (f *faults) forbid(requests ...request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = func(_ int, what request) plannedFault {
		if slices.Contains(requests, what) {
			return plannedFault{before: forbidden()}
		}
		return plannedFault{}
	}
}

var _ = Describe("An operator whose rights are taken away", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), w.seedInput())
	})
	reasons := func() []string {
		var told []string
		for _, c := range w.credential("bot").Status.Conditions {
			told = append(told, c.Reason)
		}
		return told
	}
	// misses lets two hours go by without a right and gives it back.
	misses := func(what request) {
		GinkgoHelper()
		o.forbid(what)
		o.settle("bot", 2*lifetime)
		Expect(reasons()).To(ContainElement(v1alpha1.ReasonSecretForbidden), "nothing tells a person what is missing")
		o.at = nil
		o.settle("bot", slowRecheck+time.Minute)
	}

	for _, what := range []request{readSecret, writeCredential, createState, createPublished} {
		It(fmt.Sprintf("a right missing before a first token is told, and the token comes when it is back: %s", what), func() {
			w.apply(bySeed("bot"))
			misses(what)
			w.expectReady("bot")
			w.expectNothingLost()
		})
	}

	for _, what := range []request{writeState, writePublished} {
		It(fmt.Sprintf("a right missing at a renewal is told, and the token is renewed when it is back: %s", what), func() {
			w.apply(bySeed("bot"))
			o.reconcile("bot")
			misses(what)
			w.expectReady("bot")
			w.expectNothingLost()
		})
	}

	// A quota that is raised and a right that is given tell nobody.
	for _, what := range []request{createState, createPublished} {
		It(fmt.Sprintf("a write that is allowed again is made within a minute, and one that is refused for long is tried less often: %s", what), func() {
			w.apply(bySeed("bot"))
			o.forbid(what)
			o.settle("bot", 3*time.Minute)
			o.at = nil
			o.settle("bot", time.Minute)
			w.expectReady("bot")

			w.apply(byPassword("late"), loginInput())
			tries := 0
			o.at = func(_ int, made request) plannedFault {
				if made != what {
					return plannedFault{}
				}
				tries++
				return plannedFault{before: forbidden()}
			}
			o.settle("late", 10*time.Hour)
			Expect(tries).To(And(BeNumerically(">", 10*6), BeNumerically("<", 10*6+60)))
		})
	}

	It("the right to read is missed with the next version of an input, and not before", func() {
		w.apply(bySeed("bot"))
		o.reconcile("bot")
		o.forbid(readSecret)
		o.settle("bot", 2*lifetime)
		w.expectReady("bot")
		w.put("spaces-client", map[string]string{"comment": "another version"})
		misses(readSecret)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a token that still lives is told as the published Secret shows it while the state cannot be read", func() {
		w.apply(bySeed("bot"))
		o.reconcile("bot")
		told := w.credential("bot").Status.Token
		o = w.operator()
		o.forbid(readSecret)
		o.reconcile("bot")
		w.expectReady("bot")
		// Only the published Secret is there to tell of it.
		Expect(w.credential("bot").Status.Token).To(Equal(&v1alpha1.TokenStatus{Fingerprint: told.Fingerprint, ExpirationTime: told.ExpirationTime}))
	})

	for _, what := range []request{deleteState, writeState, deletePublished, writeCredential} {
		It(fmt.Sprintf("a right missing at a deletion is told, and the deletion ends when it is back: %s", what), func() {
			w.apply(bySeed("bot"))
			o.reconcile("bot")
			w.delete(w.credential("bot"))
			misses(what)
			nothingPublished(w)
			w.expectNothingLost()
		})
	}
})
