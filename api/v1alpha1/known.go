// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// A newer CRD may list more values than an older operator or plugin knows. Such a value
// must be taken neither for another one nor for its absence: whoever has a default
// branch asks first.

// IsKnown tells whether this version knows the grant type.
func (t GrantType) IsKnown() bool {
	switch t {
	case GrantTypePassword, GrantTypeRefreshToken, GrantTypeAuthorizationCode, GrantTypeAnonymous:
		return true
	}
	return false
}

// IsKnown tells whether this version knows the policy.
func (p SecretDeletionPolicy) IsKnown() bool {
	switch p {
	case SecretDeletionDelete, SecretDeletionRetain:
		return true
	}
	return false
}

// IsKnown tells whether this version knows the policy.
func (p RevocationPolicy) IsKnown() bool {
	switch p {
	case RevocationOnDelete, RevocationNever:
		return true
	}
	return false
}

// IsKnown tells whether this version knows the check.
func (v Verification) IsKnown() bool {
	switch v {
	case VerificationTokenInfo, VerificationUserProfile:
		return true
	}
	return false
}

// IsKnown tells whether this version knows the format.
func (f SecretFormat) IsKnown() bool {
	switch f {
	case SecretFormatJSON, SecretFormatDotenv, SecretFormatCurl:
		return true
	}
	return false
}

// IsKnown tells whether this version knows the kind of client.
func (k ClientKind) IsKnown() bool { return k == ClientKindCluster }

// UnknownValues are the values in spec that this version does not know, each after a word
// for what it is, as in "grant type DeviceCode".
func (c *SpacesCredential) UnknownValues() []string {
	var unknown []string
	look := func(what, value string, known bool) {
		if !known {
			unknown = append(unknown, what+" "+value)
		}
	}
	look("grant type", string(c.Spec.GrantType), c.Spec.GrantType.IsKnown())
	if ref := c.Spec.ClientRef; ref != nil {
		look("client kind", string(ref.Kind), ref.Kind.IsKnown())
	}
	if policy := c.Spec.SecretDeletionPolicy; policy != "" {
		look("deletion policy", string(policy), policy.IsKnown())
	}
	if c.Spec.SecretTemplate != nil {
		for _, format := range c.Spec.SecretTemplate.Formats {
			look("format", string(format), format.IsKnown())
		}
	}
	for _, check := range c.Spec.Verification {
		look("check", string(check), check.IsKnown())
	}
	policy := c.EffectiveRevocationPolicy()
	look("revocation policy", string(policy), policy.IsKnown())
	return unknown
}
