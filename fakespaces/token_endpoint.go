package fakespaces

import (
	"net/http"
	"strings"
	"time"
)

// token serves POST /oauth2/access_token. The vendor's pages
// (accounts_accesstoken, authorizingrequests) give the form and the good
// answer; the refusals are RFC 6749 section 5.2. What follows the check of the
// client depends on the grant.
func (s *Service) token(call *Call, serve func(*Call) *answer) *answer {
	if refused := s.checkClient(call); refused != nil {
		return refused
	}
	return serve(call)
}

// checkClient wants the client's ID and secret in the form: the vendor
// documents no other place. A public client has no secret and sends none.
func (s *Service) checkClient(call *Call) *answer {
	secret, known := s.clients[call.ClientID]
	if !known || secret != call.Form.Get("client_secret") {
		return refuse(http.StatusUnauthorized, codeInvalidClient, "unknown client, or wrong client_secret")
	}
	return nil
}

// signIn serves grant_type=password (RFC 6749 section 4.3).
func (s *Service) signIn(call *Call) *answer {
	username, password := call.Form.Get("username"), call.Form.Get("password")
	if username == "" || password == "" {
		return refuse(http.StatusBadRequest, codeInvalidRequest, "username or password is missing")
	}
	scopes, refused := requestedScopes(call, allScopes())
	if refused != nil {
		return refused
	}
	if right, known := s.users[username]; !known || right != password {
		return refuse(http.StatusBadRequest, codeInvalidGrant, "wrong username or password")
	}
	return s.grantTokens(s.newGrant(call.ClientID, username, originPassword, scopes), scopes)
}

// refresh serves grant_type=refresh_token (RFC 6749 section 6).
func (s *Service) refresh(call *Call) *answer {
	if call.Form.Get("refresh_token") == "" {
		return refuse(http.StatusBadRequest, codeInvalidRequest, "refresh_token is missing")
	}
	sent := s.refreshTokens[call.Form.Get("refresh_token")]
	if sent == nil || sent.grant.client != call.ClientID {
		return refuse(http.StatusBadRequest, codeInvalidGrant, "unknown refresh token")
	}
	if sent.grant.state != GrantLive {
		return refuse(http.StatusBadRequest, codeInvalidGrant, "the grant has ended")
	}
	if sent.spent && !s.inGrace(sent) {
		if s.settings.reuseDetection {
			s.end(sent.grant, GrantDead, ReasonReuseDetected)
		}
		return refuse(http.StatusBadRequest, codeInvalidGrant, "spent refresh token")
	}
	scopes, refused := requestedScopes(call, sent.grant.scopes)
	if refused != nil {
		return refused
	}
	return s.renew(sent, scopes)
}

func (s *Service) inGrace(sent *refreshToken) bool {
	period := s.settings.gracePeriod
	return period > 0 && s.now().Sub(sent.spentAt) <= period
}

// renew mints a token for a refresh token that is good, or spent but in its
// grace period; in the latter case nothing is rotated again.
func (s *Service) renew(sent *refreshToken, scopes []string) *answer {
	g := sent.grant
	rotation := s.settings.rotation
	if rotation == RotateAlways && !sent.spent {
		s.spend(sent)
	}
	if !g.endsAt.IsZero() && s.settings.grantsLiveAnew {
		s.liveAnew(g)
	}
	g.refreshes++
	g.refreshedAt = s.now()
	given := s.grantTokens(g, scopes)
	if sent.spent {
		given.fate = &sent.replacement
	} else if rotation == RotateOmitted {
		given.object = given.object.without("refresh_token")
	}
	return given
}

// grantTokens is the good answer. The vendor's example has no token_type; RFC
// 6749 section 5.1 demands one, so it is here unless FaultMissingTokenType
// takes it out.
func (s *Service) grantTokens(g *grant, scopes []string) *answer {
	given := object{
		{"access_token", s.mint(g)},
		{"scope", strings.Join(scopes, " ")},
		{"expires_in", int64(s.settings.tokenLifetime / time.Second)},
		{"refresh_token", g.current.value},
		{"id_token", s.idToken(g)},
		{"token_type", "Bearer"},
	}
	if !g.endsAt.IsZero() {
		given = append(given, member{"refresh_token_expires_in", int64(g.endsAt.Sub(s.now()) / time.Second)})
	}
	return jsonAnswer(http.StatusOK, given)
}
