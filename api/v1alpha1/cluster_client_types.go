// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterSpacesClient lends one OAuth client to SpacesCredentials of namespaces
// that never see its secret; creating one is as strong as using that client for
// every namespace it allows.
//
// The platform team registers the client with the service, puts its ID and
// secret into a Secret of the operator's client namespace, and says here who may
// use it, and how. A SpacesCredential names it with spec.clientRef. Who is not
// allowed is told the same as if it did not exist (reason ClientForbidden).
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=clusterspacesclients,singular=clusterspacesclient,scope=Cluster,shortName=csclient,categories=credentials
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether the client can be used"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Why it can, or cannot"
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.status.environment`,description="The only environment that it may be used in"
// +kubebuilder:printcolumn:name="Users",type=integer,JSONPath=`.status.users`,description="SpacesCredentials that use it"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Client",type=string,priority=1,JSONPath=`.status.clientID`,description="The client's ID"
// +kubebuilder:printcolumn:name="Secret",type=string,priority=1,JSONPath=`.spec.secretRef.name`,description="The Secret with its ID and secret, in the operator's client namespace"
type ClusterSpacesClient struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the usual object metadata; SpacesCredentials name the client by
	// its name.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says where the client is kept, and who may use it.
	// +required
	Spec ClusterSpacesClientSpec `json:"spec"`

	// status says what the operator found. It is written by the operator alone.
	// +optional
	// +structType=atomic
	// +kubebuilder:default:={observedGeneration: 0}
	Status ClusterSpacesClientStatus `json:"status,omitzero"`
}

// ClusterSpacesClientList is a list of ClusterSpacesClients.
//
// +kubebuilder:object:root=true
type ClusterSpacesClientList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []ClusterSpacesClient `json:"items"`
}

// ClusterSpacesClientSpec says where the client is kept, and who may use it.
//
// +kubebuilder:validation:XValidation:rule=`has(self.allowedScopes) && has(self.allowedGrantTypes) ? !('RefreshToken' in self.allowedGrantTypes) : true`,fieldPath=`.allowedScopes`,reason=FieldValueForbidden,message="a refresh token keeps the scopes it was issued with, so that allowedScopes could not be held: remove allowedScopes, or RefreshToken from allowedGrantTypes"
type ClusterSpacesClientSpec struct {
	// environment is the only Spaces environment that the client may be used in:
	// production, staging, or a name from the operator's environments file. Absent
	// means production. One that the operator does not know shows as reason
	// UnknownEnvironment.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`!format.dns1123Label().validate(self).hasValue()`,message="an environment's name has only lower-case letters, digits and '-', and begins and ends with a letter or digit"
	Environment string `json:"environment,omitempty"`

	// secretRef names the Secret with the client's ID and secret, in the namespace
	// that the operator keeps clients in (--client-namespace, by default its own).
	// The operator never writes to it.
	// +required
	SecretRef ClusterClientSecretReference `json:"secretRef"`

	// allowedNamespaces says whose SpacesCredentials may use the client: those of
	// the namespaces that are named, and of those that the selector matches. Absent
	// means nobody. A namespace that is taken out keeps its renewals for ten minutes.
	// +optional
	AllowedNamespaces *AllowedNamespaces `json:"allowedNamespaces,omitempty"`

	// allowedGrantTypes are the grant types that may use the client, a set. Absent
	// means AuthorizationCode, which always comes with a code verifier, and nothing
	// else. With RefreshToken whoever holds a refresh token of this client, another
	// team's too, has the client's secret added to it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule=`!('Anonymous' in self)`,reason=FieldValueForbidden,message="a guest signs in without a client: remove Anonymous"
	AllowedGrantTypes []GrantType `json:"allowedGrantTypes,omitempty"`

	// allowedScopes are the scopes that may be asked for with the client, a set.
	// Absent means any. The implied ones of a SpacesCredential without scopes
	// (email, profile and spaces) count as asked for.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule=`self.matches('^[!#-&(-\\[\\]-~]*$')`,message="a scope has only printable ASCII characters, without quotes, backslashes and spaces"
	AllowedScopes []string `json:"allowedScopes,omitempty"`

	// revokeOnRemoval revokes the grants of a SpacesCredential that is not allowed
	// any more, ten minutes after that was seen first, whatever its revocation
	// policy says. The default is false: they are renewed no more, and end in their
	// time. The deletion of this object revokes nothing.
	// +optional
	// +kubebuilder:default=false
	RevokeOnRemoval bool `json:"revokeOnRemoval,omitempty"`
}

// ClusterClientSecretReference names a Secret with the ID and the secret of a
// client, in the operator's client namespace.
//
// +kubebuilder:validation:XValidation:rule=`!has(self.previousClientSecretKey) || self.previousClientSecretKey != self.clientSecretKey`,fieldPath=`.previousClientSecretKey`,message="previousClientSecretKey and clientSecretKey name the same key: the previous secret needs one of its own"
type ClusterClientSecretReference struct {
	// name of the Secret. It must be of type Opaque or kubernetes.io/basic-auth;
	// another type shows as reason InputInvalid.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`!format.dns1123Subdomain().validate(self).hasValue()`,message="a Secret's name has only lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit"
	// +kubebuilder:validation:XValidation:rule=`!self.endsWith('-grant')`,message="Secrets whose names end in -grant are the operator's own and cannot be inputs"
	Name string `json:"name"`

	// clientIDKey is the key that holds the client ID. The default is client_id.
	// The ID of any other key stands in a status only after the service has
	// accepted it.
	// +optional
	// +kubebuilder:default=client_id
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$')`,message="a key of a Secret has only letters, digits, '-', '_' and '.'"
	ClientIDKey string `json:"clientIDKey,omitempty"`

	// clientSecretKey is the key that holds the client's secret. The default is
	// client_secret. Without that key in the Secret, or with an empty value, the
	// client is a public one, which has no secret.
	// +optional
	// +kubebuilder:default=client_secret
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$')`,message="a key of a Secret has only letters, digits, '-', '_' and '.'"
	ClientSecretKey string `json:"clientSecretKey,omitempty"`

	// previousClientSecretKey is the key that holds the client's secret of before,
	// while it is rotated: it is tried where the service refuses the client with the
	// present one. Absent or empty, or without such a key in the Secret, there is
	// none.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches('^[-._a-zA-Z0-9]*$')`,message="a key of a Secret has only letters, digits, '-', '_' and '.'"
	PreviousClientSecretKey string `json:"previousClientSecretKey,omitempty"`
}

