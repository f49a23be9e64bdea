package fakespaces_test

import (
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestARenewalRotates(t *testing.T) {
	for rotation, c := range map[fakespaces.Rotation]struct {
		field, same, again bool // the field is there, holds the same token, the old one still works
	}{
		fakespaces.RotateAlways:  {field: true},
		fakespaces.RotateNever:   {field: true, same: true, again: true},
		fakespaces.RotateOmitted: {again: true},
	} {
		t.Run(string(rotation), func(t *testing.T) {
			w := newWorld(t, fakespaces.WithRotation(rotation))
			seed := w.IssueGrant(app, bot)
			got := w.refresh(seed)
			w.expectStatus(got, 200)
			_, there := got.fields["refresh_token"]
			equal(t, "refresh_token is there", there, c.field)
			equal(t, "refresh_token is the same", got.refresh == seed, c.same)

			again := w.refresh(seed)
			equal(t, "the old one works", again.status == 200, c.again)
			equal(t, "counted as sent again", w.Ledger().SentAgainAfterDelivery == 1, !c.again)
		})
	}
}

func TestASpentRefreshToken(t *testing.T) {
	for sentence, c := range map[string]struct {
		options []fakespaces.Option
		works   bool // the grant survives
		dead    int
	}{
		"kills the grant":                     {nil, false, 1},
		"is refused, without reuse detection": {[]fakespaces.Option{fakespaces.WithReuseDetection(false)}, true, 0},
		"kills the grant after the grace period": {[]fakespaces.Option{
			fakespaces.WithGracePeriod(4 * time.Second)}, false, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, c.options...)
			first := w.signIn()
			second := w.refresh(first.refresh)
			w.pass(5 * time.Second)
			w.expectRefusal(w.refresh(first.refresh), 400, "invalid_grant")
			w.expectWorks(first.access, c.works)
			w.expectWorks(second.access, c.works)
			equal(t, "the newest refresh token works", w.refresh(second.refresh).status == 200, c.works)
			equal(t, "grants dead of reuse", w.Ledger().DeadReasons[fakespaces.ReasonReuseDetected], c.dead)
			equal(t, "sent again after delivery", w.Ledger().SentAgainAfterDelivery, 1)
		})
	}
}

func TestWithinTheGracePeriodAReplayGivesTheCurrentRefreshToken(t *testing.T) {
	w := newWorld(t, fakespaces.WithGracePeriod(5*time.Second))
	first := w.signIn()
	second := w.refresh(first.refresh)
	w.pass(5 * time.Second)
	replay := w.refresh(first.refresh)
	w.expectStatus(replay, 200)
	equal(t, "refresh token", replay.refresh, second.refresh)
	equal(t, "the access token is the same", replay.access == second.access, false)
	w.expectWorks(replay.access, true)
	equal(t, "sent again after delivery", w.Ledger().SentAgainAfterDelivery, 1)
	equal(t, "grants live", w.Ledger().GrantsLive, 1)
}

func TestAnAdministratorKillsAGrant(t *testing.T) {
	w := newWorld(t)
	first := w.signIn()
	second := w.refresh(first.refresh)
	w.RevokeGrantOf(first.refresh)
	w.RevokeGrantOf("unknown")
	w.expectWorks(second.access, false)
	w.expectRefusal(w.refresh(second.refresh), 400, "invalid_grant")

	l := w.Ledger()
	equal(t, "grants dead", l.GrantsDead, 1)
	equal(t, "killed", l.DeadReasons[fakespaces.ReasonKilled], 1)
	record := l.Grants[0]
	equal(t, "state", record.State, fakespaces.GrantDead)
	equal(t, "user", record.User, bot)
	equal(t, "client", record.Client, app)
	equal(t, "refreshes", record.Refreshes, 1)
	equal(t, "tokens issued", record.TokensIssued, 2)
	equal(t, "ended", record.EndedAt, w.now())
}
