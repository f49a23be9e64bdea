package controllers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// saveMargin is the time after a call's deadline in which its answer is saved. It
// is less than watchMargin: when a claim counts as old, its holder is silent.
const saveMargin = 10 * time.Second

// spend is one call that spends a grant, ready to be claimed.
type spend struct {
	// by is what the token is asked for with.
	by     v1alpha1.GrantType
	client *spacesauth.Client
	app    spacesauth.Application
	// sends is what is presented to the token endpoint; nil for a guest, who goes
	// elsewhere.
	sends spacesauth.Grant
	guest spacesauth.Guest
	// first is the seed or the code that is sent, if one is.
	first *firstUse
	// grant is the grant as it stands when the call is claimed.
	grant grant
	// signIn tells that the call makes a grant, which is not the living one yet.
	signIn bool
	used   usedInputs
	// inputsHash is remembered if the inputs are refused for good.
	inputsHash string
	// passwordIsLeft tells that a refused grant can be replaced by signing in.
	passwordIsLeft bool
	// living is the newest token there is, of whichever grant.
	living *tokenRecord
}

// lifeLeft is how long the newest token lives on.
func (s spend) lifeLeft(now time.Time) time.Duration {
	if s.living == nil {
		return 0
	}
	return s.living.ExpirationTime.Sub(now)
}

// send makes the call.
func (s spend) send(ctx context.Context, beforeSending func() error) (spacesauth.Answer, error) {
	if s.sends == nil {
		return s.client.Guest(ctx, s.guest, beforeSending)
	}
	return s.client.Token(ctx, s.app, s.sends, beforeSending)
}

// prepare makes the spend that the plan asks for.
func (p *pass) prepare(what action, service *spacesauth.Client, in inputs, memory inputMemory, random io.Reader) (spend, error) {
	environment, credential := service.Environment(), p.credential
	s := spend{
		by:             v1alpha1.GrantTypeRefreshToken,
		client:         service,
		app:            in.app,
		used:           in.used(memory, environment.AccountsURL, credential.EffectiveScopes()),
		passwordIsLeft: credential.Spec.GrantType == v1alpha1.GrantTypePassword,
		inputsHash:     in.refreshHash(memory, environment.AccountsURL),
	}
	if p.state != nil {
		s.living = p.state.document.token()
	}
	if what == actionRefresh {
		s.grant = *p.state.document.Grant
		s.sends = spacesauth.RefreshTokenGrant{RefreshToken: s.grant.RefreshToken.Secret}
		return s, nil
	}
	id, err := p.newGrantID(s.used, random)
	if err != nil {
		return spend{}, err
	}
	s.signIn = true
	s.grant = grant{
		ID: id, Type: credential.Spec.GrantType, Environment: environment.Name, AccountsURL: environment.AccountsURL,
		ClientID: in.app.ID, StartTime: p.now.UTC().Truncate(time.Second),
	}
	s.by = credential.Spec.GrantType
	s.inputsHash = in.signInHash(memory, environment.AccountsURL, credential.EffectiveScopes())
	switch {
	case in.guest != nil:
		s.guest = *in.guest
		s.grant.Rotations = p.guestsBefore()
	case !in.code.Code.Empty():
		s.sends = in.code
		s.first = s.firstUse(s.used.Code)
		s.first.Code, s.first.CodeVerifier, s.first.RedirectURI = kept{in.code.Code}, kept{in.code.CodeVerifier}, in.code.RedirectURI
	case !in.seed.Empty():
		s.sends = spacesauth.RefreshTokenGrant{RefreshToken: in.seed}
		s.first = s.firstUse(s.used.Seed)
		s.first.Seed, s.grant.RefreshToken = kept{in.seed}, kept{in.seed}
	default:
		s.sends = spacesauth.PasswordGrant{Username: in.username, Password: in.password, Scopes: credential.EffectiveScopes()}
	}
	return s, nil
}

// firstUse begins the record of a seed or a code.
func (s spend) firstUse(hash string) *firstUse {
	return &firstUse{
		Hash: hash, Client: s.used.Client, GrantID: s.grant.ID, Environment: s.grant.Environment, AccountsURL: s.grant.AccountsURL, ClientID: s.grant.ClientID,
	}
}

// newGrantID names the grant that a sign-in makes. A seed or code that is sent again
// makes the grant it made before, if it did.
func (p *pass) newGrantID(used usedInputs, random io.Reader) (string, error) {
	if p.state != nil && p.state.document.FirstUse != nil && p.state.document.FirstUse.isStill(used) {
		return p.state.document.FirstUse.GrantID, nil
	}
	return randomID(random)
}

// guestsBefore counts the guests that a new one follows: for a guest, to be renewed is
// to be replaced.
func (p *pass) guestsBefore() int64 {
	if p.state == nil || p.state.document.Grant == nil {
		return 0
	}
	return p.state.document.Grant.Rotations + 1
}

