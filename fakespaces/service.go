package fakespaces

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"sync"
	"time"
)

// Service is an Avaya Spaces in memory. Make one with [New]. It serves HTTP,
// and its methods turn switches and look inside while it does; all of it is
// safe for concurrent use.
type Service struct {
	now    func() time.Time
	random io.Reader
	// refreshTokenLength is the least length of a refresh token, in bytes.
	refreshTokenLength int
	stall              time.Duration

	// mutex guards all that follows. It is never held while a caller's
	// function runs, while an answer is written, or while anything waits.
	mutex        sync.Mutex
	settings     settings
	clients      map[string]string   // client ID to client secret
	users        map[string]string   // user name to password
	redirectURIs map[string][]string // by client ID
	queued       map[Operation][]Fault
	rates        map[Operation]map[Fault]float64

	intercept       func(Call) Fault
	interceptAnswer func(Call)

	grants        []*grant
	haveEnds      bool // some of them
	refreshTokens map[string]*refreshToken
	accessTokens  map[string]*accessToken
	guests        map[string]*guest // by token
	tickets       map[string]*ticket
	codes         map[string]*code
	signingKey    []byte // of JWTs; nobody else needs it

	secrets secrets
	counts  counts
}

// New makes a Service without grants. Without options it knows no client and
// no user, runs by the wall clock, and treats refresh tokens as severely as a
// service may: each works once, and a second use kills the grant.
func New(options ...Option) *Service {
	s := &Service{
		now:           time.Now,
		random:        rand.Reader,
		stall:         defaultStall,
		settings:      defaultSettings(),
		clients:       map[string]string{},
		users:         map[string]string{},
		redirectURIs:  map[string][]string{},
		queued:        map[Operation][]Fault{},
		rates:         map[Operation]map[Fault]float64{},
		refreshTokens: map[string]*refreshToken{},
		accessTokens:  map[string]*accessToken{},
		guests:        map[string]*guest{},
		tickets:       map[string]*ticket{},
		codes:         map[string]*code{},
		counts:        newCounts(),
	}
	for _, option := range options {
		option(s)
	}
	s.signingKey = s.randomBytes(32)
	return s
}

// ServeHTTP answers one call: it arrives and is counted, is shown to the
// interceptor, does its work or meets its fault, and is answered.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat)) // by the clock that its tokens have
	call := readCall(r)
	flight := s.arrive(r.Context(), &call)
	defer s.settle(flight, lost) // for when a caller's function ends this goroutine

	wanted := s.askIntercept(call)
	answer := s.work(&call, wanted)
	flight.fate = answer.fate
	s.tellInterceptAnswer(call)
	s.deliver(w, r, flight, answer)
}

// work does what the call asks, oddly if a fault is due. It is the only place
// where a call changes what the service knows.
func (s *Service) work(call *Call, wanted Fault) *answer {
	s.mutex.Lock()
	defer s.mutex.Unlock()

	s.endOverdue()
	call.Fault = s.chooseFault(call.Operation, wanted)
	odd := oddities[call.Fault]
	var given *answer
	switch {
	case odd.instead != nil:
		given = odd.instead(s)
	default:
		given = s.do(call)
		if odd.alter != nil {
			odd.alter(given)
		}
	}
	if given.refusal != "" {
		s.counts.refused[given.refusal]++
	}
	if given.ending != endsUnsent {
		call.Status = given.status
	}
	return given
}

// do does the work of a call as the service does on a good day.
func (s *Service) do(call *Call) *answer {
	if call.brokenOff {
		// Nobody is there to read this, and no service acts on half a request.
		return refuse(http.StatusBadRequest, codeInvalidRequest, "the request broke off")
	}
	switch call.Operation {
	case OperationPassword:
		return s.token(call, s.signIn)
	case OperationRefresh:
		return s.token(call, s.refresh)
	case OperationAuthorize:
		return s.authorize(call)
	case OperationAuthorizationCode:
		return s.token(call, s.exchange)
	case OperationRevoke:
		return s.revoke(call)
	case OperationProfile:
		return s.profile(call)
	case OperationConfiguration:
		return s.configuration(call)
	case OperationGuest:
		return s.newGuest(call)
	case OperationTokenInfo:
		return s.tokenInfo(call)
	case OperationOther, OperationAny: // no call is of the latter
	}
	return s.other(call)
}

// other answers the calls that are no operation of the service.
func (s *Service) other(call *Call) *answer {
	switch call.path {
	case authorizePath, confirmPath, tokenPath, revokePath, profilePath, configurationPath, guestPath, tokenInfoPath:
		if !takes(call.path, call.method) {
			return plainAnswer(http.StatusMethodNotAllowed, "text/plain", "method not allowed\n")
		}
		if call.Form.Get("grant_type") == "" {
			return refuse(http.StatusBadRequest, codeInvalidRequest, "grant_type is missing")
		}
		return refuse(http.StatusBadRequest, codeUnsupportedGrantType, "this grant_type is not served")
	case loginPath:
		return plainAnswer(http.StatusOK, "text/html; charset=utf-8", loginPage)
	default:
		return plainAnswer(http.StatusNotFound, "text/plain", "not found\n")
	}
}

// randomBytes reads from the service's own source of randomness. The lock is
// held, or the service is not yet shared.
func (s *Service) randomBytes(n int) []byte {
	read := make([]byte, n)
	if _, err := io.ReadFull(s.random, read); err != nil {
		panic("fakespaces: the source given to WithRandom ended: " + err.Error())
	}
	return read
}

// randomHex gives an opaque string in the shape of the vendor's examples:
// tokens and secrets are 40 hex digits.
func (s *Service) randomHex() string {
	return hex.EncodeToString(s.randomBytes(20))
}
