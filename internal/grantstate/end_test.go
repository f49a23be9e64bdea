package grantstate

import (
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestTheEndOfAGrant(t *testing.T) {
	const day = 24 * time.Hour
	told := func(end, since time.Duration) End {
		return End{Time: noon.Add(end), Since: noon.Add(since), IsTold: true}
	}
	for sentence, c := range map[string]struct {
		before      End
		at          time.Duration // of the answer, since the grant began
		told, usual time.Duration
		noRefresh   bool
		want        End
	}{
		"is not known where nobody says it":                        {},
		"is told by the first answer":                              {told: 14 * day, want: told(14*day, 0)},
		"is what the environment says where no answer does":        {usual: 30 * day, want: End{Time: noon.Add(30 * day), Since: noon}},
		"is what the answer says before what the environment does": {told: 14 * day, usual: 30 * day, want: told(14*day, 0)},
		"is not moved by an answer that was slow":                  {before: told(14*day, 0), at: day, told: 13*day + 59*time.Second, want: told(14*day, 0)},
		"is moved by an answer that gives more":                    {before: told(14*day, 0), at: day, told: 14 * day, want: told(15*day, day)},
		"is moved by an answer that gives less":                    {before: told(14*day, 0), at: day, told: day, want: told(2*day, day)},
		"stays where later answers say nothing":                    {before: told(14*day, 0), at: day, usual: 30 * day, want: told(14*day, 0)},
		"follows what the environment says":                        {before: End{Time: noon.Add(30 * day), Since: noon}, at: day, usual: 60 * day, want: End{Time: noon.Add(60 * day), Since: noon}},
		"is forgotten where the environment says it no more":       {before: End{Time: noon.Add(30 * day), Since: noon}, at: day},
		"is that of its token without a refresh token":             {told: 14 * day, usual: day, noRefresh: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			g := Grant{StartTime: noon, End: c.before, RefreshToken: kept{spacesauth.NewSecret("r")}}
			if c.noRefresh {
				g.RefreshToken = kept{}
			}
			g.endsAsTold(noon.Add(c.at), c.told, c.usual)
			if g.End != c.want {
				t.Errorf("it is %+v, want %+v", g.End, c.want)
			}
		})
	}
}

func TestPeopleAreWarnedOfTheEndOfAGrantOnce(t *testing.T) {
	d := Document{grant: &Grant{End: End{Time: noon.Add(7 * time.Hour), Since: noon}}}
	expect := func(sentence string, at time.Duration, want bool) {
		t.Helper()
		if got := d.EndsSoon(noon.Add(at)); got != want {
			t.Errorf("%s: %v", sentence, got)
		}
	}
	expect("before a seventh is left", 6*time.Hour-time.Second, false)
	expect("with a seventh left", 6*time.Hour, true)
	d.WarnedOfEnd()
	expect("a second time", 6*time.Hour+time.Minute, false)
	d.grant.endsAsTold(noon.Add(6*time.Hour), 7*time.Hour, 0)
	expect("of an end that was moved", 13*time.Hour, false)
	d.grant.End.IsWarned, d.grant.Condition = false, Refused
	expect("of a grant that has ended", 13*time.Hour, false)
}
