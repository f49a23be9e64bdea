package grantstate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestADocumentThatFellBehindIsJudgedOnce(t *testing.T) {
	claim := &Claim{Number: 7}
	for sentence, c := range map[string]struct {
		d        Document
		answered int64
		behind   bool
	}{
		"an earlier claim":                       {Document{claims: 6}, 7, true},
		"the claim itself, still open":           {Document{claims: 7, claim: claim}, 7, true},
		"the claim, recorded":                    {Document{claims: 7}, 7, false},
		"a later claim, open":                    {Document{claims: 8, claim: &Claim{Number: 8}}, 7, false},
		"nothing published of a known claim yet": {Document{claims: 3}, 0, false},
	} {
		if got := c.d.IsBehind(c.answered); got != c.behind {
			t.Errorf("%s: %v", sentence, got)
		}
		c.d.FellBehind(c.answered, noon, noon)
		if c.d.IsBehind(c.answered) || c.d.claims <= c.answered {
			t.Errorf("%s: it is judged again", sentence)
		}
	}
}

func TestNothingIsSpentOfADocumentThatFellBehind(t *testing.T) {
	d := Document{
		claims: 2, terms: Terms{DeadlineSeconds: 300},
		grant:    &Grant{ID: "g", RefreshToken: kept{spacesauth.NewSecret("rt")}, Token: &Token{ExpirationTime: noon}},
		firstUse: &FirstUse{Hash: "h", GrantID: "f", Seed: kept{spacesauth.NewSecret("seed")}},
	}
	d.FellBehind(5, noon.Add(time.Hour), noon)
	switch {
	case d.grant.Condition != Refused:
		t.Error("the grant is not refused")
	case d.Publishable() != nil:
		t.Error("an older token would be published over the newer one")
	case !d.Token().ExpirationTime.Equal(noon.Add(time.Hour)):
		t.Error("the grant would be revoked while its newest token is in use")
	case d.firstUse != nil || d.inputs.Used.Seed+d.inputs.Used.Code == "":
		t.Error("the seed would be sent again")
	case len(d.pending) != 1:
		t.Error("what the seed made would live on")
	}
}

func TestTheNewerOfTwoDocumentsIsTold(t *testing.T) {
	open := Document{claims: 3, claim: &Claim{Number: 3}}
	recorded := Document{claims: 3}
	if !open.IsOlderThan(recorded) || recorded.IsOlderThan(open) || recorded.IsOlderThan(recorded) || !recorded.IsOlderThan(Document{claims: 4}) {
		t.Error("they are told wrong")
	}
}

func TestWhatIsOwnedIsBoundedAndForgottenOnceItIsGone(t *testing.T) {
	var d Document
	for i := range 1000 {
		if !d.Own(Owned{Keys: []string{fmt.Sprint(i)}}) {
			t.Fatalf("%d is no news", i)
		}
	}
	if keys := d.Owned().Keys; len(keys) != maxOwned || keys[len(keys)-1] != "999" {
		t.Errorf("%d names are kept, the last is %s", len(keys), keys[len(keys)-1])
	}
	if d.Own(Owned{Keys: []string{"999"}}) {
		t.Error("what is known is news")
	}
	d.OwnOnly(Owned{Keys: []string{"b", "a"}})
	if keys := d.Owned().Keys; !slices.Equal(keys, []string{"a", "b"}) {
		t.Errorf("kept %v", keys)
	}
}
