package controllers

import (
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// The mishaps of a leader that is stopped once, where it stands, while another process
// takes over: by SIGSTOP, by a machine that is suspended, by a scheduler. It wakes and goes
// on as if nothing had been.
const (
	stopped     mishap = "stopped 20 s"      // after a request, and wakes before its claim is old
	stoppedLong mishap = "stopped 2 h"       // after a request, for longer than a token lives
	answerWaits mishap = "answer waits 20 s" // in the middle of a call, whose answer waits for it
	answerLate  mishap = "answer waits 2 h"  // the same, for longer than a token lives
	// stoppedAtRest is stopped between two passes, before the story begins: it knows all that
	// was before, and its informer of Secrets goes on showing that for a while.
	stoppedAtRest mishap = "stopped at rest"
)

var splits = []mishap{stopped, stoppedLong, answerWaits, answerLate, stoppedAtRest}

// stopLasts is how long a leader is stopped.
var stopLasts = map[mishap]time.Duration{stopped: 20 * time.Second, answerWaits: 20 * time.Second, stoppedLong: 2 * lifetime, answerLate: 2 * lifetime}

// aimStop stops o once, while meanwhile runs.
func (b *blow) aimStop(o *operator, meanwhile func()) {
	if b.mishap == stopped || b.mishap == stoppedLong {
		o.faults.after = func(number int, what request) {
			if b.struck == "" {
				b.chances = number
			}
			if number == b.number {
				b.struck = string(what)
				o.timers.stopWhile(meanwhile)
			}
		}
		return
	}
	var mu sync.Mutex // the service answers in goroutines of its own
	o.world.interceptAnswer(func(call fakespaces.Call) {
		mu.Lock()
		strikes := b.struck == "" && b.chances+1 == b.number
		if b.struck == "" {
			b.chances++
		}
		if strikes {
			b.struck = string(call.Operation)
		}
		mu.Unlock()
		if strikes {
			defer GinkgoRecover()
			o.timers.stopWhile(meanwhile)
		}
	})
}

// interceptAnswer shows each call of any environment to f before it is answered.
func (w *world) interceptAnswer(f func(fakespaces.Call)) {
	w.spaces.InterceptAnswer(f)
	for _, other := range w.others {
		other.spaces.InterceptAnswer(f)
	}
}

var _ = Describe("Two operators and one grant", ofMatrix, func() { tellEvery(splits) })

var _ = Describe("A leader that was stopped", func() {
	var w *world
	var old, next *operator
	BeforeEach(func() {
		w = newWorld()
		old, next = w.operator(), w.operator()
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		old.reconcile("bot")
		old.reconcile("bot") // so that its informers have shown it everything
	})

	// goesOn lets the old leader make the passes that it makes before it knows.
	goesOn := func(name string) {
		GinkgoHelper()
		for range 4 {
			_, err := old.pass(name)
			Expect(err).NotTo(HaveOccurred())
			w.step(time.Second)
		}
	}
	// stopAfter stops the old leader once, after its nth write of the state.
	stopAfter := func(nth int, meanwhile func()) {
		old.after = func(_ int, what request) {
			if what == writeState {
				if nth--; nth == 0 {
					meanwhile()
				}
			}
		}
	}

	It("a leader that was stopped does not put its old view into the status", func() {
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultServerError500)
		stopAfter(2, func() {
			old.freeze(true)
			next.settle("bot", 2*lifetime)
		})
		_, err := old.pass("bot")
		Expect(err).NotTo(HaveOccurred())
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewed)
		w.expectReady("bot")
	})

	It("a leader that was stopped does not put an older token back into the published Secret", func() {
		w.delete(w.secret("bot"))
		old.on(readSecret, plannedFault{}, plannedFault{meanwhile: func() { next.settle("bot", 2*lifetime) }})
		_, err := old.pass("bot")
		Expect(err).NotTo(HaveOccurred())
		w.expectReady("bot")
	})

	It("a leader that was stopped does not send a seed that another process used meanwhile", func() {
		old.freezeSecrets()
		w.put("seed", map[string]string{"refresh_token": w.spaces.IssueGrant(clientID, username, "spaces")})
		next.settle("bot", 10*time.Second)
		grants := w.spaces.Ledger().GrantsLive
		w.step(40 * time.Minute)
		goesOn("bot")
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(grants))
		next.settle("bot", time.Minute)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a leader that was stopped does not send a code that another process used meanwhile", func() {
		w.apply(w.codeInput(), byCode("coded"))
		old.reconcile("coded")
		old.reconcile("coded")
		old.freezeSecrets()
		w.delete(w.secret("bot-code"))
		w.apply(w.codeInput())
		next.settle("coded", 10*time.Second)
		calls := w.calls(fakespaces.OperationAuthorizationCode)
		w.step(40 * time.Minute)
		goesOn("coded")
		Expect(w.calls(fakespaces.OperationAuthorizationCode)).To(Equal(calls))
		next.settle("coded", time.Minute)
		w.expectReady("coded")
		w.expectNothingLost()
	})

	It("a leader that was stopped does not sign in anew because another process followed a change", func() {
		w.apply(loginInput(), byPassword("by-password"))
		old.reconcile("by-password")
		old.reconcile("by-password")
		old.freezeSecrets()
		w.spaces.AddUser("second@example.test", password)
		w.put("bot-login", map[string]string{"username": "second@example.test"})
		next.settle("by-password", 10*time.Second)
		calls := w.calls(fakespaces.OperationPassword)
		w.step(40 * time.Minute)
		goesOn("by-password")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(calls))
		next.settle("by-password", time.Minute)
		w.expectReady("by-password")
	})

	It("a leader that was stopped does not bring back a credential that was deleted meanwhile", func() {
		old.freeze(true)
		w.delete(w.credential("bot"))
		next.settle("bot", time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		calls := w.calls(fakespaces.OperationRefresh)
		w.step(40 * time.Minute)
		goesOn("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(calls))
		Expect(w.stateExists("bot")).To(BeFalse())
		w.expectNothingLost()
	})

	It("a leader that was stopped does not end the grant of a credential made anew under the same name", func() {
		w.delete(w.credential("bot"))
		old.on(deleteState, plannedFault{before: errRefused}, plannedFault{before: errRefused})
		for range 2 {
			_, err := old.pass("bot")
			Expect(err).To(HaveOccurred())
		}
		old.freeze(true)
		next.settle("bot", time.Minute)
		w.put("seed", map[string]string{"refresh_token": w.spaces.IssueGrant(clientID, username, "spaces")})
		w.apply(bySeed("bot"))
		next.settle("bot", 10*time.Second)
		w.expectReady("bot")
		goesOn("bot")
		old.freezeSecrets()
		_, err := old.pass("bot")
		Expect(err).NotTo(HaveOccurred())
		w.expectReady("bot")
		Expect(w.spaces.Ledger().GrantsRevoked).To(Equal(1))
		w.expectNothingLost()
	})

	It("a leader that was stopped does not empty a Secret that has a new token after a revocation", func() {
		w.ask(v1alpha1.AnnotationRevokeRequestedAt)
		stopAfter(1, func() {
			next.reconcile("bot")
			w.put("seed", map[string]string{"refresh_token": w.spaces.IssueGrant(clientID, username, "spaces")})
			next.settle("bot", 10*time.Second)
			w.expectReady("bot")
		})
		_, err := old.pass("bot")
		Expect(err).NotTo(HaveOccurred())
		w.expectReady("bot")
	})
})

