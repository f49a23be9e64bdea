package controllers

import (
	"fmt"
	"time"
)

// finding is what holds a credential up: a reason of the closed list and a message
// that says what was found and what to do. A message has no relative times, so that
// it stays the same while the problem does.
type finding struct {
	reason  string
	message string
	// person tells that somebody must act; it makes the credential Stalled.
	person bool
	// wake is when the operator looks again by itself; zero for the slow recheck.
	wake time.Time
}

// waiting is a finding that ends by itself or when an object appears.
func waiting(reason, format string, args ...any) *finding {
	return &finding{reason: reason, message: fmt.Sprintf(format, args...)}
}

// blocked is a finding that only a person can end.
func blocked(reason, format string, args ...any) *finding {
	return &finding{reason: reason, message: fmt.Sprintf(format, args...), person: true}
}

// at returns the finding with its own time to look again.
func (f finding) at(wake time.Time) *finding {
	f.wake = wake
	return &f
}
