package controllers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// maxRefusals bounds what is remembered of refused inputs.
const maxRefusals = 8

// inputMemory remembers inputs by keyed hash: enough to notice a change, useless
// for guessing a password.
type inputMemory struct {
	// Key is the key of the hashes, made with the document.
	Key []byte `json:"key"`
	// Used are the inputs the living grant was made with.
	Used usedInputs `json:"used"`
	// Refused are inputs that the service refused for good.
	Refused []refusal `json:"refused,omitempty"`
}

// usedInputs are the hashes that tell whether a grant is still the wanted one. A
// password and a client secret are not among them: changing one alone does not
// throw a working grant away.
type usedInputs struct {
	// Client covers the accounts URL, the client ID and the scopes.
	Client string `json:"client,omitempty"`
	// Login covers the user name, or what a guest is called.
	Login string `json:"login,omitempty"`
	// Seed covers the refresh token a person put in, Code the code of a sign-in by
	// browser.
	Seed string `json:"seed,omitempty"`
	Code string `json:"code,omitempty"`
}

// refusal is a combination of inputs that is not sent again.
type refusal struct {
	// Hash covers everything that was sent but a rotated refresh token.
	Hash string `json:"hash"`
	// Kind is why; Detail is spacesauth's own text.
	Kind   spacesauth.Kind `json:"kind"`
	Detail string          `json:"detail"`
	// SignIn tells whether a sign-in or a refresh was refused.
	SignIn bool `json:"signIn,omitempty"`
	// GrantID is the grant that the refused seed or code would have made.
	GrantID string `json:"grantID,omitempty"`
}

// judged tells a refusal of the very thing that was sent. A refused client or request
// is none: mended, the same thing may be sent again.
func (r refusal) judged() bool {
	return r.Kind == spacesauth.KindRejectedGrant || r.Kind == spacesauth.KindUnclear
}

// hash covers values so that no two different lists collide.
func (m inputMemory) hash(values ...string) string {
	mac := hmac.New(sha256.New, m.Key)
	for _, value := range values {
		sum := sha256.Sum256([]byte(value))
		mac.Write(sum[:])
	}
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

// refused returns the refusal of hash, or nil.
func (m inputMemory) refused(hash string) *refusal {
	i := slices.IndexFunc(m.Refused, func(r refusal) bool { return r.Hash == hash })
	if i < 0 {
		return nil
	}
	return &m.Refused[i]
}

// refuse remembers r, forgetting the oldest refusal when there are too many.
func (m *inputMemory) refuse(r refusal) {
	m.forgive(r.Hash)
	m.Refused = slices.Concat(m.Refused, []refusal{r})
	if extra := len(m.Refused) - maxRefusals; extra > 0 {
		m.Refused = m.Refused[extra:]
	}
}

// forgiveOthers drops what is remembered of other inputs than those that are sent next: what was
// changed may be changed back, and is worth another try then. It tells whether any was.
func (m *inputMemory) forgiveOthers(signIn bool, hash string) bool {
	kept := slices.DeleteFunc(slices.Clone(m.Refused), func(old refusal) bool { return old.SignIn == signIn && old.Hash != hash })
	changed := len(kept) < len(m.Refused)
	m.Refused = kept
	return changed
}

// forgive drops the refusal of hash: the service has accepted these inputs since.
func (m *inputMemory) forgive(hash string) {
	m.Refused = slices.DeleteFunc(slices.Clone(m.Refused), func(old refusal) bool { return old.Hash == hash })
}

// use counts a seed or a code as used, so that it is never taken for a new one.
func (u *usedInputs) use(f *firstUse) {
	switch {
	case f == nil:
	case f.Seed.Empty():
		u.Code = f.Hash
	default:
		u.Seed = f.Hash
	}
}

// changed tells whether now differs from what the grant was made with. A hash that
// could not be taken, because its input is gone, is no change.
func (u usedInputs) changed(now usedInputs) bool {
	differs := func(used, now string) bool { return used != "" && now != "" && used != now }
	return differs(u.Client, now.Client) || differs(u.Login, now.Login) || differs(u.Seed, now.Seed) || differs(u.Code, now.Code)
}
