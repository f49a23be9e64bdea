package fakespaces_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestSecretsHoldsAllThatWasIssuedOrGivenAndTheLedgerNone(t *testing.T) {
	w := newWorld(t)
	seed, code := w.IssueGrant(app, bot), w.IssueCode(app, bot, callback, challenge())
	first := w.signIn()
	second := w.refresh(first.refresh)
	byCode := w.post("/oauth2/access_token", codeForm(code, verifier))
	wrong := passwordForm()
	wrong.Set("password", "wrong-password")
	wrong.Set("client_secret", "wrong-secret")
	w.post("/oauth2/access_token", wrong)
	w.refresh("wrong-refresh-token")
	w.revoke("wrong-revoked-token")
	w.whoAmI("wrong-access-token")
	basic := http.Request{Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
	basic.SetBasicAuth("app-1", "wrong%3Asecret-of-basic")
	w.sendAs(t.Context(), "POST", "/oauth2/revoke_token", basic.Header, "token=wrong-token-of-basic")
	w.SetPassword(bot, "next-password")
	w.SetClientSecret(app, "next-secret")
	w.Next(fakespaces.OperationPassword, fakespaces.FaultLostBefore)
	wrong.Set("password", "password-of-a-cut-call")
	w.post("/oauth2/access_token", wrong)

	secrets := w.Secrets()
	for _, want := range []string{
		seed, code, verifier, appSecret, botSecret,
		first.access, first.refresh, first.text("id_token"),
		second.access, second.refresh, second.text("id_token"),
		byCode.access, byCode.refresh, byCode.text("id_token"),
		"wrong-password", "wrong-secret", "wrong-refresh-token", "wrong-revoked-token", "wrong-access-token",
		"wrong:secret-of-basic", strings.TrimPrefix(basic.Header.Get("Authorization"), "Basic "), "wrong-token-of-basic",
		"next-password", "next-secret", "password-of-a-cut-call",
	} {
		if want == "" || !slices.Contains(secrets, want) {
			t.Errorf("Secrets lacks %q", want)
		}
	}

	text, err := json.Marshal(w.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if strings.Contains(string(text), secret) || strings.Contains(w.Ledger().String(), secret) {
			t.Errorf("the ledger holds the secret %q", secret)
		}
	}
}

func TestTheLedgerCountsCallsByUserAndOperation(t *testing.T) {
	w := newWorld(t)
	token := w.signIn()
	w.whoAmI(token.access)
	w.whoAmI("unknown")
	w.revoke(w.refresh(token.refresh).refresh)
	l := w.Ledger()
	equal(t, "calls of the user", l.CallsByUser[bot], 4)
	equal(t, "password", l.Calls[fakespaces.OperationPassword], 1)
	equal(t, "refresh", l.Calls[fakespaces.OperationRefresh], 1)
	equal(t, "profile", l.Calls[fakespaces.OperationProfile], 2)
	equal(t, "revoke", l.Calls[fakespaces.OperationRevoke], 1)
	equal(t, "tokens issued", l.TokensIssued, 2)
	equal(t, "refused", l.Refused["invalid_token"], 1)
	equal(t, "summary", strings.Contains(l.String(), "tokens issued: 2\n"), true)
}
