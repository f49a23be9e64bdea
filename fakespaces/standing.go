package fakespaces

import (
	"maps"
	"slices"
	"time"
)

// Switches tells how all switches stand, the faults that wait in queues among
// them. There is no secret in it: passwords, client secrets and refresh tokens
// are left out.
func (s *Service) Switches() Switches {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := s.settings
	standing := Switches{
		TokenLifetimeSeconds:    secondsOf(now.tokenLifetime),
		GuestLifetimeSeconds:    secondsOf(now.guestLifetime),
		GrantLifetimeSeconds:    secondsOf(now.grantLifetime),
		GrantsLiveAnew:          &now.grantsLiveAnew,
		GrantsPerUser:           &now.grantsPerUser,
		ReplicationDelaySeconds: secondsOf(now.replicationDelay),
		Rotation:                &now.rotation,
		ReuseDetection:          &now.reuseDetection,
		GracePeriodSeconds:      secondsOf(now.gracePeriod),
		RetryAfterSeconds:       secondsOf(now.retryAfter),
		UnknownTokenStatus:      &now.unknownTokenStatus,
		AuthenticatedRevocation: &now.authenticatedRevocation,
		TokensEndAtRotation:     &now.tokensEndAtRotation,
		TokensOutliveRevocation: &now.tokensOutliveRevocation,
		Down:                    &now.down,
		// Empty lists are told, not left out: whoever looks sees that there is nothing.
		Next:         []QueuedFaults{},
		FaultRates:   FaultRates{},
		RedirectURIs: map[string][]string{},
	}
	for _, op := range Operations() {
		if queue := s.queued[op]; len(queue) > 0 {
			standing.Next = append(standing.Next, QueuedFaults{Operation: op, Faults: slices.Clone(queue)})
		}
		for _, fault := range Faults() {
			if rate := s.rates[op][fault]; rate > 0 {
				standing.FaultRates = append(standing.FaultRates, FaultRate{Operation: op, Fault: fault, Rate: rate})
			}
		}
	}
	for _, client := range slices.Sorted(maps.Keys(s.redirectURIs)) {
		standing.RedirectURIs[client] = slices.Clone(s.redirectURIs[client])
	}
	return standing
}

func secondsOf(span time.Duration) *float64 {
	n := span.Seconds()
	return &n
}
