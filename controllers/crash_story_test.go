package controllers

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
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
	othersTold    mishap = "others told"    // callers of other namespaces are told to wait for an hour
	othersFailed  mishap = "others failed"  // the calls of other namespaces fail, so that the host counts as down
	callLost      mishap = "call lost"      // the call does not reach the service
	callUnheard   mishap = "call unheard"   // the service does what it is asked, and its answer is lost
	callRefused   mishap = "call refused"   // the service answers 500 and does nothing
)

var mishaps = []mishap{goneBefore, goneAfter, refusedOnce, answerLost, conflictOnce, rightsLost, informerStale, answeredLate, othersTold, othersFailed, callLost, callUnheard, callRefused}

// serviceFaults are the mishaps of calls.
var serviceFaults = map[mishap]fakespaces.Fault{
	callLost: fakespaces.FaultLostBefore, callUnheard: fakespaces.FaultLostAfter, callRefused: fakespaces.FaultServerError500,
}

// death ends a pass where it stands, as the end of the process would.
type death struct{}

// Error implements error.
func (death) Error() string { return "the process ended here" }

// blow is a mishap that is about to happen.
type blow struct {
	mishap mishap
	// number says at which request or call, counted from 1.
	number int
	// struck is the request or the call it happened to; empty until then.
	struck string
	// chances counts the requests or calls where it could have struck, the one where it did included.
	chances int
}

// never is the number of no request.
const never = math.MaxInt

// aim makes the blow happen to o.
func (b *blow) aim(o *operator) {
	if fault, ofService := serviceFaults[b.mishap]; ofService {
		o.world.intercept(func(call fakespaces.Call) fakespaces.Fault {
			if b.struck != "" {
				return fakespaces.NoFault
			}
			if b.chances++; b.chances != b.number {
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
		if b.struck == "" {
			b.chances = number
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
		case othersTold:
			o.othersCall(&spacesauth.Error{Kind: spacesauth.KindThrottled, RetryAfter: time.Hour})
		case othersFailed:
			o.othersCall(&spacesauth.Error{Kind: spacesauth.KindUnavailable})
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

// othersCall has callers of two other namespaces call every host, and hear that.
func (o *operator) othersCall(heard error) {
	for _, client := range o.Environments.All() {
		for _, caller := range []types.NamespacedName{{Namespace: "crowd-1", Name: "a"}, {Namespace: "crowd-1", Name: "b"}, {Namespace: "crowd-2", Name: "a"}} {
			o.callAs(gate.Call{Caller: caller, Environment: client.Environment()}, func() error { return heard })
		}
	}
}

// callAs has somebody make a call, if it may go at once, and tells whether it was made.
func (o *operator) callAs(call gate.Call, send func() error) bool {
	defer o.Gates.Begin(call.Caller).End()
	turn, _ := o.Gates.Ask(call)
	if turn == nil {
		return false
	}
	turn.Begin()
	turn.Send()
	turn.Leave(send())
	return true
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
			// A read that several share ends with an error around it.
			if failed, isError := cause.(error); !isError || !errors.As(failed, &death{}) {
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
// finds nothing more to strike; or, of the sample, at the first and the last place it finds.
func tellEvery(columns []mishap) {
	for name, story := range crashStories {
		for _, m := range columns {
			if !isWhole && !slices.Contains(sampled(name), m) {
				continue
			}
			It(fmt.Sprintf("reaches its goal and loses no grant: %s, %s", name, m), func() {
				cell := cellOf(name, m)
				if isWhole {
					for story.tell(m, cell.Told+1) > cell.Told {
						cell.Told++
					}
				} else {
					for _, number := range ends(story.tell(m, never)) {
						Expect(story.tell(m, number)).To(Equal(number), "the mishap did not strike")
						cell.Told++
					}
				}
				Expect(cell.Told).To(BeNumerically(">=", m.fewest()), "the mishap did not strike")
				cell.Passed = true
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

// tell tells the story with one mishap, at the request or call of that number. It returns
// how many there were until then, which is less where the story makes no such request.
func (story crashStory) tell(m mishap, number int) int {
	w := newWorld()
	story.begin(w)
	return story.proceed(w, m, number)
}

// proceed goes on with a story that has begun, and judges it.
func (story crashStory) proceed(w *world, m mishap, number int) int {
	switch {
	case m == stoppedAtRest:
		return story.proceedRested(w, number)
	case slices.Contains(splits, m):
		return story.proceedSplit(w, m, number)
	}
	return story.proceedAlone(w, m, number)
}

// proceedAlone goes on with a story in which one process follows the other.
func (story crashStory) proceedAlone(w *world, m mishap, number int) int {
	dead, issued := w.spaces.Ledger().GrantsDead, w.tokensIssued()
	o, b := w.operator(), &blow{mishap: m, number: number}
	b.aim(o)
	lived := survive(func() { o.settle("bot", 10*time.Second) })
	w.intercept(nil)
	if b.struck == "" {
		return b.chances
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
		return b.chances
	}
	story.end(w)
	w.expectGrantsDead(dead)
	return b.chances
}
