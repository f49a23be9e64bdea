// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"slices"
	"time"
)

// What absence implies. These values are never written into an object: a stored
// default could not be told from a choice, and would collide with the rules that
// guard immutable fields.
const (
	// DefaultEnvironment is the environment of a SpacesCredential that names none.
	DefaultEnvironment = "production"

	// DefaultSecretType is the type of a published Secret when no template sets one.
	DefaultSecretType = "Opaque"

	// DefaultRenewBeforePercent is the share of a token's lifetime that is left when
	// it is renewed, when neither renewBeforePercent nor renewBeforeSeconds is set.
	DefaultRenewBeforePercent = 33

	// DefaultGuestRenewBefore is how much life a guest's token has left when it is
	// renewed, when neither renewBeforePercent nor renewBeforeSeconds is set: late,
	// because the guest's identity changes with its token.
	DefaultGuestRenewBefore = 10 * time.Minute

	// DefaultRevocationDeadline is the schema's default for deadlineSeconds, for
	// objects that never passed an API server.
	DefaultRevocationDeadline = 300 * time.Second
)

// defaultScopes are asked for when spec.scopes is absent: who the user is, and the
// calls of the Spaces API.
var defaultScopes = []string{"email", "profile", "spaces"}

// EffectiveEnvironment is the environment to sign in to.
func (c *SpacesCredential) EffectiveEnvironment() string {
	if c.Spec.Environment == "" {
		return DefaultEnvironment
	}
	return c.Spec.Environment
}

// EffectiveSecretName is the name of the published Secret.
func (c *SpacesCredential) EffectiveSecretName() string {
	if c.Spec.SecretName == "" {
		return c.Name
	}
	return c.Spec.SecretName
}

// EffectiveScopes are the scopes to ask for at sign-in; none for a grant that keeps
// the scopes it was issued with, nor for one that this version does not know.
func (c *SpacesCredential) EffectiveScopes() []string {
	switch c.Spec.GrantType {
	case GrantTypePassword, GrantTypeAuthorizationCode:
		if len(c.Spec.Scopes) == 0 {
			return slices.Clone(defaultScopes)
		}
		return slices.Clone(c.Spec.Scopes)
	case GrantTypeRefreshToken, GrantTypeAnonymous:
	}
	return nil
}

// AllRedirectURIs are those that a code may have been given for, the first choice first.
func (g *AuthorizationCodeGrant) AllRedirectURIs() []string {
	all := []string{g.RedirectURI}
	for _, another := range g.RedirectURIs {
		if !slices.Contains(all, another) {
			all = append(all, another)
		}
	}
	return all
}

// EffectiveRenewal is when to renew; empty means DefaultRenewBeforePercent.
func (c *SpacesCredential) EffectiveRenewal() Renewal {
	var renewal Renewal
	if c.Spec.Renewal != nil {
		renewal = *c.Spec.Renewal
	}
	if c.Spec.GrantType == GrantTypeAnonymous && renewal.RenewBeforePercent == nil && renewal.RenewBeforeSeconds == nil {
		seconds := int32(DefaultGuestRenewBefore / time.Second)
		renewal.RenewBeforeSeconds = &seconds
	}
	return renewal
}

// EffectiveSecretType is the type of the published Secret.
func (c *SpacesCredential) EffectiveSecretType() string {
	if c.Spec.SecretTemplate == nil || c.Spec.SecretTemplate.Type == "" {
		return DefaultSecretType
	}
	return c.Spec.SecretTemplate.Type
}

// SecretLabels are the labels that spec wants on the published Secret.
func (c *SpacesCredential) SecretLabels() map[string]string {
	if c.Spec.SecretTemplate == nil {
		return nil
	}
	return plain(c.Spec.SecretTemplate.Labels)
}

// SecretAnnotations are the annotations that spec wants on the published Secret.
func (c *SpacesCredential) SecretAnnotations() map[string]string {
	if c.Spec.SecretTemplate == nil {
		return nil
	}
	return plain(c.Spec.SecretTemplate.Annotations)
}

// StateLabels are the labels that spec wants on the other Secrets that are made for
// this SpacesCredential: the state Secret, the answer to a request for an export, and those that take
// the code of a sign-in or an import.
func (c *SpacesCredential) StateLabels() map[string]string {
	return plain(c.Spec.StateLabels)
}

// EffectiveRevocationPolicy is whether grants are revoked.
func (c *SpacesCredential) EffectiveRevocationPolicy() RevocationPolicy {
	if c.Spec.Revocation == nil || c.Spec.Revocation.Policy == "" {
		return RevocationOnDelete
	}
	return c.Spec.Revocation.Policy
}

// EffectiveRevocationDeadline is how long a deletion waits for a revocation.
func (c *SpacesCredential) EffectiveRevocationDeadline() time.Duration {
	if c.Spec.Revocation == nil || c.Spec.Revocation.DeadlineSeconds == nil {
		return DefaultRevocationDeadline
	}
	return time.Duration(*c.Spec.Revocation.DeadlineSeconds) * time.Second
}

// GrantSecretName is the name of the state Secret.
func (c *SpacesCredential) GrantSecretName() string {
	return c.Name + GrantSecretSuffix
}

// ExportSecretName is the name of the Secret that answers a request for an export.
func (c *SpacesCredential) ExportSecretName() string {
	return c.Name + ExportSecretSuffix
}

// ImportSecretName is the name of the Secret by which a grant of another cluster is imported.
func (c *SpacesCredential) ImportSecretName() string {
	return c.Name + ImportSecretSuffix
}

// InputSecretNames are the Secrets that spec names as inputs, each once: the client's
// first, then that of the grant.
func (c *SpacesCredential) InputSecretNames() []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if c.Spec.ClientSecretRef != nil {
		add(c.Spec.ClientSecretRef.Name)
	}
	if c.Spec.Password != nil {
		add(c.Spec.Password.SecretRef.Name)
	}
	if c.Spec.RefreshToken != nil {
		add(c.Spec.RefreshToken.SecretRef.Name)
	}
	if c.Spec.AuthorizationCode != nil {
		add(c.Spec.AuthorizationCode.SecretRef.Name)
	}
	return names
}

// plain turns the bounded strings of the schema into the strings of object metadata.
func plain[V ~string](values map[string]V) map[string]string {
	if values == nil {
		return nil
	}
	result := make(map[string]string, len(values))
	for key, value := range values {
		result[key] = string(value)
	}
	return result
}
