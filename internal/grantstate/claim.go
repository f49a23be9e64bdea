package grantstate

import (
	"encoding/hex"
	"fmt"
	"io"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Claim announces a spend before it is sent.
type Claim struct {
	// Number counts the claims ever made, this one included.
	Number int64 `json:"number"`
	// Holder names one life of one process.
	Holder string `json:"holder"`
	// Time is when it was made, by the holder's clock. TimeoutSeconds after it the
	// holder's call has ended.
	Time           time.Time `json:"time"`
	TimeoutSeconds int32     `json:"timeoutSeconds,omitempty"`
	// GrantID is the grant that is spent, or the one a sign-in will make.
	GrantID string `json:"grantID"`
	// SignIn tells a new sign-in, by whatever grant type, from the refresh of a grant.
	SignIn bool `json:"signIn,omitempty"`
	// RenewRequest and RevokeRequest are the requests that the spend answers.
	RenewRequest  string `json:"renewRequest,omitempty"`
	RevokeRequest string `json:"revokeRequest,omitempty"`
	// Rejected is the fingerprint of the token that a workload was refused with, if that is why.
	Rejected string `json:"rejected,omitempty"`
}

// Timeout is how long the holder's call may take; 0 where the claim does not say.
func (c Claim) Timeout() time.Duration { return time.Duration(c.TimeoutSeconds) * time.Second }

// Spend is one call that spends a grant, as far as the document has to know of it.
type Spend struct {
	// by is what the token is asked for with.
	by v1alpha1.GrantType
	// signIn tells that the call makes a grant, which is not the living one yet.
	signIn bool
	// grant is the grant as it stands when the call is claimed.
	grant Grant
	// first is the seed or the code that is sent, if one is.
	first *FirstUse
	used  used
	// hash is remembered if the inputs are refused for good.
	hash string
	// other is hash with the client's other secret; empty where there is one alone.
	other string
	// like is hash as a refresh of the grant has it, where a refresh token is sent.
	like string
	// hostCleared is when somebody last had a clear answer of the host.
	hostCleared time.Time
	// replaceable tells that a refused grant can be replaced by signing in.
	replaceable bool
	// alone tells that no new grant is wanted beside this refresh.
	alone bool
	// living is the newest token there is, of whichever grant.
	living *Token
	// rejected is the fingerprint of the token that a workload was refused with, if that is why.
	rejected string
	// usualLife is how long grants live where it is sent, 0 where that is not known.
	usualLife time.Duration
}

// By is what the token is asked for with.
func (s Spend) By() v1alpha1.GrantType { return s.by }

// RefreshToken is what a refresh sends.
func (s Spend) RefreshToken() spacesauth.Secret { return s.grant.RefreshToken.Secret }

// AccountsURL and Environment say where the grant lives or will live, ClientID whose it is.
func (s Spend) AccountsURL() string { return s.grant.AccountsURL }

// Environment is the name of the environment where the grant lives.
func (s Spend) Environment() string { return s.grant.Environment }

// ClientID is the client that the grant belongs to.
func (s Spend) ClientID() string { return s.grant.ClientID }

// HostCleared returns the spend that knows when somebody last had a clear answer of its host.
func (s Spend) HostCleared(at time.Time) Spend {
	s.hostCleared = at
	return s
}

// lifeLeft is how long the newest token lives on.
func (s Spend) lifeLeft(now time.Time) time.Duration {
	if s.living == nil {
		return 0
	}
	return s.living.ExpirationTime.Sub(now)
}

// Refresh makes the spend of the living grant's refresh token.
func (o Observation) Refresh() Spend {
	return Spend{
		by: v1alpha1.GrantTypeRefreshToken, grant: *o.Document.Grant(), used: o.Inputs.used, hash: o.Inputs.refresh, other: o.Inputs.other.refresh, like: o.Inputs.refresh,
		replaceable: o.Credential.Spec.GrantType == v1alpha1.GrantTypePassword,
		alone:       o.newGrant() == Verdict{} && !o.Inputs.nowhere,
		living:      o.Document.Token(), rejected: o.rejection(),
	}
}

// SignIn makes the spend that a new grant takes in an environment, and says what it sends:
// a seed or code that is on its way goes before the one that was given. It fails when
// random does.
func (o Observation) SignIn(environment string, given Given, random io.Reader) (Spend, Given, error) {
	given = o.Document.goOn(o.Inputs.Sent(given))
	s := Spend{by: o.Credential.Spec.GrantType, signIn: true, used: o.Inputs.used, hash: o.Inputs.signIn, other: o.Inputs.other.signIn, living: o.Document.Token(), rejected: o.rejection()}
	id, err := o.newGrantID(random)
	if err != nil {
		return Spend{}, given, err
	}
	s.grant = Grant{
		ID: id, Type: o.Credential.Spec.GrantType, Environment: environment, AccountsURL: given.AccountsURL,
		ClientID: given.Application.ID, Lender: clone(given.Lender), StartTime: o.Now.UTC().Truncate(time.Second),
	}
	switch {
	case s.used.Import != "" && given.Import != nil:
		s.by, s.like = v1alpha1.GrantTypeRefreshToken, o.Inputs.refresh
		s.importing(*given.Import, o.Now)
	case given.Guest != nil:
		s.grant.Rotations = o.guestsBefore()
	case !given.Code.Code.Empty():
		s.first = s.firstUse(s.used.Code, o.Now)
		s.first.Code, s.first.CodeVerifier, s.first.RedirectURI = kept{given.Code.Code}, kept{given.Code.CodeVerifier}, given.Code.RedirectURI
		s.first.ExpectedUser = given.ExpectedUser
	case !given.Seed.Empty():
		s.first, s.like = s.firstUse(s.used.Seed, o.Now), o.Inputs.refresh
		s.first.Seed, s.grant.RefreshToken = kept{given.Seed}, kept{given.Seed}
	}
	if open := o.Document.firstUse; open != nil && s.first != nil && open.GrantID == s.first.GrantID {
		s.first.Time = open.Time
	}
	return s, given, nil
}

// firstUse begins the record of a seed or a code.
func (s Spend) firstUse(hash string, now time.Time) *FirstUse {
	return &FirstUse{
		Time: now.UTC().Truncate(time.Second), Hash: hash, Client: s.used.Client, GrantID: s.grant.ID, Environment: s.grant.Environment, AccountsURL: s.grant.AccountsURL, ClientID: s.grant.ClientID,
		Lender: clone(s.grant.Lender),
	}
}

// newGrantID names the grant that a sign-in makes. A seed or code that is sent again
// makes the grant it made before, if it did.
func (o Observation) newGrantID(random io.Reader) (string, error) {
	if open := o.Document.firstUse; open != nil && open.isStill(o.Inputs.used) {
		return open.GrantID, nil
	}
	return RandomID(random)
}

// guestsBefore counts the guests that a new one follows: for a guest, to be renewed is
// to be replaced.
func (o Observation) guestsBefore() int64 {
	if o.Document.grant == nil {
		return 0
	}
	return o.Document.grant.Rotations + 1
}

// Claim writes down what is about to be sent, at the given time, by a holder whose call
// ends within a timeout. Nothing may leave the process before the document is written.
func (d *Document) Claim(s Spend, credential *v1alpha1.SpacesCredential, holder string, at time.Time, timeout time.Duration) {
	d.claims++
	d.claimTime = at.UTC()
	d.claim = &Claim{
		Number: d.claims, Holder: holder, Time: d.claimTime, TimeoutSeconds: int32((timeout + time.Second - 1) / time.Second),
		GrantID: s.grant.ID, SignIn: s.signIn, RenewRequest: d.requests.try(credential, d.claimTime), Rejected: s.rejected,
	}
	if s.rejected != "" {
		d.rejections.claim(d.claimTime)
	}
	if s.signIn {
		d.claim.RevokeRequest = d.requests.revoke(credential)
	}
	if s.alone {
		d.signInFailure = nil // what failed is not wanted any more
	}
	d.terms = TermsOf(credential)
	if s.first != nil {
		if old := d.firstUse; old != nil && old.GrantID != s.first.GrantID {
			d.list(old.grant(), at, at, at)
			if old.Import != nil {
				d.inputs.spent(old)
			}
		}
		d.firstUse = clone(s.first)
	}
}

// OpenClaim is the spend under way, or one whose outcome nobody recorded; nil when there
// is none.
func (d Document) OpenClaim() *Claim { return clone(d.claim) }

// ClaimTime is when the last claim was made, by its holder's clock; zero before the first.
func (d Document) ClaimTime() time.Time { return d.claimTime }

// Claims counts the claims ever made.
func (d Document) Claims() int64 { return d.claims }

// RandomID names a grant or a process. It is no secret. It fails when random does.
func RandomID(random io.Reader) (string, error) {
	var id [12]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return "", fmt.Errorf("reading random bytes: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}
