package fakespaces_test

import (
	"net/http"
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

func TestTokensMayEndAtRotation(t *testing.T) {
	for end, works := range map[bool]bool{false: true, true: false} {
		w := newWorld(t, fakespaces.WithTokensEndAtRotation(end))
		first := w.refresh(w.IssueGrant(app, bot))
		second := w.refresh(first.refresh)
		equal(t, "the first token works", w.TokenWorks(first.text("access_token")), works)
		equal(t, "the second token works", w.TokenWorks(second.text("access_token")), true)
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

// RFC 7009 section 2.1: without the client's secret nobody signs anybody out.
func TestRevocationMayWantTheClientsSecret(t *testing.T) {
	const odd = "odd: secret%+"
	basic := func(id, secret string) http.Header {
		request := http.Request{Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
		if id != "" {
			request.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
		}
		return request.Header
	}
	for sentence, c := range map[string]struct {
		header http.Header
		form   []string // beside the token
		status int
		code   string
	}{
		"by HTTP Basic": {basic(app, odd), []string{"token_type_hint", "refresh_token"}, 200, ""},
		"by HTTP Basic, with the client ID beside": {basic(app, odd), []string{"client_id", app}, 200, ""},
		"in the form":                      {basic("", ""), []string{"client_id", app, "client_secret", odd}, 200, ""},
		"not without":                      {basic("", ""), []string{"client_id", app}, 401, "invalid_client"},
		"not with a wrong one":             {basic(app, "wrong"), nil, 401, "invalid_client"},
		"not with a wrong one in the form": {basic("", ""), []string{"client_id", app, "client_secret", "wrong"}, 401, "invalid_client"},
		"not in two ways at once":          {basic(app, odd), []string{"client_id", app, "client_secret", odd}, 401, "invalid_client"},
		"not as two clients at once":       {basic("app-2", odd), []string{"client_id", app}, 401, "invalid_client"},
		"not as nobody":                    {basic("", ""), nil, 401, "invalid_client"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fakespaces.WithAuthenticatedRevocation(true), fakespaces.WithClient(app, odd), fakespaces.WithClient("app-2", odd))
			form := values(append(c.form, "token", w.IssueGrant(app, bot))...)
			w.expectRefusal(w.sendAs(t.Context(), "POST", "/oauth2/revoke_token", c.header, form.Encode()), c.status, c.code)
			equal(t, "grants live", w.Ledger().GrantsLive == 0, c.status == 200)
		})
	}
	t.Run("and the token in the field of that name", func(t *testing.T) {
		w := newWorld(t, fakespaces.WithAuthenticatedRevocation(true))
		form := values("client_id", app, "client_secret", appSecret, "refresh_token", w.IssueGrant(app, bot))
		w.expectRefusal(w.post("/oauth2/revoke_token", form), 400, "invalid_request")
	})
}
