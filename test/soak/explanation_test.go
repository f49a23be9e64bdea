package main

import (
	"syscall"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// at is a moment of the stories below, in seconds.
func at(seconds float64) time.Time {
	return time.Date(2030, time.May, 4, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

func without(from, to float64) []absence { return []absence{{from: at(from), to: at(to)}} }

func TestExplain(t *testing.T) {
	bySignIn := fakespaces.GrantRecord{ID: "grant-1", User: "bot", Origin: "password", IssuedAt: at(10)}
	renewed := fakespaces.GrantRecord{ID: "grant-1", User: "bot", Origin: "password", IssuedAt: at(10), RefreshedAt: at(30)}
	seed := fakespaces.GrantRecord{ID: "grant-1", User: "bot", Origin: "seed", IssuedAt: at(10)}
	signIn := func(user string, fault fakespaces.Fault) *spend {
		return &spend{operation: fakespaces.OperationPassword, user: user, arrived: at(9.9), answered: at(10.1), fault: fault}
	}
	refresh := func(grant string, fault fakespaces.Fault) *spend {
		return &spend{operation: fakespaces.OperationRefresh, grant: grant, user: "bot", arrived: at(29.9), answered: at(30.1), fault: fault}
	}
	killed := func(seconds float64) []death { return []death{{at: at(seconds), signal: syscall.SIGKILL}} }
	const lost = fakespaces.FaultCutBody
	for sentence, given := range map[string]struct {
		grant          fakespaces.GrantRecord
		never, touched bool
		made           []*spend
		deaths         []death
		absences       []absence
		spoiled        time.Time
		want           reason
	}{
		"a sign-in that was answered":                         {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, want: unexplained},
		"a sign-in that nobody saw":                           {grant: bySignIn, want: unexplained},
		"the answer to the sign-in was lost":                  {grant: bySignIn, made: []*spend{signIn("bot", lost)}, want: lostWithAnswer},
		"the answer to another's sign-in was lost":            {grant: bySignIn, made: []*spend{signIn("else", lost)}, want: unexplained},
		"the policy keeps it":                                 {grant: bySignIn, never: true, want: policyNever},
		"a seed that was never sent":                          {grant: seed, want: seedUnsent},
		"a seed that was sent":                                {grant: seed, touched: true, want: unexplained},
		"the answer to its last renewal was lost":             {grant: renewed, made: []*spend{signIn("bot", fakespaces.NoFault), refresh("grant-1", lost)}, want: lostWithAnswer},
		"the answer to another's renewal was lost":            {grant: renewed, made: []*spend{refresh("grant-2", lost)}, want: unexplained},
		"the process was killed a second after the answer":    {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, deaths: killed(11), want: lostWithProcess},
		"the process was killed while it waited":              {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, deaths: killed(10), want: lostWithProcess},
		"the process was killed just after it had sent it":    {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, deaths: killed(9.89), want: lostWithProcess},
		"a process was killed before the call":                {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, deaths: killed(9), want: unexplained},
		"a process was killed long after the answer":          {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, deaths: killed(20), want: unexplained},
		"killed after the renewal, and not the sign-in":       {grant: renewed, touched: true, made: []*spend{signIn("bot", fakespaces.NoFault), refresh("grant-1", fakespaces.NoFault)}, deaths: killed(31), want: lostWithProcess},
		"killed at the sign-in, but it was renewed after it":  {grant: renewed, made: []*spend{signIn("bot", lost), refresh("grant-1", fakespaces.NoFault)}, want: unexplained},
		"killed while there was no API server to save it":     {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, deaths: killed(20), absences: without(5, 22), want: lostWithProcess},
		"killed before it was tried again":                    {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, deaths: killed(21), absences: without(9, 15), want: lostWithProcess},
		"killed when it must have been saved":                 {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, deaths: killed(24), absences: without(9, 15), want: unexplained},
		"no API server, and nobody was killed":                {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, absences: without(9, 30), want: unexplained},
		"no API server long after the answer":                 {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, deaths: killed(20), absences: without(15, 25), want: unexplained},
		"its revocation was spoiled, long after the deadline": {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, spoiled: at(10 + 301), want: spoiledLate},
		"its revocation was spoiled before the deadline":      {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, spoiled: at(10 + 299), want: unexplained},
		"no API server before the answer":                     {grant: bySignIn, made: []*spend{signIn("bot", fakespaces.NoFault)}, deaths: killed(14), absences: without(2, 9), want: unexplained},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := explain(given.grant, given.never, given.touched, given.made, given.spoiled, given.deaths, given.absences)
			if got.reason != given.want {
				t.Errorf("the reason is %d, want %d", got.reason, given.want)
			}
			if silent := got.String() == ""; silent != (got.reason == policyNever || got.reason == seedUnsent) {
				t.Errorf("it says %q", got)
			}
		})
	}
}

func TestExplanationsTellWhoAndWhen(t *testing.T) {
	renewal := &spend{operation: fakespaces.OperationRefresh, arrived: at(9.5), answered: at(10), fault: fakespaces.FaultCutBody}
	for want, got := range map[string]string{
		"the answer to its refresh was lost at 12:00:10.000 (cut-body)": renewal.goneOnTheWay(),
		"operator 1 was killed at 12:00:10.250, 250ms after the answer to its refresh": renewal.goneWith(
			death{at: at(10.25), signal: syscall.SIGKILL}, without(2, 8)),
		"operator 2 was frozen at 12:00:09.490, while its refresh was on the way": renewal.goneWith(
			death{at: at(9.49), number: 1, signal: syscall.SIGSTOP}, nil),
		"operator 2 was frozen at 12:00:09.750, while it waited for the answer to its refresh": renewal.goneWith(
			death{at: at(9.75), number: 1, signal: syscall.SIGSTOP}, nil),
		"operator 1 was killed at 12:00:15.000, 5s after the answer to its refresh, which it could not save: no API server from 12:00:08.000 to 12:00:13.000": renewal.goneWith(
			death{at: at(15), signal: syscall.SIGKILL}, without(8, 13)),
	} {
		if got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}

func TestAbsences(t *testing.T) {
	server := &apiServer{}
	if server.away() || server.awaySince(at(0)) {
		t.Error("one that never left is away")
	}
	server.absences = []absence{{from: at(0), to: at(9)}, {from: at(20), to: at(24)}}
	if server.awaySince(at(25)) || !server.awaySince(at(23)) {
		t.Error("when it was away is not known")
	}
	if got := server.steadyFor(at(30)); got != 21*time.Second {
		t.Errorf("steady for %s: only the first absence broke the lease", got)
	}
	if longer(server.absences, leaseBroken) != 1 || longer(server.absences, saverGrace) != 0 {
		t.Error("long absences are not counted")
	}
	server.absences = append(server.absences, absence{from: at(40)})
	if !server.away() || server.steadyFor(at(50)) != 0 {
		t.Error("one that left and did not come back is there")
	}
}
