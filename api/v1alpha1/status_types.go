// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SpacesCredentialStatus says what the operator found and did.
type SpacesCredentialStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of; 0 until
	// the operator has looked at the object, so that nobody takes silence for success.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// environment is the one in effect: spec.environment, or production.
	// +optional
	Environment string `json:"environment,omitempty"`

	// secretName is the Secret in effect: spec.secretName, or the name of the
	// SpacesCredential.
	// +optional
	SecretName string `json:"secretName,omitempty"`

	// binding names the published Secret the way servicebinding.io expects it of
	// a provisioned service.
	// +optional
	Binding *Binding `json:"binding,omitempty"`

	// clientID is the client that the operator signs in as. It appears when the
	// service has accepted it, or at once when clientIDKey is client_id.
	// +optional
	ClientID string `json:"clientID,omitempty"`

	// authorizationEndpoint is where a browser sign-in begins, for grantType
	// AuthorizationCode; empty while the environment is paused.
	// +optional
	AuthorizationEndpoint string `json:"authorizationEndpoint,omitempty"`

	// identity is whose token it is, as the service's ID token says.
	// +optional
	Identity *Identity `json:"identity,omitempty"`

	// token describes the published access token.
	// +optional
	Token *TokenStatus `json:"token,omitempty"`

	// grant describes what the token is renewed from.
	// +optional
	Grant *GrantStatus `json:"grant,omitempty"`

	// pendingRevocations counts the grants that are still to be revoked: replaced ones and, once
	// the object is deleted, all.
	// +optional
	PendingRevocations int32 `json:"pendingRevocations"`

	// failedAttempts counts the calls that have failed since the last success.
	// +optional
	FailedAttempts int32 `json:"failedAttempts"`

	// nextAttemptTime is when the operator tries again after a failure. Before it
	// no call is made, unless an input changes or a person asks for one.
	// +optional
	NextAttemptTime *metav1.Time `json:"nextAttemptTime,omitempty"`

	// lastHandledRenewRequest repeats the value of the annotation
	// renew-requested-at that was acted on last.
	// +optional
	LastHandledRenewRequest string `json:"lastHandledRenewRequest,omitempty"`

	// lastHandledRevokeRequest repeats the value of the annotation
	// revoke-requested-at that was acted on last.
	// +optional
	LastHandledRevokeRequest string `json:"lastHandledRevokeRequest,omitempty"`

	// lastHandledExportRequest repeats the value of the annotation
	// export-requested-at that was acted on last: the grant was exported, or
	// GrantValid says why not.
	// +optional
	LastHandledExportRequest string `json:"lastHandledExportRequest,omitempty"`

	// conditions: Ready says whether the published token may be used now,
	// Reconciling that the current spec has not been realised yet, Stalled that a
	// person must act, GrantValid whether the token can be renewed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Binding names a Secret for servicebinding.io.
type Binding struct {
	// name of the published Secret.
	// +required
	Name string `json:"name"`
}

// Identity is a user of the service.
type Identity struct {
	// username is the user's name, usually an email address.
	// +optional
	Username string `json:"username,omitempty"`

	// userID is the user's ID on the accounts host. The Spaces API knows the same
	// user under another ID.
	// +optional
	UserID string `json:"userID,omitempty"`
}

// TokenStatus describes the published access token without showing it.
type TokenStatus struct {
	// fingerprint tells tokens apart; it changes with every new token, and says
	// nothing about the token itself.
	// +optional
	Fingerprint string `json:"fingerprint,omitempty"`

	// obtainedBy is what this very token was asked for with: RefreshToken for a
	// renewed one, whatever spec.grantType says.
	// +optional
	ObtainedBy GrantType `json:"obtainedBy,omitempty"`

	// issueTime is when the token was asked for.
	// +optional
	IssueTime *metav1.Time `json:"issueTime,omitempty"`

	// renewalTime is when the operator means to renew it.
	// +optional
	RenewalTime *metav1.Time `json:"renewalTime,omitempty"`

	// expirationTime is when it stops working.
	// +optional
	ExpirationTime *metav1.Time `json:"expirationTime,omitempty"`
}

// GrantStatus describes the grant that the operator holds at the service.
type GrantStatus struct {
	// present tells whether the operator holds a refresh token.
	// +optional
	Present bool `json:"present"`

	// rotations counts how often the service has replaced that refresh token.
	// +optional
	Rotations int64 `json:"rotations"`

	// startTime is when the grant began: the sign-in, not the last renewal.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// clusterClient names the ClusterSpacesClient whose client the grant was made with; absent
	// for a client of the namespace's own. spec may have come to name another one.
	// +optional
	ClusterClient string `json:"clusterClient,omitempty"`

	// expirationTime is when the grant ends whether or not it is renewed, as the service
	// or the operator's environments file says; absent where neither does. A renewal may
	// move it. A person who has to sign in for the next one is warned by an event when a
	// seventh of that time is left.
	// +optional
	ExpirationTime *metav1.Time `json:"expirationTime,omitempty"`

	// importID names the export that the grant was imported from; empty for a grant that
	// began here.
	// +optional
	ImportID string `json:"importID,omitempty"`
}
