// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SpacesCredential signs in to Avaya Spaces and keeps a living access token
// in a Secret; creating one is as strong as using the Secrets it names
// towards the service and creating Secrets in its namespace.
//
// The operator signs in with the grant that spec.grantType names, publishes a
// short-lived access token in the Secret spec.secretName for workloads to
// mount, renews the token before it expires, and revokes the grant when the
// SpacesCredential is deleted. What is wrong, if anything, stands in the
// conditions: Ready says whether the published token may be used now, Stalled
// that a person must act.
//
// metadata.name has at most 63 characters.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=spacescredentials,singular=spacescredential,scope=Namespaced,shortName=spcred,categories=credentials
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether the published token may be used now"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Why it may, or may not"
// +kubebuilder:printcolumn:name="Grant",type=string,JSONPath=`.spec.grantType`,description="How the operator signs in"
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.secretName`,description="The Secret that holds the token"
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.token.expirationTime`,description="When the published token expires"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Renews",type=string,priority=1,JSONPath=`.status.token.renewalTime`,description="When the token is to be renewed"
// +kubebuilder:printcolumn:name="Ends",type=string,priority=1,JSONPath=`.status.grant.expirationTime`,description="When the grant ends, where that is known"
// +kubebuilder:printcolumn:name="Environment",type=string,priority=1,JSONPath=`.status.environment`,description="The environment signed in to"
// +kubebuilder:printcolumn:name="Failures",type=integer,priority=1,JSONPath=`.status.failedAttempts`,description="Failed attempts since the last success"
// +kubebuilder:printcolumn:name="Suspended",type=boolean,priority=1,JSONPath=`.spec.suspend`,description="Whether the operator is told to pause"
// +kubebuilder:selectablefield:JSONPath=`.spec.grantType`
// +kubebuilder:selectablefield:JSONPath=`.status.environment`
// +kubebuilder:validation:XValidation:rule=`size(self.metadata.name) <= 63`,fieldPath=`.metadata`,message="metadata.name must have at most 63 characters"
// +kubebuilder:validation:XValidation:rule=`(has(self.spec.secretName) ? self.spec.secretName : self.metadata.name) == (has(oldSelf.spec.secretName) ? oldSelf.spec.secretName : oldSelf.metadata.name)`,fieldPath=`.spec.secretName`,reason=FieldValueForbidden,message="the published Secret cannot be renamed (without secretName it is called like the SpacesCredential): create a new SpacesCredential instead"
// +kubebuilder:validation:XValidation:rule=`[self.spec].all(spec, [has(spec.secretName) ? spec.secretName : self.metadata.name].all(name, !name.endsWith('-grant') && !(name in [?spec.?clientSecretRef.?name, ?spec.?password.?secretRef.?name, ?spec.?refreshToken.?secretRef.?name, ?spec.?authorizationCode.?secretRef.?name])))`,fieldPath=`.spec.secretName`,reason=FieldValueForbidden,messageExpression=`[has(self.spec.secretName) ? self.spec.secretName : self.metadata.name].map(name, name.endsWith('-grant') ? "the published Secret's name must not end in -grant, which is kept for the operator's own Secrets (without secretName it is called like the SpacesCredential)" : "the token would be published over the Secret that " + (name in [?self.spec.?clientSecretRef.?name] ? 'clientSecretRef' : name in [?self.spec.?password.?secretRef.?name] ? 'password.secretRef' : name in [?self.spec.?refreshToken.?secretRef.?name] ? 'refreshToken.secretRef' : 'authorizationCode.secretRef') + " names: choose another secretName (without it the Secret is called like the SpacesCredential)")[0]`
type SpacesCredential struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the usual object metadata; its name has at most 63 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says how to sign in and where to publish the token.
	// +required
	Spec SpacesCredentialSpec `json:"spec"`

	// status says what the operator found and did. It is written by the operator
	// alone and never read back by it.
	// +optional
	// +structType=atomic
	// +kubebuilder:default:={observedGeneration: 0}
	Status SpacesCredentialStatus `json:"status,omitzero"`
}

// SpacesCredentialList is a list of SpacesCredentials.
//
// +kubebuilder:object:root=true
type SpacesCredentialList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []SpacesCredential `json:"items"`
}

