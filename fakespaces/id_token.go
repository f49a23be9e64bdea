package fakespaces

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// idTokenIssuer is one of the issuers in the vendor's examples; clients should
// not depend on it.
const idTokenIssuer = "avayacloud.com"

// idToken is a JWT (RFC 7519) with the claims of the vendor's example. Like
// there it is signed with HS256, so nobody but the service can check it.
func (s *Service) idToken(g *grant) string {
	issued := s.now()
	head := encodePart(object{{"alg", "HS256"}, {"typ", "JWT"}})
	claims := encodePart(object{
		{"sub", personID("accounts", g.user)},
		{"iss", idTokenIssuer},
		{"exp", issued.Add(s.settings.tokenLifetime).Unix()},
		{"iat", issued.Unix()},
		{"id_token_version", "1.0"},
		{"email", g.user},
		{"aud", g.client},
	})
	sum := hmac.New(sha256.New, s.signingKey)
	sum.Write([]byte(head + "." + claims))
	token := head + "." + claims + "." + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
	s.secrets.note(token)
	return token
}

func encodePart(part object) string {
	text, err := json.Marshal(part)
	mustBe(err) // strings and numbers only: cannot happen
	return base64.RawURLEncoding.EncodeToString(text)
}
