package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestJudge(t *testing.T) {
	for sentence, given := range map[string]struct {
		figures []figure
		fails   bool
	}{
		"only what may be anything":            {[]figure{{name: "deeds", number: 3}}, false},
		"what must be 0 is":                    {[]figure{{name: "deeds", number: 3}, {name: "leaks", wrong: true}}, false},
		"what must be 0 is not":                {[]figure{{name: "deeds"}, {name: "leaks", number: 1, wrong: true}}, true},
		"less than nothing is a mistake of us": {[]figure{{name: "sent again", number: -1, wrong: true}}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			var out strings.Builder
			if err := judge(&out, given.figures); err != nil != given.fails {
				t.Errorf("the error was %v", err)
			}
			if lines := strings.Count(out.String(), "\n"); lines != len(given.figures) {
				t.Errorf("%d lines for %d figures", lines, len(given.figures))
			}
		})
	}
}

func TestRemains(t *testing.T) {
	began := time.Now()
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	bySignIn := fakespaces.GrantRecord{ID: "grant-1", User: "bot", Origin: "password", IssuedAt: at(10)}
	renewed := fakespaces.GrantRecord{ID: "grant-1", User: "bot", Origin: "password", IssuedAt: at(10), RefreshedAt: at(30)}
	seed := fakespaces.GrantRecord{ID: "grant-1", User: "bot", Origin: "seed", IssuedAt: at(10)}
	signIn := func(user string, lost bool) *spend {
		return &spend{operation: fakespaces.OperationPassword, user: user, arrived: at(9.9), answered: at(10.1), lost: lost}
	}
	refresh := func(grant string, lost bool) *spend {
		return &spend{operation: fakespaces.OperationRefresh, grant: grant, user: "bot", arrived: at(29.9), answered: at(30.1), lost: lost}
	}
	for sentence, given := range map[string]struct {
		grant          fakespaces.GrantRecord
		never, touched bool
		made           []*spend
		deaths         []time.Time
		want           reason
	}{
		"a sign-in that was answered":                        {grant: bySignIn, made: []*spend{signIn("bot", false)}, want: unexplained},
		"a sign-in that nobody saw":                          {grant: bySignIn, want: unexplained},
		"the answer to the sign-in was lost":                 {grant: bySignIn, made: []*spend{signIn("bot", true)}, want: lostWithAnswer},
		"the answer to another's sign-in was lost":           {grant: bySignIn, made: []*spend{signIn("else", true)}, want: unexplained},
		"the policy keeps it":                                {grant: bySignIn, never: true, want: policyNever},
		"a seed that was never sent":                         {grant: seed, want: seedUnsent},
		"a seed that was sent":                               {grant: seed, touched: true, want: unexplained},
		"the answer to its last renewal was lost":            {grant: renewed, made: []*spend{signIn("bot", false), refresh("grant-1", true)}, want: lostWithAnswer},
		"the answer to another's renewal was lost":           {grant: renewed, made: []*spend{refresh("grant-2", true)}, want: unexplained},
		"the process was killed a second after the answer":   {grant: bySignIn, made: []*spend{signIn("bot", false)}, deaths: []time.Time{at(11)}, want: lostWithProcess},
		"the process was killed while it waited":             {grant: bySignIn, made: []*spend{signIn("bot", false)}, deaths: []time.Time{at(10)}, want: lostWithProcess},
		"a process was killed before the call":               {grant: bySignIn, made: []*spend{signIn("bot", false)}, deaths: []time.Time{at(9)}, want: unexplained},
		"a process was killed long after the answer":         {grant: bySignIn, made: []*spend{signIn("bot", false)}, deaths: []time.Time{at(20)}, want: unexplained},
		"killed after the renewal, and not the sign-in":      {grant: renewed, touched: true, made: []*spend{signIn("bot", false), refresh("grant-1", false)}, deaths: []time.Time{at(31)}, want: lostWithProcess},
		"killed at the sign-in, but it was renewed after it": {grant: renewed, made: []*spend{signIn("bot", true), refresh("grant-1", false)}, want: unexplained},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := remains(given.grant, given.never, given.touched, given.made, given.deaths); got != given.want {
				t.Errorf("the reason is %d, want %d", got, given.want)
			}
		})
	}
}

func TestSecretsAreFoundByTheirEnds(t *testing.T) {
	index := newSecretIndex([]string{"eyJhbGciOiJIUzI1NiJ9.first", "eyJhbGciOiJIUzI1NiJ9.other", "0123456789abcdef", "short"})
	for text, want := range map[string]int{
		"": 0, "nothing": 0, "eyJhbGciOiJIUzI1NiJ9.": 0, "short": 0,
		"token eyJhbGciOiJIUzI1NiJ9.other end": 1,
		"0123456789abcdef 0123456789abcdef":    2,
		"1123456789abcdef":                     0,
	} {
		if got := index.found([]byte(text)); got != want {
			t.Errorf("%q: found %d, want %d", text, got, want)
		}
	}
}
