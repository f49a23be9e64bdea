package fakespaces

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// sign makes a JWT (RFC 7519). As in the vendor's examples it is signed with
// HS256, so nobody but the service can check it.
func (s *Service) sign(claims object) string {
	signed := encodePart(object{{"alg", "HS256"}, {"typ", "JWT"}}) + "." + encodePart(claims)
	return signed + "." + s.signature(signed)
}

func (s *Service) signature(signed string) string {
	sum := hmac.New(sha256.New, s.signingKey)
	sum.Write([]byte(signed))
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

func encodePart(part object) string {
	text, err := json.Marshal(part)
	mustBe(err) // texts and numbers only: cannot happen
	return base64.RawURLEncoding.EncodeToString(text)
}
