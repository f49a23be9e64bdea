package grantstate

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// credentialOf is a credential of a grant type.
func credentialOf(kind v1alpha1.GrantType) *v1alpha1.SpacesCredential {
	credential := &v1alpha1.SpacesCredential{}
	credential.Name, credential.Namespace, credential.UID = "bot", "team", "uid"
	credential.Spec.GrantType = kind
	return credential
}

func TestDecide(t *testing.T) {
	token := &Token{IssueTime: noon, RenewalTime: noon.Add(40 * time.Minute), ExpirationTime: noon.Add(time.Hour)}
	was := used{Client: "client", Login: "login", Seed: "seed"}
	with := func(change func(*Document)) *Document {
		d := &Document{inputs: inputs{Used: was}, grant: &Grant{ID: "g", Token: token, RefreshToken: kept{spacesauth.NewSecret("r")}}}
		if change != nil {
			change(d)
		}
		return d
	}
	for sentence, c := range map[string]struct {
		kind     v1alpha1.GrantType
		document *Document
		used     used
		after    time.Duration
		paused   bool
		want     Action
		hold     Hold
	}{
		"a sign-in waits while the environment is paused": {kind: "Password", paused: true, want: Nothing, hold: EnvironmentPaused},
		"a code that is missing where all is paused":      {kind: "AuthorizationCode", paused: true, want: Nothing, hold: EnvironmentPaused},
		"a changed user does not stop the living grant":   {kind: "Password", paused: true, document: with(nil), used: used{Login: "another"}, after: 40 * time.Minute, want: Refresh, hold: EnvironmentPaused},
		"a new password credential signs in":              {kind: "Password", want: SignIn},
		"a new seed is refreshed":                         {kind: "RefreshToken", want: SignIn},
		"a fresh token is left alone":                     {kind: "Password", document: with(nil), after: 39 * time.Minute, want: Nothing},
		"a token is renewed at its time":                  {kind: "Password", document: with(nil), after: 40 * time.Minute, want: Refresh},
		"a token from the future is renewed":              {kind: "Password", document: with(nil), after: -61 * time.Second, want: Refresh},
		"a small clock difference is no future":           {kind: "Password", document: with(nil), after: -60 * time.Second, want: Nothing},
		"a seed that was claimed and not judged":          {kind: "RefreshToken", document: with(func(d *Document) { d.grant, d.firstUse = nil, &FirstUse{Hash: "seed"} }), want: SignIn},
		"a seed on its way though its Secret is gone":     {kind: "RefreshToken", document: with(func(d *Document) { d.firstUse = &FirstUse{Hash: "new"} }), want: SignIn},
		"a seed on its way and another client":            {kind: "RefreshToken", document: with(func(d *Document) { d.grant, d.firstUse = nil, &FirstUse{Hash: "seed", Client: "client"} }), used: used{Client: "another", Seed: "seed"}, want: Nothing, hold: OtherInputs},
		"a seed on its way, another client and seed":      {kind: "RefreshToken", document: with(func(d *Document) { d.grant, d.firstUse = nil, &FirstUse{Hash: "old", Client: "client"} }), used: used{Client: "another", Seed: "new"}, want: SignIn},
		"a code on its way beside a living grant":         {kind: "AuthorizationCode", document: with(func(d *Document) { d.firstUse = &FirstUse{Hash: "code"} }), used: used{Code: "code"}, want: SignIn},
		"a refresh token that came without a token":       {kind: "RefreshToken", document: with(func(d *Document) { d.grant.Token = nil }), want: Refresh},
		"a password grant without a refresh token":        {kind: "Password", document: with(func(d *Document) { d.grant.RefreshToken = kept{} }), after: 40 * time.Minute, want: SignIn},
		"a code's grant without a refresh token":          {kind: "AuthorizationCode", document: with(func(d *Document) { d.grant.RefreshToken = kept{} }), after: 40 * time.Minute, want: Nothing, hold: Ended},
		"a guest whose time has come":                     {kind: "Anonymous", document: with(func(d *Document) { d.grant.RefreshToken = kept{} }), after: 40 * time.Minute, want: SignIn},
		"a guest whose time has not":                      {kind: "Anonymous", document: with(func(d *Document) { d.grant.RefreshToken = kept{} }), want: Nothing},
		"a new code signs in":                             {kind: "AuthorizationCode", document: with(func(d *Document) { d.inputs.Used.Code = "code" }), used: used{Code: "new"}, want: SignIn},
		"a used code is not sent again":                   {kind: "AuthorizationCode", document: with(func(d *Document) { d.grant, d.inputs.Used.Code = nil, "code" }), used: used{Code: "code"}, want: Nothing, hold: Ended},
		"an unanswered refresh is replayed":               {kind: "Password", document: with(func(d *Document) { d.grant.Condition = Ambiguous }), want: Refresh},
		"a refused grant is replaced by the password":     {kind: "Password", document: with(func(d *Document) { d.grant.Condition = Refused }), want: SignIn},
		"a refused seed needs a person":                   {kind: "RefreshToken", document: with(func(d *Document) { d.grant.Condition = Refused }), want: Nothing, hold: Ended},
		"a changed user signs in":                         {kind: "Password", document: with(nil), used: used{Login: "another"}, want: SignIn},
		"a changed client signs in":                       {kind: "Password", document: with(nil), used: used{Client: "another"}, want: SignIn},
		"a changed seed begins anew":                      {kind: "RefreshToken", document: with(nil), used: used{Client: "client", Seed: "another"}, want: SignIn},
		"a changed client does not resend a seed":         {kind: "RefreshToken", document: with(nil), used: used{Client: "another", Seed: "seed"}, want: Nothing, hold: OtherInputs},
		"inputs that cannot be read are no change":        {kind: "RefreshToken", document: with(nil), used: used{}, want: Nothing},
		"a used seed is not sent again without a grant":   {kind: "RefreshToken", document: with(func(d *Document) { d.grant = nil }), used: was, want: Nothing, hold: Ended},
		"before the next attempt nothing is due": {kind: "Password", document: with(func(d *Document) {
			d.refreshFailure = &Failure{Kind: spacesauth.KindUnavailable, NextAttemptTime: noon.Add(time.Hour)}
		}), after: 50 * time.Minute, want: Nothing, hold: InBackoff},
		"at the next attempt it is": {kind: "Password", document: with(func(d *Document) {
			d.refreshFailure = &Failure{Kind: spacesauth.KindUnavailable, NextAttemptTime: noon.Add(time.Hour)}
		}), after: time.Hour, want: Refresh},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := Observation{Credential: credentialOf(c.kind), Now: noon.Add(c.after), Inputs: Seen{used: c.used, signIn: "sign-in", refresh: "refresh"}, IsPaused: c.paused}
			if c.document != nil {
				o.Document = *c.document
			}
			got := Decide(o)
			if got.Action != c.want || got.Hold != c.hold {
				t.Errorf("decided %q (%s), want %q (%s)", got.Action, got.Hold, c.want, c.hold)
			}
		})
	}
}

