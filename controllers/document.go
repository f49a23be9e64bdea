package controllers

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// documentVersion is the newest version of the state document this code reads.
const documentVersion = 1

// kept is a secret that may stand in the state document: it is the only place
// where a secret is written as it is. It still prints as redacted.
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

// document is the content of a state Secret: all that is needed to renew, to
// publish again and to revoke, without any other object.
type document struct {
	Version int `json:"version"`
	// CredentialUID is the credential the document belongs to.
	CredentialUID types.UID `json:"credentialUID"`
	// SecretUID is the Secret that holds the document; known from the first save on.
	// Another UID there means that this is a copy.
	SecretUID types.UID `json:"secretUID,omitempty"`
	// Claims counts the claims ever made. It orders answers.
	Claims int64 `json:"claims"`
	// Claim is the spend under way, or one whose outcome nobody recorded.
	Claim *claim `json:"claim,omitempty"`
	// Grant is the living grant.
	Grant *grant `json:"grant,omitempty"`
	// FirstUse is the seed or the code that was claimed and that the service has not
	// judged yet. The living grant lives on until it has.
	FirstUse *firstUse `json:"firstUse,omitempty"`
	// Previous is what stays published while the newest token waits to be verified.
	Previous *previous `json:"previous,omitempty"`
	// Inputs remembers what was used and what was refused.
	Inputs inputMemory `json:"inputs"`
	// Failure is the last failed spend, until one succeeds.
	Failure *failure `json:"failure,omitempty"`
	// HandledRenewRequest and HandledRevokeRequest are the requests that were acted on;
	// TriedRenewRequest is the one that went before the backoff.
	HandledRenewRequest  string `json:"handledRenewRequest,omitempty"`
	TriedRenewRequest    string `json:"triedRenewRequest,omitempty"`
	HandledRevokeRequest string `json:"handledRevokeRequest,omitempty"`
	// Revoked tells that the last grant was revoked on request and has no successor.
	Revoked bool `json:"revoked,omitempty"`
	// PublishedKeys are the keys of the published Secret that are ours.
	PublishedKeys []string `json:"publishedKeys,omitempty"`
	// Revocation repeats the policy for when the credential is gone.
	Revocation revocationTerms `json:"revocation"`
	// Pending are grants that wait to be revoked.
	Pending []pendingRevocation `json:"pending,omitempty"`

	// abandoned counts entries that a full list gave up since the last write.
	abandoned int
}

// claim announces a spend before it is sent.
type claim struct {
	// Number is the value of Claims at this claim.
	Number int64 `json:"number"`
	// Holder names one life of one process.
	Holder string `json:"holder"`
	// Time is when it was made, by the holder's clock.
	Time time.Time `json:"time"`
	// GrantID is the grant that is spent, or the one a sign-in will make.
	GrantID string `json:"grantID"`
	// SignIn tells a new sign-in, by whatever grant type, from the refresh of Grant.
	SignIn bool `json:"signIn,omitempty"`
	// RenewRequest and RevokeRequest are the requests that the spend answers.
	RenewRequest  string `json:"renewRequest,omitempty"`
	RevokeRequest string `json:"revokeRequest,omitempty"`
}

// grantCondition tells what is known of a grant.
type grantCondition string

const (
	grantValid     grantCondition = ""
	grantRefused   grantCondition = "Refused"
	grantAmbiguous grantCondition = "Ambiguous"
)

// grant is one authorization at the service. Its ID is ours and outlives every
// rotation of its refresh token.
type grant struct {
	ID string `json:"id"`
	// Type is how the grant was made.
	Type v1alpha1.GrantType `json:"type"`
	// Environment and AccountsURL say where it lives.
	Environment string `json:"environment"`
	AccountsURL string `json:"accountsURL"`
	ClientID    string `json:"clientID"`
	// RefreshToken is the newest refresh token; empty where the service gave none.
	RefreshToken kept `json:"refreshToken"`
	// Answered is the number of the claim whose answer came last.
	Answered int64 `json:"answered,omitempty"`
	// Rotations counts the answers after the first.
	Rotations int64     `json:"rotations"`
	StartTime time.Time `json:"startTime"`
	// Token is the newest token answer; absent until the first one.
	Token     *tokenRecord   `json:"token,omitempty"`
	Condition grantCondition `json:"condition,omitempty"`
	// Identity is the user of the newest ID token.
	Identity identity `json:"identity,omitzero"`
}

