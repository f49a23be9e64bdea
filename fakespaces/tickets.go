package fakespaces

import (
	"errors"
	"time"
)

// ticketLifetime is how long a person may look at the consent page.
const ticketLifetime = 10 * time.Minute

// ticket stands for a consent page: what is asked, and of whom. The page holds
// its name only, which works once, so that nobody can answer a page that was
// never shown (RFC 6749 section 10.12).
type ticket struct {
	authorization
	user      string
	expiresAt time.Time
	used      bool
}

func (s *Service) newTicket(asked authorization, user string) string {
	value := s.randomHex()
	s.tickets[value] = &ticket{authorization: asked, user: user, expiresAt: s.now().Add(ticketLifetime)}
	s.secrets.note(value)
	return value
}

// checkTicket tells why a consent page cannot be answered any more.
func (s *Service) checkTicket(shown *ticket) error {
	switch {
	case shown == nil:
		return errors.New("this page is not known here")
	case shown.used:
		return errors.New("this page was answered already")
	case !s.now().Before(shown.expiresAt):
		return errors.New("this page is too old")
	}
	return nil
}
