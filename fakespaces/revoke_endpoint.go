package fakespaces

import "net/http"

// revoke serves POST /oauth2/revoke_token (vendor page accounts_revoketoken).
// The client proves nothing but its ID, unless [WithAuthenticatedRevocation] wants more;
// the refresh token may be any the grant ever had. The vendor's other pages leave
// grant_type out, so it may be.
func (s *Service) revoke(call *Call) *answer {
	if grantType := call.Form.Get("grant_type"); grantType != "" && grantType != "revoke_token" {
		return refuse(http.StatusBadRequest, codeUnsupportedGrantType, "grant_type must be revoke_token")
	}
	if refused := s.checkRevoker(call); refused != nil {
		return refused
	}
	token := call.Form.Get("refresh_token")
	if s.settings.authenticatedRevocation {
		token = call.Form.Get("token")
	}
	if token == "" {
		return refuse(http.StatusBadRequest, codeInvalidRequest, "the token is missing")
	}
	sent := s.refreshTokens[token]
	if sent == nil || sent.grant.state != GrantLive {
		return s.unknownToken()
	}
	if sent.grant.client != call.ClientID {
		return refuse(http.StatusUnauthorized, codeInvalidClient, "the token belongs to another client")
	}
	s.end(sent.grant, GrantRevoked, "")
	return plainAnswer(http.StatusOK, "", "")
}

// checkRevoker wants a known client, and where the service keeps RFC 7009 section 2.1 its
// secret: by HTTP Basic, or in the form (RFC 6749 section 2.3.1).
func (s *Service) checkRevoker(call *Call) *answer {
	secret, known := s.clients[call.ClientID]
	if !known {
		return refuse(http.StatusUnauthorized, codeInvalidClient, "unknown client")
	}
	if !s.settings.authenticatedRevocation {
		return nil
	}
	id, shown, basic := call.basic()
	if !basic {
		id, shown = call.ClientID, call.Form.Get("client_secret")
	}
	if id != call.ClientID || shown != secret || basic && call.Form.Has("client_secret") {
		return refuse(http.StatusUnauthorized, codeInvalidClient, "the client must prove itself, in one way")
	}
	return nil
}

// unknownToken answers the revocation of what cannot be revoked.
func (s *Service) unknownToken() *answer {
	if s.settings.unknownTokenStatus == http.StatusOK {
		return plainAnswer(http.StatusOK, "", "")
	}
	return refuse(s.settings.unknownTokenStatus, codeInvalidToken, "unknown or revoked token")
}