// identity is a user as the accounts host knows them.
type identity struct {
	Username string `json:"username,omitempty"`
	UserID   string `json:"userID,omitempty"`
}

// firstUse is a seed or a code on its way to the service. Until the service has judged
// it, it is sent again as it is, also when its Secret is gone.
type firstUse struct {
	// Seed is a refresh token, and so worth revoking whatever becomes of its first use.
	Seed kept `json:"seed"`
	Code kept `json:"code"`
	// CodeVerifier and RedirectURI belong to the code.
	CodeVerifier kept   `json:"codeVerifier"`
	RedirectURI  string `json:"redirectURI,omitempty"`
	// Hash is that of the seed or code in usedInputs, Client that of the client.
	Hash   string `json:"hash"`
	Client string `json:"client"`
	// GrantID is the grant that it makes; with a seed the rest says where that lives.
	GrantID     string `json:"grantID"`
	Environment string `json:"environment"`
	AccountsURL string `json:"accountsURL"`
	ClientID    string `json:"clientID"`
}

// grant is what there is to revoke of a first use.
func (f firstUse) grant() *grant {
	return &grant{ID: f.GrantID, Environment: f.Environment, AccountsURL: f.AccountsURL, ClientID: f.ClientID, RefreshToken: f.Seed}
}

// previous is a token that was published before, with the grant it came from.
type previous struct {
	Token       tokenRecord `json:"token"`
	Environment string      `json:"environment"`
	AccountsURL string      `json:"accountsURL"`
	ClientID    string      `json:"clientID"`
	Identity    identity    `json:"identity,omitzero"`
}

// published is what a grant with a token publishes.
func (g *grant) published() *previous {
	return &previous{Token: *g.Token, Environment: g.Environment, AccountsURL: g.AccountsURL, ClientID: g.ClientID, Identity: g.Identity}
}

// tokenRecord is a token answer with the times computed from it, in whole seconds.
type tokenRecord struct {
	AccessToken    kept               `json:"accessToken"`
	IDToken        kept               `json:"idToken"`
	TokenType      string             `json:"tokenType"`
	Scope          string             `json:"scope,omitempty"`
	ObtainedBy     v1alpha1.GrantType `json:"obtainedBy"`
	IssueTime      time.Time          `json:"issueTime"`
	RenewalTime    time.Time          `json:"renewalTime"`
	ExpirationTime time.Time          `json:"expirationTime"`
	// Check is there while the token has to pass spec.verification before it is
	// published.
	Check *check `json:"check,omitempty"`
}

// check is the verification of a token that has not passed it.
type check struct {
	// Attempts counts those that failed; Detail says what the last one found.
	Attempts int32  `json:"attempts,omitempty"`
	Detail   string `json:"detail,omitempty"`
	// Person tells that trying again will hardly help.
	Person          bool      `json:"person,omitempty"`
	NextAttemptTime time.Time `json:"nextAttemptTime,omitzero"`
}

// failure is a spend that failed.
type failure struct {
	Kind   spacesauth.Kind `json:"kind"`
	SignIn bool            `json:"signIn,omitempty"`
	// Detail is spacesauth's own text.
	Detail string `json:"detail"`
	// InputsHash covers what was sent beside a rotated refresh token.
	InputsHash string `json:"inputsHash,omitempty"`
	// GrantRefused tells that the service called the grant itself refused.
	GrantRefused bool `json:"grantRefused,omitempty"`
	// Count counts failures in a row.
	Count int32 `json:"count"`
	// Exponent is that of the backoff. It begins anew when the token expires: what was
	// tried often while life was left must not end in the longest wait.
	Exponent int32 `json:"exponent"`
	// Expired tells that no life was left at this failure.
	Expired bool `json:"expired,omitempty"`
	// NextAttemptTime is when the next call may be made.
	NextAttemptTime time.Time `json:"nextAttemptTime"`
}

