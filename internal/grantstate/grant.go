package grantstate

import (
	"strings"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// Condition tells what is known of a grant.
type Condition string

const (
	// Valid is a grant of which nothing else is known.
	Valid Condition = ""
	// Refused is a grant that the service called refused (invalid_grant, RFC 6749 §5.2).
	Refused Condition = "Refused"
	// Ambiguous is a grant whose refresh was sent and had no answer.
	Ambiguous Condition = "Ambiguous"
)

// Grant is one authorization at the service. Its ID is ours and outlives every
// rotation of its refresh token.
type Grant struct {
	ID string `json:"id"`
	// Type is how the grant was made.
	Type v1alpha1.GrantType `json:"type"`
	// Environment and AccountsURL say where it lives.
	Environment string `json:"environment"`
	AccountsURL string `json:"accountsURL"`
	ClientID    string `json:"clientID"`
	// Lender is whose client it is, where it is not the namespace's own.
	Lender *Lender `json:"lender,omitempty"`
	// RefreshToken is the newest refresh token; empty where the service gave none.
	RefreshToken kept `json:"refreshToken"`
	// Answered is the number of the claim whose answer came last.
	Answered int64 `json:"answered,omitempty"`
	// Rotations counts the answers after the first.
	Rotations int64     `json:"rotations"`
	StartTime time.Time `json:"startTime"`
	// Token is the newest token answer; absent until the first one.
	Token     *Token    `json:"token,omitempty"`
	Condition Condition `json:"condition,omitempty"`
	// Identity is the user of the newest ID token.
	Identity Identity `json:"identity,omitzero"`
	// End is when it ends by its own time.
	End End `json:"end,omitzero"`
	// Import names the export that the grant came from; empty where it began here.
	Import string `json:"import,omitempty"`
}

func (g *Grant) clone() *Grant {
	g = clone(g)
	if g == nil {
		return nil
	}
	g.Lender = clone(g.Lender)
	if g.Token == nil {
		return g
	}
	g.Token = clone(g.Token)
	g.Token.Check = g.Token.Check.clone()
	return g
}

// Identity is a user as the accounts host knows them.
type Identity struct {
	Username string `json:"username,omitempty"`
	UserID   string `json:"userID,omitempty"`
}

// Token is a token answer with the times computed from it, in whole seconds.
type Token struct {
	AccessToken    kept               `json:"accessToken"`
	IDToken        kept               `json:"idToken"`
	TokenType      string             `json:"tokenType"`
	Scope          string             `json:"scope,omitempty"`
	ObtainedBy     v1alpha1.GrantType `json:"obtainedBy"`
	IssueTime      time.Time          `json:"issueTime"`
	RenewalTime    time.Time          `json:"renewalTime"`
	ExpirationTime time.Time          `json:"expirationTime"`
	// Generation is the newest generation of spec that asks for no other grant.
	Generation int64 `json:"generation,omitempty"`
	// Check is there while the token has to pass spec.verification before it is
	// published.
	Check *Check `json:"check,omitempty"`
}

// Publishable is a token that may be published, with the grant it came from.
type Publishable struct {
	Token Token `json:"token"`
	// Answered is the number of the claim whose answer brought the token.
	Answered    int64    `json:"answered,omitempty"`
	Environment string   `json:"environment"`
	AccountsURL string   `json:"accountsURL"`
	ClientID    string   `json:"clientID"`
	Identity    Identity `json:"identity,omitzero"`
}

// publishable is what a grant with a token publishes.
func (g *Grant) publishable() *Publishable {
	return &Publishable{Token: *g.Token, Answered: g.Answered, Environment: g.Environment, AccountsURL: g.AccountsURL, ClientID: g.ClientID, Identity: g.Identity}
}

// FirstUse is a seed or a code on its way to the service. Until the service has judged
// it, it is sent again as it is, also when its Secret is gone.
type FirstUse struct {
	// Time is when it was sent first.
	Time time.Time `json:"time,omitzero"`
	// Seed is a refresh token, and so worth revoking whatever becomes of its first use.
	Seed kept `json:"seed"`
	Code kept `json:"code"`
	// CodeVerifier, RedirectURI and ExpectedUser belong to the code.
	CodeVerifier kept   `json:"codeVerifier"`
	RedirectURI  string `json:"redirectURI,omitempty"`
	ExpectedUser string `json:"expectedUser,omitempty"`
	// Hash is that of the seed or code among the used inputs, Client that of the client.
	Hash   string `json:"hash"`
	Client string `json:"client"`
	// GrantID is the grant that it makes; with a seed the rest says where that lives.
	GrantID     string `json:"grantID"`
	Environment string `json:"environment"`
	AccountsURL string `json:"accountsURL"`
	ClientID    string `json:"clientID"`
	// Lender is that of the grant.
	Lender *Lender `json:"lender,omitempty"`
	// Import tells that it is no seed but the grant of another cluster.
	Import *ImportedFrom `json:"import,omitempty"`
}

// grant is what there is to revoke of a first use.
func (f FirstUse) grant() *Grant {
	return &Grant{ID: f.GrantID, Environment: f.Environment, AccountsURL: f.AccountsURL, ClientID: f.ClientID, Lender: clone(f.Lender), RefreshToken: f.Seed}
}

// isOfAnother tells that somebody else signed in than was expected, or that nobody knows who did.
func (f *FirstUse) isOfAnother(who Identity) bool {
	return f != nil && f.ExpectedUser != "" && !strings.EqualFold(f.ExpectedUser, who.Username) && f.ExpectedUser != who.UserID
}

// isStill tells whether the inputs hold no other seed or code than this one.
func (f FirstUse) isStill(now used) bool {
	if f.Import != nil {
		return now.Import == "" || now.Import == f.Hash
	}
	hash := now.Seed + now.Code // a credential has one of them
	return now.Import == "" && (hash == "" || hash == f.Hash)
}

// belongsTo tells whether the client, its environment and the scopes are still those
// that it was claimed with.
func (f FirstUse) belongsTo(now used) bool { return now.Client == "" || now.Client == f.Client }
