package grantstate

import (
	"bytes"
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// exportable is a document whose living grant may be given away.
func exportable() Document {
	d := fullDocument()
	d.claim, d.firstUse, d.exports, d.meanwhile = nil, nil, nil, nil
	d.grant.Condition, d.grant.Answered, d.isBehind, d.revoked = Valid, d.claims, false, false
	return d
}

func TestAGrantIsSettledWhenTheLastClaimIsItsAnswer(t *testing.T) {
	for sentence, c := range map[string]struct {
		change func(*Document)
		want   bool
	}{
		"when the last claim was answered":   {func(*Document) {}, true},
		"not while a claim is open":          {func(d *Document) { d.claim = &Claim{Number: d.claims} }, false},
		"not while a seed is on its way":     {func(d *Document) { d.firstUse = &FirstUse{GrantID: "f"} }, false},
		"not when its refresh had no answer": {func(d *Document) { d.grant.Condition = Ambiguous }, false},
		"not when it was refused":            {func(d *Document) { d.grant.Condition = Refused }, false},
		"not when a later claim failed":      {func(d *Document) { d.claims++ }, false},
		"not where there is none":            {func(d *Document) { d.grant = nil }, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			d := exportable()
			c.change(&d)
			if got := d.IsSettled(); got != c.want {
				t.Errorf("settled: %t", got)
			}
		})
	}
}

// Whatever happens to a document, a grant that was given away reaches no list of revocations.
func TestAnExportedGrantIsNeverListed(t *testing.T) {
	later := noon.Add(time.Hour)
	late := func(d *Document) Answer {
		brought := *d.grant.clone()
		brought.RefreshToken = kept{spacesauth.NewSecret("late")}
		return Answer{credentialUID: d.credentialUID, claim: Claim{Number: d.claims - 1, Holder: "other", Time: noon, GrantID: brought.ID}, terms: d.terms, grant: &brought}
	}
	for sentence, happens := range map[string]func(*Document){
		"a person asks for the end of every grant": func(d *Document) { d.RevokeAll("v2", later) },
		"the lender withdraws":                     func(d *Document) { d.Withdraw(later) },
		"the credential is deleted":                func(d *Document) { d.Retire(Retirement{Since: later}, later) },
		"the state is deleted":                     func(d *Document) { d.Retire(Retirement{Always: true, Since: later}, later) },
		"another grant takes its place":            func(d *Document) { d.supersede(later) },
		"a rival takes the name":                   func(d *Document) { d.Undo(later) },
		"an answer comes late":                     func(d *Document) { d.Record(late(d), later) },
		"an answer comes after another grant took its place": func(d *Document) {
			a := late(d)
			d.supersede(later)
			d.grant = &Grant{ID: "next", RefreshToken: kept{spacesauth.NewSecret("n")}, Answered: 20}
			d.Record(a, later)
		},
		"an answer comes after an emergency stop": func(d *Document) {
			a := late(d)
			d.Retire(Retirement{Always: true, Since: later}, later)
			*d = d.Successor(&v1alpha1.SpacesCredential{})
			d.Record(a, later)
		},
		"it is stored and read": func(d *Document) {
			content, err := d.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if *d, err = Read(content); err != nil {
				t.Fatal(err)
			}
			d.Retire(Retirement{Since: later}, later)
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			d := exportable()
			before := d.grant.RefreshToken.Reveal()
			d.Export("now", "key", noon)
			happens(&d)
			if d.entry("g") != nil {
				t.Error("it is listed")
			}
			if d.grant != nil && d.grant.ID == "g" && d.grant.RefreshToken.Reveal() != before {
				t.Error("its refresh token is another one")
			}
			if d.grant != nil && d.grant.ID == "g" && d.Exported() == nil {
				t.Error("it does not count as exported any more")
			}
		})
	}
}

func TestAMarkMakesTheDocumentANewerOne(t *testing.T) {
	before := exportable()
	d := before.Clone()
	d.Export("now", "key", noon)
	if !before.IsOlderThan(d) || d.IsOlderThan(before) || !before.IsBehind(d.Exported().Number) || d.IsBehind(d.Exported().Number) {
		t.Error("a document of before the mark is not older")
	}
	if d.grant.Answered != d.Exported().Number {
		t.Error("what is published does not name the mark")
	}
	again := d.Clone()
	again.Export("again", "another", noon)
	if len(again.exports) != 1 || again.Exported().Key != "another" || !d.IsOlderThan(again) {
		t.Errorf("a second export of the grant: %+v", again.exports)
	}
}

// A document of before the mark knows the grant in another place, or not at all.
func TestADocumentThatIsBehindAnExportGivesItsGrantUp(t *testing.T) {
	mark := Export{GrantID: "g", Number: 20, Key: "key", Time: noon}
	for sentence, before := range map[string]func(*Document){
		"as its living grant": func(*Document) {},
		"as a seed on its way": func(d *Document) {
			d.grant = nil
			d.firstUse = &FirstUse{GrantID: "g", Seed: kept{spacesauth.NewSecret("seed")}, Hash: "h"}
		},
		"not at all": func(d *Document) { d.grant = nil },
	} {
		t.Run(sentence, func(t *testing.T) {
			d := exportable()
			before(&d)
			pending := len(d.pending)
			d.FellBehindExport(mark, noon.Add(time.Hour), noon)
			if len(d.pending) != pending || d.firstUse != nil || d.IsBehind(mark.Number) {
				t.Error("it is spent or revoked, or judged again")
			}
			d.Retire(Retirement{Since: noon}, noon)
			if d.entry("g") != nil {
				t.Error("it is listed in the end")
			}
		})
	}
	d := exportable()
	d.firstUse = &FirstUse{GrantID: "f", Seed: kept{spacesauth.NewSecret("seed")}, Hash: "h"}
	d.FellBehindExport(mark, noon.Add(time.Hour), noon)
	if d.entry("f") == nil {
		t.Error("the seed of another grant is lost")
	}
}

