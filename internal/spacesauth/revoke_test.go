package spacesauth_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestRevocationIsSentWithoutTheClientSecret(t *testing.T) {
	w := newWorld(t)
	token := w.IssueGrant(appID, bot)
	seen := w.watch()

	if err := w.client.Revoke(context.Background(), spacesauth.Application{ID: appID}, spacesauth.NewSecret(token)); err != nil {
		t.Fatal(err)
	}

	calls := seen()
	if len(calls) != 1 || calls[0].Operation != fakespaces.OperationRevoke {
		t.Fatalf("the service saw %d calls, want one revocation", len(calls))
	}
	want := url.Values{"client_id": {appID}, "refresh_token": {token}, "grant_type": {"revoke_token"}}
	if !reflect.DeepEqual(calls[0].Form, want) {
		t.Errorf("the form had the members %v, want %v", calls[0].Form, want)
	}
	expectPlainForm(t, calls[0].Header)
	if ledger := w.Ledger(); ledger.GrantsRevoked != 1 || ledger.GrantsLive != 0 {
		t.Errorf("%d grants revoked and %d left, want 1 and 0", ledger.GrantsRevoked, ledger.GrantsLive)
	}
}

// A server that keeps RFC 7009 §2.1 signs nobody out for a client that does not prove itself.
func TestRevocationWithTheClientSecret(t *testing.T) {
	const odd = "s3cret: of+the%41pp\u00e4"
	w := newWorld(t, fakespaces.WithAuthenticatedRevocation(true), fakespaces.WithClient("app: 1", odd))
	token := w.IssueGrant("app: 1", bot)
	seen := w.watch()

	err := w.client.Revoke(context.Background(), spacesauth.Application{ID: "app: 1"}, spacesauth.NewSecret(token))
	if kind(t, err) != spacesauth.KindRejectedClient || w.Ledger().GrantsLive != 1 {
		t.Fatalf("without the secret the error was %v, with %d grants left", err, w.Ledger().GrantsLive)
	}
	app := spacesauth.Application{ID: "app: 1", Secret: spacesauth.NewSecret(odd)}
	if err := w.client.Revoke(context.Background(), app, spacesauth.NewSecret(token)); err != nil {
		t.Fatal(err)
	}

	calls := seen()
	if len(calls) != 2 {
		t.Fatalf("the service saw %d calls, want one for each", len(calls))
	}
	want := url.Values{
		"client_id": {"app: 1"}, "refresh_token": {token}, "grant_type": {"revoke_token"},
		"token": {token}, "token_type_hint": {"refresh_token"},
	}
	if !reflect.DeepEqual(calls[1].Form, want) {
		t.Errorf("the form had the members %v, want %v", calls[1].Form, want)
	}
	if got := calls[1].Header.Get("Authorization"); !strings.HasPrefix(got, "Basic ") {
		t.Error("the client did not prove itself by HTTP Basic")
	}
	if w.Ledger().GrantsRevoked != 1 {
		t.Error("the grant was not revoked")
	}
}

// The vendor's service does not mind the fields of RFC 7009 and the header.
func TestRevocationWithTheClientSecretPleasesTheVendorToo(t *testing.T) {
	w := newWorld(t)
	if err := w.client.Revoke(context.Background(), application(), spacesauth.NewSecret(w.IssueGrant(appID, bot))); err != nil {
		t.Error(err)
	}
	if w.Ledger().GrantsRevoked != 1 {
		t.Error("the grant was not revoked")
	}
}

func TestNoFailureOfARevocationTellsTheClientSecret(t *testing.T) {
	app := spacesauth.Application{ID: appID, Secret: spacesauth.NewSecret(appSecret)}
	for _, a := range []answer{{status: 401, body: `{"error":"invalid_client"}`}, {status: 403}, {cut: true}, {}} {
		err := clientOf(t, environmentAt(a.serve(t))).Revoke(context.Background(), app, spacesauth.NewSecret("token-1"))
		if err == nil {
			t.Errorf("%+v is a success", a)
		}
		expectNoSecret(t, err, "token-1", appSecret, base64.StdEncoding.EncodeToString([]byte(appID+":"+appSecret)))
	}
}

func TestRevocationOfWhatIsGone(t *testing.T) {
	for sentence, status := range map[string]int{
		"a service that says 200 to it": http.StatusOK,
		"a service that says 400 to it": http.StatusBadRequest,
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fakespaces.WithUnknownTokenStatus(status))
			revoked := spacesauth.NewSecret(w.IssueGrant(appID, bot))
			for _, token := range []spacesauth.Secret{revoked, revoked, spacesauth.NewSecret("never heard of")} {
				if err := w.client.Revoke(context.Background(), spacesauth.Application{ID: appID}, token); err != nil {
					t.Errorf("nothing is left to revoke, and it failed: %v", err)
				}
			}
		})
	}
}