// proceedSplit goes on with a story whose leader is stopped once while another takes over.
func (story crashStory) proceedSplit(w *world, m mishap, number int) int {
	dead := w.spaces.Ledger().GrantsDead
	old, next := w.operator(), w.operator()
	var newest string // when the token expires that the other process left published
	neverOlder := func() {
		GinkgoHelper()
		if now := w.publishedUntil("bot"); now != "" {
			Expect(now >= newest).To(BeTrue(), "the old leader put back an older token: until %s, not %s", now, newest)
		}
	}
	b := &blow{mishap: m, number: number}
	b.aimStop(old, func() {
		By(fmt.Sprintf("%s %d (%s)", m, number, b.struck))
		old.freeze(true)
		next.settle("bot", stopLasts[m])
		newest = w.publishedUntil("bot")
	})
	old.passUntilStruck("bot", b)
	neverOlder()
	w.interceptAnswer(nil)
	if b.struck == "" {
		return b.chances
	}

	By("the old leader goes on: it does not know yet that it lost the lease, and its informers are late")
	for round := range 6 {
		switch round {
		case 2:
			old.freezeSecrets()
		case 4:
			old.freeze(false)
		}
		_, _ = next.pass("bot")
		newest = w.publishedUntil("bot")
		_, _ = old.pass("bot")
		neverOlder()
		w.step(time.Second)
	}
	By("it knows, and ends")
	Expect(old.Drain(w.ctx)).To(Succeed())
	next.settle("bot", grantstate.Changeover+time.Minute)

	// An answer that waits for a stopped process is lost to everybody else. The other one
	// has to ask again in the end, and a service that takes that for theft ends the grant.
	if m == answerLate && w.spaces.Ledger().GrantsDead > dead {
		Expect(b.struck).To(BeElementOf(string(fakespaces.OperationRefresh), string(fakespaces.OperationAuthorizationCode)))
		story.lost(w)
		return b.chances
	}
	w.expectNothingSentAgain()
	w.expectGrantsDead(dead)
	story.end(w)
	return b.chances
}

