package model

import "fmt"

// processSteps adds what one process can do next, and what can happen to it.
func (m model) processSteps(w world, p int, add func(name string, to world, broken ...string)) {
	is := w.processes[p]
	name := func(what string) string { return fmt.Sprintf("process %d %s", p+1, what) }
	change := func(f func(to *world, is *process)) world {
		to := w
		f(&to, &to.processes[p])
		return to
	}
	switch is.phase {
	case idle:
		if !is.isDraining {
			m.look(w, p, add)
		}
	case decided:
		if !m.rules.Claims {
			m.send(w, p, add)
			break
		}
		add(name("asks for the write of its claim"), change(func(_ *world, is *process) { is.phase, is.since, is.isWritten = claiming, 0, false }))
	case claiming:
		m.claim(w, p, add)
	case claimed:
		m.send(w, p, add)
	case calling:
		m.called(w, p, add)
	case answered:
		add(name("asks for the write of its answer"), change(func(_ *world, is *process) { is.phase = saving }))
	case saving:
		m.save(w, p, add)
	case gone:
		add(name("starts anew"), change(func(_ *world, is *process) { *is = process{life: is.life + 1} }))
	}
	if is.phase != gone && w.left.Crashes > 0 {
		add(name("dies"), change(func(to *world, is *process) {
			to.left.Crashes--
			// An answer that only it had, or that comes for it, is lost with it.
			hasAnswer := is.phase == answered || is.phase == saving
			to.mayBeLost = to.mayBeLost || m.service == Strict && (hasAnswer || w.calls[p].network == told || w.calls[p].network == asking)
			if w.calls[p].network == asking {
				to.orphan = orphan{isAsking: true, token: w.calls[p].token, age: is.since}
			}
			to.calls[p] = call{}
			*is = process{phase: gone, life: is.life}
		}))
	}
	if is.phase != gone && !is.isDraining && w.left.Stops > 0 {
		add(name("is told to stop"), change(func(to *world, is *process) { to.left.Stops--; is.isDraining = true }))
	}
	isIdle := is.phase == idle || is.phase == decided
	if is.isDraining && (isIdle || !m.rules.DrainsLast) {
		add(name("says that it has drained, and ends"), change(func(to *world, is *process) {
			to.drained[p] = is.life
			if isIdle {
				*is = process{phase: gone, life: is.life}
				return
			}
			is.isDraining = false // without the rule it says so too early, and goes on
		}))
	}
}

// look reads the state, and decides whether it may be spent from.
func (m model) look(w world, p int, add func(name string, to world, broken ...string)) {
	is, d := w.processes[p], w.store
	name := func(what string) string { return fmt.Sprintf("process %d looks: %s", p+1, what) }
	if m.rules.SeesItsPast && d.answered < w.published {
		to := w
		// A person signs in again: another grant, whose refresh token is new.
		to.live, to.isEnded = max(w.live, w.saved)+1, false
		to.store = document{version: w.store.version + 1, token: to.live, answered: max(w.published, w.store.counter), counter: max(w.published, w.store.counter)}
		to.published, to.saved, to.mayBeLost = to.store.answered, to.live, w.mayBeLost
		add(name("the state was put back, and is not spent from"), to)
		return
	}
	isMine := d.holder == int8(p) && (d.life == is.life || !m.rules.Lives)
	if d.open && !isMine && m.rules.Watches && w.drained[d.holder] != d.life {
		switch {
		case is.watching != d.counter:
			to := w
			to.processes[p].watching, to.processes[p].watched = d.counter, 0
			add(name("another's claim is open, it watches"), to)
			return
		case is.watched < watchTicks:
			return
		}
	}
	if d.token > w.left.Renewals && !d.open || d.counter >= w.left.Claims {
		return // enough
	}
	to := w
	to.processes[p].phase, to.processes[p].read, to.processes[p].since = decided, d, 0
	to.processes[p].watching, to.processes[p].watched = 0, 0
	add(name("a renewal is due"), to)
}

