package fakespaces_test

import (
	"net/url"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestRevocationEndsTheGrant(t *testing.T) {
	for sentence, old := range map[string]bool{"by its current refresh token": false, "by an earlier one": true} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			first := w.signIn()
			second := w.refresh(first.refresh)
			sent := second.refresh
			if old {
				sent = first.refresh
			}
			got := w.revoke(sent)
			w.expectStatus(got, 200)
			equal(t, "body", got.body, "")
			w.expectWorks(first.access, false)
			w.expectWorks(second.access, false)
			w.expectRefusal(w.refresh(second.refresh), 400, "invalid_grant")
			l := w.Ledger()
			equal(t, "grants revoked", l.GrantsRevoked, 1)
			equal(t, "grants live", l.GrantsLive, 0)
			equal(t, "sent again after delivery", l.SentAgainAfterDelivery, 0)
		})
	}
}

func TestTokensMayOutliveRevocation(t *testing.T) {
	w := newWorld(t, fakespaces.WithTokensOutliveRevocation(true))
	token := w.signIn()
	w.revoke(token.refresh)
	w.expectWorks(token.access, true)
	w.expectRefusal(w.refresh(token.refresh), 400, "invalid_grant")
}

func TestRevocationAnswers(t *testing.T) {
	strict := []fakespaces.Option{fakespaces.WithUnknownTokenStatus(400)}
	revoked := func(w *world) url.Values {
		token := w.IssueGrant(app, bot)
		w.revoke(token)
		return revokeForm(token)
	}
	unknown := func(*world) url.Values { return revokeForm("unknown") }
	for sentence, c := range map[string]struct {
		options []fakespaces.Option
		form    func(w *world) url.Values
		status  int
		code    string
	}{
		"an unknown token is fine":                    {nil, unknown, 200, ""},
		"a revoked token is fine":                     {nil, revoked, 200, ""},
		"an unknown token is refused, where so set":   {strict, unknown, 400, "invalid_token"},
		"a revoked token is refused, where so set":    {strict, revoked, 400, "invalid_token"},
		"no token is refused":                         {nil, func(*world) url.Values { return revokeForm("") }, 400, "invalid_request"},
		"grant_type may be missing":                   {nil, func(w *world) url.Values { return values("client_id", app, "refresh_token", w.IssueGrant(app, bot)) }, 200, ""},
		"another grant_type is refused":               {nil, func(*world) url.Values { return values("client_id", app, "grant_type", "password") }, 400, "unsupported_grant_type"},
		"an unknown client is refused":                {nil, func(*world) url.Values { return values("client_id", "x", "refresh_token", "x") }, 401, "invalid_client"},
		"a token of another client is not its to end": {nil, func(w *world) url.Values { return revokeForm(w.IssueGrant("app-2", bot)) }, 401, "invalid_client"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, c.options...)
			w.expectRefusal(w.post("/oauth2/revoke_token", c.form(w)), c.status, c.code)
		})
	}
}
