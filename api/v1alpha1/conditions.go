// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types of a SpacesCredential.
const (
	// ConditionReady is True while the published Secret holds an unexpired token
	// that was obtained with the inputs of the observed generation and is not known
	// to be revoked. It stays True while renewals fail with life left.
	ConditionReady = "Ready"

	// ConditionReconciling is True only until the current generation has been
	// realised once. Renewals and their retries never set it.
	ConditionReconciling = "Reconciling"

	// ConditionStalled is True when nothing gets better until a person acts. It may
	// stand beside Ready True: the grant is dead, its last token still lives.
	ConditionStalled = "Stalled"

	// ConditionGrantValid tells whether the grant behind the token can still be
	// renewed, as far as the service has said.
	ConditionGrantValid = "GrantValid"
)

// Reasons of conditions and events. The list is closed: a tool may rely on it.
// Each says when it is set, and what to do.
const (
	// ReasonIssued: a first token, or the first of a new grant, was published.
	// Nothing to do.
	ReasonIssued = "Issued"

	// ReasonRenewed: the token was renewed in time and published. Nothing to do.
	ReasonRenewed = "Renewed"

	// ReasonRenewalFailing: a renewal failed, and the published token still has life
	// left. The operator goes on trying; read the message, and act before the
	// expiry if it names something of yours.
	ReasonRenewalFailing = "RenewalFailing"

	// ReasonWaitingForInput: a Secret that spec names, or a key of it, is missing.
	// Create it; the operator notices at once.
	ReasonWaitingForInput = "WaitingForInput"

	// ReasonInputInvalid: a Secret that spec names exists and cannot be used: an
	// empty value, or a type that is not for inputs. Correct the Secret.
	ReasonInputInvalid = "InputInvalid"

	// ReasonClientForbidden: the client that spec.clientRef names may not be used here:
	// it does not exist, or this namespace, environment, grant type or scope is not
	// allowed, or is not any more. Which of these it is, is said to nobody. Ask whoever
	// looks after the ClusterSpacesClients; the operator goes on by itself.
	ReasonClientForbidden = "ClientForbidden"

	// ReasonUnknownEnvironment: spec.environment, or the environment a grant was
	// made in, is not one that the operator knows, or this namespace may not use it.
	// Correct spec.environment, or ask whoever runs the operator.
	ReasonUnknownEnvironment = "UnknownEnvironment"

	// ReasonEnvironmentPaused: whoever runs the operator has paused the environment, so
	// nothing is sent there: no sign-in, no renewal, no check and no revocation. Ready is
	// True while the published token lives. Nothing to do; the operator goes on by itself
	// when the environment is resumed.
	ReasonEnvironmentPaused = "EnvironmentPaused"

	// ReasonAuthorizationPending: a person must sign in with a browser and has not
	// yet. Run what the message says.
	ReasonAuthorizationPending = "AuthorizationPending"

	// ReasonReauthorizationRequired: the grant is gone and the operator cannot sign
	// in by itself. Put a new refresh token (or code) into the Secret that spec
	// names.
	ReasonReauthorizationRequired = "ReauthorizationRequired"

	// ReasonNoRefreshToken: the service gave no refresh token, so that the grant ends with
	// its token. Have the client allowed the grant type refresh_token, or ask for the scope
	// that stands for it, often offline_access.
	ReasonNoRefreshToken = "NoRefreshToken"

	// ReasonExported: the grant was exported to another cluster on request, and is neither
	// renewed nor revoked here any more; Ready is True while the published token lives. Delete
	// the object when the other cluster has imported it, or ask for a grant of its own: by
	// renew-requested-at for a password, else by a new refresh token or sign-in.
	ReasonExported = "Exported"

	// ReasonGrantRejected: the service refused the user name and password, the
	// refresh token or the code. It is not asked again until the Secret changes;
	// correct it, or annotate renew-requested-at to have it tried once more.
	ReasonGrantRejected = "GrantRejected"

	// ReasonClientRejected: the service refused the client ID or its secret.
	// Correct the Secret that spec.clientSecretRef names, or have whoever looks after
	// the client that spec.clientRef names do so, or have the client admitted by the
	// service.
	ReasonClientRejected = "ClientRejected"

	// ReasonRequestRejected: the service refused the request itself, a scope for
	// instance. Correct spec, spec.scopes above all.
	ReasonRequestRejected = "RequestRejected"

	// ReasonResponseUnclear: the service refused without a reason that the operator
	// knows. A refresh is tried again every hour; a password is tried again after
	// its Secret has changed or renew-requested-at was annotated.
	ReasonResponseUnclear = "ResponseUnclear"

	// ReasonThrottled: the service asked for patience. The operator waits as long
	// as it was told to; if it lasts, use fewer credentials for one environment.
	ReasonThrottled = "Throttled"

	// ReasonServiceUnavailable: the service could not be reached or answered with a
	// failure of its own. The operator goes on trying; if it lasts, look at the
	// service, the network and the proxy.
	ReasonServiceUnavailable = "ServiceUnavailable"

	// ReasonAmbiguousResult: a refresh token was sent and its answer was lost, so
	// nobody knows yet whether it was spent. The operator asks again until it has
	// an answer. Nothing to do.
	ReasonAmbiguousResult = "AmbiguousResult"

	// ReasonVerificationFailed: a new token was obtained, but a check that spec asks
	// for failed, so it was not published. The message names the check.
	ReasonVerificationFailed = "VerificationFailed"

	// ReasonSecretConflict: the Secret to publish into, or the name of the state
	// Secret, belongs to somebody else. Delete it, choose another name in a new
	// SpacesCredential, or annotate it with adoptable-by.
	ReasonSecretConflict = "SecretConflict"

	// ReasonSecretImmutable: the Secret to publish into is marked immutable.
	// Delete it; the operator makes a new one.
	ReasonSecretImmutable = "SecretImmutable"

	// ReasonSecretForbidden: the API server, a policy or a quota refused to let the
	// operator write a Secret, or the Secret asks for a label or annotation that
	// whoever runs the operator denies. The message repeats which.
	ReasonSecretForbidden = "SecretForbidden"

	// ReasonTemplateInvalid: an entry of spec.secretTemplate.data cannot be parsed,
	// uses a construct or function that is not allowed, or became too large.
	// Correct the entry that the message names.
	ReasonTemplateInvalid = "TemplateInvalid"

	// ReasonExpired: the published token has expired and no new one could be
	// obtained. Stalled and events say why.
	ReasonExpired = "Expired"

	// ReasonGrantRevoked: the grant was revoked on request, or with the consent of its client, and its
	// token with it.
	// Annotate renew-requested-at, or store a new refresh token, to go on.
	ReasonGrantRevoked = "GrantRevoked"

	// ReasonSuspended: spec.suspend is true, so nothing is renewed or published; Ready is
	// True while the published token lives. Set it to false to go on.
	ReasonSuspended = "Suspended"

	// ReasonStateUnreadable: the state Secret is damaged or was written by a newer
	// operator. It is left as it is. Run the newer operator, or delete the state
	// Secret to start anew; its grant then cannot be revoked.
	ReasonStateUnreadable = "StateUnreadable"

	// ReasonRevocationFailing: a grant should be revoked and the service has not
	// confirmed it yet. The operator goes on trying until the deadline.
	ReasonRevocationFailing = "RevocationFailing"

	// ReasonRevocationAbandoned: a grant could not be revoked before the deadline
	// and was given up. Revoke it at the service by hand if that matters.
	ReasonRevocationAbandoned = "RevocationAbandoned"

	// ReasonDeleting: the SpacesCredential is being deleted; its grants are being
	// revoked first.
	ReasonDeleting = "Deleting"
)

