package fakespaces

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Switches are changes to a serving Service, as JSON carries them. What is
// absent stays as it is.
type Switches struct {
	// TokenLifetimeSeconds: see [WithTokenLifetime].
	TokenLifetimeSeconds *float64 `json:"tokenLifetimeSeconds,omitempty"`
	// GuestLifetimeSeconds: see [WithGuestLifetime].
	GuestLifetimeSeconds *float64 `json:"guestLifetimeSeconds,omitempty"`
	// GrantLifetimeSeconds: see [WithGrantLifetime].
	GrantLifetimeSeconds *float64 `json:"grantLifetimeSeconds,omitempty"`
	// GrantsLiveAnew: see [WithGrantsLiveAnew].
	GrantsLiveAnew *bool `json:"grantsLiveAnew,omitempty"`
	// GrantsPerUser: see [WithGrantsPerUser].
	GrantsPerUser *int `json:"grantsPerUser,omitempty"`
	// ReplicationDelaySeconds: see [WithReplicationDelay].
	ReplicationDelaySeconds *float64 `json:"replicationDelaySeconds,omitempty"`
	// Rotation is always, never or omitted: see [Rotation].
	Rotation *Rotation `json:"rotation,omitempty"`
	// ReuseDetection: see [WithReuseDetection].
	ReuseDetection *bool `json:"reuseDetection,omitempty"`
	// GracePeriodSeconds: see [WithGracePeriod].
	GracePeriodSeconds *float64 `json:"gracePeriodSeconds,omitempty"`
	// RetryAfterSeconds: see [WithRetryAfter].
	RetryAfterSeconds *float64 `json:"retryAfterSeconds,omitempty"`
	// UnknownTokenStatus is 200 or 400: see [WithUnknownTokenStatus].
	UnknownTokenStatus *int `json:"unknownTokenStatus,omitempty"`
	// AuthenticatedRevocation: see [WithAuthenticatedRevocation].
	AuthenticatedRevocation *bool `json:"authenticatedRevocation,omitempty"`
	// TokensEndAtRotation: see [WithTokensEndAtRotation].
	TokensEndAtRotation *bool `json:"tokensEndAtRotation,omitempty"`
	// TokensOutliveRevocation: see [WithTokensOutliveRevocation].
	TokensOutliveRevocation *bool `json:"tokensOutliveRevocation,omitempty"`
	// Down: see [Service.Down].
	Down *bool `json:"down,omitempty"`
	// Next queues faults, in order: see [Service.Next]. An empty list empties
	// the queues: see [Service.ClearNext].
	Next []QueuedFaults `json:"next,omitzero"`
	// FaultRates sets rates; those that it does not name stay: see
	// [Service.SetFaultRate]. An empty list (or, in JSON, an empty object) ends
	// them all: see [Service.ClearFaultRates].
	FaultRates FaultRates `json:"faultRates,omitzero"`
	// Passwords maps user names to passwords: see [Service.AddUser].
	Passwords map[string]string `json:"passwords,omitempty"`
	// ClientSecrets maps client IDs to secrets: see [Service.AddClient].
	ClientSecrets map[string]string `json:"clientSecrets,omitempty"`
	// RedirectURIs maps client IDs to addresses to add: see
	// [Service.AddRedirectURI].
	RedirectURIs map[string][]string `json:"redirectURIs,omitempty"`
	// RevokeGrantsOf lists refresh tokens: see [Service.RevokeGrantOf].
	RevokeGrantsOf []string `json:"revokeGrantsOf,omitempty"`
}

// QueuedFaults are the odd answers that the next calls of an operation get.
type QueuedFaults struct {
	Operation Operation `json:"operation"`
	Faults    []Fault   `json:"faults"`
}

// FaultRate is the share, 0 to 1, of an operation's calls that get an odd
// answer.
type FaultRate struct {
	Operation Operation `json:"operation"`
	Fault     Fault     `json:"fault"`
	Rate      float64   `json:"rate"`
}

// FaultRates is a list of rates. In JSON it may be empty as a list or as an
// object.
type FaultRates []FaultRate

