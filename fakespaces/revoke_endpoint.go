package fakespaces

import "net/http"

// revoke serves POST /oauth2/revoke_token (vendor page accounts_revoketoken).
// The client proves nothing but its ID; the refresh token may be any the grant
// ever had. The vendor's other pages leave grant_type out, so it may be.
func (s *Service) revoke(call *Call) *answer {
	if grantType := call.Form.Get("grant_type"); grantType != "" && grantType != "revoke_token" {
		return refuse(http.StatusBadRequest, codeUnsupportedGrantType, "grant_type must be revoke_token")
	}
	if _, known := s.clients[call.ClientID]; !known {
		return refuse(http.StatusUnauthorized, codeInvalidClient, "unknown client")
	}
	if call.Form.Get("refresh_token") == "" {
		return refuse(http.StatusBadRequest, codeInvalidRequest, "refresh_token is missing")
	}
	sent := s.refreshTokens[call.Form.Get("refresh_token")]
	if sent == nil || sent.grant.state != GrantLive {
		return s.unknownToken()
	}
	if sent.grant.client != call.ClientID {
		return refuse(http.StatusUnauthorized, codeInvalidClient, "the token belongs to another client")
	}
	s.end(sent.grant, GrantRevoked, "")
	return plainAnswer(http.StatusOK, "", "")
}

// unknownToken answers the revocation of what cannot be revoked.
func (s *Service) unknownToken() *answer {
	if s.settings.unknownTokenStatus == http.StatusOK {
		return plainAnswer(http.StatusOK, "", "")
	}
	return refuse(s.settings.unknownTokenStatus, codeInvalidToken, "unknown or revoked token")
}
