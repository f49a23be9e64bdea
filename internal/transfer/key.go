package transfer

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Suite names how an envelope is sealed. There is one.
const Suite = "DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM"

func kem() hpke.KEM   { return hpke.DHKEM(ecdh.P256()) }
func kdf() hpke.KDF   { return hpke.HKDFSHA256() }
func aead() hpke.AEAD { return hpke.AES256GCM() }

// keyID is how many hexadecimal digits name a key: they are typed by people, and still nobody finds
// another key of that name.
const keyID = 32

// errNoKey says what a public key is, and repeats nothing of what was given.
var errNoKey = errors.New("it is no public key of `kubectl spaces import --new-key`: those are a P-256 point in base64, of 88 characters")

// PublicKey is whom a grant is sealed for.
type PublicKey struct{ key hpke.PublicKey }

// ParsePublicKey reads a key as [PublicKey.String] writes it.
func ParsePublicKey(text string) (PublicKey, error) {
	text = strings.TrimSpace(text)
	if len(text) > 128 {
		return PublicKey{}, errNoKey
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return PublicKey{}, errNoKey
	}
	key, err := kem().NewPublicKey(raw)
	if err != nil {
		return PublicKey{}, errNoKey
	}
	return PublicKey{key: key}, nil
}

// String is the key in one word. It is no secret.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k.key.Bytes()) }

// ID names the key.
func (k PublicKey) ID() string {
	sum := sha256.Sum256(k.key.Bytes())
	return hex.EncodeToString(sum[:])[:keyID]
}

// PrivateKey opens what is sealed for its public key. It prints as nothing.
type PrivateKey struct{ key hpke.PrivateKey }

// NewKey draws a key.
func NewKey() (PrivateKey, error) {
	key, err := kem().GenerateKey()
	if err != nil {
		return PrivateKey{}, fmt.Errorf("making a key: %w", err)
	}
	return PrivateKey{key: key}, nil
}

// ParsePrivateKey reads a key as [PrivateKey.Reveal] writes it. Its error repeats nothing of it.
func ParsePrivateKey(text string) (PrivateKey, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err == nil {
		var key hpke.PrivateKey
		if key, err = kem().NewPrivateKey(raw); err == nil {
			return PrivateKey{key: key}, nil
		}
	}
	return PrivateKey{}, errors.New("it is no private key of `kubectl spaces import --new-key`")
}

// Reveal is the key in one word, for the file of whoever imports. Whoever calls it answers for where
// it goes.
func (k PrivateKey) Reveal() (string, error) {
	raw, err := k.key.Bytes()
	if err != nil {
		return "", fmt.Errorf("writing a key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// Public is whom to seal for.
func (k PrivateKey) Public() PublicKey { return PublicKey{key: k.key.PublicKey()} }

// Format implements [fmt.Formatter], so that no verb reaches the key.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// MarshalJSON implements [encoding/json.Marshaler].
func (k PrivateKey) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }
