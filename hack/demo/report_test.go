package main

import (
	"bytes"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestReport(t *testing.T) {
	good := fakespaces.Ledger{TokensIssued: 16, GrantsRevoked: 5}
	with := func(change func(*fakespaces.Ledger)) fakespaces.Ledger {
		changed := good
		change(&changed)
		return changed
	}
	for sentence, given := range map[string]struct {
		ledger  fakespaces.Ledger
		checked checkCounts
		fails   bool
	}{
		"nothing is left and nothing failed": {good, checkCounts{made: 300}, false},
		"a grant is left":                    {with(func(l *fakespaces.Ledger) { l.GrantsLive = 1 }), checkCounts{made: 300}, true},
		"a spent refresh token came again":   {with(func(l *fakespaces.Ledger) { l.SentAgainAfterDelivery = 1 }), checkCounts{made: 300}, true},
		"a replay of a lost answer is none":  {with(func(l *fakespaces.Ledger) { l.ReplaysOfLostAnswers = 1 }), checkCounts{made: 300}, false},
		"a check failed":                     {good, checkCounts{made: 300, failed: 1}, true},
		"nothing was checked":                {good, checkCounts{}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			if err := report(&bytes.Buffer{}, given.ledger, given.checked); err != nil != given.fails {
				t.Errorf("the error was %v", err)
			}
		})
	}

	var out bytes.Buffer
	if err := report(&out, good, checkCounts{made: 300}); err != nil {
		t.Fatal(err)
	}
	const want = `tokens issued: 16
grants revoked: 5
grants left: 0
refresh tokens sent again after their answer was delivered: 0
checks of published tokens: 300
failed checks of published tokens: 0
`
	if out.String() != want {
		t.Errorf("it wrote\n%s", &out)
	}
}
