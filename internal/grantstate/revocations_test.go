package grantstate

import (
	"fmt"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestAFullListGivesUpItsOldestEntryAndSaysSo(t *testing.T) {
	d := Document{}
	for i := range maxPending + 3 {
		d.list(&Grant{ID: fmt.Sprint(i), RefreshToken: kept{spacesauth.NewSecret("x")}}, noon, noon, noon)
	}
	if len(d.pending) != maxPending || d.Abandoned() != 3 || d.pending[0].GrantID != "3" {
		t.Errorf("%d listed, %d abandoned, the oldest is %s", len(d.pending), d.abandoned, d.pending[0].GrantID)
	}
}

func TestARevocationWaitsNoLongerThanItsCapAfterAClockWasSetBack(t *testing.T) {
	entry := Listed{
		Attempts: 1, NextAttemptTime: noon.Add(time.Minute), NotBefore: noon.Add(Changeover),
		TokenExpirationTime: noon.Add(24 * time.Hour), GiveUpTime: noon.Add(patience),
	}
	for sentence, c := range map[string]struct {
		at         time.Time
		due, waits bool
	}{
		"at once":                      {noon, false, true},
		"a second later":               {noon.Add(time.Second), false, true},
		"when its time has come":       {noon.Add(Changeover), true, false},
		"with the clock a bit back":    {noon.Add(-time.Second), true, true},
		"with the clock an hour back":  {noon.Add(-time.Hour), true, false},
		"with the clock a month back":  {noon.Add(-30 * 24 * time.Hour), true, false},
		"with the clock a month ahead": {noon.Add(30 * 24 * time.Hour), true, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if due := entry.Due(c.at, c.at.Add(-Changeover)); due != c.due {
				t.Errorf("due is %v", due)
			}
			if waits := entry.Waits(c.at); waits != c.waits {
				t.Errorf("waiting is %v", waits)
			}
		})
	}
}