// SpacesCredentialSpec says how to sign in and where to publish the token.
//
// +kubebuilder:validation:XValidation:rule=`self.grantType == 'Password' ? has(self.password) : true`,fieldPath=`.password`,reason=FieldValueRequired,message="grantType Password needs the section password, which names the Secret with the user name and password"
// +kubebuilder:validation:XValidation:rule=`has(self.password) ? self.grantType == 'Password' : true`,fieldPath=`.password`,reason=FieldValueForbidden,message="the section password belongs to grantType Password alone: remove it"
// +kubebuilder:validation:XValidation:rule=`self.grantType == 'RefreshToken' ? has(self.refreshToken) : true`,fieldPath=`.refreshToken`,reason=FieldValueRequired,message="grantType RefreshToken needs the section refreshToken, which names the Secret with the first refresh token"
// +kubebuilder:validation:XValidation:rule=`has(self.refreshToken) ? self.grantType == 'RefreshToken' : true`,fieldPath=`.refreshToken`,reason=FieldValueForbidden,message="the section refreshToken belongs to grantType RefreshToken alone: remove it"
// +kubebuilder:validation:XValidation:rule=`self.grantType == 'AuthorizationCode' ? has(self.authorizationCode) : true`,fieldPath=`.authorizationCode`,reason=FieldValueRequired,message="grantType AuthorizationCode needs the section authorizationCode, which names the Secret for the code and the redirect URI"
// +kubebuilder:validation:XValidation:rule=`has(self.authorizationCode) ? self.grantType == 'AuthorizationCode' : true`,fieldPath=`.authorizationCode`,reason=FieldValueForbidden,message="the section authorizationCode belongs to grantType AuthorizationCode alone: remove it"
// +kubebuilder:validation:XValidation:rule=`self.grantType == 'Anonymous' ? has(self.anonymous) : true`,fieldPath=`.anonymous`,reason=FieldValueRequired,message="grantType Anonymous needs the section anonymous, which may be empty: anonymous: {}"
// +kubebuilder:validation:XValidation:rule=`has(self.anonymous) ? self.grantType == 'Anonymous' : true`,fieldPath=`.anonymous`,reason=FieldValueForbidden,message="the section anonymous belongs to grantType Anonymous alone: remove it"
// +kubebuilder:validation:XValidation:rule=`has(self.clientSecretRef) || has(self.clientRef) || self.grantType == 'Anonymous'`,fieldPath=`.clientSecretRef`,reason=FieldValueRequired,message="this grantType needs clientSecretRef, which names the Secret with the client ID and its secret, or clientRef, which names a ClusterSpacesClient"
// +kubebuilder:validation:XValidation:rule=`!(has(self.clientSecretRef) && has(self.clientRef))`,fieldPath=`.clientRef`,reason=FieldValueForbidden,message="clientSecretRef and clientRef are both given, and there is one client: remove one of the two"
// +kubebuilder:validation:XValidation:rule=`self.grantType != 'Anonymous' || !has(self.clientSecretRef)`,fieldPath=`.clientSecretRef`,reason=FieldValueForbidden,message="a guest signs in without a client: remove clientSecretRef"
// +kubebuilder:validation:XValidation:rule=`self.grantType != 'Anonymous' || !has(self.clientRef)`,fieldPath=`.clientRef`,reason=FieldValueForbidden,message="a guest signs in without a client: remove clientRef"
// +kubebuilder:validation:XValidation:rule=`has(self.scopes) ? self.grantType in ['Password', 'AuthorizationCode'] : true`,fieldPath=`.scopes`,reason=FieldValueForbidden,message="scopes can be chosen with grantType Password and AuthorizationCode alone, since a refresh token keeps those it was issued with and a guest has none: remove scopes"
// +kubebuilder:validation:XValidation:rule=`has(self.verification) && 'TokenInfo' in self.verification ? self.grantType != 'Anonymous' : true`,fieldPath=`.verification`,reason=FieldValueForbidden,message="TokenInfo checks an ID token, which a guest does not have: remove it from verification"
// +kubebuilder:validation:XValidation:rule=`(has(self.secretTemplate) && has(self.secretTemplate.type) ? self.secretTemplate.type : 'Opaque') == (has(oldSelf.secretTemplate) && has(oldSelf.secretTemplate.type) ? oldSelf.secretTemplate.type : 'Opaque')`,fieldPath=`.secretTemplate.type`,reason=FieldValueForbidden,message="the type of the published Secret cannot be changed (without secretTemplate.type it is Opaque): create a new SpacesCredential instead"
type SpacesCredentialSpec struct {
	// environment names the Spaces environment to sign in to: production,
	// staging, or a name from the operator's environments file. Absent means
	// production. An environment that the operator does not know, or that this
	// namespace may not use, shows as reason UnknownEnvironment. A change needs a
	// new sign-in; the old grant is revoked once its successor is published.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`!format.dns1123Label().validate(self).hasValue()`,message="an environment's name has only lower-case letters, digits and '-', and begins and ends with a letter or digit"
	Environment string `json:"environment,omitempty"`

	// clientSecretRef names the Secret, in this namespace, that holds the ID and
	// the secret of the client (the application registered with the service). The
	// operator never writes to it. A missing Secret or key shows as reason
	// WaitingForInput, a refusal by the service as ClientRejected. Set this or
	// clientRef, not both.
	// +optional
	ClientSecretRef *ClientSecretReference `json:"clientSecretRef,omitempty"`

	// clientRef names a client of the platform team, whose secret stays with it, in
	// place of clientSecretRef. One that does not exist, or that this namespace,
	// environment, grant type or scopes may not use, shows as reason
	// ClientForbidden. A change between clientRef and clientSecretRef needs a new
	// sign-in, as another client does.
	// +optional
	ClientRef *ClientReference `json:"clientRef,omitempty"`

	// grantType is how the operator signs in: Password with a user name and
	// password, RefreshToken with a refresh token that a person obtained,
	// AuthorizationCode with a code from a person's sign-in by browser, Anonymous
	// as a guest. It cannot be changed. Exactly the section it names must be set:
	// password, refreshToken, authorizationCode or anonymous.
	// +required
	// +kubebuilder:validation:XValidation:rule=`self == oldSelf`,reason=FieldValueForbidden,message="grantType cannot be changed: create a new SpacesCredential instead"
	GrantType GrantType `json:"grantType"`

	// password belongs to grantType Password.
	// +optional
	Password *PasswordGrant `json:"password,omitempty"`

	// refreshToken belongs to grantType RefreshToken.
	// +optional
	RefreshToken *RefreshTokenGrant `json:"refreshToken,omitempty"`

	// authorizationCode belongs to grantType AuthorizationCode.
	// +optional
	AuthorizationCode *AuthorizationCodeGrant `json:"authorizationCode,omitempty"`

	// anonymous belongs to grantType Anonymous; {} is a guest without a name.
	// +optional
	Anonymous *AnonymousGrant `json:"anonymous,omitempty"`

	// scopes are what the token is to be good for, a set, asked for at sign-in.
	// Absent means email, profile and spaces. Only for grantType Password and
	// AuthorizationCode: a refresh token keeps the scopes it was issued with. A
	// scope that the service refuses shows as reason RequestRejected. A change
	// needs a new sign-in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule=`self.matches('^[!#-&(-\\[\\]-~]*$')`,message="a scope has only printable ASCII characters, without quotes, backslashes and spaces"
	Scopes []string `json:"scopes,omitempty"`

	// secretName is the Secret that the operator makes and publishes the token
	// in, in this namespace. Absent means the name of the SpacesCredential. It
	// cannot be changed, must not be one of the Secrets named here as inputs, and
	// must not end in -grant. A Secret of that name that somebody else made is
	// left alone, which shows as reason SecretConflict, unless it is annotated
	// auth.spaces-operator.io/adoptable-by with the name of this
	// SpacesCredential.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`!format.dns1123Subdomain().validate(self).hasValue()`,message="a Secret's name has only lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit"
	SecretName string `json:"secretName,omitempty"`

	// secretDeletionPolicy says what becomes of the published Secret when the
	// SpacesCredential is deleted. Delete, the default, deletes it. Retain leaves
	// it, with a token that soon stops working, for a SpacesCredential of the
	// same name to take back.
	// +optional
	// +kubebuilder:default=Delete
	SecretDeletionPolicy SecretDeletionPolicy `json:"secretDeletionPolicy,omitempty"`

	// secretTemplate shapes the published Secret: its type, labels, annotations
	// and extra keys. Absent means an Opaque Secret with the operator's own keys.
	// +optional
	SecretTemplate *SecretTemplate `json:"secretTemplate,omitempty"`

	// renewal says how long before its expiry the token is renewed. Absent means
	// 33 percent of its lifetime, for a guest 10 minutes. The time that follows
	// from it stands in status.token.renewalTime.
	// +optional
	Renewal *Renewal `json:"renewal,omitempty"`

	// verification lists checks that a new token must pass before it is
	// published, a set. TokenInfo asks the accounts host about the ID token and
	// compares client and user; the ID token then stands in a URL, and so perhaps
	// in logs of the service. Where an answer holds none there is nothing to ask, and
	// the check counts as passed. UserProfile calls /api/users/me with the new token;
	// it counts against the user's limits. Absent means none. Until a token has
	// passed, the one before it stays published (reason VerificationFailed).
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Verification []Verification `json:"verification,omitempty"`

	// revocation says what becomes of the grant at the service when the
	// SpacesCredential is deleted. By default it is revoked, for up to 300
	// seconds.
	// +optional
	// +kubebuilder:default={}
	Revocation *Revocation `json:"revocation,omitempty"`

	// stateLabels are put on the other Secrets that are made for this
	// SpacesCredential, for policies that ask for a label on every Secret: on the
	// operator's state Secret with its next write, on the answer to a request for an
	// export, and on the Secrets that kubectl spaces login and import make. At most 32; the same ones are refused as in
	// secretTemplate.labels. Absent means none; they can be changed at any time. A
	// state Secret that a policy refuses shows as reason SecretForbidden; kubectl
	// spaces login tells of a refusal before the browser opens.
	// +optional
	StateLabels Labels `json:"stateLabels,omitempty"`

	// suspend pauses the operator while it is true: it calls nothing and
	// publishes nothing for this SpacesCredential, and the published token
	// expires in its time. Deletion works all the same; requests by annotation
	// wait. The default is false.
	// +optional
	// +kubebuilder:default=false
	Suspend bool `json:"suspend,omitempty"`
}

