package fakespaces_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func (w *world) expectPage(got reply, status int, parts ...string) {
	w.Helper()
	w.expectStatus(got, status)
	equal(w.T, "Content-Type", got.header.Get("Content-Type"), "text/html; charset=utf-8")
	equal(w.T, "Cache-Control", got.header.Get("Cache-Control"), "no-store")
	equal(w.T, "Location", got.header.Get("Location"), "")
	policy := got.header.Get("Content-Security-Policy")
	equal(w.T, "policy lets no other origin in", strings.HasPrefix(policy, "default-src 'none';"), true)
	equal(w.T, "policy of redirects", strings.Contains(policy, "form-action"), false)
	for _, part := range parts {
		if !strings.Contains(got.body, part) {
			w.Errorf("the page lacks %q: %s", part, got.body)
		}
	}
}

func TestAPersonSignsInWithABrowser(t *testing.T) {
	w := newWorld(t)
	query := asking("scope", "email https://www.onesna.com/auth/logan")
	w.expectPage(w.open(query), 200, app, `<form method="post">`, `id="username"`, `id="password"`, `id="sign-in"`, "autofocus",
		`<label for="username">`, `<label for="password">`)
	w.expectPage(w.enter(query, bot, botSecret), 200, app, bot, "(email)", "(spaces)", `id="allow"`, `id="deny"`,
		`action="/oauth2/authorize/confirm"`)
	equal(t, "grants issued", w.Ledger().GrantsIssued, 0)

	ticket := w.ticket(query)
	address, brought := w.location(w.decide(ticket, "allow"))
	equal(t, "address", address, callback)
	equal(t, "state", brought.Get("state"), "state-1")
	equal(t, "parameters", len(brought), 2)
	code := brought.Get("code")
	token := w.exchange(code)
	w.expectStatus(token, 200)
	equal(t, "scope", token.text("scope"), "email https://www.onesna.com/auth/logan")
	w.expectWorks(token.access, true)

	l := w.Ledger()
	equal(t, "origin", l.Grants[0].Origin, "authorization_code")
	equal(t, "user", l.Grants[0].User, bot)
	equal(t, "client", l.Grants[0].Client, app)
	equal(t, "steps", l.Calls[fakespaces.OperationAuthorize], 4)
	equal(t, "calls of the user", l.CallsByUser[bot], 4) // enter twice, decide, profile
	for what, secret := range map[string]string{"code": code, "ticket": ticket, "password": botSecret} {
		equal(t, what+" is a secret", slices.Contains(w.Secrets(), secret), true)
	}
}

func TestAPersonDenies(t *testing.T) {
	w := newWorld(t)
	address, brought := w.location(w.decide(w.ticket(asking()), "deny"))
	equal(t, "address", address, callback)
	equal(t, "error", brought.Get("error"), "access_denied")
	equal(t, "error_description is there", brought.Has("error_description"), true)
	equal(t, "state", brought.Get("state"), "state-1")
	equal(t, "code is there", brought.Has("code"), false)
	equal(t, "refusals", w.Ledger().Refused["access_denied"], 1)
	equal(t, "grants issued", w.Ledger().GrantsIssued, 0)
}

func TestTheStateComesBackUnchanged(t *testing.T) {
	for sentence, state := range map[string]string{
		"plain":              "state-1",
		"none":               "",
		"signs of a query":   "a&state=b?c#d=e;f",
		"percent and plus":   "100%25+1 %zz",
		"quotes and markup":  `"'><script>alert(1)</script>`,
		"other alphabets":    "Grüße 状態",
		"lines":              "a\r\nSet-Cookie: b=c",
		"bytes without text": "\xff\x00",
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			for what, got := range map[string]reply{
				"allowed":   w.decide(w.ticket(asking("state", state)), "allow"),
				"denied":    w.decide(w.ticket(asking("state", state)), "deny"),
				"a mistake": w.open(asking("state", state, "response_type", "token")),
			} {
				_, brought := w.location(got)
				equal(t, "state when "+what, brought.Get("state"), state)
				equal(t, "it is there when "+what, brought.Has("state"), state != "")
			}
		})
	}
}

func TestTheClientHearsOfItsMistake(t *testing.T) {
	twice := func(name string) url.Values { query := asking(); query.Add(name, "b"); return query }
	for sentence, c := range map[string]struct {
		asked url.Values
		code  string
	}{
		"no response_type":                {asking("response_type", ""), "invalid_request"},
		"another response_type":           {asking("response_type", "token"), "unsupported_response_type"},
		"an unknown scope":                {asking("scope", "email all"), "invalid_scope"},
		"a challenge without its method":  {asking("code_challenge", challenge()), "invalid_request"},
		"a method without its challenge":  {asking("code_challenge_method", "S256"), "invalid_request"},
		"an unknown method":               {asking("code_challenge", challenge(), "code_challenge_method", "S512"), "invalid_request"},
		"a method in the wrong case":      {asking("code_challenge", challenge(), "code_challenge_method", "s256"), "invalid_request"},
		"a parameter that is given twice": {twice("scope"), "invalid_request"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			for _, got := range []reply{w.open(c.asked), w.enter(c.asked, bot, botSecret)} {
				address, brought := w.location(got)
				equal(t, "address", address, callback)
				equal(t, "error", brought.Get("error"), c.code)
				equal(t, "error_description is there", brought.Get("error_description") != "", true)
				equal(t, "state", brought.Get("state"), "state-1")
			}
			equal(t, "refusals", w.Ledger().Refused[c.code], 2)
		})
	}
}

func TestAWrongPasswordShowsThePageAgain(t *testing.T) {
	for sentence, c := range map[string]struct{ username, password string }{
		"a wrong password": {bot, "wrong"},
		"an unknown user":  {`"><script>`, botSecret},
		"nothing":          {"", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			got := w.enter(asking(), c.username, c.password)
			w.expectPage(got, 200, `role="alert"`, `id="sign-in"`)
			equal(t, "it has a ticket", ticketOf.MatchString(got.body), false)
			equal(t, "it has a script", strings.Contains(got.body, "<script>"), false)
			equal(t, "the password is in it", c.password != "" && strings.Contains(got.body, c.password), false)
			equal(t, "the password is a secret", slices.Contains(w.Secrets(), c.password), c.password != "")
		})
	}
}
