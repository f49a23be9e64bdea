package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

const (
	clientID     = "soak-client"
	clientSecret = "soak-client-secret-0123456789"
	redirectURI  = "http://localhost:3000"

	// tokenLifetime and guestLifetime are short, so that minutes hold many renewals.
	tokenLifetime = 30 * time.Second
	guestLifetime = 40 * time.Second
	// retryAfter holds up the whole environment, so it is short beside the lifetimes.
	retryAfter = time.Second
	// callTimeout is what the operator allows a call; stall is longer, so that a slow body
	// is one that never comes.
	callTimeout = 10 * time.Second
	stall       = 20 * time.Second
)

const (
	// faultRate is the share of calls that each fault gets. A dozen faults for an operation
	// then spoil about every tenth call.
	faultRate = 0.01
	// throttleRate is lower, because a throttled call holds up all others.
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
	*fakespaces.Service
	url    string
	server *http.Server
	ended  chan error
	spends *spends
	upFrom atomic.Int64 // in nanoseconds; 0 while it is down
}

func startService(ctx context.Context) (*service, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	spaces := fakespaces.New(
		fakespaces.WithClient(clientID, clientSecret),
		fakespaces.WithRedirectURI(clientID, redirectURI),
		fakespaces.WithTokenLifetime(tokenLifetime),
		fakespaces.WithGuestLifetime(guestLifetime),
		fakespaces.WithRotation(fakespaces.RotateAlways),
		fakespaces.WithReuseDetection(true),
		fakespaces.WithGracePeriod(0),
		fakespaces.WithRetryAfter(retryAfter),
		fakespaces.WithStall(stall),
	)
	s := &service{
		Service: spaces,
		url:     "http://" + listener.Addr().String(),
		server:  &http.Server{Handler: spaces, ReadHeaderTimeout: 5 * time.Second},
		ended:   make(chan error, 1),
		spends:  newSpends(),
	}
	spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		s.spends.arrive(call, spaces.Ledger)
		return fakespaces.NoFault
	})
	spaces.InterceptAnswer(s.spends.answer)
	s.upFrom.Store(time.Now().UnixNano())
	go func() { s.ended <- s.server.Serve(listener) }()
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

// signedIn is what a sign-in by browser leaves.
type signedIn struct{ code, verifier string }

// signInAs plays a person with a browser, who allows what is asked.
func (s *service) signInAs(user, endpoint string, scopes []string) (signedIn, error) {
	verifier := oauth2.GenerateVerifier()
	asking := oauth2.Config{ClientID: clientID, RedirectURL: redirectURI, Scopes: scopes, Endpoint: oauth2.Endpoint{AuthURL: endpoint}}
	redirect, err := s.Consent(asking.AuthCodeURL("soak", oauth2.AccessTypeOffline, oauth2.S256ChallengeOption(verifier)), user)
	if err != nil {
		return signedIn{}, err
	}
	sentTo, err := url.Parse(redirect)
	if err != nil {
		return signedIn{}, err
	}
	code := sentTo.Query().Get("code")
	if code == "" {
		return signedIn{}, fmt.Errorf("the sign-in ended with the error %s", sentTo.Query().Get("error"))
	}
	s.spends.expect(code, user)
	return signedIn{code: code, verifier: verifier}, nil
}

func (s *service) stop() error {
	err := s.server.Close()
	if served := <-s.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
