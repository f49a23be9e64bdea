// Package model is the protocol by which a grant is spent, as a small machine, and an explorer that
// walks through every order in which its steps can happen: docs/model.md says what it covers. The
// protocol itself stands in internal/grantstate and controllers/obtain.go.
package model

import "fmt"

const (
	// processes share one state Secret, each taking itself for the leader.
	processes = 2
	// callTicks is for how long a call may be under way from the beginning of its claim, watchTicks for
	// how long somebody else's claim is watched before it counts as old: more, as in the code.
	callTicks, watchTicks = 2, 4
)

// Service is how the authorization server treats a refresh token that was used.
type Service int8

// A Strict service ends the grant when a used refresh token comes again (RFC 9700, section 4.14.2). A
// Forgiving one answers the newest used one as it did before.
const (
	Strict Service = iota
	Forgiving
)

// Rules are what a process keeps to. Those of the code are all true; each fault that is put back is one
// that is false.
type Rules struct {
	// Claims: what is to be sent is written down before, under the version that was read.
	Claims bool
	// Watches: somebody else's open claim is watched until it is old.
	Watches bool
	// Lives: a holder is one life of a process, so that what an earlier life left open is somebody else's.
	Lives bool
	// LooksAtTheClock: nothing is sent when the claim is older than a call may be.
	LooksAtTheClock bool
	// SavesByNumber: an answer is saved over a newer version unless that has a later answer.
	SavesByNumber bool
	// DrainsLast: a process says that it has drained when no call of it is under way and no answer waits.
	DrainsLast bool
	// SeesItsPast: a state that was put back to before what was published is not spent from.
	SeesItsPast bool
}

// Kept are the rules of the code.
var Kept = Rules{true, true, true, true, true, true, true}

// Limits bound what is explored: a process that is always too late would claim for ever.
type Limits struct {
	Claims, Renewals, Crashes, Losses, Stops, Restores int8
}

type document struct {
	version            int8
	token              int8 // the refresh token, by its number
	answered, counter  int8 // the claim that brought it, and the last one made
	open               bool
	holder, life, sent int8 // of the open claim: whose it is, and the token that it announces
}

type phase int8

const (
	idle     phase = iota // looks
	decided               // has read a document from which it may spend
	claiming              // has asked for the write of its claim
	claimed               // was told that it stands
	calling               // the request is under way
	answered              // has an answer that is not saved
	saving                // has asked for its write
	gone
)

type process struct {
	phase      phase
	life       int8
	read       document
	since      int8 // ticks since its claim began
	watched    int8 // ticks for which it has watched
	watching   int8 // the number of the claim that it watches
	answer     int8 // the token that an answer brought
	number     int8 // of its claim
	isDraining bool
	isWritten  bool // its claim, of which it was not told yet
}

type network int8

const (
	silent network = iota
	asking         // a request on its way to the service
	told           // an answer on its way back
)

type call struct {
	network network
	token   int8
	answer  int8
}

// orphan is a request whose process died while it was on its way.
type orphan struct {
	isAsking bool
	token    int8
	age      int8
}

type world struct {
	store     document
	old       document // a backup of it
	published int8     // the claim whose token workloads have
	live      int8     // the refresh token that the service takes
	isEnded   bool     // the service has ended the grant
	processes [processes]process
	calls     [processes]call
	orphan    orphan
	drained   [processes]int8 // the life that has said so
	saved     int8            // the newest token that was ever saved
	left      Limits
	// mayBeLost: the newest refresh token was lost where no client could have kept it.
	mayBeLost bool
	// isBlind: the state was put back to before something of which nothing tells.
	isBlind bool
}

// model is what is explored.
type model struct {
	rules   Rules
	service Service
}

func start(limits Limits) world {
	w := world{store: document{version: 1, token: 1}, live: 1, saved: 1, left: limits}
	for p := range w.processes {
		w.processes[p].life = 1
	}
	return w
}

// step is one that can happen next.
type step struct {
	name string
	to   world
	// broken is the promise that it breaks, or "".
	broken string
}

// next lists every step that can happen in a world.
func (m model) next(w world) (steps []step) {
	add := func(name string, to world, broken ...string) {
		s := step{name: name, to: to}
		if len(broken) > 0 {
			s.broken = broken[0]
		}
		if s.broken == "" {
			s.broken = m.lost(to)
		}
		steps = append(steps, s)
	}
	for p := range w.processes {
		m.processSteps(w, p, add)
	}
	if w.orphan.isAsking {
		to := w
		to.orphan = orphan{}
		m.serve(&to, w.orphan.token)
		add("the call of a process that died reaches the service", to)
	}
	if w.anybodyWaits() {
		to := w
		to.tick()
		add("time passes", to)
	}
	if w.left.Restores > 0 && w.old == (document{}) {
		to := w
		to.old = w.store
		add("a backup is made", to)
	}
	if w.left.Restores > 0 && w.old != (document{}) && w.old.version != w.store.version {
		to := w
		to.left.Restores--
		to.store = w.old
		to.store.version = w.store.version + 1
		// Who puts a state back loses what came after it: a person signs in again. What was claimed, or
		// saved and not published yet, nobody can know of any more.
		to.isBlind = to.isBlind || w.published != w.store.answered || w.store.open
		to.mayBeLost = true
		add("the state is put back", to)
	}
	return steps
}

// anybodyWaits tells that time matters to somebody.
func (w world) anybodyWaits() bool {
	for _, is := range w.processes {
		isBusy := is.phase != idle && is.phase != gone && is.since <= callTicks
		if isBusy || is.watching != 0 && is.watched < watchTicks {
			return true
		}
	}
	return w.orphan.isAsking
}

func (w *world) tick() {
	if w.orphan.isAsking {
		w.orphan.age++
		if w.orphan.age > callTicks {
			w.orphan = orphan{}
		}
	}
	for p := range w.processes {
		is := &w.processes[p]
		if is.phase != idle && is.phase != gone {
			is.since = min(is.since+1, callTicks+1)
		}
		if is.phase == idle && is.watching != 0 {
			is.watched = min(is.watched+1, watchTicks)
		}
		if w.calls[p].network == asking && is.since > callTicks { // the connection is closed by now
			w.calls[p] = call{}
		}
	}
}

// serve has the service take a refresh token; it returns the one that it gives for it, or 0.
func (m model) serve(w *world, token int8) int8 {
	switch {
	case w.isEnded:
		return 0
	case token == w.live:
		w.live++
		return w.live
	case m.service == Forgiving && token == w.live-1:
		return w.live
	}
	w.isEnded = true
	return 0
}

// lost tells that the grant cannot be renewed any more, though a client could have kept it.
func (m model) lost(w world) string {
	if w.mayBeLost {
		return ""
	}
	if w.isEnded {
		return "a used refresh token was sent, and the service ended the grant"
	}
	reachable := w.store.token == w.live || m.service == Forgiving && w.store.token == w.live-1
	for p, is := range w.processes {
		reachable = reachable || (is.phase == answered || is.phase == saving) && is.answer == w.live
		reachable = reachable || w.calls[p].network == told && w.calls[p].answer == w.live && is.phase == calling
	}
	if !reachable {
		return fmt.Sprintf("the refresh token %d that the service takes is nowhere", w.live)
	}
	return ""
}
