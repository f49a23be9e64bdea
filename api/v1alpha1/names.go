// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Finalizers. Both can be removed by hand when the operator is gone for good; the
// grants they stand for then live on at the service until they end there.
const (
	// FinalizerRevoke stands on a SpacesCredential from before its first grant until
	// every grant is revoked or given up.
	FinalizerRevoke = GroupName + "/revoke"

	// FinalizerGrant stands on a state Secret, so that what is needed to revoke
	// survives a careless kubectl delete.
	FinalizerGrant = GroupName + "/grant"
)

// Labels on the Secrets that the operator writes.
const (
	// LabelManagedBy is the common label for the program that looks after an object.
	LabelManagedBy = "app.kubernetes.io/managed-by"

	// ManagedByValue is the value of LabelManagedBy on our Secrets.
	ManagedByValue = "spaces-credential-operator"

	// LabelSecret tells the two kinds of our Secrets apart.
	LabelSecret = GroupName + "/secret"

	// SecretPublished is the value of LabelSecret on the Secret that workloads mount.
	SecretPublished = "published"

	// SecretGrant is the value of LabelSecret on a state Secret.
	SecretGrant = "grant"

	// SecretExport is the value of LabelSecret on the answer to a request for an export.
	SecretExport = "export"
)

// Annotations on the Secrets that the operator writes.
const (
	// AnnotationCredential names the SpacesCredential that a Secret belongs to.
	AnnotationCredential = GroupName + "/credential"

	// AnnotationCredentialUID is the UID of that SpacesCredential. A Secret is ours
	// only while it carries the UID of the living credential.
	AnnotationCredentialUID = GroupName + "/credential-uid"

	// AnnotationFingerprint repeats status.token.fingerprint for the published token.
	AnnotationFingerprint = GroupName + "/fingerprint"

	// AnnotationClaim says on a published Secret which claim brought its token, with a code that
	// only the operator can make: a state document that is older was put back from a backup. Of a
	// grant that was exported it names grant and key, too; so it does on the answer.
	AnnotationClaim = GroupName + "/claim"

	// AnnotationDrained lists on the operator's Lease the last processes that ended after every
	// answer of theirs was saved, by the names that claims have: whoever comes next need not wait
	// for their claims.
	AnnotationDrained = GroupName + "/drained"

	// AnnotationWatches says on the operator's Lease which SpacesCredentials its holder
	// looks after. A process that looks after others does not compete for that Lease.
	AnnotationWatches = GroupName + "/watches"

	// AnnotationClockSkew says on the operator's Lease by how much the clocks of services are before its
	// holder's, where that is more than a minute: environment=duration, separated by commas.
	AnnotationClockSkew = GroupName + "/clock-skew"

	// LabelShard is, by convention, the label of a SpacesCredential by which several
	// operators share the work (--watch-label-selector).
	LabelShard = GroupName + "/shard"

	// AnnotationUsedInputs keeps on a SpacesCredential, sealed, what its state Secret knew of used
	// and refused inputs, from before that Secret is released until its successor is written.
	AnnotationUsedInputs = GroupName + "/used-inputs"

	// AnnotationExpiresAt is the expiry of the published token, RFC 3339.
	AnnotationExpiresAt = GroupName + "/expires-at"
)

// Annotations that a person sets. A request acts once for each new value; the time
// of day is a good value.
const (
	// AnnotationRenewRequestedAt on a SpacesCredential asks for one new token now,
	// and lifts a refusal once.
	AnnotationRenewRequestedAt = GroupName + "/renew-requested-at"

	// AnnotationRevokeRequestedAt on a SpacesCredential asks for every grant it
	// holds to be revoked now, whatever its revocation policy says.
	AnnotationRevokeRequestedAt = GroupName + "/revoke-requested-at"

	// AnnotationExportRequestedAt on a SpacesCredential asks for its grant to be sealed to
	// the key in AnnotationExportTo, for another cluster. From then on it is neither renewed
	// nor revoked here. It takes an operator with --allow-export.
	AnnotationExportRequestedAt = GroupName + "/export-requested-at"

	// AnnotationExportTo is the importer's public key, as `kubectl spaces import --new-key`
	// prints it.
	AnnotationExportTo = GroupName + "/export-to"

	// AnnotationExportLost is the ID of the key that the grant was exported to before, and
	// says that this key, or what was sealed to it, is lost for good and was never imported:
	// two clusters with one grant end it.
	AnnotationExportLost = GroupName + "/export-lost"

	// AnnotationAdoptableBy on a Secret that somebody else made lets the
	// SpacesCredential named by its value publish into that Secret.
	AnnotationAdoptableBy = GroupName + "/adoptable-by"
)

// AnnotationRejected on a published Secret says that a workload was refused with the token whose
// fingerprint is its value, so that it is renewed early.
const AnnotationRejected = GroupName + "/rejected"

