package controllers

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// mishap is what happens once in a story: to one request to the API server, or to one
// call of the service.
type mishap string

const (
	goneBefore    mishap = "gone before"    // the process is gone before the request
	goneAfter     mishap = "gone after"     // it is gone after the request took effect
	refusedOnce   mishap = "error"          // an error answers the request
	answerLost    mishap = "answer lost"    // the request took effect, and an error answers
	conflictOnce  mishap = "conflict"       // somebody else wrote first
	rightsLost    mishap = "rights lost"    // from the request on nothing is allowed, for a while
	informerStale mishap = "stale informer" // the informer stands still from the request on
	answeredLate  mishap = "answered late"  // the request takes effect at once, and is answered ten seconds later
	callLost      mishap = "call lost"      // the call does not reach the service
	callUnheard   mishap = "call unheard"   // the service does what it is asked, and its answer is lost
	callRefused   mishap = "call refused"   // the service answers 500 and does nothing
)

var mishaps = []mishap{goneBefore, goneAfter, refusedOnce, answerLost, conflictOnce, rightsLost, informerStale, answeredLate, callLost, callUnheard, callRefused}

// serviceFaults are the mishaps of calls.
var serviceFaults = map[mishap]fakespaces.Fault{
	callLost: fakespaces.FaultLostBefore, callUnheard: fakespaces.FaultLostAfter, callRefused: fakespaces.FaultServerError500,
}

// death ends a pass where it stands, as the end of the process would.
type death struct{}

// blow is a mishap that is about to happen.
type blow struct {
	mishap mishap
	// number says at which request or call, counted from 1.
	number int
	// struck is the request or the call it happened to; empty until then.
	struck string
	calls  int
}

// aim makes the blow happen to o.
func (b *blow) aim(o *operator) {
	if fault, ofService := serviceFaults[b.mishap]; ofService {
		o.world.intercept(func(call fakespaces.Call) fakespaces.Fault {
			if b.calls++; b.calls != b.number {
				return fakespaces.NoFault
			}
			b.struck = string(call.Operation)
			return fault
		})
		return
	}
	o.at = func(number int, what request) plannedFault {
		if b.mishap == rightsLost && number > b.number {
			return plannedFault{before: forbidden()}
		}
		if number != b.number {
			return plannedFault{}
		}
		b.struck = string(what)
		switch b.mishap {
		case goneBefore:
			panic(death{})
		case refusedOnce:
			return plannedFault{before: errRefused}
		case answerLost:
			return plannedFault{after: errRefused}
		case conflictOnce:
			return plannedFault{before: conflictError()}
		case rightsLost:
			return plannedFault{before: forbidden()}
		case informerStale:
			o.faults.freeze(true)
		case goneAfter, answeredLate, callLost, callUnheard, callRefused, stopped, stoppedLong, answerWaits, answerLate, stoppedAtRest: // strike below, or elsewhere
		}
		return plannedFault{}
	}
	o.faults.after = func(number int, _ request) {
		switch {
		case number == b.number && b.mishap == goneAfter:
			panic(death{})
		case number == b.number && b.mishap == answeredLate:
			o.world.step(10 * time.Second)
		}
	}
}

// spendsGrant tells a call whose lost answer costs a grant.
func spendsGrant(call string) bool {
	return slices.Contains([]fakespaces.Operation{
		fakespaces.OperationPassword, fakespaces.OperationRefresh, fakespaces.OperationAuthorizationCode, fakespaces.OperationGuest,
	}, fakespaces.Operation(call))
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

var _ = Describe("A process that ends or meets an error at any request", ofMatrix, func() { tellEvery(mishaps) })

// tellEvery makes a spec of every story with each mishap, which tells it until the mishap
// finds nothing more to strike.
func tellEvery(columns []mishap) {
	for name, story := range crashStories {
		for _, m := range columns {
			It(fmt.Sprintf("reaches its goal and loses no grant: %s, %s", name, m), func() {
				cell := cellOf(name, m)
				for story.tell(m, cell.told+1) {
					cell.told++
				}
				Expect(cell.told).To(BeNumerically(">=", m.fewest()), "the mishap did not strike")
				cell.passed = true
			})
		}
	}
}

// ofCalls tells a mishap of calls, which not every story makes, from one of requests.
func (m mishap) ofCalls() bool {
	return serviceFaults[m] != "" || m == answerWaits || m == answerLate
}

// fewest is how often a mishap must strike in any story.
func (m mishap) fewest() int {
	switch {
	case m.ofCalls(), m == stoppedAtRest:
		return 0
	case slices.Contains(splits, m):
		return 1 // the other process may have made the rest
	}
	return 2
}

// intercept shows each call of any environment to f.
func (w *world) intercept(f func(fakespaces.Call) fakespaces.Fault) {
	w.spaces.Intercept(f)
	for _, other := range w.others {
		other.spaces.Intercept(f)
	}
}

// tokensIssued counts those of every environment.
func (w *world) tokensIssued() int {
	issued := w.spaces.Ledger().TokensIssued
	for _, other := range w.others {
		issued += other.spaces.Ledger().TokensIssued
	}
	return issued
}

// tell tells the story with one mishap. It returns false when the story makes no such
// request any more.
func (story crashStory) tell(m mishap, number int) bool {
	w := newWorld()
	story.begin(w)
	return story.proceed(w, m, number)
}

// proceed goes on with a story that has begun, and judges it.
func (story crashStory) proceed(w *world, m mishap, number int) bool {
	switch {
	case m == stoppedAtRest:
		return number == 1 && w.former != nil && story.proceedRested(w)
	case slices.Contains(splits, m):
		return story.proceedSplit(w, m, number)
	}
	return story.proceedAlone(w, m, number)
}

// proceedAlone goes on with a story in which one process follows the other.
func (story crashStory) proceedAlone(w *world, m mishap, number int) bool {
	dead, issued := w.spaces.Ledger().GrantsDead, w.tokensIssued()
	o, b := w.operator(), &blow{mishap: m, number: number}
	b.aim(o)
	lived := survive(func() { o.settle("bot", 10*time.Second) })
	w.intercept(nil)
	if b.struck == "" {
		return false
	}
	By(fmt.Sprintf("%s %d (%s)", m, number, b.struck))
	// No client could have kept a grant whose answer never arrived, or died with the process
	// before it was saved.
	lost := m == callUnheard && spendsGrant(b.struck)
	if !lived {
		lost = w.tokensIssued() > issued && w.stateExists("bot") && w.document("bot").OpenClaim() != nil
		if lost {
			Expect([]string{string(m), b.struck}).To(Equal([]string{string(goneBefore), string(writeState)}), "a grant was lost where it could have been kept")
		}
		o = w.operator()
	}
	o.at = nil
	o.faults.freeze(false)
	o.settle("bot", grantstate.Changeover+slowRecheck)
	// An answer that a dead process got counts as delivered, though nobody has it.
	if !lost || m == callUnheard {
		w.expectNothingSentAgain()
	}
	if lost {
		story.lost(w)
		return true
	}
	story.end(w)
	w.expectGrantsDead(dead)
	return true
}