// proceedRested goes on with a story whose first leader was stopped before it began. Another
// tells it to its end; then the first one wakes up, at once and when its token is due. It
// can be stopped there once, in the stories that have a first leader.
func (story crashStory) proceedRested(w *world, number int) int {
	if w.former == nil {
		return 0
	}
	if number != 1 {
		return 1
	}
	dead := w.spaces.Ledger().GrantsDead
	old, next := w.former, w.operator()
	old.freezeSecrets()
	next.settle("bot", 10*time.Second)
	for _, pause := range []time.Duration{0, grantstate.Changeover, lifetime * 2 / 3} {
		w.step(pause)
		for range 3 {
			_, _ = old.pass("bot")
			w.step(time.Second)
		}
	}
	Expect(old.Drain(w.ctx)).To(Succeed())
	next.settle("bot", grantstate.Changeover+time.Minute)
	w.expectNothingSentAgain()
	w.expectGrantsDead(dead)
	story.end(w)
	return 1
}

// publishedUntil is when the published token of a credential expires, as the Secret tells
// it; "" where there is none.
func (w *world) publishedUntil(name string) string {
	GinkgoHelper()
	secret := w.secret(name)
	if secret == nil || len(secret.Data[v1alpha1.KeyAccessToken]) == 0 {
		return ""
	}
	return string(secret.Data[v1alpha1.KeyExpiresAt])
}

// passUntilStruck makes passes for a while, or until the blow fell.
func (o *operator) passUntilStruck(name string, b *blow) {
	GinkgoHelper()
	for end := o.world.clock.Now().Add(10 * time.Second); b.struck == ""; {
		result, _ := o.pass(name)
		if b.struck != "" {
			return
		}
		wake := o.world.clock.Now().Add(max(result.RequeueAfter, time.Second))
		if wake.After(end) || !o.world.exists(name) && !o.world.stateExists(name) {
			return
		}
		o.world.clock.SetTime(wake)
	}
}

var _ = Describe("An API server that went back in time", func() {
	It("an API server that went back in time is believed after half a minute", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		o.reconcile("bot")
		w.delete(w.secret("bot"))
		const future = "99999999999"
		o.memory.change(w.key("bot"), func(known *recollection) {
			known.credentialVersion, known.published.resourceVersion = future, future
			ahead := *known.state
			ahead.resourceVersion = future
			known.state = &ahead
		})
		passes := 0
		for end := w.clock.Now().Add(lagPatience); w.clock.Now().Before(end); passes++ {
			w.step(o.reconcile("bot").RequeueAfter)
		}
		Expect(w.token("bot")).To(BeEmpty())
		Expect(passes).To(BeNumerically(">", 10), "an informer that is late is waited for")
		o.settle("bot", 5*time.Second)
		w.expectReady("bot")
		o.settle("bot", 2*lifetime)
		w.expectReady("bot")
		w.expectNothingLost()
	})
})

var _ = Describe("A published Secret that went back in time", func() {
	It("it is compared again after half a minute, though the credential is as it was written", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		o.reconcile("bot")
		w.put("bot", map[string]string{"access_token": "of the backup"})
		o.memory.change(w.key("bot"), func(known *recollection) { known.published.resourceVersion = "99999999999" })
		o.settle("bot", callPause+lagPatience)
		w.expectReady("bot")
	})
})

var _ = Describe("A process that is leaving", func() {
	It("a process that is leaving waits for a call that is being claimed, and lets none begin", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		var drained <-chan struct{}
		o.on(createState, plannedFault{meanwhile: func() {
			drained = o.flights.drain()
			Expect(drained).NotTo(BeClosed(), "the drain missed a call whose claim was on its way")
		}})
		o.reconcile("bot")
		Expect(drained).To(BeClosed())
		Expect(w.document("bot").Grant().Token).NotTo(BeNil(), "the answer was not saved")
		w.step(lifetime)
		calls := w.calls(fakespaces.OperationRefresh)
		Expect(o.reconcile("bot").RequeueAfter).To(BeNumerically(">=", time.Second))
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(calls), "a call began after the drain")
		Expect(w.document("bot").OpenClaim()).To(BeNil())
	})
})
