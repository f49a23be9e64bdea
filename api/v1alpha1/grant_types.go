// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// GrantType is how the operator signs in.
//
// +kubebuilder:validation:Enum=Password;RefreshToken;AuthorizationCode;Anonymous
type GrantType string

const (
	// GrantTypePassword signs in with a user name and password.
	GrantTypePassword GrantType = "Password"

	// GrantTypeRefreshToken starts from a refresh token that a person obtained.
	GrantTypeRefreshToken GrantType = "RefreshToken"

	// GrantTypeAuthorizationCode exchanges a code from a sign-in by browser.
	GrantTypeAuthorizationCode GrantType = "AuthorizationCode"

	// GrantTypeAnonymous makes a guest.
	GrantTypeAnonymous GrantType = "Anonymous"
)

// ClientSecretReference names a Secret with the ID and the secret of a
// client.
type ClientSecretReference struct {
	// name of the Secret, in the namespace of the SpacesCredential. It must be of
	// type Opaque, kubernetes.io/basic-auth, or a type of ours made for inputs;
	// another type shows as reason InputInvalid.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`!format.dns1123Subdomain().validate(self).hasValue()`,message="a Secret's name has only lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit"
	// +kubebuilder:validation:XValidation:rule=`!self.endsWith('-grant')`,message="Secrets whose names end in -grant are the operator's own and cannot be inputs"
	Name string `json:"name"`

	// clientIDKey is the key that holds the client ID. The default is client_id.
	// status.clientID repeats the ID of any other key only after the service has
	// accepted it.
	// +optional
	// +kubebuilder:default=client_id
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$')`,message="a key of a Secret has only letters, digits, '-', '_' and '.'"
	ClientIDKey string `json:"clientIDKey,omitempty"`

	// clientSecretKey is the key that holds the client's secret. The default is
	// client_secret. Without that key in the Secret, or with an empty value, the
	// client is a public one, which has no secret: its ID is sent alone. A service
	// that wants a secret then refuses it (reason ClientRejected).
	// +optional
	// +kubebuilder:default=client_secret
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$')`,message="a key of a Secret has only letters, digits, '-', '_' and '.'"
	ClientSecretKey string `json:"clientSecretKey,omitempty"`
}

// ClientReference names a client that namespaces share.
type ClientReference struct {
	// kind of the client: ClusterSpacesClient.
	// +required
	Kind ClientKind `json:"kind"`

	// name of the client.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`!format.dns1123Subdomain().validate(self).hasValue()`,message="a client's name has only lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit"
	Name string `json:"name"`
}

// ClientKind is a kind of client that namespaces share.
//
// +kubebuilder:validation:Enum=ClusterSpacesClient
type ClientKind string

// ClientKindCluster is a client of the whole cluster.
const ClientKindCluster ClientKind = ClusterClientKind

// PasswordGrant signs in with a user name and password, and afterwards renews
// with the refresh token that the service hands out.
type PasswordGrant struct {
	// secretRef names the Secret with the user name and password. A change of the
	// password alone does not end a working grant; a refused one is not tried
	// again until the Secret changes (reason GrantRejected).
	// +required
	SecretRef PasswordSecretReference `json:"secretRef"`
}

// PasswordSecretReference names a Secret with a user name and password.
type PasswordSecretReference struct {
	// name of the Secret, in the namespace of the SpacesCredential. It must be of
	// type Opaque, kubernetes.io/basic-auth, or a type of ours made for inputs;
	// another type shows as reason InputInvalid.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`!format.dns1123Subdomain().validate(self).hasValue()`,message="a Secret's name has only lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit"
	// +kubebuilder:validation:XValidation:rule=`!self.endsWith('-grant')`,message="Secrets whose names end in -grant are the operator's own and cannot be inputs"
	Name string `json:"name"`

	// usernameKey is the key that holds the user name. The default is username.
	// +optional
	// +kubebuilder:default=username
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$')`,message="a key of a Secret has only letters, digits, '-', '_' and '.'"
	UsernameKey string `json:"usernameKey,omitempty"`

	// passwordKey is the key that holds the password. The default is password.
	// +optional
	// +kubebuilder:default=password
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$')`,message="a key of a Secret has only letters, digits, '-', '_' and '.'"
	PasswordKey string `json:"passwordKey,omitempty"`
}

// RefreshTokenGrant starts from a refresh token that a person obtained (the
// seed).
type RefreshTokenGrant struct {
	// secretRef names the Secret with the first refresh token. It is used once;
	// from then on the operator keeps the living one in a Secret of its own. A
	// changed value starts a new grant. When the service ends the grant, put a
	// new refresh token here (reason ReauthorizationRequired).
	// +required
	SecretRef SecretKeyReference `json:"secretRef"`
}

