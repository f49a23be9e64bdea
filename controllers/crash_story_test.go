package controllers

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// mishap is what happens to one request to the API server.
type mishap string

const (
	goneBefore   mishap = "the process is gone before"
	goneAfter    mishap = "the process is gone after"
	refusedOnce  mishap = "an error before"
	answerLost   mishap = "the answer is lost after"
	conflictOnce mishap = "a conflict at"
)

var mishaps = []mishap{goneBefore, goneAfter, refusedOnce, answerLost, conflictOnce}

// death ends a pass where it stands, as the end of the process would.
type death struct{}

// strike lets mishap m happen to the number-th request of o, and tells whether it
// did.
func (o *operator) strike(m mishap, number int) (struck *request) {
	struck = new(request)
	o.at = func(n int, what request) plannedFault {
		if n != number {
			return plannedFault{}
		}
		*struck = what
		switch m {
		case goneBefore:
			panic(death{})
		case refusedOnce:
			return plannedFault{before: errRefused}
		case answerLost:
			return plannedFault{after: errRefused}
		case conflictOnce:
			return plannedFault{before: conflictError()}
		case goneAfter: // strikes below, when the request took effect
		}
		return plannedFault{}
	}
	o.faults.after = func(n int, _ request) {
		if n == number && m == goneAfter {
			panic(death{})
		}
	}
	return struck
}

// survive runs f and tells whether the process lived on.
func survive(f func()) (lived bool) {
	defer func() {
		if cause := recover(); cause != nil {
			if _, dead := cause.(death); !dead {
				panic(cause)
			}
			lived = false
		}
	}()
	f()
	return true
}

// crashStory is a story that is told once for every request it makes and every
// mishap that can happen there.
type crashStory struct {
	// begin brings the world to where the mishap may strike.
	begin func(w *world)
	// lostSave is how the story may end when the process is gone between the
	// service's answer and its save: no client could keep that answer.
	lostSave func(w *world)
	// end judges the world when everything has settled.
	end func(w *world)
}

var _ = Describe("A process that ends or meets an error at any request", func() {
	byPasswordReady := func(w *world) {
		w.expectReady("bot")
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1+len(w.document("bot").Pending)), "live grants")
	}
	stories := map[string]crashStory{
		"first sign-in by password": {
			begin: func(w *world) { w.apply(clientInput(), loginInput(), byPassword("bot")) },
			end:   byPasswordReady,
			// The sign-in nobody kept lives on at the service; a second one was made.
			lostSave: func(w *world) { w.expectReady("bot") },
		},
		"first use of a seed": {
			begin: func(w *world) { w.apply(clientInput(), w.seedInput(), bySeed("bot")) },
			end:   func(w *world) { w.expectReady("bot") },
			lostSave: func(w *world) {
				Expect(w.credential("bot").Status.Conditions).To(ContainElement(HaveField("Reason", v1alpha1.ReasonGrantRejected)))
			},
		},
		"exchange of a code": {
			begin: func(w *world) { w.apply(clientInput(), w.codeInput(), byCode("bot")) },
			end:   byPasswordReady,
			// The code is spent, and its grant is known to nobody.
			lostSave: func(w *world) {
				Expect(w.credential("bot").Status.Conditions).To(ContainElement(HaveField("Reason", v1alpha1.ReasonGrantRejected)))
			},
		},
		"first token of a guest": {
			begin:    func(w *world) { w.apply(asGuest("bot")) },
			end:      func(w *world) { w.expectReady("bot") },
			lostSave: func(w *world) { w.expectReady("bot") },
		},
		"renewal with verification": {
			begin: func(w *world) {
				w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
					c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo, v1alpha1.VerificationUserProfile}
				}))
				w.step(w.operator().reconcile("bot").RequeueAfter)
			},
			end:      byPasswordReady,
			lostSave: func(w *world) { w.expectReady("bot") },
		},
		"renewal of a sign-in": {
			begin: func(w *world) {
				w.apply(clientInput(), loginInput(), byPassword("bot"))
				w.step(w.operator().reconcile("bot").RequeueAfter)
			},
			end:      byPasswordReady,
			lostSave: func(w *world) { w.expectReady("bot") },
		},
		"renewal of a seed": {
			begin: func(w *world) {
				w.apply(clientInput(), w.seedInput(), bySeed("bot"))
				w.step(w.operator().reconcile("bot").RequeueAfter)
			},
			end: func(w *world) { w.expectReady("bot") },
			lostSave: func(w *world) {
				Expect(w.credential("bot").Status.Conditions).To(ContainElement(HaveField("Reason", v1alpha1.ReasonReauthorizationRequired)))
			},
		},
		"deletion": {
			begin: func(w *world) {
				w.apply(clientInput(), loginInput(), byPassword("bot"))
				w.operator().reconcile("bot")
				w.delete(w.credential("bot"))
			},
			end: func(w *world) {
				Expect(w.exists("bot")).To(BeFalse())
				Expect(w.secret("bot")).To(BeNil())
				Expect(w.stateExists("bot")).To(BeFalse())
				Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
			},
		},
	}
	for name, story := range stories {
		It("reaches its goal and loses no grant: "+name, func() {
			cells := 0
			for _, m := range mishaps {
				for number := 1; tell(story, name, m, number); number++ {
					cells++
				}
			}
			AddReportEntry("cells", cells)
			Expect(cells).To(BeNumerically(">", 4*len(mishaps)), "the mishaps did not strike")
		})
	}
})

// tell tells the story with one mishap. It returns false when the story makes no
// such request any more.
func tell(story crashStory, name string, m mishap, number int) bool {
	w := newWorld()
	story.begin(w)
	issued := w.spaces.Ledger().TokensIssued
	o := w.operator()
	struck := o.strike(m, number)
	lived := survive(func() { o.settle("bot", 10*time.Second) })
	if *struck == "" {
		return false
	}
	By(fmt.Sprintf("%s: %s request %d (%s)", name, m, number, *struck))
	// Was an answer delivered that died with the process before it was saved?
	lost := !lived && w.spaces.Ledger().TokensIssued > issued && w.document("bot").Claim != nil
	if !lived {
		w.operator().settle("bot", 2*time.Minute)
	}
	if lost {
		Expect(m).To(Equal(goneBefore))
		Expect(*struck).To(Equal(writeState))
		story.lostSave(w)
		return true
	}
	story.end(w)
	w.expectNothingLost()
	return true
}
