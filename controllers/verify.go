package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// errMismatch is what a check finds that another try will hardly change.
type errMismatch struct{ what string }

// Error implements error.
func (e errMismatch) Error() string { return e.what }

// verify makes the newest token pass the checks of spec, one in a pass, before it is
// published. Until it has, the token before it stays where it is. It returns what holds the
// token up.
func (r *Reconciler) verify(ctx context.Context, s *scope) (outcome, error) {
	check, asked := s.document.Check(), s.credential.Spec.Verification
	if check == nil {
		return outcome{}, nil
	}
	which := check.Next(asked)
	switch {
	case which == "": // spec has stopped asking
		return outcome{}, r.update(ctx, s, (*grantstate.Document).Verified)
	case which == v1alpha1.VerificationTokenInfo && s.document.Token().IDToken.Empty():
		// Some services give an ID token with a refresh only. There is nothing to ask about.
		if err := r.update(ctx, s, func(d *grantstate.Document) { d.Passed(which, asked) }); err != nil {
			return outcome{}, err
		}
		return r.verify(ctx, s)
	case check.Waits(r.Clock.Now()):
		return unverified(*check), nil
	}
	grant := s.document.Grant()
	client, problem := r.issuer(s, grant.Environment, grant.AccountsURL)
	if client == nil {
		return problem, nil
	}
	turn, refused := r.turn(s, s.checking(client, which, check.Attempts))
	if turn == nil {
		return refused.outcome, nil
	}
	if lapsed := turn.begin(); lapsed.standing != settled {
		return lapsed, nil
	}
	turn.send()
	if former := s.former(); which == v1alpha1.VerificationUserProfile && former != nil &&
		r.rotations.isWanted(client.Environment().Name, s.key, grant.Answered) {
		return r.lookAtFormer(ctx, client, former, turn), nil
	}
	sent := r.Clock.Now()
	err := runCheck(ctx, client, which, grant)
	turn.made(spacesauth.FailureOf(err))
	r.Metrics.Checked(client.Environment().Name, string(which), r.Clock.Since(sent), err)
	err = r.update(ctx, s, func(d *grantstate.Document) {
		if err != nil {
			d.CheckFailed(which, err, errors.As(err, &errMismatch{}), r.Clock.Now())
		} else {
			d.Passed(which, asked)
		}
	})
	if err != nil {
		return outcome{}, err
	}
	switch check := s.document.Check(); {
	case check == nil:
		return outcome{}, nil
	case check.Waits(r.Clock.Now()):
		return unverified(*check), nil
	}
	return pacedUntil(turn.began.Add(callPause)), nil
}

// runCheck asks the service once.
func runCheck(ctx context.Context, client *spacesauth.Client, which v1alpha1.Verification, g *grantstate.Grant) error {
	switch which {
	case v1alpha1.VerificationTokenInfo:
		return checkTokenInfo(ctx, client, g)
	case v1alpha1.VerificationUserProfile:
		_, err := client.UserProfile(ctx, g.Token.TokenType, g.Token.AccessToken.Secret)
		return err
	}
	return errMismatch{fmt.Sprintf("the check %q is not known to this operator; run a newer one", which)}
}

// checkTokenInfo compares what the accounts host tells of the ID token with the client
// that asked for it and with the user that the token names.
func checkTokenInfo(ctx context.Context, client *spacesauth.Client, g *grantstate.Grant) error {
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
