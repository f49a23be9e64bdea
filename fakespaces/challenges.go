package fakespaces

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// The methods of PKCE (RFC 7636 section 4.2).
const (
	methodS256  = "S256"
	methodPlain = "plain"
)

// checkChallenge wants a challenge and its method, or neither: the vendor's
// page has no default method as RFC 7636 has.
func checkChallenge(method, challenge string) error {
	switch {
	case method == "" && challenge == "":
		return nil
	case method == "" || challenge == "":
		return errors.New("code_challenge and code_challenge_method belong together")
	case method != methodS256 && method != methodPlain:
		return errors.New("code_challenge_method must be S256 or plain")
	}
	return nil
}

// proves tells whether a verifier is the one of the challenge, if there is any.
func (a authorization) proves(verifier string) bool {
	switch a.method {
	case methodS256:
		sum := sha256.Sum256([]byte(verifier))
		return a.challenge == base64.RawURLEncoding.EncodeToString(sum[:])
	case methodPlain:
		return a.challenge == verifier
	}
	return true
}
