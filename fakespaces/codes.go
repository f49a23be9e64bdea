package fakespaces

import (
	"net/http"
	"slices"
	"time"
)

// codeLifetime is the longest that RFC 6749 section 4.1.2 recommends; the
// vendor gives none.
const codeLifetime = 10 * time.Minute

// code is what the browser brings back from a sign-in.
type code struct {
	authorization
	user      string
	expiresAt time.Time

	made    *grant  // once it is spent
	flights flights // the exchanges that send it
	bought  fate    // of the answer with the tokens of made
}

// IssueCode gives an authorization code as if the person had just signed in
// with a browser and been sent back to redirectURI. It can be exchanged once,
// within ten minutes, with the same redirect_uri. A challenge that is not
// empty is an S256 code challenge (RFC 7636 section 4.2), and the exchange then
// needs its verifier. Without scopes the grant will have all three.
//
// Nothing is checked: [Service.Consent] does the same for an address that a
// client made, and looks at it first.
func (s *Service) IssueCode(clientID, username, redirectURI, challenge string, scopes ...string) string {
	if len(scopes) == 0 {
		scopes = allScopes()
	}
	asked := authorization{client: clientID, redirectURI: redirectURI, scopes: slices.Clone(scopes)}
	if challenge != "" {
		asked.challenge, asked.method = challenge, methodS256
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.newCode(asked, username)
}

func (s *Service) newCode(asked authorization, user string) string {
	value := s.randomHex()
	s.codes[value] = &code{
		authorization: asked,
		user:          user,
		expiresAt:     s.now().Add(codeLifetime),
		flights:       flights{},
	}
	s.secrets.note(value)
	if asked.method == methodPlain {
		s.secrets.note(asked.challenge) // it is the verifier
	}
	return value
}

// exchange serves grant_type=authorization_code (RFC 6749 section 4.1.3).
func (s *Service) exchange(call *Call) *answer {
	if call.Form.Get("code") == "" {
		return refuse(http.StatusBadRequest, codeInvalidRequest, "code is missing")
	}
	sent := s.codes[call.Form.Get("code")]
	switch {
	case sent == nil || sent.client != call.ClientID:
		return refuse(http.StatusBadRequest, codeInvalidGrant, "unknown code")
	case sent.made != nil:
		if s.settings.reuseDetection {
			s.end(sent.made, GrantDead, ReasonCodeReused)
		}
		return refuse(http.StatusBadRequest, codeInvalidGrant, "spent code")
	case !s.now().Before(sent.expiresAt):
		return refuse(http.StatusBadRequest, codeInvalidGrant, "expired code")
	case sent.redirectURI != call.Form.Get("redirect_uri"):
		return refuse(http.StatusBadRequest, codeInvalidGrant, "another redirect_uri")
	case sent.challenge == "" && s.isPublic(sent.client):
		return refuse(http.StatusBadRequest, codeInvalidGrant, "a code without PKCE, for a public client")
	case !sent.proves(call.Form.Get("code_verifier")):
		return refuse(http.StatusBadRequest, codeInvalidGrant, "wrong code_verifier")
	}
	sent.made = s.newGrant(sent.client, sent.user, originCode, sent.scopes)
	given := s.grantTokens(sent.made, sent.scopes)
	given.fate = &sent.bought
	return given
}
