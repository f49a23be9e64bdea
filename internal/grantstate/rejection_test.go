package grantstate

import (
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestAWorkloadThatWasRefusedIsHeard(t *testing.T) {
	secret := spacesauth.NewSecret("access")
	published := secret.Fingerprint()
	minutes := func(all ...int) (times []time.Time) {
		for _, m := range all {
			times = append(times, noon.Add(time.Duration(m)*time.Minute))
		}
		return times
	}
	for sentence, c := range map[string]struct {
		kind     v1alpha1.GrantType
		rejected string
		after    time.Duration
		change   func(*Document)
		want     Action
		hold     Hold
	}{
		"with a token older than a tenth of its life": {rejected: published, after: 6 * time.Minute, want: Refresh},
		"not with a younger one":                      {rejected: published, after: 6*time.Minute - time.Second},
		"not with another one":                        {rejected: "0123456789ab", after: 30 * time.Minute},
		"not twice":                                   {rejected: published, after: 30 * time.Minute, change: func(d *Document) { d.rejections.Handled = published }},
		"the third time in an hour":                   {rejected: published, after: 30 * time.Minute, change: func(d *Document) { d.rejections.Times = minutes(-10, -5) }, want: Refresh},
		"not the fourth time":                         {rejected: published, after: 30 * time.Minute, change: func(d *Document) { d.rejections.Times = minutes(-20, -10, -5) }},
		"the fourth time after an hour":               {rejected: published, after: 40 * time.Minute, change: func(d *Document) { d.rejections.Times = minutes(-20, -10, -5) }, want: Refresh},
		"though a clock was set back":                 {rejected: published, after: 30 * time.Minute, change: func(d *Document) { d.rejections.Times = minutes(300, 310, 320) }, want: Refresh},
		"not while its successor is verified":         {rejected: published, after: 30 * time.Minute, change: func(d *Document) { d.grant.Token.Check = &Check{} }},
		"not as a guest":                              {kind: "Anonymous", rejected: published, after: 30 * time.Minute, change: func(d *Document) { d.grant.RefreshToken = kept{} }},
		"by a sign-in without a refresh token":        {kind: "Password", rejected: published, after: 30 * time.Minute, change: func(d *Document) { d.grant.RefreshToken = kept{} }, want: SignIn},
		"not where a person would have to sign in":    {rejected: published, after: 30 * time.Minute, change: func(d *Document) { d.grant.RefreshToken = kept{} }},
		"not before a backoff": {rejected: published, after: 30 * time.Minute, change: func(d *Document) {
			d.refreshFailure = &Failure{Kind: spacesauth.KindUnavailable, NextAttemptTime: noon.Add(31 * time.Minute)}
		}, hold: InBackoff},
		"not before what the service asked for": {rejected: published, after: 30 * time.Minute, change: func(d *Document) {
			d.refreshFailure = &Failure{Kind: spacesauth.KindThrottled, Told: true, NextAttemptTime: noon.Add(50 * time.Minute)}
		}, hold: InBackoff},
		"not where the client was refused": {rejected: published, after: 30 * time.Minute, change: func(d *Document) {
			d.inputs.Refused = []Refusal{{Hash: "refresh", Kind: spacesauth.KindRejectedClient}}
		}, hold: RefusedBefore},
		"not by a grant that has ended": {rejected: published, after: 30 * time.Minute, change: func(d *Document) { d.grant.Condition = Refused }, hold: Ended},
	} {
		t.Run(sentence, func(t *testing.T) {
			token := &Token{AccessToken: kept{secret}, IssueTime: noon, RenewalTime: noon.Add(45 * time.Minute), ExpirationTime: noon.Add(time.Hour)}
			d := Document{grant: &Grant{ID: "g", Token: token, RefreshToken: kept{spacesauth.NewSecret("r")}}}
			if c.change != nil {
				c.change(&d)
			}
			if c.kind == "" {
				c.kind = v1alpha1.GrantTypeRefreshToken
			}
			o := Observation{Credential: credentialOf(c.kind), Document: d, Now: noon.Add(c.after), Inputs: Seen{signIn: "sign-in", refresh: "refresh"}, Rejected: c.rejected}
			if got := Decide(o); got.Action != c.want || got.Hold != c.hold {
				t.Errorf("decided %q (%s), want %q (%s)", got.Action, got.Hold, c.want, c.hold)
			}
		})
	}
}
