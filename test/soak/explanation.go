package main

import (
	"fmt"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// Why a grant lives on at the service after everything was deleted.
type reason int

const (
	unexplained reason = iota
	policyNever
	seedUnsent      // somebody's seed that no operator ever sent
	lostWithAnswer  // the soak lost the answer that told of it
	ofHostile       // it is a hostile tenant's, whose states are what chance made of them
	lostWithProcess // the soak killed or froze the process that had just been told
	spoiledLate     // the soak spoiled the revocation, when the deadline was over
)

// deadline is that of a deletion. A grant that was given up sooner is lost.
const deadline = v1alpha1.DefaultRevocationDeadline

// explanation tells why a grant is left.
type explanation struct {
	reason reason
	with   string // what the answer that told of it was lost with
}

// String is empty where the policy or the seed says it all.
func (e explanation) String() string {
	if e.reason == unexplained {
		return "nothing explains it"
	}
	return e.with
}

// explain explains one grant that is left. spoiled is when the soak last spoiled its revocation.
func explain(grant fakespaces.GrantRecord, never, touched bool, made []*spend, spoiled time.Time, deaths []death, absences []absence) explanation {
	if never {
		return explanation{reason: policyNever}
	}
	if grant.Origin == originSeed && !touched {
		return explanation{reason: seedUnsent}
	}
	why := explanation{}
	for _, s := range made {
		if !s.made(grant) {
			continue
		}
		if s.lost() {
			return explanation{reason: lostWithAnswer, with: s.goneOnTheWay()}
		}
		if taken := s.takenBy(deaths, absences); taken != nil {
			why = explanation{reason: lostWithProcess, with: s.goneWith(*taken, absences)}
		}
	}
	if lived := latest(grant.IssuedAt, grant.RefreshedAt); why.reason == unexplained && spoiled.Sub(lived) > deadline {
		return explanation{reason: spoiledLate, with: fmt.Sprintf("its revocation was spoiled at %s, %s after its last sign of life, and the deadline was over",
			spoiled.Format(clockTime), spoiled.Sub(lived).Round(time.Second))}
	}
	return why
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// goneOnTheWay tells of an answer that the soak lost.
func (s *spend) goneOnTheWay() string {
	return fmt.Sprintf("the answer to its %s was lost at %s (%s)", s.operation, s.answered.Format(clockTime), s.fault)
}

// goneWith tells of an answer that went with a process.
func (s *spend) goneWith(taken death, absences []absence) string {
	told := fmt.Sprintf("%s, ", taken)
	switch {
	case taken.at.Before(s.arrived):
		told += fmt.Sprintf("while its %s was on the way", s.operation)
	case taken.at.Before(s.answered):
		told += fmt.Sprintf("while it waited for the answer to its %s", s.operation)
	default:
		told += fmt.Sprintf("%s after the answer to its %s", taken.at.Sub(s.answered).Round(time.Millisecond), s.operation)
	}
	for _, one := range absences {
		if one.from.Before(taken.at) && one.to.After(s.answered) {
			told += fmt.Sprintf(", which it could not save: no API server from %s to %s", one.from.Format(clockTime), one.to.Format(clockTime))
		}
	}
	return told
}

// made tells whether a spend made a grant, or was the last to renew it.
func (s *spend) made(grant fakespaces.GrantRecord) bool {
	of := grant.IssuedAt
	switch renewal := s.operation == fakespaces.OperationRefresh; {
	case renewal != !grant.RefreshedAt.IsZero():
		return false // who renewed it had been told of it
	case renewal && s.grant != grant.ID, s.user != grant.User:
		return false
	case renewal:
		of = grant.RefreshedAt
	}
	// The service has done the work just before the answer.
	since := s.answered.Sub(of)
	return since >= 0 && since < time.Second
}
