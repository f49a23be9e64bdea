package fakespaces

import (
	"net/http"
	"strings"
)

// tokenInfo serves GET /api/1.0/id_token/get_token_info (vendor page
// authorizingrequests, which shows the good answer only). No other credential
// is asked for.
func (s *Service) tokenInfo(call *Call) *answer {
	claims, g := s.readIDToken(call.Query.Get("id_token"))
	if g == nil || g.state != GrantLive || s.now().Unix() >= claims.Expires {
		return refuse(http.StatusBadRequest, codeInvalidToken, "no ID token of this service, or not any more")
	}
	name, _, _ := strings.Cut(claims.Email, "@")
	return jsonAnswer(http.StatusOK, object{
		{"expires_in", claims.Expires - s.now().Unix()},
		{"audience", claims.Client},
		{"user_id", claims.Subject},
		{"user", object{
			{"username", claims.Email},
			{"first_name", name},
			{"last_name", "Example"},
			{"id", claims.Subject},
			{"picture_url", "https://pictures.example.test/" + claims.Subject},
		}},
		{"issuer", claims.Issuer},
	})
}
