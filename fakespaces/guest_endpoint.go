package fakespaces

import (
	"encoding/hex"
	"net/http"
	"time"
)

// guest is an anonymous visitor: a token, and what it said of itself.
type guest struct {
	id, displayname, username string
	expiresAt                 time.Time
}

// newGuest serves POST /api/anonymous/auth (vendor page anonymous_auth). Nobody
// proves anything; each call makes another guest.
func (s *Service) newGuest(call *Call) *answer {
	if call.garbled {
		refused := jsonAnswer(http.StatusBadRequest, object{{"code", "bad_request"}, {"message", "the body cannot be read"}})
		refused.refusal = codeInvalidRequest
		return refused
	}
	made := &guest{
		id:          hex.EncodeToString(s.randomBytes(12)),
		displayname: call.Form.Get("displayname"),
		username:    call.Form.Get("username"),
		expiresAt:   s.now().Add(s.settings.guestLifetime),
	}
	write := oddities[call.Fault].guestToken
	if write == nil {
		write = (*Service).sign
	}
	token := write(s, object{
		{"anonymous_id", made.id},
		{"product_type", "spaces"},
		{"iss", []string{"zang", "io"}}, // an array, in the vendor's examples too
		{"iat", s.now().Unix()},
		{"exp", made.expiresAt.Unix()},
	})
	s.guests[token] = made
	s.secrets.note(token)
	s.counts.tokensIssued++
	s.counts.guestsIssued++
	return jsonAnswer(http.StatusOK, object{{"token", token}})
}

// workingGuest is the guest of a token if that is good now, else nil.
func (s *Service) workingGuest(token string) *guest {
	known := s.guests[token]
	if known == nil || !s.now().Before(known.expiresAt) {
		return nil
	}
	return known
}

// The odd tokens of guests, which work like any other.

func issuedByText(s *Service, claims object) string {
	claims.set("iss", "zang")
	return s.sign(claims)
}

func withoutExp(s *Service, claims object) string { return s.sign(claims.without("exp")) }

func opaque(s *Service, _ object) string { return s.randomHex() }
