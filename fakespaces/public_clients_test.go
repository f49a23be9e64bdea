package fakespaces_test

import (
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

const cli = "cli-1" // a public client

// as makes the form one of the public client's, with what else is given.
func asPublic(pairs ...string) map[string][]string {
	return values(append([]string{"client_id", cli}, pairs...)...)
}

// A public client names itself and proves nothing (RFC 6749 section 2.1): whoever shows a
// secret for it is somebody else.
func TestAPublicClientSendsNoSecret(t *testing.T) {
	w := newWorld(t, fakespaces.WithClient(cli, ""))
	token := w.post("/oauth2/access_token", asPublic("grant_type", "password", "username", bot, "password", botSecret))
	w.expectStatus(token, 200)
	token = w.post("/oauth2/access_token", asPublic("grant_type", "refresh_token", "refresh_token", token.refresh))
	w.expectStatus(token, 200)
	w.expectRefusal(w.post("/oauth2/access_token", asPublic("grant_type", "refresh_token", "refresh_token", token.refresh, "client_secret", "x")), 401, "invalid_client")
	w.SetAuthenticatedRevocation(true)
	w.expectStatus(w.post("/oauth2/revoke_token", asPublic("token", token.refresh)), 200)
	equal(t, "grants left", w.Ledger().GrantsLive, 0)
	// And a client that has a secret is none.
	w.expectRefusal(w.post("/oauth2/access_token", values("client_id", app, "grant_type", "password", "username", bot, "password", botSecret)), 401, "invalid_client")
}

func TestTheCodesOfAPublicClientNeedPKCE(t *testing.T) {
	exchange := func(code, verifier string) map[string][]string {
		return asPublic("grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier)
	}
	w := newWorld(t, fakespaces.WithClient(cli, ""))
	without := asking("client_id", cli)
	for _, got := range []reply{w.open(without), w.enter(without, bot, botSecret)} {
		_, brought := w.location(got)
		equal(t, "error", brought.Get("error"), "invalid_request")
	}
	redirect, err := w.Consent(w.address(without), bot)
	_, brought := taken(t, redirect)
	equal(t, "error without a browser", brought.Get("error"), "invalid_request")
	equal(t, "it fails", err, nil)
	w.expectRefusal(w.post("/oauth2/access_token", exchange(w.IssueCode(cli, bot, callback, ""), "")), 400, "invalid_grant")

	with := asking("client_id", cli, "code_challenge", challenge(), "code_challenge_method", "S256")
	_, brought = w.location(w.decide(w.ticket(with), "allow"))
	w.expectRefusal(w.post("/oauth2/access_token", exchange(brought.Get("code"), verifier+"x")), 400, "invalid_grant")
	w.expectStatus(w.post("/oauth2/access_token", exchange(brought.Get("code"), verifier)), 200)
}
