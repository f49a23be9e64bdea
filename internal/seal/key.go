package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
)

// KeySize is the size of a key in bytes.
const KeySize = 32

// The uses of a key. Each has a label of its own for HKDF, so that what one use shows of a
// key says nothing about another.
const (
	useSeal = "spaces-credential-operator: seal"
	useMAC  = "spaces-credential-operator: mac"
)

// Key seals documents. It is a secret, and no verb of fmt shows it.
type Key struct{ value string }

// NewKey makes a key. It fails when random does.
func NewKey(random io.Reader) (Key, error) {
	value := make([]byte, KeySize)
	if _, err := io.ReadFull(random, value); err != nil {
		return Key{}, fmt.Errorf("reading random bytes: %w", err)
	}
	return Key{string(value)}, nil
}

// ID names the key in public: the first half of its SHA-256, in hexadecimal.
func (k Key) ID() string {
	sum := sha256.Sum256([]byte(k.value))
	return hex.EncodeToString(sum[:16])
}

// String names the key.
func (k Key) String() string { return "key " + k.ID() }

// Format implements [fmt.Formatter]: no verb reaches what is inside.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// GomegaString keeps it out of the messages of failed tests.
func (k Key) GomegaString() string { return k.String() }

// derive makes the key for one use by one credential.
func (k Key) derive(use, credential string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(k.value), nil, use+"\x00"+credential, KeySize)
}

// aead is the cipher for the documents of one credential.
func (k Key) aead(credential string) (cipher.AEAD, error) {
	key, err := k.derive(useSeal, credential)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// mac authenticates parts that are said in public about one credential, each with its length,
// so that no two lists of parts are alike.
func (k Key) mac(use, credential string, parts []string) (string, error) {
	key, err := k.derive(useMAC+" of "+use, credential)
	if err != nil {
		return "", err
	}
	code := hmac.New(sha256.New, key)
	for _, part := range slices.Concat([]string{credential}, parts) {
		_, _ = fmt.Fprintf(code, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(code.Sum(nil)), nil
}
