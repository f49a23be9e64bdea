package grantstate

import (
	"cmp"
	"errors"
	"fmt"
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestSettle(t *testing.T) {
	failed := func(kind spacesauth.Kind) error { return fmt.Errorf("wrapped: %w", &spacesauth.Error{Kind: kind}) }
	living := &Token{ExpirationTime: noon.Add(time.Hour)}
	webPage := &spacesauth.Error{Kind: spacesauth.KindUnclear, WebPage: true}
	unclear := func(rung int32) *Failure {
		return &Failure{Kind: spacesauth.KindUnclear, Rung: rung, UnclearTime: noon.Add(-time.Hour)}
	}
	for sentence, c := range map[string]struct {
		err      error
		by       v1alpha1.GrantType // of a sign-in; a refresh of a Password credential without
		byPerson bool               // only a person can replace the grant
		worked   bool               // a refresh like this worked before
		cleared  time.Time          // when the host last gave somebody a clear answer
		sent     time.Time          // when the code was sent first
		token    *Token
		previous *Failure
		refused  bool
		leaves   Condition
		agreed   bool
		atLeast  time.Duration
		atMost   time.Duration
	}{
		"a refused password is a refusal":                 {err: failed(spacesauth.KindRejectedGrant), by: v1alpha1.GrantTypePassword, refused: true},
		"a refused client of a sign-in is a refusal":      {err: failed(spacesauth.KindRejectedClient), by: v1alpha1.GrantTypePassword, worked: true, refused: true},
		"an unclear answer to a password: once more":      {err: failed(spacesauth.KindUnclear), by: v1alpha1.GrantTypePassword, atLeast: 15 * time.Minute, atMost: 15 * time.Minute},
		"a web page in answer to a password: soon":        {err: webPage, by: v1alpha1.GrantTypePassword, atLeast: time.Minute, atMost: time.Minute},
		"a second one, and the host was clear":            {err: webPage, by: v1alpha1.GrantTypePassword, previous: unclear(1), cleared: noon.Add(-time.Minute), refused: true},
		"a second one, and the host was clear before":     {err: webPage, by: v1alpha1.GrantTypePassword, previous: unclear(1), cleared: noon.Add(-2 * time.Hour), atLeast: time.Hour, atMost: time.Hour},
		"a second one, and nobody knows the host":         {err: failed(spacesauth.KindUnclear), by: v1alpha1.GrantTypePassword, previous: unclear(1), atLeast: time.Hour, atMost: time.Hour},
		"an unclear answer to a seed":                     {err: failed(spacesauth.KindUnclear), by: v1alpha1.GrantTypeRefreshToken, atLeast: time.Minute, atMost: time.Minute},
		"a third one":                                     {err: failed(spacesauth.KindUnclear), by: v1alpha1.GrantTypeRefreshToken, previous: unclear(2), atLeast: 15 * time.Minute, atMost: 15 * time.Minute},
		"a tenth one":                                     {err: failed(spacesauth.KindUnclear), by: v1alpha1.GrantTypeRefreshToken, previous: unclear(9), atLeast: 15 * time.Minute, atMost: 15 * time.Minute},
		"an unclear answer to a code":                     {err: webPage, by: v1alpha1.GrantTypeAuthorizationCode, sent: noon.Add(-time.Minute), previous: unclear(1), atLeast: 5 * time.Minute, atMost: 5 * time.Minute},
		"an unclear answer to a code past its life":       {err: webPage, by: v1alpha1.GrantTypeAuthorizationCode, sent: noon.Add(-10 * time.Minute), previous: unclear(2), refused: true},
		"an unclear answer to a guest":                    {err: webPage, by: v1alpha1.GrantTypeAnonymous, previous: unclear(3), atLeast: time.Hour, atMost: time.Hour},
		"a refused client that never worked":              {err: failed(spacesauth.KindRejectedClient), refused: true},
		"a refused client that worked before":             {err: failed(spacesauth.KindRejectedClient), worked: true, atLeast: time.Minute, atMost: time.Minute},
		"and again, and past expiry":                      {err: failed(spacesauth.KindRejectedClient), worked: true, previous: &Failure{Kind: spacesauth.KindRejectedClient, Rung: 3}, atLeast: time.Hour, atMost: time.Hour},
		"a refused request that never worked":             {err: failed(spacesauth.KindRejectedRequest), byPerson: true, refused: true},
		"a refused request that worked before":            {err: failed(spacesauth.KindRejectedRequest), byPerson: true, worked: true, previous: &Failure{Kind: spacesauth.KindRejectedRequest, Rung: 1}, atLeast: 5 * time.Minute, atMost: 5 * time.Minute},
		"a refused request that a password replaces":      {err: failed(spacesauth.KindRejectedRequest), token: living, previous: &Failure{Kind: spacesauth.KindRejectedRequest, Rung: 1}, agreed: true, atLeast: 5 * time.Minute, atMost: 5 * time.Minute},
		"after an outage between the two":                 {err: failed(spacesauth.KindRejectedRequest), previous: &Failure{Kind: spacesauth.KindUnavailable, Rung: 1}, atLeast: 5 * time.Minute, atMost: 5 * time.Minute},
		"past expiry for the first time":                  {err: failed(spacesauth.KindRejectedRequest), previous: &Failure{Kind: spacesauth.KindUnavailable}, atLeast: time.Minute, atMost: time.Minute},
		"a refused refresh ends the grant":                {err: failed(spacesauth.KindRejectedGrant), leaves: Refused, atLeast: time.Second, atMost: time.Second},
		"of a person it is asked again":                   {err: failed(spacesauth.KindRejectedGrant), byPerson: true, leaves: Refused, atLeast: 5 * time.Minute, atMost: 5 * time.Minute},
		"and once more":                                   {err: failed(spacesauth.KindRejectedGrant), byPerson: true, previous: &Failure{GrantRefused: true, Refusals: 1}, leaves: Refused, atLeast: time.Hour, atMost: time.Hour},
		"an unclear refresh is rechecked":                 {err: failed(spacesauth.KindUnclear), token: living, atLeast: time.Minute, atMost: time.Minute},
		"a fifth unclear one":                             {err: failed(spacesauth.KindUnclear), token: living, previous: unclear(4), agreed: true, atLeast: time.Hour, atMost: time.Hour},
		"but not where a person would be needed":          {err: failed(spacesauth.KindUnclear), byPerson: true, previous: unclear(1), atLeast: 5 * time.Minute, atMost: 5 * time.Minute},
		"a lost answer leaves the grant ambiguous":        {err: failed(spacesauth.KindAmbiguous), leaves: Ambiguous, atLeast: time.Second, atMost: time.Second},
		"an error of no kind counts as a lost one":        {err: errors.New("unknown"), leaves: Ambiguous, atLeast: time.Second, atMost: time.Second},
		"patience is honoured":                            {err: &spacesauth.Error{Kind: spacesauth.KindThrottled, RetryAfter: time.Hour}, token: living, atLeast: time.Hour, atMost: time.Hour},
		"an outage backs off":                             {err: failed(spacesauth.KindUnavailable), previous: &Failure{Kind: spacesauth.KindUnavailable, Count: 20, Exponent: 20, Expired: true}, atLeast: 5 * time.Minute, atMost: 10 * time.Minute},
		"an outage backs off anew at expiry":              {err: failed(spacesauth.KindUnavailable), previous: &Failure{Kind: spacesauth.KindUnavailable, Count: 20, Exponent: 20}, atLeast: time.Second, atMost: time.Second},
		"an outage between does not begin the rungs anew": {err: failed(spacesauth.KindUnclear), token: living, previous: &Failure{Kind: spacesauth.KindUnavailable, Rung: 2}, atLeast: 15 * time.Minute, atMost: 15 * time.Minute},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := Spend{
				by: v1alpha1.GrantTypeRefreshToken, signIn: c.by != "", living: c.token, hash: "hash", hostCleared: c.cleared,
				replaceable: c.by == "" && !c.byPerson,
			}
			s.by = cmp.Or(c.by, s.by)
			if c.by == v1alpha1.GrantTypeRefreshToken {
				s.first = &FirstUse{Seed: kept{spacesauth.NewSecret("seed")}}
			}
			if c.by == v1alpha1.GrantTypeAuthorizationCode {
				s.first = &FirstUse{Code: kept{spacesauth.NewSecret("code")}, Time: c.sent}
			}
			d := Document{credentialUID: "uid"}
			if c.worked {
				d.inputs.Refreshed = "hash"
			}
			d.failed(s.signIn, c.previous)
			f, refused := d.settle(s, c.err, noon)
			if (refused != nil) != c.refused || (f == nil) != c.refused {
				t.Fatalf("refusal %v, failure %v", refused, f)
			}
			if f == nil {
				return
			}
			if got := f.leaves(Valid); got != c.leaves {
				t.Errorf("the grant is %q, want %q", got, c.leaves)
			}
			if f.Agreed != c.agreed {
				t.Errorf("agreed: %t", f.Agreed)
			}
			if wait := f.NextAttemptTime.Sub(noon); wait < c.atLeast || wait > c.atMost {
				t.Errorf("the next attempt is in %s, want %s to %s", wait, c.atLeast, c.atMost)
			}
		})
	}
}
