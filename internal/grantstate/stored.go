package grantstate

import (
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// version is the newest version of the stored form that this code reads.
const version = 1

// kept is a secret that may stand in the stored form: it is the only place where a
// secret is written as it is. It still prints as redacted.
type kept struct{ spacesauth.Secret }

// MarshalJSON implements [json.Marshaler] and reveals the value.
func (k kept) MarshalJSON() ([]byte, error) { return json.Marshal(k.Reveal()) }

// UnmarshalJSON implements [json.Unmarshaler].
func (k *kept) UnmarshalJSON(raw []byte) error {
	var value string
	if err := json.Unmarshal(raw, &value); err != nil {
		return fmt.Errorf("a kept secret is not a string")
	}
	k.Secret = spacesauth.NewSecret(value)
	return nil
}

// stored is the form in which a document stands in its Secret.
type stored struct {
	Version       int       `json:"version"`
	CredentialUID types.UID `json:"credentialUID"`
	SecretUID     types.UID `json:"secretUID,omitempty"`
	Claims        int64     `json:"claims"`
	Claim         *Claim    `json:"claim,omitempty"`
	ClaimTime     time.Time `json:"claimTime,omitzero"`
	Grant         *Grant    `json:"grant,omitempty"`
	FirstUse      *FirstUse `json:"firstUse,omitempty"`
	// Previous is meanwhile.
	Previous *Publishable `json:"previous,omitempty"`
	Inputs   inputs       `json:"inputs"`
	// Failure is that of a refresh. Earlier builds kept that of a sign-in here, too.
	Failure       *Failure `json:"failure,omitempty"`
	SignInFailure *Failure `json:"signInFailure,omitempty"`
	requests
	ShortLived           int32      `json:"shortLived,omitempty"`
	Rejections           rejections `json:"rejections,omitzero"`
	DeniedSince          time.Time  `json:"deniedSince,omitzero"`
	Revoked              bool       `json:"revoked,omitempty"`
	IsBehind             bool       `json:"behind,omitempty"`
	PublishedKeys        []string   `json:"publishedKeys,omitempty"`
	PublishedLabels      []string   `json:"publishedLabels,omitempty"`
	PublishedAnnotations []string   `json:"publishedAnnotations,omitempty"`
	StateLabels          []string   `json:"stateLabels,omitempty"`
	Revocation           Terms      `json:"revocation"`
	Pending              []Listed   `json:"pending,omitempty"`
	Exports              []Export   `json:"exports,omitempty"`
}

// Read parses the content of a state Secret. Its errors never repeat what they read.
func Read(content []byte) (Document, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return Document{}, fmt.Errorf("it is not a JSON document")
	}
	if head.Version > version {
		return Document{}, fmt.Errorf("its version is %d and this operator reads up to %d", head.Version, version)
	}
	var s stored
	if err := json.Unmarshal(content, &s); err != nil {
		return Document{}, fmt.Errorf("a field of it has an unexpected form")
	}
	if s.Version < 1 || s.CredentialUID == "" {
		return Document{}, fmt.Errorf("its version or its credential is missing")
	}
	if s.Failure != nil && s.Failure.SignIn && s.SignInFailure == nil {
		s.Failure, s.SignInFailure = nil, s.Failure
	}
	return Document{
		credentialUID: s.CredentialUID, secretUID: s.SecretUID,
		claims: s.Claims, claim: s.Claim, claimTime: s.ClaimTime,
		grant: s.Grant, firstUse: s.FirstUse, meanwhile: s.Previous,
		inputs: s.Inputs, refreshFailure: s.Failure, signInFailure: s.SignInFailure,
		requests: s.requests, rejections: s.Rejections, shortLived: s.ShortLived, deniedSince: s.DeniedSince, revoked: s.Revoked, isBehind: s.IsBehind,
		owned: Owned{Keys: s.PublishedKeys, Labels: s.PublishedLabels, Annotations: s.PublishedAnnotations, StateLabels: s.StateLabels},
		terms: s.Revocation, pending: s.Pending, exports: s.Exports,
	}, nil
}

// Bytes returns the content for the state Secret.
func (d Document) Bytes() ([]byte, error) {
	return json.Marshal(stored{
		Version: version, CredentialUID: d.credentialUID, SecretUID: d.secretUID,
		Claims: d.claims, Claim: d.claim, ClaimTime: d.claimTime,
		Grant: d.grant, FirstUse: d.firstUse, Previous: d.meanwhile,
		Inputs: d.inputs, Failure: d.refreshFailure, SignInFailure: d.signInFailure,
		requests: d.requests, Rejections: d.rejections, ShortLived: d.shortLived, DeniedSince: d.deniedSince, Revoked: d.revoked, IsBehind: d.isBehind,
		PublishedKeys: d.owned.Keys, PublishedLabels: d.owned.Labels, PublishedAnnotations: d.owned.Annotations,
		StateLabels: d.owned.StateLabels,
		Revocation:  d.terms, Pending: d.pending, Exports: d.exports,
	})
}
