package fakespaces

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
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

// verify reads the claims of a JWT that sign made, and tells whether it did.
func (s *Service) verify(token string, claims any) bool {
	last := strings.LastIndex(token, ".")
	if last < 0 || !hmac.Equal([]byte(token[last+1:]), []byte(s.signature(token[:last]))) {
		return false
	}
	_, part, _ := strings.Cut(token[:last], ".")
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, claims) == nil
}

func encodePart(part object) string {
	text, err := json.Marshal(part)
	mustBe(err) // texts and numbers only: cannot happen
	return base64.RawURLEncoding.EncodeToString(text)
}
