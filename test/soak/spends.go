package main

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// spend is a call that signed in or renewed, and so made something that only its answer
// tells.
type spend struct {
	operation         fakespaces.Operation
	user              string
	grant             string // of a refresh; a sign-in has none yet
	arrived, answered time.Time
	fault             fakespaces.Fault
}

// lost tells whether the soak lost the answer.
func (s *spend) lost() bool { return slices.Contains(losing, s.fault) }

// onTheWay is how long after a process has sent a call the service may see it arrive: both, and
// an API server, are at work on few processors.
const onTheWay = 500 * time.Millisecond

// takenBy finds the death with which the answer may have gone: the process was killed or
// frozen while the call was on its way, while it waited for the answer, or before it was able
// to save it.
func (s *spend) takenBy(deaths []death, absences []absence) *death {
	by := savable(s.answered, absences)
	i := slices.IndexFunc(deaths, func(d death) bool { return !s.arrived.After(d.at.Add(onTheWay)) && !by.Before(d.at) })
	if i < 0 {
		return nil
	}
	return &deaths[i]
}

// again is a refresh token or a code that came again after its answer had been delivered.
type again struct {
	first *spend
	at    time.Time
}

// spends remembers the spends that the service saw.
type spends struct {
	mutex   sync.Mutex
	arrived map[int]time.Time // by number of the call
	made    []*spend
	by      map[string]*spend    // by the refresh token or the code that was spent
	codes   map[string]string    // whose they are: a call does not tell
	touched map[string]bool      // the grants that some call was about
	spoiled map[string]time.Time // when the soak last spoiled the revocation of a grant
	again   []again
	counted int // of the Ledger's, so far
}

func newSpends() *spends {
	return &spends{arrived: map[int]time.Time{}, by: map[string]*spend{}, codes: map[string]string{}, touched: map[string]bool{}, spoiled: map[string]time.Time{}}
}

// arrive notes a call before its work. What comes again is looked up in the ledger,
// which alone knows whether the first answer was delivered.
func (s *spends) arrive(call fakespaces.Call, ledger func() fakespaces.Ledger) {
	now, what := time.Now(), spentBy(call)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.arrived[call.Number] = now
	if call.GrantID != "" {
		s.touched[call.GrantID] = true
	}
	first := s.by[what]
	if first == nil {
		return
	}
	seen := ledger()
	if total := seen.SentAgainAfterDelivery + seen.CodesSentAgainAfterDelivery; total > s.counted {
		s.counted = total
		s.again = append(s.again, again{first: first, at: now})
	}
}

// answer notes a call whose work is done.
func (s *spends) answer(call fakespaces.Call) {
	now := time.Now()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	arrived := s.arrived[call.Number]
	delete(s.arrived, call.Number)
	if call.Operation == fakespaces.OperationRevoke && call.Fault != fakespaces.NoFault {
		s.spoiled[call.GrantID] = now
	}
	if !spending(call.Operation) {
		return
	}
	// With a losing fault a refusal looks like work: then nothing is found that it explains.
	if !slices.Contains(losing, call.Fault) && (call.Status != http.StatusOK || !call.Fault.DoesWork()) {
		return
	}
	user := call.Username
	if call.Operation == fakespaces.OperationAuthorizationCode {
		user = s.codes[call.Form.Get("code")]
	}
	made := &spend{operation: call.Operation, user: user, grant: call.GrantID, arrived: arrived, answered: now, fault: call.Fault}
	s.made = append(s.made, made)
	if what := spentBy(call); what != "" && s.by[what] == nil {
		s.by[what] = made
	}
}

// isFirst tells that a spend is the first of its grant: what it sent was a seed.
func (s *spends) isFirst(first *spend) bool {
	i := slices.IndexFunc(s.made, func(other *spend) bool { return other.grant == first.grant })
	return i >= 0 && s.made[i] == first
}

// expect notes whose a code is.
func (s *spends) expect(code, user string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.codes[code] = user
}

// spending tells whether an operation makes something that only its answer tells.
func spending(operation fakespaces.Operation) bool {
	return operation == fakespaces.OperationPassword || operation == fakespaces.OperationRefresh ||
		operation == fakespaces.OperationAuthorizationCode
}

// spentBy is the refresh token or the code that a call spends, if any.
func spentBy(call fakespaces.Call) string {
	if call.Operation == fakespaces.OperationRefresh {
		return call.Form.Get("refresh_token")
	}
	return call.Form.Get("code") // empty in all but an exchange
}
