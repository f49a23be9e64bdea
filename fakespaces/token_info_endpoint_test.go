package fakespaces_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func (w *world) tokenInfo(token string) reply {
	query := url.Values{"id_token": {token}}
	return w.send(w.Context(), "GET", "/api/1.0/id_token/get_token_info?"+query.Encode(), "", nil)
}

func TestTokenInfoTellsWhoseAnIDTokenIs(t *testing.T) {
	w := newWorld(t)
	token := w.signIn()
	w.pass(100 * time.Second)
	got := w.tokenInfo(token.text("id_token"))
	w.expectStatus(got, 200)
	user, _ := got.fields["user"].(map[string]any)
	equal(t, "expires_in", got.fields["expires_in"], any(3500.0))
	equal(t, "audience", got.text("audience"), app)
	equal(t, "issuer", got.text("issuer"), "avayacloud.com")
	equal(t, "username", user["username"], any(bot))
	equal(t, "user_id", got.text("user_id"), w.whoAmI(token.access).text("ndbid"))
	equal(t, "id", user["id"], got.fields["user_id"])
	for _, name := range []string{"first_name", "last_name", "picture_url"} {
		text, _ := user[name].(string)
		equal(t, name+" is there", text != "", true)
	}
	equal(t, "calls", w.Ledger().Calls[fakespaces.OperationTokenInfo], 1)
	equal(t, "calls of the user", w.Ledger().CallsByUser[bot], 3)
}

func TestTokenInfoRefuses(t *testing.T) {
	for sentence, give := range map[string]func(w *world, token reply) string{
		"no ID token":     func(*world, reply) string { return "" },
		"no JWT":          func(*world, reply) string { return "a.b.c" },
		"an access token": func(_ *world, token reply) string { return token.access },
		"a guest's token": func(w *world, _ reply) string { return w.beGuest(nil).text("token") },
		"a token that expired": func(w *world, token reply) string {
			w.pass(time.Hour)
			return token.text("id_token")
		},
		"a token of a revoked grant": func(w *world, token reply) string {
			w.revoke(token.refresh)
			return token.text("id_token")
		},
		"a token of a dead grant": func(w *world, token reply) string {
			w.RevokeGrantOf(token.refresh)
			return token.text("id_token")
		},
		"a token of another service": func(*world, reply) string {
			return newWorld(t).signIn().text("id_token")
		},
		"a token with another's claims": func(w *world, token reply) string {
			mine, theirs := strings.Split(token.text("id_token"), "."), strings.Split(w.signIn().text("id_token"), ".")
			return mine[0] + "." + theirs[1] + "." + mine[2]
		},
		"a token without a signature": func(_ *world, token reply) string {
			return strings.Join(strings.Split(token.text("id_token"), ".")[:2], ".") + "."
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			given := give(w, w.signIn())
			w.expectRefusal(w.tokenInfo(given), 400, "invalid_token")
			equal(t, "it is a secret", slices.Contains(w.Secrets(), given), given != "")
		})
	}
}

func TestAGrantThatLivesDoesNotVouchForTheTokenOfAnother(t *testing.T) {
	w := newWorld(t)
	one, two := w.signIn(), w.signIn()
	w.revoke(one.refresh)
	w.expectStatus(w.tokenInfo(one.text("id_token")), 400)
	w.expectStatus(w.tokenInfo(two.text("id_token")), 200)
}

func TestOddTokenInfo(t *testing.T) {
	w := newWorld(t)
	token := w.signIn().text("id_token")
	right := w.tokenInfo(token)
	w.Next(fakespaces.OperationTokenInfo, fakespaces.FaultOtherAudience, fakespaces.FaultOtherUser)

	audience := w.tokenInfo(token)
	equal(t, "audience is right", audience.text("audience") == app, false)
	equal(t, "user_id is right", audience.fields["user_id"] == right.fields["user_id"], true)

	user := w.tokenInfo(token)
	who, _ := user.fields["user"].(map[string]any)
	equal(t, "audience", user.text("audience"), app)
	equal(t, "user_id is right", user.fields["user_id"] == right.fields["user_id"], false)
	equal(t, "username is right", who["username"] == any(bot), false)
	equal(t, "one person", who["id"] == user.fields["user_id"], true)

	w.expectStatus(w.tokenInfo(token), 200)
}
