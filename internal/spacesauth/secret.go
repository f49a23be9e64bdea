package spacesauth

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

const redacted = "[redacted]"

// Secret holds a token, a code, a password or a client secret. It prints as
// "[redacted]" in every form: fmt verbs, JSON, YAML and structured logs. Only
// [Secret.Reveal] gives the value. The zero Secret is empty.
type Secret struct {
	// Comparing two with == would compare the addresses below, so it does not compile.
	_ [0]func()
	// fmt cannot call a method of a field that is not exported, and prints what it
	// finds there. Behind a pointer it finds an address.
	value *string
}

// NewSecret wraps value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal returns the value. Whoever calls it answers for where it goes.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty tells whether there is no value.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// Fingerprint identifies the value without giving it away: the first twelve
// hexadecimal digits of its SHA-256. It is meant for tokens, whose entropy makes
// it safe; never take it of a password. An empty value has none.
func (s Secret) Fingerprint() string {
	if s.Empty() {
		return ""
	}
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:])[:12]
}

// String implements [fmt.Stringer].
func (s Secret) String() string { return redacted }

// Format implements [fmt.Formatter], so that no verb reaches the value.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// GomegaString implements the interface by which Gomega prints values in the message of
// a failed test; it would follow the pointer.
func (s Secret) GomegaString() string { return redacted }

// MarshalJSON implements [encoding/json.Marshaler].
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalLog implements logr's Marshaler.
func (s Secret) MarshalLog() any { return redacted }
