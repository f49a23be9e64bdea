package main

import (
	"net/http"
	"sync"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// What the service knows.
const (
	clientID      = "bench-client"
	clientSecret  = "bench-client-secret"
	username      = "bot@example.test"
	otherUsername = "other-bot@example.test"
	password      = "bench-password"
)

// The environments, as the operator knows them.
const (
	fastEnvironment = "fast"
	slowEnvironment = "slow"
	// noLimit is a rate that nobody reaches.
	noLimit = 1_000_000
)

// service is a Spaces in memory that remembers when it gave what. It tells when tokens were made
// without a question to the API server, which is being measured.
type service struct {
	*testbed.Service

	mutex   sync.Mutex
	tokens  []time.Time
	revoked []time.Time
}

func startService(program *testbed.Program) (*service, error) {
	started, err := testbed.StartService(
		fakespaces.WithClient(clientID, clientSecret),
		fakespaces.WithUser(username, password),
		fakespaces.WithUser(otherUsername, password),
	)
	if err != nil {
		return nil, err
	}
	program.OnStop(started.Stop)
	s := &service{Service: started}
	started.InterceptAnswer(s.note)
	return s, nil
}

func (s *service) note(call fakespaces.Call) {
	if call.Status != http.StatusOK {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch call.Operation { //nolint:exhaustive // nothing else is measured
	case fakespaces.OperationPassword, fakespaces.OperationRefresh:
		s.tokens = append(s.tokens, time.Now())
	case fakespaces.OperationRevoke:
		s.revoked = append(s.revoked, time.Now())
	}
}

// forget begins to count anew.
func (s *service) forget() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.tokens, s.revoked = nil, nil
}

// given are the times at which tokens were given since the last forget, ended those of revocations.
func (s *service) given() []time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.tokens[:len(s.tokens):len(s.tokens)]
}

func (s *service) ended() []time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.revoked[:len(s.revoked):len(s.revoked)]
}

// perSecond is the rate of moments from the first to the last.
func perSecond(moments []time.Time) float64 {
	if len(moments) < 2 {
		return 0
	}
	return float64(len(moments)-1) / moments[len(moments)-1].Sub(moments[0]).Seconds()
}
