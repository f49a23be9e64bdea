package main

import (
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	clientID     = "soak-client"
	clientSecret = "soak-client-secret-0123456789"
	redirectURI  = "http://localhost:3000"

	// tokenLifetime and guestLifetime are short, so that minutes hold many renewals.
	tokenLifetime = 30 * time.Second
	guestLifetime = 40 * time.Second
	// retryAfter holds up whoever is told it, so it is short beside the lifetimes.
	retryAfter = 5 * time.Second
	// callTimeout is what the operator allows a call; stall is longer, so that a slow body
	// is one that never comes.
	callTimeout = 10 * time.Second
	stall       = 20 * time.Second
)

const (
	// faultRate is the share of calls that each fault gets. A dozen faults for an operation
	// then spoil about every tenth call.
	faultRate = 0.01
	// throttleRate is lower, because a throttled call holds up its credential for long.
	throttleRate = 0.003
)

// losing are the faults with which the work is done and the answer cannot be read. No
// client can keep what it was never told.
var losing = []fakespaces.Fault{
	fakespaces.FaultLostAfter, fakespaces.FaultSlowBody, fakespaces.FaultCutBody,
	fakespaces.FaultHTML502After, fakespaces.FaultTruncatedJSON,
}

// passing are the faults with which nothing is done.
var passing = []fakespaces.Fault{
	fakespaces.FaultLostBefore, fakespaces.FaultHTML502, fakespaces.FaultServerError500,
	fakespaces.FaultUnavailable503, fakespaces.FaultTimeout408, fakespaces.FaultTooEarly425,
	fakespaces.FaultTemporarilyUnavailable, fakespaces.FaultErrorIn200, fakespaces.FaultRedirect,
}

// odd are token answers that hold all the same what was asked for.
var odd = []fakespaces.Fault{
	fakespaces.FaultMissingTokenType, fakespaces.FaultStringExpiresIn, fakespaces.FaultFractionalExpiresIn,
	fakespaces.FaultMissingExpiresIn, fakespaces.FaultZeroExpiresIn, fakespaces.FaultTextPlain,
	fakespaces.FaultUnknownFields, fakespaces.FaultLongFormScopes, fakespaces.FaultEmptyAccessToken,
}

// oddGuests are their like for guests. A token that tells no lifetime is not among them: it
// is taken to live for the documented 24 hours, whatever the service is told here.
var oddGuests = []fakespaces.Fault{fakespaces.FaultStringIssuer}

// throttling are the faults that ask for patience.
var throttling = []fakespaces.Fault{
	fakespaces.FaultThrottledSeconds, fakespaces.FaultThrottledDate, fakespaces.FaultThrottled503,
}

// The refusals are left out on purpose: a lie about a grant or a client is believed, and
// waits for a person or for an hour.

// service is an Avaya Spaces at its most severe: each renewal gives a new refresh token,
// and one that comes twice ends its grant at once.
type service struct {
	*testbed.Service
	spends *spends
	upFrom atomic.Int64 // in nanoseconds; 0 while it is down
}

func startService() (*service, error) {
	started, err := testbed.StartService(
		fakespaces.WithClient(clientID, clientSecret),
		fakespaces.WithRedirectURI(clientID, redirectURI),
		fakespaces.WithRedirectURI(lentClientID, redirectURI),
		fakespaces.WithTokenLifetime(tokenLifetime),
		fakespaces.WithGuestLifetime(guestLifetime),
		fakespaces.WithRotation(fakespaces.RotateAlways),
		fakespaces.WithReuseDetection(true),
		fakespaces.WithGracePeriod(0),
		fakespaces.WithRetryAfter(retryAfter),
		fakespaces.WithStall(stall),
	)
	if err != nil {
		return nil, err
	}
	s := &service{Service: started, spends: newSpends()}
	s.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		s.spends.arrive(call, s.Ledger)
		return harm(call)
	})
	s.InterceptAnswer(s.spends.answer)
	s.upFrom.Store(time.Now().UnixNano())
	return s, nil
}

// leave takes the service away, or brings it back.
func (s *service) leave(away bool) {
	s.Down(away)
	if away {
		s.upFrom.Store(0)
	} else if s.upFrom.Load() == 0 {
		s.upFrom.Store(time.Now().UnixNano())
	}
}

// upFor tells for how long the service has been there.
func (s *service) upFor(now time.Time) time.Duration {
	from := s.upFrom.Load()
	if from == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, from))
}

// storm sets the share of each fault.
func (s *service) storm() { s.setRates(faultRate, throttleRate) }

// calm ends every fault and outage.
func (s *service) calm() {
	s.setRates(0, 0)
	s.leave(false)
}

func (s *service) setRates(rate, throttle float64) {
	for operation, kinds := range map[fakespaces.Operation][][]fakespaces.Fault{
		fakespaces.OperationPassword:          {losing, passing, odd},
		fakespaces.OperationRefresh:           {losing, passing, odd},
		fakespaces.OperationAuthorizationCode: {losing, passing, odd},
		fakespaces.OperationRevoke:            {losing, passing},
		fakespaces.OperationGuest:             {losing, passing, oddGuests},
		fakespaces.OperationProfile:           {losing, passing},
		fakespaces.OperationTokenInfo:         {losing, passing},
	} {
		for _, faults := range kinds {
			for _, fault := range faults {
				s.SetFaultRate(operation, fault, rate)
			}
		}
		for _, fault := range throttling {
			s.SetFaultRate(operation, fault, throttle)
		}
	}
}

// signIn plays a person with a browser, and gives the input that it leaves.
func (s *service) signIn(user string, credential *v1alpha1.SpacesCredential) (*corev1.Secret, error) {
	input, err := s.SignIn(user, credential)
	if err == nil {
		s.spends.expect(input.StringData["code"], user)
	}
	return input, err
}
