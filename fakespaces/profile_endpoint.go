package fakespaces

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// profile serves GET /api/users/me: whose token is this, and does it work? The
// members are a few of those the vendor's page shows. A refusal is RFC 6750
// section 3, with a body in the vendor's vocabulary.
func (s *Service) profile(call *Call) *answer {
	known := s.working(call.bearer())
	if known == nil {
		refused := jsonAnswer(http.StatusUnauthorized, object{
			{"code", "authen_error.oauth2"},
			{"message", "access token does not exist"},
		})
		refused.header.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		refused.refusal = codeInvalidToken
		return refused
	}
	user := known.grant.user
	name, _, _ := strings.Cut(user, "@")
	return jsonAnswer(http.StatusOK, object{
		{"_id", personID("spaces", user)},
		{"ndbid", personID("accounts", user)},
		{"username", user},
		{"displayname", name},
		{"aType", "user"},
		{"permissions", []string{}},
		{"emails", []object{{{"value", user}, {"type", "work"}, {"primary", true}}}},
	})
}

// configuration serves GET /api/service-configurations (vendor page
// service-configurations): this service is all parts of itself.
func (s *Service) configuration(call *Call) *answer {
	socket := strings.Replace(call.origin, "http", "ws", 1) + "/chat"
	return jsonAnswer(http.StatusOK, object{
		{"spaces", object{{"server_url", call.origin}, {"socketio_server_url", socket}}},
		{"accounts", object{{"server_url", call.origin}}},
		{"store", object{{"server_url", call.origin}}},
	})
}

// personID is a stable ID of 24 hex digits. The accounts and the Spaces ID of
// one person differ, as at the service (vendor page user_directory).
func personID(side, user string) string {
	sum := sha256.Sum256([]byte(side + " " + user))
	return hex.EncodeToString(sum[:12])
}