// claim has the API server write the claim that a process asked for, if nobody wrote meanwhile; tells
// of it, or loses the answer.
func (m model) claim(w world, p int, add func(name string, to world, broken ...string)) {
	is := w.processes[p]
	told := func(text string) string { return fmt.Sprintf("process %d: the write of its claim %s", p+1, text) }
	to := w
	switch {
	case !is.isWritten && w.store.version != is.read.version:
		to.processes[p].phase = idle
		add(told("is refused, somebody wrote first"), to)
	case !is.isWritten:
		d := &to.store
		d.version++
		d.counter++
		d.open, d.holder, d.life, d.sent = true, int8(p), is.life, d.token
		to.processes[p].isWritten = true
		add(told("is made"), to)
		if is.since > callTicks {
			to = w
			to.processes[p].phase = idle // its deadline passed: nothing was sent
			add(told("came to nothing"), to)
		}
	default:
		to.processes[p].phase, to.processes[p].number, to.processes[p].isWritten = claimed, is.read.counter+1, false
		add(told("is told"), to)
		if w.left.Losses > 0 {
			to = w
			to.left.Losses--
			to.processes[p].phase, to.processes[p].isWritten = idle, false
			add(told("was made, and its answer is lost"), to)
		}
	}
}

// send sends the refresh token that was claimed.
func (m model) send(w world, p int, add func(name string, to world, broken ...string)) {
	is := w.processes[p]
	if m.rules.LooksAtTheClock && is.since > callTicks {
		to := w
		to.processes[p].phase = idle
		add(fmt.Sprintf("process %d finds its claim too old, and sends nothing", p+1), to)
		return
	}
	to := w
	to.processes[p].phase = calling
	to.calls[p] = call{network: asking, token: is.read.token}
	if !m.rules.Claims {
		to.processes[p].number, to.processes[p].since = is.read.counter+1, 0
	}
	broken := ""
	for other, o := range w.processes {
		c := w.calls[other]
		atWork := o.phase == calling && c.network != silent && c.token == is.read.token
		holds := (o.phase == answered || o.phase == saving) && o.answer == is.read.token+1
		switch {
		case other == p || !atWork && !holds || w.isBlind:
		case o.since <= callTicks:
			broken = fmt.Sprintf("two hold it: the refresh token %d is sent while another is at work with it", is.read.token)
		case m.service == Strict:
			// It was stopped for longer than anybody waits, or cannot save for so long.
			to.mayBeLost = true
		}
	}
	if w.orphan.isAsking && w.orphan.token == is.read.token && !w.isBlind {
		broken = fmt.Sprintf("two hold it: the refresh token %d is sent while the call of a process that died is under way", is.read.token)
	}
	// An answer that is saved is an answer that was delivered.
	if is.read.token < w.saved && !w.isBlind {
		broken = fmt.Sprintf("the refresh token %d is sent after its answer was saved", is.read.token)
	}
	add(fmt.Sprintf("process %d sends the refresh token %d", p+1, is.read.token), to, broken)
}

// called is what becomes of a call.
func (m model) called(w world, p int, add func(name string, to world, broken ...string)) {
	c := w.calls[p]
	name := func(what string) string { return fmt.Sprintf("the call of process %d %s", p+1, what) }
	switch c.network {
	case silent: // its request came to nothing
		to := w
		to.processes[p].phase = idle
		add(name("has no answer"), to)
	case asking:
		to := w
		to.calls[p] = call{}
		if answer := m.serve(&to, c.token); answer != 0 {
			to.calls[p] = call{network: told, token: c.token, answer: answer}
		}
		add(name("reaches the service"), to)
		if w.left.Losses > 0 {
			to = w
			to.left.Losses--
			to.calls[p] = call{}
			add(name("is lost on its way"), to)
		}
	case told:
		to := w
		to.processes[p].phase, to.processes[p].answer = answered, c.answer
		to.calls[p] = call{}
		add(name("is answered"), to)
		if w.left.Losses > 0 {
			to = w
			to.left.Losses--
			to.calls[p] = call{}
			to.mayBeLost = to.mayBeLost || m.service == Strict // nobody has the newest refresh token
			add(name("loses its answer"), to)
		}
	}
}

// save writes an answer over what is there, unless that has a later one, and publishes it.
func (m model) save(w world, p int, add func(name string, to world, broken ...string)) {
	is := w.processes[p]
	to := w
	d := &to.store
	isCurrent := d.open && d.holder == int8(p) && d.life == is.life && d.counter == is.number
	switch {
	case m.rules.SavesByNumber && is.number <= d.answered:
		// There is a later token of this grant.
	default:
		d.token, d.answered = is.answer, max(is.number, d.answered)
		d.counter = max(d.counter, is.number)
		if isCurrent {
			d.open = false
		}
		d.version++
		if isCurrent {
			to.saved = max(to.saved, is.answer)
		} else if m.service == Strict && w.store.open {
			to.mayBeLost = true // it comes so late that another is about to ask again
		}
		to.published = max(to.published, d.answered)
	}
	to.processes[p] = process{life: is.life, isDraining: is.isDraining}
	add(fmt.Sprintf("process %d saves the refresh token %d, and publishes", p+1, is.answer), to)
}