// What holds up a new grant must not let the old one die. In every row the living grant is
// due, and a new one is wanted that cannot be had.
func TestTheLivingGrantIsRenewedWhateverHoldsUpTheNewOne(t *testing.T) {
	unclear := &Failure{Kind: spacesauth.KindUnclear, SignIn: true, InputsHash: "sign-in", NextAttemptTime: noon.Add(time.Hour)}
	refusal := func(kind spacesauth.Kind) []Refusal { return []Refusal{{Hash: "sign-in", Kind: kind, SignIn: true}} }
	for sentence, c := range map[string]struct {
		kind   v1alpha1.GrantType
		now    Seen
		change func(*Document)
		hold   Hold
	}{
		"a seed with an unclear answer":          {"RefreshToken", Seen{used: used{Seed: "new"}, signIn: "sign-in"}, func(d *Document) { d.firstUse, d.signInFailure = &FirstUse{Hash: "new"}, unclear }, InBackoff},
		"a seed that is not on its way any more": {"RefreshToken", Seen{used: used{Seed: "new"}, signIn: "sign-in"}, func(d *Document) { d.signInFailure = unclear }, InBackoff},
		"a code that was refused":                {"AuthorizationCode", Seen{used: used{Code: "new"}, signIn: "sign-in"}, func(d *Document) { d.inputs.Refused = refusal(spacesauth.KindRejectedGrant) }, RefusedBefore},
		"a code that was refused as a request": {"AuthorizationCode", Seen{used: used{Code: "new"}, signIn: "sign-in"}, func(d *Document) {
			d.firstUse, d.inputs.Refused = &FirstUse{Hash: "new"}, refusal(spacesauth.KindRejectedRequest)
		}, RefusedBefore},
		"a seed of another client":               {"RefreshToken", Seen{used: used{Client: "another"}, signIn: "sign-in"}, nil, OtherInputs},
		"a seed on its way, and another client":  {"RefreshToken", Seen{used: used{Client: "another", Seed: "new"}, signIn: "sign-in"}, func(d *Document) { d.firstUse = &FirstUse{Hash: "new", Client: "client"} }, OtherInputs},
		"another user whose password is refused": {"Password", Seen{used: used{Login: "another"}, signIn: "sign-in"}, func(d *Document) { d.inputs.Refused = refusal(spacesauth.KindRejectedGrant) }, RefusedBefore},
		"another user while the service throttles": {"Password", Seen{used: used{Login: "another"}, signIn: "sign-in"}, func(d *Document) {
			d.signInFailure = &Failure{Kind: spacesauth.KindThrottled, SignIn: true, NextAttemptTime: noon.Add(spacesauth.MaxRetryAfter)}
		}, InBackoff},
		"another user without a password": {"Password", Seen{used: used{Login: "another"}}, nil, InputMissing},
		"another user and a full list":    {"Password", Seen{used: used{Login: "another"}, signIn: "sign-in"}, func(d *Document) { d.pending = make([]Listed, maxPending-1) }, ListFull},
	} {
		t.Run(sentence, func(t *testing.T) {
			d := Document{
				inputs: inputs{Used: used{Client: "client", Login: "login", Seed: "seed", Code: "code"}},
				grant:  &Grant{ID: "g", RefreshToken: kept{spacesauth.NewSecret("r")}, Token: &Token{IssueTime: noon.Add(-time.Hour), RenewalTime: noon, ExpirationTime: noon.Add(time.Minute)}},
			}
			if c.change != nil {
				c.change(&d)
			}
			c.now.refresh = "refresh"
			got := Decide(Observation{Credential: credentialOf(c.kind), Now: noon, Document: d, Inputs: c.now})
			if got.Action != Refresh || got.Hold != c.hold {
				t.Errorf("decided %q (%s), want %q (%s)", got.Action, got.Hold, Refresh, c.hold)
			}
		})
	}
}

