package grantstate

import (
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
	for sentence, c := range map[string]struct {
		err      error
		signIn   bool
		token    *Token
		previous *Failure
		refused  bool
		leaves   Condition
		atLeast  time.Duration
		atMost   time.Duration
	}{
		"a refused password is a refusal":          {err: failed(spacesauth.KindRejectedGrant), signIn: true, refused: true},
		"an unclear answer to a password too":      {err: failed(spacesauth.KindUnclear), signIn: true, refused: true},
		"a refused client is a refusal":            {err: failed(spacesauth.KindRejectedClient), refused: true},
		"a refused request is a refusal":           {err: failed(spacesauth.KindRejectedRequest), refused: true},
		"a refused refresh ends the grant":         {err: failed(spacesauth.KindRejectedGrant), leaves: Refused, atLeast: time.Second, atMost: time.Second},
		"an unclear refresh is rechecked hourly":   {err: failed(spacesauth.KindUnclear), token: living, atLeast: time.Hour, atMost: time.Hour},
		"a second unclear one with life left":      {err: failed(spacesauth.KindUnclear), token: living, previous: &Failure{Kind: spacesauth.KindUnclear}, atLeast: time.Hour, atMost: time.Hour},
		"a second unclear one past expiry ends it": {err: failed(spacesauth.KindUnclear), previous: &Failure{Kind: spacesauth.KindUnclear}, leaves: Refused, atLeast: time.Second, atMost: time.Second},
		"a lost answer leaves the grant ambiguous": {err: failed(spacesauth.KindAmbiguous), leaves: Ambiguous, atLeast: time.Second, atMost: time.Second},
		"an error of no kind counts as a lost one": {err: errors.New("unknown"), leaves: Ambiguous, atLeast: time.Second, atMost: time.Second},
		"patience is honoured":                     {err: &spacesauth.Error{Kind: spacesauth.KindThrottled, RetryAfter: time.Hour}, token: living, atLeast: time.Hour, atMost: time.Hour},
		"an outage backs off":                      {err: failed(spacesauth.KindUnavailable), previous: &Failure{Kind: spacesauth.KindUnavailable, Count: 20, Exponent: 20, Expired: true}, atLeast: 5 * time.Minute, atMost: 10 * time.Minute},
		"an outage backs off anew at expiry":       {err: failed(spacesauth.KindUnavailable), previous: &Failure{Kind: spacesauth.KindUnavailable, Count: 20, Exponent: 20}, atLeast: time.Second, atMost: time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := Spend{by: v1alpha1.GrantTypeRefreshToken, signIn: c.signIn, living: c.token, replaceable: true, hash: "hash"}
			if c.signIn {
				s.by = v1alpha1.GrantTypePassword
			}
			d := Document{credentialUID: "uid"}
			d.failed(c.signIn, c.previous)
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
			if wait := f.NextAttemptTime.Sub(noon); wait < c.atLeast || wait > c.atMost {
				t.Errorf("the next attempt is in %s, want %s to %s", wait, c.atLeast, c.atMost)
			}
		})
	}
}
