package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// youngToken is how long the service may need until every part of it knows a new
	// token. Until then a 401 says little, and the check is repeated quickly.
	youngToken = time.Minute
	// youngRecheck is the wait between two checks of a young token.
	youngRecheck = 5 * time.Second
)

// errMismatch is what a check finds that another try will hardly change.
type errMismatch struct{ what string }

// Error implements error.
func (e errMismatch) Error() string { return e.what }

// check is that of the newest token, or nil when it needs none.
func (d document) check() *check {
	if token := d.token(); token != nil {
		return token.Check
	}
	return nil
}

// verify makes the newest token pass the checks of spec before it is published. Until
// it has, the token before it stays where it is. It returns what holds the token up; a
// finding without a reason is only the rate of calls.
func (r *Reconciler) verify(ctx context.Context, p *pass) (*finding, error) {
	if p.state == nil || p.state.document.check() == nil {
		return nil, nil
	}
	grant := p.state.document.Grant
	now := r.Clock.Now()
	pending := *grant.Token.Check
	if within(now, pending.NextAttemptTime, maxBackoff) {
		return pending.finding(), nil
	}
	for _, check := range p.credential.Spec.Verification {
		client := r.clientForURL(grant.AccountsURL)
		if client == nil {
			return unlisted(grant.Environment, grant.AccountsURL), nil
		}
		gate := r.gates.of(client.Environment())
		if closed := gate.enter(now); closed != nil {
			return closed, nil
		}
		err := runCheck(ctx, client, check, grant)
		var failed *spacesauth.Error
		if errors.As(err, &failed) {
			gate.leave(failed, r.Clock.Now())
		} else {
			gate.leave(nil, r.Clock.Now())
		}
		r.Metrics.checked(client.Environment().Name, check, err)
		if err != nil {
			return r.recordCheck(ctx, p, pending.failed(p, check, err, now))
		}
	}
	return r.recordCheck(ctx, p, nil)
}

// recordCheck writes the outcome of a verification.
func (r *Reconciler) recordCheck(ctx context.Context, p *pass, outcome *check) (*finding, error) {
	d := p.state.document.clone()
	d.Grant.Token.Check = outcome
	if outcome == nil {
		d.Previous = nil
	}
	written, err := r.writeState(ctx, p.key, p.state, d)
	if err != nil {
		return nil, err
	}
	p.state = written
	if outcome == nil {
		return nil, nil
	}
	return outcome.finding(), nil
}

// runCheck asks the service once.
func runCheck(ctx context.Context, client *spacesauth.Client, which v1alpha1.Verification, g *grant) error {
	switch which {
	case v1alpha1.VerificationTokenInfo:
		return checkTokenInfo(ctx, client, g)
	case v1alpha1.VerificationUserProfile:
		_, err := client.UserProfile(ctx, g.Token.TokenType, g.Token.AccessToken.Secret)
		return err
	}
	return fmt.Errorf("the check %s is not known to this operator", which)
}

// checkTokenInfo compares what the accounts host tells of the ID token with the client
// that asked for it and with the user that the token names.
func checkTokenInfo(ctx context.Context, client *spacesauth.Client, g *grant) error {
	if g.Token.IDToken.Empty() {
		return errMismatch{"the answer of the service held no ID token"}
	}
	info, err := client.TokenInfo(ctx, g.Token.IDToken.Secret)
	if err != nil {
		return err
	}
	who := spacesauth.IdentityOf(g.Token.IDToken.Secret)
	switch {
	case info.Audience != g.ClientID:
		return errMismatch{"the ID token was made for another client"}
	case info.UserID != "" && who.UserID != "" && info.UserID != who.UserID,
		info.Username != "" && who.Username != "" && !strings.EqualFold(info.Username, who.Username):
		return errMismatch{"the ID token belongs to another user than it says"}
	}
	return nil
}

// failed is the check after another failure.
func (c check) failed(p *pass, which v1alpha1.Verification, err error, now time.Time) *check {
	token := p.state.document.token()
	c.Attempts++
	c.Detail = fmt.Sprintf("%s: %s", which, err)
	c.Person = errors.As(err, &errMismatch{})
	wait := backoff(p.credential.UID, c.Attempts, token.ExpirationTime.Sub(now))
	var answered *spacesauth.Error
	if errors.As(err, &answered) {
		switch {
		case answered.RetryAfter > 0:
			wait = min(answered.RetryAfter, maxBackoff)
		case answered.StatusCode == http.StatusUnauthorized && now.Before(token.IssueTime.Add(youngToken)):
			wait = youngRecheck
		}
	}
	c.NextAttemptTime = now.Add(wait)
	return &c
}

// finding says that the token has not passed.
func (c check) finding() *finding {
	const text = "A new token was obtained and is not published, because a check that spec.verification asks for failed. %s. "
	if c.Person {
		return blocked(v1alpha1.ReasonVerificationFailed, text+"Compare the client and the user with those you meant.", c.Detail).at(c.NextAttemptTime)
	}
	return waiting(v1alpha1.ReasonVerificationFailed, text+"The check is repeated.", c.Detail).at(c.NextAttemptTime)
}

// checked counts a check.
func (m *Metrics) checked(environment string, which v1alpha1.Verification, err error) {
	outcome := "OK"
	var answered *spacesauth.Error
	switch {
	case errors.As(err, &answered):
		outcome = result(err)
	case err != nil:
		outcome = "Failed"
	}
	m.checks.WithLabelValues(environment, string(which), outcome).Inc()
}
