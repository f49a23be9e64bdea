package controllers

import (
	"fmt"
	"time"
)

// standing is how far a step has come.
type standing int

const (
	// settled: all is as wished.
	settled standing = iota
	// paced: only the pace of calls is in the way, which is nobody's trouble.
	paced
	// waiting: something is in the way that ends by itself, or when an object appears.
	waiting
	// blocked: only a person can end what is in the way.
	blocked
	// startOver: what was judged is not what is there any more. The next pass begins anew.
	startOver
)

// outcome is what a step of a pass found. Its zero value is that all is as wished.
type outcome struct {
	standing standing
	// reason and message tell what is in the way: a reason of the closed list, and what
	// was found and what to do. A message has no relative times, so that it stays the
	// same while the problem does.
	reason, message string
	// wake is when the operator looks again by itself; zero for the slow recheck.
	wake time.Time
}

// again ends a pass whose work is done or was overtaken.
var again = outcome{standing: startOver}

// waitingFor is an outcome that ends by itself or when an object appears.
func waitingFor(reason, format string, args ...any) outcome {
	return outcome{standing: waiting, reason: reason, message: fmt.Sprintf(format, args...)}
}

// blockedBy is an outcome that only a person can end.
func blockedBy(reason, format string, args ...any) outcome {
	return outcome{standing: blocked, reason: reason, message: fmt.Sprintf(format, args...)}
}

// pacedUntil is an outcome that ends when a call may be made.
func pacedUntil(wake time.Time) outcome { return outcome{standing: paced, wake: wake} }

// at returns the outcome with its own time to look again.
func (o outcome) at(wake time.Time) outcome {
	o.wake = wake
	return o
}

// orSooner returns the outcome with the sooner of two times to look again.
func (o outcome) orSooner(wake time.Time) outcome {
	if o.wake.IsZero() || !wake.IsZero() && wake.Before(o.wake) {
		o.wake = wake
	}
	return o
}

// isTrouble tells an outcome that people are told of.
func (o outcome) isTrouble() bool { return o.standing == waiting || o.standing == blocked }

// firstTrouble returns the first outcome that is not settled, or a settled one.
func firstTrouble(outcomes ...outcome) outcome {
	for _, o := range outcomes {
		if o.standing != settled {
			return o
		}
	}
	return outcome{}
}