func TestExportsThatAreRememberedAreBounded(t *testing.T) {
	d := exportable()
	for i := range 3 * maxExports {
		d.grant.ID = string(rune('a' + i))
		d.Export("now", "key", noon)
	}
	if len(d.exports) != maxExports || d.Exported() == nil {
		t.Errorf("%d are remembered", len(d.exports))
	}
}

// Who is asked to decide finds nothing to do with a grant that was given away.
func TestDecidingAboutAnExportedGrant(t *testing.T) {
	credential := func(grantType v1alpha1.GrantType, renew string) *v1alpha1.SpacesCredential {
		c := &v1alpha1.SpacesCredential{}
		c.Spec.GrantType = grantType
		c.Annotations = map[string]string{v1alpha1.AnnotationRenewRequestedAt: renew}
		return c
	}
	for sentence, c := range map[string]struct {
		grantType v1alpha1.GrantType
		renew     string
		change    func(*Seen)
		want      Verdict
	}{
		"nothing, though its token has expired":  {v1alpha1.GrantTypePassword, "a", func(*Seen) {}, Verdict{Hold: GivenAway}},
		"a sign-in when a person asks for one":   {v1alpha1.GrantTypePassword, "another", func(*Seen) {}, Verdict{Action: SignIn}},
		"a sign-in for another user":             {v1alpha1.GrantTypePassword, "a", func(s *Seen) { s.used.Login = "x" }, Verdict{Action: SignIn}},
		"nothing for a seed, whoever asks":       {v1alpha1.GrantTypeRefreshToken, "another", func(*Seen) {}, Verdict{Hold: GivenAway}},
		"nothing for a seed and another client":  {v1alpha1.GrantTypeRefreshToken, "a", func(s *Seen) { s.used.Client = "x" }, Verdict{Hold: GivenAway}},
		"the first use of another seed":          {v1alpha1.GrantTypeRefreshToken, "a", func(s *Seen) { s.used.Seed = "x" }, Verdict{Action: SignIn}},
		"the first use of a grant that comes in": {v1alpha1.GrantTypeAuthorizationCode, "a", func(s *Seen) { s.used.Import = "x" }, Verdict{Action: SignIn}},
	} {
		t.Run(sentence, func(t *testing.T) {
			d := exportable()
			d.pending, d.signInFailure, d.refreshFailure, d.inputs.Refused = nil, nil, nil, nil
			d.requests = requests{HandledRenew: "a"}
			d.Export("now", "key", noon)
			seen := Seen{used: used{Client: "c", Login: "l", Seed: "s", Code: "o"}, signIn: "sign-in", refresh: "refresh"}
			c.change(&seen)
			got := Decide(Observation{Credential: credential(c.grantType, c.renew), Document: d, Inputs: seen, Now: noon.Add(10 * time.Hour)})
			if got.Action != c.want.Action || got.Hold != c.want.Hold {
				t.Errorf("it is %q, held by %q", got.Action, got.Hold)
			}
		})
	}
}

// An import is remembered as used when it made a grant, and when it was given up on its way.
func TestAnImportIsUsedOnce(t *testing.T) {
	token := spacesauth.NewSecret("imported")
	given := Given{AccountsURL: "https://a.test", Application: spacesauth.Application{ID: "c"}, NoGrant: true, Import: &Imported{ImportedFrom: ImportedFrom{ID: "i"}, RefreshToken: token}}
	d := exportable()
	d.pending, d.inputs.Imported, d.inputs.Used.Login, d.inputs.Used.Seed, d.inputs.Used.Code = nil, nil, "", "", ""
	credential := &v1alpha1.SpacesCredential{}
	credential.Spec.GrantType = v1alpha1.GrantTypePassword
	o := Observation{Credential: credential, Document: d, Inputs: d.See(given), Now: noon}
	if o.Inputs.signIn == "" || !d.ChangedSince(o.Inputs) {
		t.Fatal("an import does not stand for what makes the grant")
	}
	spend, sent, err := o.SignIn("e", given, bytes.NewReader(make([]byte, 64)))
	if err != nil || !spend.IsImport() || sent.Import == nil || spend.RefreshToken().Reveal() != "imported" || spend.By() != v1alpha1.GrantTypeRefreshToken {
		t.Fatalf("the import is not what is sent: %v", err)
	}
	d.Claim(spend, credential, "me", noon, time.Second)
	if d.WasImported(token) {
		t.Error("it counts as used before the service has judged it")
	}
	given.Import = nil // its Secret is gone
	if again := d.See(given); again.used.Import != d.firstUse.Hash {
		t.Error("it is not gone on with")
	}
	revoked := d.Clone()
	revoked.RevokeAll("v2", noon)
	if !revoked.WasImported(token) {
		t.Error("it is taken for a new one after it was given up")
	}
	d.Record(d.Answer(spend, credential, spacesauth.Answer{AccessToken: spacesauth.NewSecret("at"), RefreshToken: spacesauth.NewSecret("rt2"), IssueTime: noon, Lifetime: time.Hour}, nil, noon), noon)
	if !d.WasImported(token) || d.grant.Import != "i" || d.firstUse != nil {
		t.Error("it is not the living grant, or not used")
	}
	given.Import = &Imported{RefreshToken: token}
	if d.ChangedSince(d.See(given)) {
		t.Error("it is taken for a new one")
	}
}