// ConditionTypes returns every condition type that the operator sets.
func ConditionTypes() []string {
	return []string{ConditionReady, ConditionReconciling, ConditionStalled, ConditionGrantValid}
}

// Reasons returns the closed list of reasons, in the order in which they are
// documented.
func Reasons() []string {
	return []string{
		ReasonIssued,
		ReasonRenewed,
		ReasonRenewalFailing,
		ReasonWaitingForInput,
		ReasonInputInvalid,
		ReasonClientForbidden,
		ReasonUnknownEnvironment,
		ReasonEnvironmentPaused,
		ReasonAuthorizationPending,
		ReasonReauthorizationRequired,
		ReasonNoRefreshToken,
		ReasonExported,
		ReasonGrantRejected,
		ReasonClientRejected,
		ReasonRequestRejected,
		ReasonResponseUnclear,
		ReasonThrottled,
		ReasonServiceUnavailable,
		ReasonAmbiguousResult,
		ReasonVerificationFailed,
		ReasonSecretConflict,
		ReasonSecretImmutable,
		ReasonSecretForbidden,
		ReasonTemplateInvalid,
		ReasonExpired,
		ReasonGrantRevoked,
		ReasonSuspended,
		ReasonStateUnreadable,
		ReasonRevocationFailing,
		ReasonRevocationAbandoned,
		ReasonDeleting,
	}
}