func TestRevocationWithAnUnknownClientIsNotDone(t *testing.T) {
	w := newWorld(t)
	err := w.client.Revoke(context.Background(), spacesauth.Application{ID: "nobody"}, spacesauth.NewSecret(w.IssueGrant(appID, bot)))
	if kind(t, err) != spacesauth.KindRejectedClient || w.Ledger().GrantsLive != 1 {
		t.Errorf("the error was %v with %d grants left", err, w.Ledger().GrantsLive)
	}
}

func TestAnswersOfTheRevocationEndpoint(t *testing.T) {
	for sentence, given := range map[string]struct {
		answer answer
		want   spacesauth.Kind
	}{
		"200 without a body is done":                       {answer{status: 200}, ""},
		"204 is done":                                      {answer{status: 204}, ""},
		"200 with JSON that tells no error is done":        {answer{status: 200, body: `{"revoked":true}`}, ""},
		"200 with JSON as text/html is done":               {answer{status: 200, contentType: "text/html", body: `{}`}, ""},
		"200 with JSON that is no object is done":          {answer{status: 200, contentType: "text/html", body: `"revoked"`}, ""},
		"200 without a body as text/html is done":          {answer{status: 200, contentType: "text/html; charset=utf-8", body: "\r\n"}, ""},
		"200 with a word is done":                          {answer{status: 200, contentType: "text/plain", body: "OK"}, ""},
		"200 with a web page is no confirmation":           {answer{status: 200, contentType: "text/html", body: "<html>"}, spacesauth.KindUnclear},
		"200 with a web page of another type is none":      {answer{status: 200, contentType: "application/json", body: " \n<!DOCTYPE html>"}, spacesauth.KindUnclear},
		"200 with a web page behind a mark is none":        {answer{status: 200, body: "\xef\xbb\xbf <html>"}, spacesauth.KindUnclear},
		"200 with words as text/html is none":              {answer{status: 200, contentType: "Text/HTML; charset=utf-8", body: "Please sign in to the network"}, spacesauth.KindUnclear},
		"200 with words as XHTML is none":                  {answer{status: 200, contentType: "application/xhtml+xml", body: "Please sign in"}, spacesauth.KindUnclear},
		"400 invalid_token: nothing left to revoke":        {answer{status: 400, body: `{"error":"invalid_token"}`}, ""},
		"400 invalid_grant: nothing left to revoke":        {answer{status: 400, body: `{"error":"invalid_grant"}`}, ""},
		"200 invalid_token: nothing left to revoke":        {answer{status: 200, body: `{"error":"invalid_token"}`}, ""},
		"401 invalid_client is not done":                   {answer{status: 401, body: `{"error":"invalid_client"}`}, spacesauth.KindRejectedClient},
		"400 invalid_request is not done":                  {answer{status: 400, body: `{"error":"invalid_request"}`}, spacesauth.KindRejectedRequest},
		"400 unsupported_token_type is not done":           {answer{status: 400, body: `{"error":"unsupported_token_type"}`}, spacesauth.KindRejectedRequest},
		"200 with another error is not done":               {answer{status: 200, body: `{"error":"invalid_client"}`}, spacesauth.KindRejectedClient},
		"400 with a web page is not done":                  {answer{status: 400, body: "<html>"}, spacesauth.KindUnclear},
		"404 is not done":                                  {answer{status: 404}, spacesauth.KindUnclear},
		"429 is not done, whatever its body says":          {answer{status: 429, body: `{"error":"invalid_token"}`}, spacesauth.KindThrottled},
		"a redirect is not done, whatever its body says":   {answer{status: 302, body: `{"error":"invalid_token"}`}, spacesauth.KindUnavailable},
		"500 is not done, whatever its body says":          {answer{status: 500, body: `{"error":"invalid_grant"}`}, spacesauth.KindUnavailable},
		"503 with Retry-After asks for patience":           {answer{status: 503, retryAfter: "9"}, spacesauth.KindThrottled},
		"400 temporarily_unavailable is passing trouble":   {answer{status: 400, body: `{"error":"temporarily_unavailable"}`}, spacesauth.KindUnavailable},
		"a service that is not there is passing trouble":   {answer{}, spacesauth.KindUnavailable},
		"a connection cut before the answer is ambiguous ": {answer{cut: true}, spacesauth.KindAmbiguous},
	} {
		t.Run(sentence, func(t *testing.T) {
			client := clientOf(t, environmentAt(given.answer.serve(t)))
			err := client.Revoke(context.Background(), spacesauth.Application{ID: appID}, spacesauth.NewSecret("token-1"))
			if kind(t, err) != given.want {
				t.Errorf("the error was %v, want %q", err, given.want)
			}
			expectNoSecret(t, err, "token-1")
		})
	}
}
