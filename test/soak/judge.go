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

// figures gathers what is judged.
func (s *soak) figures() ([]figure, error) {
	secrets := s.service.Secrets()
	s.Say("searching what was said for %d secrets", len(secrets))
	leaked, panics, err := s.leaks(secrets)
	if err != nil {
		return nil, err
	}
	ledger, absences := s.service.Ledger(), s.cluster.apiServer.all()
	left, renewals := s.left(ledger.Grants, absences)
	excused, theirs, asked := s.sentAgain(absences)
	codes := ledger.CodesSentAgainAfterDelivery
	return []figure{
		{name: "operators killed, frozen or asked to end", number: s.processes.kills},
		{name: "of these, holders of the lease killed or frozen", number: len(s.processes.deaths)},
		{name: "operators that ended by themselves, without a lease or an API server", number: s.processes.bereft},
		{name: "operators that ended by themselves, without a reason", number: s.processes.unasked, wrong: true},
		{name: "absences of the API server", number: len(absences)},
		{name: "of these, long enough to lose the lease", number: longer(absences, leaseBroken)},
		{name: "of these, longer than the soak may keep it away", number: longer(absences, saverGrace), wrong: true},
		{name: "tokens issued", number: ledger.TokensIssued},
		{name: "renewals", number: renewals},
		{name: "grants issued", number: ledger.GrantsIssued},
		{name: "grants dead, because a lost answer was asked for again", number: ledger.GrantsDead},
		{name: "checks of published tokens", number: s.checks.made},
		{name: "checks that found no API server to read from", number: s.checks.unread},
		{name: "readings of the operators' metrics", number: s.checks.scraped},
		{name: "published tokens past their time, in seconds", number: s.checks.expired},
		{name: "of these, for longer than the soak explains", number: s.checks.late, wrong: true},
		{name: "published tokens ended with their grant, in seconds", number: s.checks.excused},
		{name: "grants left, policy Never", number: left[policyNever]},
		{name: "grants left, seeds that were replaced before they were sent", number: left[seedUnsent]},
		{name: "grants left, lost with an answer that the soak lost", number: left[lostWithAnswer]},
		{name: "grants left, lost with a process that the soak killed or froze", number: left[lostWithProcess]},
		{name: "deeds of hostile tenants", number: s.hostiles.deeds()},
		{name: "grants left, of hostile tenants", number: left[ofHostile]},
		{name: "grants of hostile tenants with a client that is not lent to them", number: borrowers(ledger.Grants), wrong: true},
		{name: "refresh tokens of hostile tenants sent again, by what they did to themselves", number: theirs},
		{name: "most memory that an operator needed, in MiB", number: s.processes.memory},
		{name: "of these, more than it may need", number: max(0, s.processes.memory-mostMemory), wrong: true},
		{name: "grants left, whose revocation the soak spoiled when the deadline was over", number: left[spoiledLate]},
		{name: "seeds sent again because a person asked for a renewal", number: asked},
		{name: "grants left, unexplained", number: left[unexplained], wrong: true},
		{name: "refresh tokens and codes sent again after their answer was delivered to a process that the soak killed or froze", number: excused},
		{name: "refresh tokens and codes sent again after their answer was delivered", number: ledger.SentAgainAfterDelivery + codes - excused - theirs - asked, wrong: true},
		{name: "seconds in which a published token did not work before its time", number: s.checks.dead, wrong: true},
		{name: "foreign Secrets changed", number: s.findings.foreignChanged, wrong: true},
		{name: "credentials that never recovered", number: s.findings.unrecovered, wrong: true},
		{name: "objects that were never gone", number: s.findings.undeleted, wrong: true},
		{name: "secrets found in logs, metrics, events and statuses", number: leaked, wrong: true},
		{name: "panics in the logs", number: panics, wrong: true},
	}, nil
}

// longer counts the absences of the API server that lasted longer than a limit.
func longer(absences []absence, limit time.Duration) (count int) {
	for _, one := range absences {
		if one.length() > limit {
			count++
		}
	}
	return count
}

// left counts the grants that are left at the service by why they are, and prints a line
// for each that was lost, or that nothing explains.
func (s *soak) left(grants []fakespaces.GrantRecord, absences []absence) (left map[reason]int, renewals int) {
	left = map[reason]int{}
	spends := s.service.spends
	for _, grant := range grants {
		renewals += grant.Refreshes
		if grant.State != fakespaces.GrantLive {
			continue
		}
		if isHostile(grant.User) {
			left[ofHostile]++
			continue
		}
		owner := s.population.byUser[grant.User]
		why := explain(grant, owner.never, spends.touched[grant.ID], spends.made, spends.spoiled[grant.ID], s.processes.deaths, absences)
		left[why.reason]++
		if line := why.String(); line != "" {
			s.Say("left: %s of %s, by %s, issued %s: %s", grant.ID, owner, grant.Origin, times(grant), line)
		}
	}
	return left, renewals
}

// times tells when a grant was issued, and last renewed.
func times(grant fakespaces.GrantRecord) string {
	told := grant.IssuedAt.Format(clockTime)
	if grant.Refreshes > 0 {
		told += fmt.Sprintf(", renewed %d times, last %s", grant.Refreshes, grant.RefreshedAt.Format(clockTime))
	}
	return told
}

// sentAgain prints a line for each refresh token and code that came again after its answer
// had been delivered, and counts those whose answer went with a process, and apart from them
// those of hostile tenants, who put old states back, and seeds that a person asked to be tried
// once more.
func (s *soak) sentAgain(absences []absence) (excused, theirs, asked int) {
	for _, one := range s.service.spends.again {
		if isHostile(one.first.user) {
			theirs++
			continue
		}
		why := "nothing explains it"
		if owner := s.population.byUser[one.first.user]; owner != nil && s.service.spends.isFirst(one.first) && owner.askedFor(one.first.answered, one.at) {
			asked++
			s.Say("sent again at %s: the seed of %s, because a person asked for a renewal when its grant was gone", one.at.Format(clockTime), owner)
			continue
		}
		if taken := one.first.takenBy(s.processes.deaths, absences); taken != nil {
			excused++
			why = one.first.goneWith(*taken, absences)
		}
		s.Say("sent again at %s: the %s of %s, answered before at %s: %s", one.at.Format(clockTime), spentKind(one.first.operation),
			s.population.byUser[one.first.user], one.first.answered.Format(clockTime), why)
	}
	return excused, theirs, asked
}

// spentKind is what an operation spends.
func spentKind(operation fakespaces.Operation) string {
	if operation == fakespaces.OperationRefresh {
		return "refresh token"
	}
	return "code"
}
