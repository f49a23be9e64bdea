package seal

import (
	"crypto/hmac"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Current is the entry of a stored ring that names the key that seals.
const Current = "current"

// Keyring is the keys that open documents, one of which seals. The zero value has none.
type Keyring struct {
	current string
	keys    map[string]Key
}

// NewKeyring makes a ring with one key.
func NewKeyring(key Key) Keyring {
	return Keyring{current: key.ID(), keys: map[string]Key{key.ID(): key}}
}

// ParseKeyring reads the data of a Secret: an entry for each key, named by its ID, and
// [Current]. It is an error if an entry is no key or is named by another ID than its own, or
// if the key that is to seal is missing. Errors name entries and never repeat a value.
func ParseKeyring(data map[string][]byte) (Keyring, error) {
	ring := Keyring{current: string(data[Current]), keys: map[string]Key{}}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if name == Current {
			continue
		}
		key := Key{string(data[name])}
		switch {
		case len(data[name]) != KeySize:
			return Keyring{}, fmt.Errorf("the entry %q has %d bytes; a key has exactly %d", name, len(data[name]), KeySize)
		case key.ID() != name:
			return Keyring{}, fmt.Errorf("the entry %q is not named by the ID of the key in it, which is %s", name, key.ID())
		}
		ring.keys[name] = key
	}
	if _, ok := ring.keys[ring.current]; !ok {
		return Keyring{}, fmt.Errorf("the entry %q does not name a key that is there", Current)
	}
	return ring, nil
}

// Data is the ring as a Secret holds it.
func (r Keyring) Data() map[string][]byte {
	data := map[string][]byte{Current: []byte(r.current)}
	for id, key := range r.keys {
		data[id] = []byte(key.value)
	}
	return data
}

// IsEmpty tells that there is no key.
func (r Keyring) IsEmpty() bool { return len(r.keys) == 0 }

// CurrentID names the key that seals.
func (r Keyring) CurrentID() string { return r.current }

// IDs lists the keys that are there, in order.
func (r Keyring) IDs() []string { return slices.Sorted(maps.Keys(r.keys)) }

// String names the keys.
func (r Keyring) String() string { return fmt.Sprintf("keys %v, current %s", r.IDs(), r.current) }

// Format implements [fmt.Formatter]: no verb reaches what is inside.
func (r Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// GomegaString keeps it out of the messages of failed tests.
func (r Keyring) GomegaString() string { return r.String() }

// MAC authenticates parts that are said in public about a credential, for one use, under the
// key that seals. It returns the ID of that key with the code.
func (r Keyring) MAC(use, credential string, parts ...string) (id, code string, err error) {
	code, err = r.keys[r.current].mac(use, credential, parts)
	return r.current, code, err
}

// Verifies tells whether a code is what MAC made of the parts under the key of that ID.
func (r Keyring) Verifies(id, code, use, credential string, parts ...string) bool {
	key, ok := r.keys[id]
	if !ok {
		return false
	}
	want, err := key.mac(use, credential, parts)
	return err == nil && hmac.Equal([]byte(want), []byte(code))
}
