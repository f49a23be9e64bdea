package transfer

import (
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// info is what the keys of an envelope are derived for: nothing else that is sealed to the same key
// opens as a grant.
const info = "auth.spaces-operator.io grant export v1"

// Address is what stands in clear on an envelope, and is sealed with it.
type Address struct {
	// Namespace, Name and CredentialUID are those of the SpacesCredential at the source.
	Namespace     string    `json:"namespace"`
	Name          string    `json:"name"`
	CredentialUID types.UID `json:"credentialUID"`
	// Request is the value of export-requested-at that is answered.
	Request string `json:"request"`
	// Key is the ID of the importer's key.
	Key string `json:"key"`
}

// Envelope is a sealed grant.
type Envelope struct {
	Version int    `json:"version"`
	Suite   string `json:"suite"`
	Address
	// Encapsulated is what the importer derives the key from, and Sealed what it opens.
	Encapsulated []byte `json:"encapsulated"`
	Sealed       []byte `json:"sealed"`
}

// clear is what stands in clear, as it is authenticated.
func (e Envelope) clear() []byte {
	e.Encapsulated, e.Sealed = nil, nil
	text, _ := json.Marshal(e) // of strings and a number: it cannot fail
	return text
}

// Seal closes a grant for a key. The address gets the key's ID.
func Seal(g Grant, to PublicKey, address Address) ([]byte, error) {
	content, err := g.Reveal()
	if err != nil {
		return nil, fmt.Errorf("sealing a grant: %w", err)
	}
	address.Key = to.ID()
	e := Envelope{Version: version, Suite: Suite, Address: address}
	encapsulated, sender, err := hpke.NewSender(to.key, kdf(), aead(), []byte(info))
	if err != nil {
		return nil, fmt.Errorf("sealing a grant: %w", err)
	}
	e.Encapsulated = encapsulated
	if e.Sealed, err = sender.Seal(e.clear(), content); err != nil {
		return nil, fmt.Errorf("sealing a grant: %w", err)
	}
	sealed, err := json.Marshal(e)
	if err == nil && len(sealed) > MaxSize {
		err = fmt.Errorf("it has more than %d KiB", MaxSize>>10)
	}
	if err != nil {
		return nil, fmt.Errorf("sealing a grant: %w", err)
	}
	return sealed, nil
}

// ReadEnvelope reads what stands in clear. Nothing of it is proved before it is opened.
func ReadEnvelope(sealed []byte) (Envelope, error) {
	var e Envelope
	if err := readVersioned(sealed, &e); err != nil {
		return Envelope{}, fmt.Errorf("the export %w", err)
	}
	if e.Suite != Suite {
		return Envelope{}, fmt.Errorf("the export is sealed in another way than %s", Suite)
	}
	for _, text := range []string{e.Namespace, e.Name, string(e.CredentialUID), e.Request, e.Key} {
		if len(text) > maxText || strings.ContainsFunc(text, isControl) {
			return Envelope{}, errors.New("the export has a text that is too long or holds control characters")
		}
	}
	return e, nil
}

// Open opens an envelope. The grant that is in it is the one of its address.
func (e Envelope) Open(with PrivateKey) (Grant, error) {
	if own := with.Public().ID(); e.Key != own {
		return Grant{}, fmt.Errorf("the export is for the key %s, and this is the key %s", e.Key, own)
	}
	recipient, err := hpke.NewRecipient(e.Encapsulated, with.key, kdf(), aead(), []byte(info))
	if err != nil {
		return Grant{}, errBroken
	}
	content, err := recipient.Open(e.clear(), e.Sealed)
	if err != nil {
		return Grant{}, errBroken
	}
	g, err := ReadGrant(content)
	if err != nil {
		return Grant{}, err
	}
	if of := g.Source; of.Namespace != e.Namespace || of.Name != e.Name || of.CredentialUID != e.CredentialUID {
		return Grant{}, errBroken
	}
	return g, nil
}

// errBroken says no more than that: nothing of it can be believed.
var errBroken = errors.New("the export does not open with this key: it was changed, or is not whole")
