package fakespaces_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

const (
	callback = "http://localhost:3000/"
	verifier = "a-verifier-that-is-long-enough-for-rfc-7636-here"
)

func TestEachGrantGivesTokensAsDocumented(t *testing.T) {
	for sentence, sign := range map[string]func(w *world) url.Values{
		"name and password": func(*world) url.Values { return passwordForm() },
		"a refresh token that a person obtained": func(w *world) url.Values {
			return refreshForm(w.IssueGrant(app, bot))
		},
		"an authorization code": func(w *world) url.Values {
			return codeForm(w.IssueCode(app, bot, callback, ""), "")
		},
		"an authorization code with PKCE": func(w *world) url.Values {
			return codeForm(w.IssueCode(app, bot, callback, challenge()), verifier)
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			got := w.post("/oauth2/access_token", sign(w))
			w.expectStatus(got, 200)
			equal(t, "content type", got.header.Get("Content-Type"), "application/json")
			equal(t, "length of access_token", len(got.access), 40)
			equal(t, "length of refresh_token", len(got.refresh), 40)
			equal(t, "expires_in", got.fields["expires_in"], any(3600.0))
			equal(t, "token_type", got.text("token_type"), "Bearer")
			equal(t, "scope", got.text("scope"), "email profile spaces")
			w.expectWorks(got.access, true)
			equal(t, "profile's username", w.whoAmI(got.access).text("username"), bot)

			claims := claimsOf(t, got.text("id_token"))
			equal(t, "aud", claims["aud"], any(app))
			equal(t, "email", claims["email"], any(bot))
			equal(t, "exp - iat", claims["exp"].(float64)-claims["iat"].(float64), 3600)
		})
	}
}

func codeForm(code, verifier string) url.Values {
	return values("grant_type", "authorization_code", "client_id", app, "client_secret", appSecret,
		"code", code, "redirect_uri", callback, "code_verifier", verifier)
}

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	equal(t, "parts of the ID token", len(parts), 3)
	var head, claims map[string]any
	for i, into := range []*map[string]any{&head, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "alg", head["alg"], any("HS256"))
	return claims
}

func TestTheTokenEndpointRefuses(t *testing.T) {
	with := func(form url.Values, name, value string) url.Values { form.Set(name, value); return form }
	without := func(form url.Values, name string) url.Values { form.Del(name); return form }
	for sentence, c := range map[string]struct {
		form   func(w *world) url.Values
		status int
		code   string
	}{
		"an unknown client":        {func(*world) url.Values { return with(passwordForm(), "client_id", "x") }, 401, "invalid_client"},
		"a wrong client secret":    {func(*world) url.Values { return with(passwordForm(), "client_secret", "x") }, 401, "invalid_client"},
		"no client secret":         {func(*world) url.Values { return without(passwordForm(), "client_secret") }, 401, "invalid_client"},
		"a wrong password":         {func(*world) url.Values { return with(passwordForm(), "password", "x") }, 400, "invalid_grant"},
		"an unknown user":          {func(*world) url.Values { return with(passwordForm(), "username", "x") }, 400, "invalid_grant"},
		"no password":              {func(*world) url.Values { return without(passwordForm(), "password") }, 400, "invalid_request"},
		"an unknown scope":         {func(*world) url.Values { return with(passwordForm(), "scope", "email all") }, 400, "invalid_scope"},
		"an unknown grant type":    {func(*world) url.Values { return with(passwordForm(), "grant_type", "x") }, 400, "unsupported_grant_type"},
		"no grant type":            {func(*world) url.Values { return without(passwordForm(), "grant_type") }, 400, "invalid_request"},
		"no refresh token":         {func(*world) url.Values { return refreshForm("") }, 400, "invalid_request"},
		"an unknown refresh token": {func(*world) url.Values { return refreshForm("x") }, 400, "invalid_grant"},
		"another's refresh token":  {func(w *world) url.Values { return refreshForm(w.IssueGrant("app-2", bot)) }, 400, "invalid_grant"},
		"more scopes than granted": {func(w *world) url.Values {
			return with(refreshForm(w.IssueGrant(app, bot, "email")), "scope", "spaces")
		}, 400, "invalid_scope"},
		"no code":                     {func(*world) url.Values { return codeForm("", "") }, 400, "invalid_request"},
		"an unknown code":             {func(*world) url.Values { return codeForm("x", "") }, 400, "invalid_grant"},
		"a code for another address":  {func(w *world) url.Values { return codeForm(w.IssueCode(app, bot, "http://localhost:3000", ""), "") }, 400, "invalid_grant"},
		"a code without its verifier": {func(w *world) url.Values { return codeForm(w.IssueCode(app, bot, callback, challenge()), "") }, 400, "invalid_grant"},
		"a code after ten minutes": {func(w *world) url.Values {
			code := w.IssueCode(app, bot, callback, "")
			w.pass(10 * time.Minute)
			return codeForm(code, "")
		}, 400, "invalid_grant"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.expectRefusal(w.post("/oauth2/access_token", c.form(w)), c.status, c.code)
			equal(t, "refusals in the ledger", w.Ledger().Refused[c.code], 1)
			equal(t, "tokens issued", w.Ledger().TokensIssued, 0)
		})
	}
}

