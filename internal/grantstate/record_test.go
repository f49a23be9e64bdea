package grantstate

import (
	"fmt"
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestRecord(t *testing.T) {
	now := noon
	claimed := Claim{Number: 5, Holder: "me", GrantID: "g"}
	from := func(id string, number int64, token string) *Grant {
		return &Grant{ID: id, Answered: number, RefreshToken: kept{spacesauth.NewSecret(token)}, Token: &Token{ExpirationTime: noon.Add(time.Hour)}}
	}
	for sentence, c := range map[string]struct {
		before  Document
		answer  Answer
		token   string
		pending []string
	}{
		"an answer replaces the token it was spent for": {
			before: Document{claim: &claimed, grant: from("g", 4, "old")},
			answer: Answer{claim: claimed, grant: from("g", 5, "new")}, token: "new"},
		"a sign-in supersedes the living grant": {
			before: Document{claim: &claimed, grant: from("old", 4, "old")},
			answer: Answer{claim: claimed, grant: from("g", 5, "new")}, token: "new", pending: []string{"old"}},
		"a late answer gives way to a newer token": {
			before: Document{grant: from("g", 6, "newer")},
			answer: Answer{claim: claimed, grant: from("g", 5, "late")}, token: "newer"},
		"a late answer replaces a refused token": {
			before: Document{grant: refusedGrant(from("g", 6, "refused"))},
			answer: Answer{claim: claimed, grant: from("g", 5, "late")}, token: "late"},
		"a late answer of another grant is listed": {
			before: Document{grant: from("h", 6, "newer")},
			answer: Answer{claim: claimed, grant: from("g", 5, "late")}, token: "newer", pending: []string{"late"}},
		"a late answer of a listed grant replaces the listed token": {
			before: Document{grant: from("h", 6, "newer"), pending: []Listed{{GrantID: "g", RefreshToken: kept{spacesauth.NewSecret("stale")}}}},
			answer: Answer{claim: claimed, grant: from("g", 5, "late")}, token: "newer", pending: []string{"late"}},
		"a late answer to a seed that is still out becomes the grant": {
			before: Document{firstUse: &FirstUse{GrantID: "g"}},
			answer: Answer{claim: claimed, grant: from("g", 5, "late")}, token: "late"},
		"a late answer to a seed whose replay was refused becomes the grant": {
			before: Document{inputs: inputs{Refused: []Refusal{{GrantID: "g", Kind: spacesauth.KindRejectedGrant}}}},
			answer: Answer{claim: claimed, grant: from("g", 5, "late")}, token: "late"},
		"a late answer to a seed that a newer grant followed is listed": {
			before: Document{grant: from("h", 6, "newer"), inputs: inputs{Refused: []Refusal{{GrantID: "g", Kind: spacesauth.KindRejectedGrant}}}},
			answer: Answer{claim: claimed, grant: from("g", 5, "late")}, token: "newer", pending: []string{"late"}},
		"an answer to a claim that stands, of a grant that was listed meanwhile, joins it": {
			before: Document{claim: &claimed, grant: from("h", 4, "living"), pending: []Listed{{GrantID: "g", RefreshToken: kept{spacesauth.NewSecret("stale")}}}},
			answer: Answer{claim: claimed, grant: from("g", 5, "late")}, token: "living", pending: []string{"late"}},
		"policy Never lists nothing": {
			before: Document{grant: from("h", 6, "newer"), terms: Terms{Policy: v1alpha1.RevocationNever}},
			answer: Answer{claim: claimed, grant: from("g", 5, "late")}, token: "newer"},
	} {
		t.Run(sentence, func(t *testing.T) {
			d := c.before.Clone()
			d.Record(c.answer, now)
			if got := d.grant.RefreshToken.Reveal(); got != c.token {
				t.Errorf("the grant holds %q, want %q", got, c.token)
			}
			var pending []string
			for _, entry := range d.pending {
				pending = append(pending, entry.RefreshToken.Reveal())
			}
			if fmt.Sprint(pending) != fmt.Sprint(c.pending) {
				t.Errorf("listed are %v, want %v", pending, c.pending)
			}
			if d.claim != nil {
				t.Error("the claim stays open")
			}
			again := d.Clone()
			again.Record(c.answer, now)
			if again.grant.RefreshToken.Reveal() != c.token || len(again.pending) != len(d.pending) {
				t.Error("recording the same answer twice changed the document")
			}
		})
	}
}

// A claim may stay open while its answer cannot be saved. When a person asks for
// revocation then, the answer must not bring the grant back.
func TestAnAnswerThatWasUnderWayAtARevocationIsRevokedToo(t *testing.T) {
	secret := func(value string) kept { return kept{spacesauth.NewSecret(value)} }
	claimed := Claim{Number: 5, Holder: "me", GrantID: "g"}
	for sentence, before := range map[string]Document{
		"a refresh":            {grant: &Grant{ID: "g", RefreshToken: secret("old")}},
		"the use of a seed":    {firstUse: &FirstUse{GrantID: "g", Seed: secret("old")}},
		"the use of a code":    {firstUse: &FirstUse{GrantID: "g", Code: secret("code")}},
		"under policy Never":   {grant: &Grant{ID: "g", RefreshToken: secret("old")}, terms: Terms{Policy: v1alpha1.RevocationNever}},
		"a seed, once refused": {grant: &Grant{ID: "h", RefreshToken: secret("h")}, inputs: inputs{Refused: []Refusal{{GrantID: "g", Kind: spacesauth.KindRejectedGrant}}}},
	} {
		for _, revoked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, revoked before it comes: %v", sentence, revoked), func(t *testing.T) {
				d := before.Clone()
				d.claim = &claimed
				d.RevokeAll("now", noon)
				if revoked {
					d.pending = nil
				}
				d.Record(Answer{claim: claimed, grant: &Grant{ID: "g", Answered: 5, RefreshToken: secret("new"), Token: &Token{}}}, noon)
				if d.grant != nil {
					t.Errorf("the grant %s is back", d.grant.ID)
				}
				entry := d.entry("g")
				if entry == nil || entry.RefreshToken.Reveal() != "new" || !entry.Due(noon, time.Time{}) {
					t.Errorf("its newest token is not listed as due: %+v", entry)
				}
			})
		}
	}
}

func refusedGrant(g *Grant) *Grant {
	g.Condition = Refused
	return g
}

// A guest has nothing that could be revoked, and a policy may spare the rest.
func TestWhatNoDocumentCanKeepIsListedOnceItCanBeRevoked(t *testing.T) {
	grant := func(token string) *Grant {
		return &Grant{ID: "g", AccountsURL: "https://a.test", RefreshToken: kept{spacesauth.NewSecret(token)}}
	}
	for sentence, c := range map[string]struct {
		answer Answer
		listed bool
	}{
		"a grant":               {Answer{grant: grant("r"), terms: Terms{Policy: v1alpha1.RevocationOnDelete, DeadlineSeconds: 60}}, true},
		"a guest":               {Answer{grant: grant("")}, false},
		"a refusal":             {Answer{refusal: &Refusal{}}, false},
		"a grant, policy Never": {Answer{grant: grant("r"), terms: Terms{Policy: v1alpha1.RevocationNever}}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			entry := c.answer.Unkept(noon)
			if (entry != nil) != c.listed {
				t.Fatalf("listed is %v", entry != nil)
			}
			if entry != nil && !entry.GiveUpTime.Equal(noon.Add(time.Minute)) {
				t.Errorf("it is given up at %s", entry.GiveUpTime)
			}
		})
	}
}
