package fakespaces_test

import (
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestAGrantEndsByItsOwnTime(t *testing.T) {
	w := newWorld(t, fakespaces.WithGrantLifetime(time.Hour))
	first := w.signIn()
	equal(t, "refresh_token_expires_in", first.fields["refresh_token_expires_in"], any(3600.0))
	w.pass(40 * time.Minute)
	second := w.refresh(first.refresh)
	equal(t, "refresh_token_expires_in of a renewal", second.fields["refresh_token_expires_in"], any(1200.0))
	w.pass(20*time.Minute - time.Second)
	w.expectWorks(second.access, true)
	w.pass(time.Second)
	w.expectWorks(second.access, false)
	w.expectRefusal(w.refresh(second.refresh), 400, "invalid_grant")
	equal(t, "grants whose time was over", w.Ledger().DeadReasons[fakespaces.ReasonTimeOver], 1)
	equal(t, "sent again after delivery", w.Ledger().SentAgainAfterDelivery, 0)
}

func TestARenewalMayGiveAGrantItsWholeLifeAgain(t *testing.T) {
	w := newWorld(t, fakespaces.WithGrantLifetime(time.Hour), fakespaces.WithGrantsLiveAnew(true))
	got := w.signIn()
	for range 3 {
		w.pass(59 * time.Minute)
		got = w.refresh(got.refresh)
		equal(t, "refresh_token_expires_in", got.fields["refresh_token_expires_in"], any(3600.0))
	}
	w.SetGrantLifetime(0)
	if _, told := w.signIn().fields["refresh_token_expires_in"]; told {
		t.Error("a grant without an end tells one")
	}
}

func TestANewerGrantEndsTheOldestOfAUserWhoMayHaveFew(t *testing.T) {
	w := newWorld(t, fakespaces.WithGrantsPerUser(2), fakespaces.WithUser("other@example.test", "pw"))
	form := passwordForm()
	form.Set("username", "other@example.test")
	form.Set("password", "pw")
	others := w.post("/oauth2/access_token", form)
	first, second := w.signIn(), w.signIn()
	w.expectWorks(first.access, true)
	third := w.signIn()
	w.expectWorks(first.access, false)
	w.expectRefusal(w.refresh(first.refresh), 400, "invalid_grant")
	for _, living := range []reply{others, second, third} {
		w.expectWorks(living.access, true)
	}
	equal(t, "displaced grants", w.Ledger().DeadReasons[fakespaces.ReasonDisplaced], 1)
}