func TestACodeThatComesTwiceKillsItsGrant(t *testing.T) {
	w := newWorld(t)
	code := w.IssueCode(app, bot, callback, "")
	first := w.post("/oauth2/access_token", codeForm(code, ""))
	w.expectStatus(first, 200)
	w.expectRefusal(w.post("/oauth2/access_token", codeForm(code, "")), 400, "invalid_grant")
	w.expectWorks(first.access, false)
	equal(t, "grants dead of it", w.Ledger().DeadReasons[fakespaces.ReasonCodeReused], 1)
}

func TestScopesAreKnownInAllTheirForms(t *testing.T) {
	for _, scopes := range []string{
		"spaces",
		"email profile spaces",
		"https://accounts.avayacloud.com/auth/userinfo.email https://accounts.avayacloud.com/auth/zangspaces",
		"https://accounts.zang.io/auth/userinfo.profile",
		"https://www.onesna.com/auth/logan",
	} {
		t.Run(scopes, func(t *testing.T) {
			w := newWorld(t)
			form := passwordForm()
			form.Set("scope", scopes)
			got := w.post("/oauth2/access_token", form)
			w.expectStatus(got, 200)
			equal(t, "scope", got.text("scope"), scopes)
		})
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	for path, status := range map[string]int{
		"/oauth2/access_token": 405, "/oauth2/revoke_token": 405, "/token": 404, "/oauth2/authorize": 400,
		"/oauth2/authorize/confirm": 405, "/api/anonymous/auth": 405, "/fakespaces/ledger": 404,
		"/api/service-configurations": 200, "/api/users/me": 401,
	} {
		if got := w.send(t.Context(), "GET", path, "", nil); got.status != status {
			t.Errorf("GET %s answers %d; want %d", path, got.status, status)
		}
	}
}

func TestANewPasswordOrSecretReplacesTheOld(t *testing.T) {
	w := newWorld(t)
	before := w.signIn()
	w.SetPassword(bot, "new")
	w.expectRefusal(w.signIn(), 400, "invalid_grant")
	w.SetClientSecret(app, "new")
	w.expectRefusal(w.signIn(), 401, "invalid_client")
	w.expectWorks(before.access, true)
}

func TestATokenWorksUntilItExpires(t *testing.T) {
	w := newWorld(t, fakespaces.WithTokenLifetime(20*time.Second))
	token := w.signIn()
	equal(t, "expires_in", token.fields["expires_in"], any(20.0))
	w.pass(20*time.Second - 1)
	w.expectWorks(token.access, true)
	w.pass(1)
	w.expectWorks(token.access, false)
	w.expectWorks("unknown", false)
}

func TestRefreshTokensCanBeLong(t *testing.T) {
	w := newWorld(t, fakespaces.WithRefreshTokenLength(5000))
	token := w.Service.IssueGrant("app", "ann", "spaces")
	if len(token) != 5000 {
		t.Errorf("it has %d bytes", len(token))
	}
}