// The state Secret, the operator's alone: it holds what is needed to renew,
// republish and revoke.
const (
	// GrantSecretSuffix makes the name of a state Secret from the name of its
	// SpacesCredential. No input and no published Secret may end in it.
	GrantSecretSuffix = "-grant"

	// SecretTypeGrantState is the type of a state Secret.
	SecretTypeGrantState = GroupName + "/grant-state"

	// StateKey is the one key of a state Secret; it holds a versioned document, sealed.
	StateKey = "state.json"

	// SecretTypeStateKey is the type of the Secret with the keys that seal state documents.
	SecretTypeStateKey = GroupName + "/state-key"

	// StateKeySecretName is the Secret with those keys, in the namespace of the lease.
	StateKeySecretName = "spaces-credential-operator-state-key"
)

// Secrets by which a grant moves from one cluster to another.
const (
	// ExportSecretSuffix makes the name of the Secret that answers a request for an export.
	ExportSecretSuffix = "-export"

	// SecretTypeGrantExport is the type of that Secret.
	SecretTypeGrantExport = GroupName + "/grant-export"

	// ExportKey is the one key of such a Secret; it holds the grant, sealed to the importer.
	ExportKey = "export.json"

	// ImportSecretSuffix makes the name of the Secret that `kubectl spaces import` makes.
	// The operator takes the grant in it once, if the Secret has its type and the annotation
	// credential-uid of the living SpacesCredential.
	ImportSecretSuffix = "-import"

	// SecretTypeGrantImport is the type of that Secret.
	SecretTypeGrantImport = GroupName + "/grant-import"

	// ImportKey is the one key of such a Secret; it holds the grant, opened.
	ImportKey = "grant.json"
)

// SecretTypeAuthorizationCode is the type of a Secret for the code of a browser
// sign-in. kubectl spaces login makes it, and writes into no Secret of another type:
// the author of a SpacesCredential must not be able to choose what it overwrites.
const SecretTypeAuthorizationCode = GroupName + "/authorization-code"

// Keys that a Secret with a code may have beside those that spec names.
const (
	// KeyRedirectURI holds the redirect URI that the code was given for, one of those
	// in spec. Without it that is spec.authorizationCode.redirectURI.
	KeyRedirectURI = "redirect_uri"

	// KeyExpectedUser holds the user name or the user ID of whoever was to sign in. A
	// grant of anybody else is revoked and not published.
	KeyExpectedUser = "expected_user"
)

// Field managers and the leader's lease.
const (
	// FieldManager owns what the operator writes, except status.
	FieldManager = "spaces-credential-operator"

	// FieldManagerStatus owns the status of a SpacesCredential.
	FieldManagerStatus = "spaces-credential-operator-status"

	// LeaseName is the Lease that the operator's replicas compete for.
	LeaseName = "spaces-credential-operator"

	// EventClockSkewed is the reason of the event at that Lease which says that the clock of a
	// service is apart from the operator's. It is no reason of a SpacesCredential.
	EventClockSkewed = "ClockSkewed"
)

// Keys of the published Secret. Every key of lower-case letters, digits and
// underscores that begins with a letter is reserved for the operator, now and later.
const (
	// KeyAccessToken holds the token alone.
	KeyAccessToken = "access_token"

	// KeyTokenType holds the word that stands before the token in an HTTP header:
	// Bearer, or jwt for guests.
	KeyTokenType = "token_type"

	// KeyAuthorization holds the whole value of an Authorization header.
	KeyAuthorization = "authorization"

	// KeyExpiresAt holds the expiry of the token, RFC 3339.
	KeyExpiresAt = "expires_at"

	// KeyScope holds the scopes that the service granted, in its own spelling.
	KeyScope = "scope"

	// KeyAPIURL holds the base URL of the service's REST API.
	KeyAPIURL = "api_url"

	// KeySocketURL holds the URL of the service's Socket.IO endpoint.
	KeySocketURL = "socket_url"

	// KeySocketTokenType holds the tokenType that the Socket.IO endpoint wants to be
	// told: SocketTokenOAuth or SocketTokenJWT.
	KeySocketTokenType = "socket_token_type"

	// KeyType holds BindingType, the type of a servicebinding.io binding.
	KeyType = "type"

	// KeyProvider holds BindingProvider, the provider of a servicebinding.io binding.
	KeyProvider = "provider"

	// KeyTokenJSON is the key that the format JSON adds.
	KeyTokenJSON = "token.json"

	// KeyTokenEnv is the key that the format Dotenv adds.
	KeyTokenEnv = "token.env"

	// KeyCurlConf is the key that the format Curl adds.
	KeyCurlConf = "curl.conf"
)

// Values of published keys.
const (
	// BindingType is the value of KeyType.
	BindingType = "avaya-spaces"

	// BindingProvider is the value of KeyProvider.
	BindingProvider = "avaya"

	// SocketTokenOAuth is the value of KeySocketTokenType for a token of an OAuth grant.
	SocketTokenOAuth = "oauth"

	// SocketTokenJWT is the value of KeySocketTokenType for a guest's token.
	SocketTokenJWT = "jwt"
)
