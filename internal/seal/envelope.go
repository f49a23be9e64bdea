package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"
)

// MaxSize is the most bytes that a sealed document may have. A larger one is not looked at.
const MaxSize = 512 << 10

// maxCommas bounds how many members a sealed document has, and how long a list in it; one of ours
// has five commas. A hundred thousand members, or a list of numbers in place of the sealed text,
// would take tens of milliseconds and mebibytes to read.
const maxCommas = 64

// version is the newest version of the envelope that this code opens.
const version = 1

// ErrBroken says that a document carries no seal, or does not open with a key that is there:
// nobody knows whose it is.
var ErrBroken = errors.New("it carries no seal of this operator that fits this Secret")

// UnknownKeyError says that the key is missing that a document was sealed with.
type UnknownKeyError struct {
	// ID names the key.
	ID string
}

// Error implements error.
func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("it is sealed with the key %s, which is not there", e.ID)
}

// NewerError says that a newer operator sealed a document.
type NewerError struct {
	// Version is that of its envelope.
	Version int
}

// Error implements error.
func (e *NewerError) Error() string {
	return fmt.Sprintf("the version of its seal is %d and this operator opens up to %d", e.Version, version)
}

// Place is what a document is sealed for.
type Place struct {
	// Namespace and Name are those of the Secret.
	Namespace, Name string
	// Credential is the UID of the SpacesCredential.
	Credential types.UID
}

// envelope is the sealed form: what stands in clear, and what does not.
type envelope struct {
	Version    int       `json:"version"`
	Key        string    `json:"key"`
	Namespace  string    `json:"namespace"`
	Name       string    `json:"name"`
	Credential types.UID `json:"credentialUID"`
	Sealed     []byte    `json:"sealed"`
}

// clear is what stands in clear, as it is authenticated.
func (e envelope) clear() []byte {
	e.Sealed = nil
	text, _ := json.Marshal(e) // of strings and a number: it cannot fail
	return text
}

// Seal closes a document for a place with the current key. It is an error if the ring has no
// key, or if the document is so large that nobody would open it.
func (r Keyring) Seal(place Place, document []byte) ([]byte, error) {
	key, ok := r.keys[r.current]
	if !ok {
		return nil, errors.New("sealing a state document: there is no key")
	}
	e := envelope{Version: version, Key: r.current, Namespace: place.Namespace, Name: place.Name, Credential: place.Credential}
	aead, err := key.aead(string(place.Credential))
	if err != nil {
		return nil, fmt.Errorf("sealing a state document: %w", err)
	}
	e.Sealed = aead.Seal(nil, nil, document, e.clear())
	sealed, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("sealing a state document: %w", err)
	}
	if len(sealed) > MaxSize {
		return nil, fmt.Errorf("sealing a state document: it has %d bytes, and only %d would be read again", len(sealed), MaxSize)
	}
	return sealed, nil
}

// SizeOf is at least how large a document of that many bytes is when it is sealed.
func SizeOf(document int) int {
	const around = 1 << 10 // names and IDs, each bounded by Kubernetes, and what GCM adds
	return base64.StdEncoding.EncodedLen(document) + around
}

// Open opens what a Secret of that namespace and name holds. Its errors are [ErrBroken],
// [*UnknownKeyError] and [*NewerError]; none repeats what was read.
func (r Keyring) Open(namespace, name string, sealed []byte) ([]byte, Place, error) {
	if !isCheap(sealed) {
		return nil, Place{}, ErrBroken
	}
	var head struct {
		Version int    `json:"version"`
		Key     string `json:"key"`
		Sealed  []byte `json:"sealed"`
	}
	if json.Unmarshal(sealed, &head) != nil || head.Version < 1 || len(head.Sealed) == 0 {
		return nil, Place{}, ErrBroken
	}
	if head.Version > version {
		return nil, Place{}, &NewerError{Version: head.Version}
	}
	key, ok := r.keys[head.Key]
	if !ok {
		if !isID(head.Key) {
			return nil, Place{}, ErrBroken
		}
		return nil, Place{}, &UnknownKeyError{ID: head.Key}
	}
	var e envelope
	if json.Unmarshal(sealed, &e) != nil || e.Namespace != namespace || e.Name != name {
		return nil, Place{}, ErrBroken
	}
	aead, err := key.aead(string(e.Credential))
	if err != nil {
		return nil, Place{}, ErrBroken
	}
	document, err := aead.Open(nil, nil, e.Sealed, e.clear())
	if err != nil {
		return nil, Place{}, ErrBroken
	}
	return document, Place{Namespace: e.Namespace, Name: e.Name, Credential: e.Credential}, nil
}

// isCheap tells that it takes little to read a document, whoever wrote it: JSON grows bytes that
// are no text, and makes an error of each member that is of the wrong kind.
func isCheap(sealed []byte) bool {
	return len(sealed) <= MaxSize && utf8.Valid(sealed) && bytes.Count(sealed, []byte(",")) <= maxCommas
}

// isID tells whether a text can name a key: it is told to people.
func isID(text string) bool {
	if len(text) != KeySize {
		return false
	}
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