func TestAGrantTypeOfANewerCRDSendsNothing(t *testing.T) {
	got := Decide(Observation{Credential: credentialOf("DeviceCode"), Now: noon, Inputs: Seen{signIn: "sign-in", refresh: "refresh"}})
	if got.Action != Nothing || got.Hold != UnknownGrantType {
		t.Errorf("decided %q (%s)", got.Action, got.Hold)
	}
}

// Whatever a full list holds, no spend is decided that would push a grant off it.
func TestNoSpendOverflowsTheList(t *testing.T) {
	for listed := range maxPending + 1 {
		d := Document{pending: make([]Listed, listed), grant: &Grant{ID: "g", Condition: Refused, RefreshToken: kept{spacesauth.NewSecret("r")}}}
		for i := range d.pending {
			d.pending[i].GrantID = fmt.Sprint(i)
		}
		o := Observation{Credential: credentialOf(v1alpha1.GrantTypePassword), Now: noon, Document: d, Inputs: Seen{signIn: "sign-in", refresh: "refresh"}}
		got := Decide(o)
		if fits := listed+2 <= maxPending; (got.Action == SignIn) != fits {
			t.Fatalf("%d are listed: decided %q (%s)", listed, got.Action, got.Hold)
		}
		if got.Action != SignIn {
			continue
		}
		s, _, err := o.SignIn("staging", Given{Username: "u"}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		d.Claim(s, o.Credential, "me", noon, time.Second)
		d.Record(d.Answer(s, o.Credential, spacesauth.Answer{AccessToken: spacesauth.NewSecret("a"), RefreshToken: spacesauth.NewSecret("b"), Lifetime: time.Hour}, nil, noon), noon)
		d.Retire(Retirement{Always: true}, noon)
		if d.Abandoned() != 0 {
			t.Fatalf("with %d listed before, a grant was pushed off the list", listed)
		}
	}
}

func TestRequestsAreHeardOnceInTenSeconds(t *testing.T) {
	credential := credentialOf(v1alpha1.GrantTypePassword)
	d := Document{grant: &Grant{ID: "g", RefreshToken: kept{spacesauth.NewSecret("r")}, Token: &Token{IssueTime: noon, RenewalTime: noon.Add(time.Hour), ExpirationTime: noon.Add(2 * time.Hour)}}}
	renewed := 0
	for second := range 100 {
		now := noon.Add(time.Duration(second) * time.Second)
		credential.Annotations = map[string]string{v1alpha1.AnnotationRenewRequestedAt: fmt.Sprint(second)}
		o := Observation{Credential: credential, Now: now, Document: d, Inputs: Seen{signIn: "sign-in", refresh: "refresh"}}
		switch got := Decide(o); {
		case got.Action == Refresh:
			renewed++
			s := o.Refresh()
			d.Claim(s, credential, "me", now, time.Second)
			d.Record(d.Answer(s, credential, spacesauth.Answer{AccessToken: spacesauth.NewSecret("a"), RefreshToken: spacesauth.NewSecret("b"), IssueTime: now, Lifetime: 2 * time.Hour}, nil, now), now)
		case got.Hold != TooSoon || !got.Until.After(now) || got.Until.Sub(now) > requestPause:
			t.Fatalf("at %d s: decided %q (%s) until %s", second, got.Action, got.Hold, got.Until)
		}
	}
	if renewed != 10 {
		t.Errorf("a hundred requests in a hundred seconds made %d tokens", renewed)
	}
}