// claim writes down what is about to be sent. Nothing has left the process while
// it can fail.
func (r *Reconciler) claim(ctx context.Context, p *pass, s spend, document document) error {
	d := document.clone()
	d.Claims++
	d.Claim = &claim{Number: d.Claims, Holder: r.Holder, Time: r.Clock.Now().UTC(), GrantID: s.grant.ID, SignIn: s.signIn}
	if p.state == nil {
		d.answersRequests(p.credential)
	}
	if request := d.renewRequest(p.credential); request != "" {
		d.Claim.RenewRequest, d.TriedRenewRequest = request, request
	}
	if s.signIn {
		d.Claim.RevokeRequest = d.revokeRequest(p.credential)
	}
	d.Revocation = termsOf(p.credential)
	d.announce(publishedKeys(p.credential))
	if s.first != nil {
		if old := d.FirstUse; old != nil && old.GrantID != s.first.GrantID {
			d.list(old.grant(), p.now, p.now, p.now)
		}
		d.FirstUse = s.first
	}
	var claimed *state
	var err error
	if p.state == nil {
		claimed, err = r.createState(ctx, p.credential, d)
	} else {
		claimed, err = r.writeState(ctx, p.key, p.state, d)
	}
	if err != nil {
		return err
	}
	p.state = claimed
	return nil
}

// obtain sends the claimed spend and saves its answer. From here on nothing that
// ends the pass may end the work: it has a context of its own, with a deadline that
// counts from the claim.
func (r *Reconciler) obtain(ctx context.Context, p *pass, s spend, claimed time.Time) error {
	r.inFlight.Add(1)
	defer r.inFlight.Done()
	timeout := s.client.Environment().Timeout()
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout+saveMargin)
	defer cancel()
	call, cancelCall := context.WithTimeout(work, timeout)
	defer cancelCall()

	got, err := s.send(call, func() error { return r.notTooLate(claimed, timeout) })
	r.gates.of(s.client.Environment()).leave(err, r.Clock.Now())
	r.memory.keep(r.judgeAnswer(p, s, got, err))
	r.Metrics.called(s, err)
	return r.saveAnswers(work, p.key)
}

// notTooLate keeps a process that slept from sending: by then another may have
// taken the claim over. A clock that stands still in a suspended machine and one
// that was set are each caught by the other.
func (r *Reconciler) notTooLate(claimed time.Time, timeout time.Duration) error {
	now := r.Clock.Now()
	monotonic, wall := now.Sub(claimed), now.Round(0).Sub(claimed.Round(0))
	if monotonic > timeout || wall > timeout || wall < -clockJump {
		return errors.New("too much time passed since the claim")
	}
	return nil
}

// judgeAnswer turns the outcome of a call into what is to be recorded.
func (r *Reconciler) judgeAnswer(p *pass, s spend, got spacesauth.Answer, failed error) answer {
	now := r.Clock.Now()
	a := answer{
		credential: p.key, credentialUID: p.credential.UID, claim: *p.state.document.Claim,
		terms: termsOf(p.credential), inputs: s.used, inputsHash: s.inputsHash,
	}
	if failed != nil {
		a.failure, a.refusal = settle(p.credential.UID, s, p.state.document.Failure, failed, now)
		if got.RefreshToken.Empty() {
			return a
		}
	}
	next := s.grant
	if !got.RefreshToken.Empty() {
		next.RefreshToken = kept{got.RefreshToken}
	}
	next.Answered, next.Condition = a.claim.Number, grantValid
	if failed == nil {
		if next.Token != nil {
			next.Rotations++
		}
		next.Token = p.tokenRecord(s, got)
		if who := spacesauth.IdentityOf(got.IDToken); who != (spacesauth.Identity{}) {
			next.Identity = identity(who)
		}
	}
	a.grant = &next
	return a
}

// tokenRecord computes the times of a token answer.
func (p *pass) tokenRecord(s spend, got spacesauth.Answer) *tokenRecord {
	issue, renew, expire := schedule(p.credential.UID, p.credential.EffectiveRenewal(), got.IssueTime, got.Lifetime)
	record := &tokenRecord{
		AccessToken: kept{got.AccessToken}, IDToken: kept{got.IDToken}, TokenType: got.TokenType, Scope: got.Scope,
		ObtainedBy: s.by, IssueTime: issue, RenewalTime: renew, ExpirationTime: expire,
	}
	if len(p.credential.Spec.Verification) > 0 {
		record.Check = &check{}
	}
	return record
}

// refusedWrite tells whether the API server refuses to keep a state Secret: a
// quota, a terminating namespace, a missing right. It is a finding, not an error,
// because trying again at once cannot help.
func refusedWrite(err error) *finding {
	if !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
		return nil
	}
	return blocked(v1alpha1.ReasonSecretForbidden,
		"The state Secret cannot be written, so nothing was sent to the service: %s. Look at the quota of the namespace and the rights of the operator.", statusReason(err))
}

// statusReason gives the API server's own word for a refusal, never its text, which
// may repeat what was sent.
func statusReason(err error) string {
	if apierrors.HasStatusCause(err, "NamespaceTerminating") {
		return "the namespace is terminating"
	}
	return quietError{err}.Error()
}

// randomID names a grant or a process. It is no secret.
func randomID(random io.Reader) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	var id [12]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return "", fmt.Errorf("reading random bytes: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}

func termsOf(credential *v1alpha1.SpacesCredential) revocationTerms {
	return revocationTerms{
		Policy:          credential.EffectiveRevocationPolicy(),
		DeadlineSeconds: int32(credential.EffectiveRevocationDeadline() / time.Second),
	}
}