// revocationTerms repeats spec.revocation.
type revocationTerms struct {
	Policy          v1alpha1.RevocationPolicy `json:"policy"`
	DeadlineSeconds int32                     `json:"deadlineSeconds"`
}

func (t revocationTerms) never() bool { return t.Policy == v1alpha1.RevocationNever }

func (t revocationTerms) deadline(deletion time.Time) time.Time {
	return deletion.Add(time.Duration(t.DeadlineSeconds) * time.Second)
}

// pendingRevocation is a grant that waits to be revoked.
type pendingRevocation struct {
	GrantID      string `json:"grantID"`
	Environment  string `json:"environment"`
	AccountsURL  string `json:"accountsURL"`
	ClientID     string `json:"clientID"`
	RefreshToken kept   `json:"refreshToken"`
	// Always tells that a person asked for it: policy Never does not spare it.
	Always bool `json:"always,omitempty"`
	// NotBefore lets workloads change over to the successor's token, once that is
	// published. At TokenExpirationTime nobody can use the grant's own any more.
	NotBefore           time.Time `json:"notBefore"`
	TokenExpirationTime time.Time `json:"tokenExpirationTime"`
	// Attempts counts the calls made; GiveUpTime ends them. Detail is spacesauth's own
	// text about the last.
	Attempts        int32     `json:"attempts,omitempty"`
	Detail          string    `json:"detail,omitempty"`
	NextAttemptTime time.Time `json:"nextAttemptTime,omitzero"`
	GiveUpTime      time.Time `json:"giveUpTime"`
}

// publishable is what is to be published: the newest token, or the one before while the
// newest waits to be verified. It is nil where there is neither.
func (d document) publishable() *previous {
	g := d.Grant
	switch {
	case g == nil:
		return nil
	case g.Token != nil && g.Token.Check == nil:
		return g.published()
	}
	return d.Previous
}

// String keeps the document out of logs: even redacted it is nobody's reading.
func (d document) String() string { return fmt.Sprintf("state document of %s", d.CredentialUID) }

// MarshalLog implements logr's Marshaler.
func (d document) MarshalLog() any { return d.String() }

// clone returns a copy whose parts can be changed without changing d.
func (d document) clone() document {
	d.Claim = clonePointer(d.Claim)
	d.Failure = clonePointer(d.Failure)
	if d.Grant = clonePointer(d.Grant); d.Grant != nil {
		if d.Grant.Token = clonePointer(d.Grant.Token); d.Grant.Token != nil {
			d.Grant.Token.Check = clonePointer(d.Grant.Token.Check)
		}
	}
	d.FirstUse = clonePointer(d.FirstUse)
	d.Previous = clonePointer(d.Previous)
	d.PublishedKeys = slices.Clone(d.PublishedKeys)
	d.Pending = slices.Clone(d.Pending)
	return d
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	value := *p
	return &value
}

// readDocument parses the content of a state Secret. Its errors never repeat what
// they read.
func readDocument(content []byte) (document, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(content, &version); err != nil {
		return document{}, fmt.Errorf("it is not a JSON document")
	}
	if version.Version > documentVersion {
		return document{}, fmt.Errorf("its version is %d and this operator reads up to %d", version.Version, documentVersion)
	}
	var d document
	if err := json.Unmarshal(content, &d); err != nil {
		return document{}, fmt.Errorf("a field of it has an unexpected form")
	}
	if d.Version < 1 || d.CredentialUID == "" {
		return document{}, fmt.Errorf("its version or its credential is missing")
	}
	return d, nil
}

// bytes returns the content for the state Secret.
func (d document) bytes() ([]byte, error) { return json.Marshal(d) }
