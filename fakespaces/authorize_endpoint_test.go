package fakespaces_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

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

func TestTheBrowserIsSentOnlyWhereTheClientLives(t *testing.T) {
	const registered = "https://app.example.test/back"
	for sentence, c := range map[string]struct {
		registered []string
		asked      url.Values
		sent       bool
	}{
		"the registered address":           {[]string{registered}, asking("redirect_uri", registered), true},
		"the second registered address":    {[]string{callback, registered}, asking("redirect_uri", registered), true},
		"a slash more":                     {[]string{registered}, asking("redirect_uri", registered+"/"), false},
		"a slash less":                     {[]string{registered + "/"}, asking("redirect_uri", registered), false},
		"a query more":                     {[]string{registered}, asking("redirect_uri", registered+"?a=b"), false},
		"another spelling of the host":     {[]string{registered}, asking("redirect_uri", "https://APP.example.test/back"), false},
		"any address, if none is":          {nil, asking("redirect_uri", "https://else.example.test"), true},
		"an application's own scheme":      {nil, asking("redirect_uri", "com.example.app:/back"), true},
		"no address":                       {nil, asking("redirect_uri", ""), false},
		"a path":                           {nil, asking("redirect_uri", "/back"), false},
		"a host without its scheme":        {nil, asking("redirect_uri", "localhost:3000/"), false},
		"a scheme without its host":        {nil, asking("redirect_uri", "http:///back"), false},
		"an address with a fragment":       {nil, asking("redirect_uri", callback+"#a"), false},
		"an address that is none":          {nil, asking("redirect_uri", "http://%zz"), false},
		"an unknown client":                {nil, asking("client_id", "app-2"), false},
		"no client":                        {nil, asking("client_id", ""), false},
		"two addresses":                    {nil, func() url.Values { q := asking(); q.Add("redirect_uri", registered); return q }(), false},
		"an address of another client's":   {[]string{callback}, asking("redirect_uri", registered), false},
		"a mistake, at a wrong address":    {[]string{callback}, asking("redirect_uri", registered, "scope", "x"), false},
		"a mistake, at no client's addres": {nil, asking("client_id", "app-2", "response_type", "x"), false},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fakespaces.WithClient("app-3", "secret"), fakespaces.WithRedirectURI("app-3", registered))
			for _, uri := range c.registered {
				w.AddRedirectURI(app, uri)
			}
			if !c.sent {
				w.expectPage(w.open(c.asked), 400, `role="alert"`)
				w.expectPage(w.enter(c.asked, bot, botSecret), 400)
				return
			}
			w.expectPage(w.open(c.asked), 200)
			got := w.decide(w.ticket(c.asked), "allow")
			w.expectStatus(got, 303)
			equal(t, "it is sent there", strings.HasPrefix(got.header.Get("Location"), c.asked.Get("redirect_uri")+"?code="), true)
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

func TestTheQueryOfTheRedirectURIIsKept(t *testing.T) {
	w := newWorld(t)
	uri := callback + "?b=2&a=%20&b=1"
	got := w.decide(w.ticket(asking("redirect_uri", uri)), "allow")
	w.expectStatus(got, 303)
	equal(t, "it is kept", strings.HasPrefix(got.header.Get("Location"), uri+"&code="), true)
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

func TestAConsentPageIsAnsweredOnce(t *testing.T) {
	for sentence, c := range map[string]struct {
		give   func(w *world, ticket string) string
		works  bool
		wanted string
	}{
		"in time":                             {func(w *world, ticket string) string { w.pass(10*time.Minute - 1); return ticket }, true, "allow"},
		"too late":                            {func(w *world, ticket string) string { w.pass(10 * time.Minute); return ticket }, false, "allow"},
		"a second time, after it was allowed": {func(w *world, ticket string) string { w.decide(ticket, "allow"); return ticket }, false, "allow"},
		"a second time, after it was denied":  {func(w *world, ticket string) string { w.decide(ticket, "deny"); return ticket }, false, "allow"},
		"denied, after it was allowed":        {func(w *world, ticket string) string { w.decide(ticket, "allow"); return ticket }, false, "deny"},
		"with the ticket of another service":  {func(*world, string) string { return newWorld(t).ticket(asking()) }, false, "allow"},
		"without a ticket":                    {func(*world, string) string { return "" }, false, "allow"},
		"without a decision":                  {func(_ *world, ticket string) string { return ticket }, false, ""},
		"after a call without a decision":     {func(w *world, ticket string) string { w.decide(ticket, "x"); return ticket }, true, "allow"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			ticket := c.give(w, w.ticket(asking()))
			got := w.decide(ticket, c.wanted)
			if c.works {
				w.expectStatus(got, 303)
				return
			}
			w.expectPage(got, 400, `role="alert"`)
			equal(t, "the ticket is a secret", slices.Contains(w.Secrets(), ticket), ticket != "")
		})
	}
}

func TestEachFaultOfAConsentDoesItsWorkOrNot(t *testing.T) {
	for _, fault := range fakespaces.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t, fakespaces.WithStall(time.Millisecond))
			ticket := w.ticket(asking())
			w.Next(fakespaces.OperationAuthorize, fault)
			w.decide(ticket, "allow")
			again := w.decide(ticket, "allow")
			equal(t, "the ticket is used", again.status == 400, fault.DoesWork())
		})
	}
}

func TestAFaultOfAPageLeavesNoTicketOrAWholePage(t *testing.T) {
	w := newWorld(t)
	w.Next(fakespaces.OperationAuthorize, fakespaces.FaultServerError500, fakespaces.FaultHugeBody, fakespaces.FaultTruncatedJSON)
	w.expectStatus(w.enter(asking(), bot, botSecret), 500)
	equal(t, "nothing to pad", ticketOf.MatchString(w.enter(asking(), bot, botSecret).body), true)
	equal(t, "a page breaks off", ticketOf.MatchString(w.enter(asking(), bot, botSecret).body), false)
}