// AllowedNamespaces says which namespaces are meant: those named, and those that
// the selector matches.
type AllowedNamespaces struct {
	// names of namespaces, a set of at most 1024.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:XValidation:rule=`!format.dns1123Label().validate(self).hasValue()`,message="a namespace's name has only lower-case letters, digits and '-', and begins and ends with a letter or digit"
	Names []string `json:"names,omitempty"`

	// selector matches namespaces by their labels. Whoever may label namespaces
	// decides with it. An empty one, which would match all, is refused.
	// +optional
	Selector *NamespaceSelector `json:"selector,omitempty"`
}

// NamespaceSelector matches namespaces by their labels. All that is given must
// match.
//
// +kubebuilder:validation:XValidation:rule=`has(self.matchLabels) && size(self.matchLabels) > 0 || has(self.matchExpressions) && size(self.matchExpressions) > 0`,message="an empty selector would match every namespace: give matchLabels or matchExpressions, or remove the selector"
type NamespaceSelector struct {
	// matchLabels are labels that a namespace must have, with these values; at most
	// 16.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule=`self.all(key, size(key) <= 317 && !format.qualifiedName().validate(key).hasValue())`,message="a label's key is a name of at most 63 letters, digits, '-', '_' and '.', with a DNS name and '/' before it if need be"
	MatchLabels map[string]SelectorValue `json:"matchLabels,omitempty"`

	// matchExpressions are conditions on labels; at most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	MatchExpressions []SelectorRequirement `json:"matchExpressions,omitempty"`
}

// SelectorValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule=`!format.labelValue().validate(self).hasValue()`,message="a label's value has at most 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit"
type SelectorValue string

// SelectorRequirement is a condition on one label.
//
// +kubebuilder:validation:XValidation:rule=`self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0`,fieldPath=`.values`,message="In and NotIn need values, Exists and DoesNotExist have none"
type SelectorRequirement struct {
	// key of the label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule=`!format.qualifiedName().validate(self).hasValue()`,message="a label's key is a name of at most 63 letters, digits, '-', '_' and '.', with a DNS name and '/' before it if need be"
	Key string `json:"key"`

	// operator says how the label is compared: In, NotIn, Exists or DoesNotExist.
	// +required
	Operator SelectorOperator `json:"operator"`

	// values that the label is compared with, for In and NotIn; at most 64.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Values []SelectorValue `json:"values,omitempty"`
}

// SelectorOperator says how a label is compared.
//
// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist
type SelectorOperator string

// ClusterSpacesClientStatus says what the operator found.
type ClusterSpacesClientStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of; 0 until
	// the operator has looked at the object.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// environment is the one in effect: spec.environment, or production.
	// +optional
	Environment string `json:"environment,omitempty"`

	// clientID is the client's ID. It appears when the service has accepted it, or at
	// once when clientIDKey is client_id.
	// +optional
	ClientID string `json:"clientID,omitempty"`

	// users counts the SpacesCredentials that name the client and may use it. It
	// follows within seconds, and is absent where several operators share the
	// SpacesCredentials by label.
	// +optional
	Users *int32 `json:"users,omitempty"`

	// conditions: Ready says whether the client can be used, as far as is known
	// without the service.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
