package fakespaces

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// profile serves GET /api/users/me: whose token is this, and does it work? The
// scheme belongs to the kind of token: Bearer for an access token, jwt for a
// guest's (vendor page authorizingrequests).
func (s *Service) profile(call *Call) *answer {
	switch scheme, token := call.credential(); scheme {
	case "bearer":
		if known := s.working(token); known != nil && !s.tooYoung(known) {
			return userProfile(known.grant.user)
		}
	case "jwt":
		if known := s.workingGuest(token); known != nil {
			return guestProfile(known)
		}
	}
	return unauthorized()
}

// tooYoung tells whether a token has not yet been copied from the accounts
// host to the Spaces host.
func (s *Service) tooYoung(known *accessToken) bool {
	return s.now().Sub(known.issuedAt) < s.settings.replicationDelay
}

// unauthorized is a refusal as in RFC 6750 section 3, with a body in the
// vendor's vocabulary.
func unauthorized() *answer {
	refused := jsonAnswer(http.StatusUnauthorized, object{
		{"code", "authen_error.oauth2"},
		{"message", "access token does not exist"},
	})
	refused.header.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	refused.refusal = codeInvalidToken
	return refused
}

// userProfile has a few of the members that the vendor's page shows.
func userProfile(user string) *answer {
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

// guestProfile tells of a guest what it said of itself.
func guestProfile(known *guest) *answer {
	return jsonAnswer(http.StatusOK, object{
		{"_id", known.id},
		{"username", known.username},
		{"displayname", known.displayname},
		{"aType", "guest"},
		{"permissions", []string{}},
		{"emails", []object{}},
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
