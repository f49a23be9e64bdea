package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// figure is a line of the report.
type figure struct {
	name   string
	number int
	wrong  bool // where it is not 0
}

// judge prints the figures. It fails where one that must be 0 is not.
func judge(out io.Writer, figures []figure) error {
	var wrong []string
	for _, f := range figures {
		_, _ = fmt.Fprintf(out, "%s: %d\n", f.name, f.number)
		if f.wrong && f.number != 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d", f.name, f.number))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("must be 0, and is not: %s", strings.Join(wrong, "; "))
	}
	return nil
}

// Why a grant lives on at the service after everything was deleted.
type reason int

const (
	unexplained reason = iota
	policyNever
	seedUnsent      // somebody's seed that no operator ever sent
	lostWithAnswer  // the soak lost the answer that told of it
	lostWithProcess // the soak killed or froze the process that had just been told
)

// remains explains one grant that is left.
func remains(grant fakespaces.GrantRecord, never, touched bool, made []*spend, deaths []time.Time) reason {
	if never {
		return policyNever
	}
	if grant.Origin == "seed" && !touched {
		return seedUnsent
	}
	why := unexplained
	for _, s := range made {
		if !s.made(grant) {
			continue
		}
		switch {
		case s.lost:
			return lostWithAnswer
		case s.diedWith(deaths):
			why = lostWithProcess
		}
	}
	return why
}

// made tells whether a spend made a grant, or was the last to renew it.
func (s *spend) made(grant fakespaces.GrantRecord) bool {
	of := grant.IssuedAt
	switch renewal := s.operation == fakespaces.OperationRefresh; {
	case renewal != !grant.RefreshedAt.IsZero():
		return false // who renewed it had been told of it
	case renewal && s.grant != grant.ID, s.user != grant.User:
		return false
	case renewal:
		of = grant.RefreshedAt
	}
	// The service has done the work just before the answer.
	since := s.answered.Sub(of)
	return since >= 0 && since < time.Second
}

// figures gathers what is judged.
func (s *soak) figures() ([]figure, error) {
	ledger, spends, deaths := s.service.Ledger(), s.service.spends, s.processes.deaths
	secrets := s.service.Secrets()
	s.say("searching what was said for %d secrets", len(secrets))
	leaked, panics, err := leaks(secrets)
	if err != nil {
		return nil, err
	}
	left, renewals := map[reason]int{}, 0
	for _, grant := range ledger.Grants {
		renewals += grant.Refreshes
		if grant.State != fakespaces.GrantLive {
			continue
		}
		owner := s.population.byUser[grant.User]
		why := remains(grant, owner.never, spends.touched[grant.ID], spends.made, deaths)
		left[why]++
		if why == unexplained {
			s.say("nothing explains %s of %s (%s), issued %s, renewed %s", grant.ID, owner, grant.Origin,
				grant.IssuedAt.Format(time.TimeOnly), grant.RefreshedAt.Format(time.TimeOnly))
		}
	}
	excused := 0
	for _, a := range spends.again {
		if a.first.diedWith(deaths) {
			excused++
			continue
		}
		s.say("%s: a spent %s of %s came again, answered %s", a.at.Format(time.TimeOnly), a.first.operation,
			s.population.byUser[a.first.user], a.first.answered.Format(time.TimeOnly))
	}
	codes := ledger.CodesSentAgainAfterDelivery
	return []figure{
		{name: "deeds", number: int(s.deeds.done.Load())},
		{name: "operators killed, frozen or asked to end", number: s.processes.kills},
		{name: "of these, holders of the lease killed or frozen", number: len(deaths)},
		{name: "operators that ended by themselves", number: s.processes.unasked},
		{name: "tokens issued", number: ledger.TokensIssued},
		{name: "renewals", number: renewals},
		{name: "grants issued", number: ledger.GrantsIssued},
		{name: "grants dead, because a lost answer was asked for again", number: ledger.GrantsDead},
		{name: "checks of published tokens", number: s.checks.made},
		{name: "published tokens past their time, in seconds", number: s.checks.expired},
		{name: "of these, for longer than the soak explains", number: s.checks.late, wrong: true},
		{name: "published tokens ended with their grant, in seconds", number: s.checks.excused},
		{name: "grants left, policy Never", number: left[policyNever]},
		{name: "grants left, seeds that were replaced before they were sent", number: left[seedUnsent]},
		{name: "grants left, lost with an answer that the soak lost", number: left[lostWithAnswer]},
		{name: "grants left, lost with a process that the soak killed or froze", number: left[lostWithProcess]},
		{name: "grants left, unexplained", number: left[unexplained], wrong: true},
		{name: "refresh tokens and codes sent again after their answer was delivered to a process that the soak killed or froze", number: excused},
		{name: "refresh tokens and codes sent again after their answer was delivered", number: ledger.SentAgainAfterDelivery + codes - excused, wrong: true},
		{name: "seconds in which a published token did not work before its time", number: s.checks.dead, wrong: true},
		{name: "foreign Secrets changed", number: s.findings.foreignChanged, wrong: true},
		{name: "credentials that never recovered", number: s.findings.unrecovered, wrong: true},
		{name: "objects that were never gone", number: s.findings.undeleted, wrong: true},
		{name: "secrets found in logs, events and statuses", number: leaked, wrong: true},
		{name: "panics in the logs", number: panics, wrong: true},
	}, nil
}