// UnmarshalJSON implements [json.Unmarshaler].
func (r *FaultRates) UnmarshalJSON(text []byte) error {
	if bytes.Equal(bytes.Join(bytes.Fields(text), nil), []byte("{}")) {
		*r = FaultRates{}
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields() // the decoder that calls this has no say here
	return decoder.Decode((*[]FaultRate)(r))
}

// Apply turns switches, one after another. If one of them is wrong, none is
// turned.
func (s *Service) Apply(switches Switches) error {
	if err := switches.Check(); err != nil {
		return err
	}
	turn(switches.TokenLifetimeSeconds, func(n float64) { s.SetTokenLifetime(seconds(n)) })
	turn(switches.GuestLifetimeSeconds, func(n float64) { s.SetGuestLifetime(seconds(n)) })
	turn(switches.GrantLifetimeSeconds, func(n float64) { s.SetGrantLifetime(seconds(n)) })
	turn(switches.GrantsLiveAnew, s.SetGrantsLiveAnew)
	turn(switches.GrantsPerUser, s.SetGrantsPerUser)
	turn(switches.ReplicationDelaySeconds, func(n float64) { s.SetReplicationDelay(seconds(n)) })
	turn(switches.Rotation, s.SetRotation)
	turn(switches.ReuseDetection, s.SetReuseDetection)
	turn(switches.GracePeriodSeconds, func(n float64) { s.SetGracePeriod(seconds(n)) })
	turn(switches.RetryAfterSeconds, func(n float64) { s.SetRetryAfter(seconds(n)) })
	turn(switches.UnknownTokenStatus, s.SetUnknownTokenStatus)
	turn(switches.AuthenticatedRevocation, s.SetAuthenticatedRevocation)
	turn(switches.TokensEndAtRotation, s.SetTokensEndAtRotation)
	turn(switches.TokensOutliveRevocation, s.SetTokensOutliveRevocation)
	turn(switches.Down, s.Down)
	if switches.Next != nil && len(switches.Next) == 0 {
		s.ClearNext()
	}
	for _, queued := range switches.Next {
		s.Next(queued.Operation, queued.Faults...)
	}
	if switches.FaultRates != nil && len(switches.FaultRates) == 0 {
		s.ClearFaultRates()
	}
	for _, rate := range switches.FaultRates {
		s.SetFaultRate(rate.Operation, rate.Fault, rate.Rate)
	}
	for user, password := range switches.Passwords {
		s.SetPassword(user, password)
	}
	for id, secret := range switches.ClientSecrets {
		s.SetClientSecret(id, secret)
	}
	for id, uris := range switches.RedirectURIs {
		for _, uri := range uris {
			s.AddRedirectURI(id, uri)
		}
	}
	for _, token := range switches.RevokeGrantsOf {
		s.RevokeGrantOf(token)
	}
	return nil
}

func turn[T any](value *T, set func(T)) {
	if value != nil {
		set(*value)
	}
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// Check tells what is wrong with switches, without turning any.
func (w Switches) Check() error {
	for name, given := range map[string]*float64{
		"tokenLifetimeSeconds":    w.TokenLifetimeSeconds,
		"guestLifetimeSeconds":    w.GuestLifetimeSeconds,
		"grantLifetimeSeconds":    w.GrantLifetimeSeconds,
		"replicationDelaySeconds": w.ReplicationDelaySeconds,
		"gracePeriodSeconds":      w.GracePeriodSeconds,
		"retryAfterSeconds":       w.RetryAfterSeconds,
	} {
		if given != nil && *given < 0 {
			return fmt.Errorf("%s is %v: want 0 or more", name, *given)
		}
	}
	if w.Rotation != nil {
		if err := w.Rotation.check(); err != nil {
			return err
		}
	}
	if w.GrantsPerUser != nil {
		if err := checkGrantsPerUser(*w.GrantsPerUser); err != nil {
			return err
		}
	}
	if w.UnknownTokenStatus != nil {
		if err := checkUnknownTokenStatus(*w.UnknownTokenStatus); err != nil {
			return err
		}
	}
	for _, uris := range w.RedirectURIs {
		for _, uri := range uris {
			if err := checkRedirectURI(uri); err != nil {
				return err
			}
		}
	}
	for _, queued := range w.Next {
		if err := checkOperation(queued.Operation); err != nil {
			return err
		}
		for _, fault := range queued.Faults {
			if err := checkFault(fault); err != nil {
				return err
			}
		}
	}
	for _, rate := range w.FaultRates {
		if err := checkRate(rate.Operation, rate.Fault, rate.Rate); err != nil {
			return err
		}
	}
	return nil
}