// Verification is a check of a new token.
//
// +kubebuilder:validation:Enum=TokenInfo;UserProfile
type Verification string

const (
	// VerificationTokenInfo compares what the accounts host tells of the ID token
	// with the client and the user.
	VerificationTokenInfo Verification = "TokenInfo"

	// VerificationUserProfile calls the API host with the new token.
	VerificationUserProfile Verification = "UserProfile"
)

// SecretDeletionPolicy says what becomes of the published Secret at deletion.
//
// +kubebuilder:validation:Enum=Delete;Retain
type SecretDeletionPolicy string

const (
	// SecretDeletionDelete deletes the published Secret.
	SecretDeletionDelete SecretDeletionPolicy = "Delete"

	// SecretDeletionRetain leaves the published Secret in place.
	SecretDeletionRetain SecretDeletionPolicy = "Retain"
)

// Renewal says how long before its expiry a token is renewed. The operator
// keeps it between 5 seconds and half of the lifetime, and renews up to a
// tenth earlier so that many credentials do not renew together.
//
// +kubebuilder:validation:XValidation:rule=`!(has(self.renewBeforePercent) && has(self.renewBeforeSeconds))`,reason=FieldValueForbidden,message="set renewBeforePercent or renewBeforeSeconds, not both"
type Renewal struct {
	// renewBeforePercent renews when this share of the lifetime is left, from 5
	// to 50. Absent, with renewBeforeSeconds absent too, means 33.
	// +optional
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=50
	RenewBeforePercent *int32 `json:"renewBeforePercent,omitempty"`

	// renewBeforeSeconds renews when this many seconds are left, from 5 to 604800
	// (a week). Set this or renewBeforePercent, not both.
	// +optional
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=604800
	RenewBeforeSeconds *int32 `json:"renewBeforeSeconds,omitempty"`
}

// Revocation says what becomes of a grant at the service.
type Revocation struct {
	// policy OnDelete, the default, revokes the grant when the SpacesCredential
	// is deleted, and grants that a successor has replaced. Never leaves grants
	// to end at the service in their time; a request by annotation and the
	// deletion of the state Secret revoke all the same.
	// +optional
	// +kubebuilder:default=OnDelete
	Policy RevocationPolicy `json:"policy,omitempty"`

	// deadlineSeconds is how long a deletion waits for the revocation, from 0 to
	// 86400 seconds; the default is 300. At least one attempt is made. Afterwards
	// the grant is given up with an event of reason RevocationAbandoned, and the
	// deletion goes on.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	DeadlineSeconds *int32 `json:"deadlineSeconds,omitempty"`
}

// RevocationPolicy says whether grants are revoked.
//
// +kubebuilder:validation:Enum=OnDelete;Never
type RevocationPolicy string

const (
	// RevocationOnDelete revokes grants at deletion, and superseded ones.
	RevocationOnDelete RevocationPolicy = "OnDelete"

	// RevocationNever leaves grants to end in their time.
	RevocationNever RevocationPolicy = "Never"
)