// AuthorizationCodeGrant exchanges the code that a person's sign-in by browser
// leaves (RFC 6749 section 4.1 with PKCE, RFC 7636), and afterwards renews with
// the refresh token that the service hands out.
type AuthorizationCodeGrant struct {
	// secretRef names the Secret for the code and its verifier, which kubectl
	// spaces login makes and removes. While it is missing, the reason is
	// AuthorizationPending. A code is used once; a changed one starts a new
	// grant.
	// +required
	SecretRef AuthorizationCodeSecretReference `json:"secretRef"`

	// redirectURI is where the service sends the browser after the sign-in. It
	// must be registered for the client, to the letter: a slash at its end
	// counts. kubectl spaces login listens there, so a loopback address such as
	// http://localhost:3000 is the usual choice.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule=`self.matches('^(https://|http://(localhost|127[.]0[.]0[.]1|[\\[]::1[\\]])([:/?]|$))[!-~]*$') && !self.contains('#')`,message="a redirect URI begins with https://, or with http:// and a loopback host (localhost, 127.0.0.1 or [::1]), and has no spaces and no fragment"
	RedirectURI string `json:"redirectURI"`

	// redirectURIs are more of them, each registered for the client as well. Where
	// another program listens at redirectURI, kubectl spaces login takes the next
	// of these, and hands it to the operator with the code.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=2048
	// +kubebuilder:validation:items:XValidation:rule=`self.matches('^(https://|http://(localhost|127[.]0[.]0[.]1|[\\[]::1[\\]])([:/?]|$))[!-~]*$') && !self.contains('#')`,message="a redirect URI begins with https://, or with http:// and a loopback host (localhost, 127.0.0.1 or [::1]), and has no spaces and no fragment"
	RedirectURIs []string `json:"redirectURIs,omitempty"`
}

// AuthorizationCodeSecretReference names a Secret with a code and its verifier.
type AuthorizationCodeSecretReference struct {
	// name of the Secret, in the namespace of the SpacesCredential. It must be of
	// type Opaque, kubernetes.io/basic-auth, or a type of ours made for inputs;
	// another type shows as reason InputInvalid.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`!format.dns1123Subdomain().validate(self).hasValue()`,message="a Secret's name has only lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit"
	// +kubebuilder:validation:XValidation:rule=`!self.endsWith('-grant')`,message="Secrets whose names end in -grant are the operator's own and cannot be inputs"
	Name string `json:"name"`

	// codeKey is the key that holds the code. The default is code.
	// +optional
	// +kubebuilder:default=code
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$')`,message="a key of a Secret has only letters, digits, '-', '_' and '.'"
	CodeKey string `json:"codeKey,omitempty"`

	// codeVerifierKey is the key that holds the PKCE code verifier. The default
	// is code_verifier.
	// +optional
	// +kubebuilder:default=code_verifier
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$')`,message="a key of a Secret has only letters, digits, '-', '_' and '.'"
	CodeVerifierKey string `json:"codeVerifierKey,omitempty"`
}

// AnonymousGrant makes a guest. A guest's token lives for a day and cannot be
// renewed: each new token is a new guest with another user ID, who has lost
// the rooms of the one before.
type AnonymousGrant struct {
	// displayName is what others see. Absent leaves it to the service.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule=`!self.matches('[\\x00-\\x1f\\x7f]')`,message="a display name has no control characters"
	DisplayName string `json:"displayName,omitempty"`

	// username is a unique name of the guest, such as an email address. Absent
	// leaves it to the service.
	// +optional
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[!-~]*$')`,message="a guest's user name has only printable ASCII characters and no spaces"
	Username string `json:"username,omitempty"`

	// pictureURL is the guest's picture. Absent means the service's placeholder.
	// The operator does not call it.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule=`self == '' || self.matches('^https://[!-~]+$')`,message="a picture's URL begins with https:// and has no spaces"
	PictureURL string `json:"pictureURL,omitempty"`
}

// SecretKeyReference names one key of a Secret.
type SecretKeyReference struct {
	// name of the Secret, in the namespace of the SpacesCredential. It must be of
	// type Opaque, kubernetes.io/basic-auth, or a type of ours made for inputs;
	// another type shows as reason InputInvalid.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`!format.dns1123Subdomain().validate(self).hasValue()`,message="a Secret's name has only lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit"
	// +kubebuilder:validation:XValidation:rule=`!self.endsWith('-grant')`,message="Secrets whose names end in -grant are the operator's own and cannot be inputs"
	Name string `json:"name"`

	// key that holds the refresh token. The default is refresh_token.
	// +optional
	// +kubebuilder:default=refresh_token
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$')`,message="a key of a Secret has only letters, digits, '-', '_' and '.'"
	Key string `json:"key,omitempty"`
}
