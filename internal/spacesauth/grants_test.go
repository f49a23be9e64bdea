package spacesauth_test

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestWhatIsSent(t *testing.T) {
	const seed = "%seed"
	app := url.Values{"client_id": {appID}, "client_secret": {appSecret}}
	for sentence, given := range map[string]struct {
		grant spacesauth.Grant
		want  url.Values
	}{
		"a password goes with name, scopes and the application": {
			grant: password(),
			want: url.Values{
				"grant_type": {"password"}, "username": {bot}, "password": {botSecret}, "scope": {"email spaces"},
			},
		},
		"without scopes there is no scope member": {
			grant: spacesauth.PasswordGrant{Username: bot, Password: spacesauth.NewSecret(botSecret)},
			want:  url.Values{"grant_type": {"password"}, "username": {bot}, "password": {botSecret}},
		},
		"a refresh token goes with the application and no scope": {
			grant: refresh(seed),
			want:  url.Values{"grant_type": {"refresh_token"}, "refresh_token": {seed}},
		},
		"a code goes with its verifier, the redirect URI and the application": {
			grant: spacesauth.AuthorizationCodeGrant{},
			want:  url.Values{"grant_type": {"authorization_code"}, "code_verifier": {verifier}, "redirect_uri": {redirectURI}},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			if _, isRefresh := given.grant.(spacesauth.RefreshTokenGrant); isRefresh {
				token := w.IssueGrant(appID, bot)
				given.grant = refresh(token)
				given.want.Set("refresh_token", token)
			}
			if _, isCode := given.grant.(spacesauth.AuthorizationCodeGrant); isCode {
				code := w.code()
				given.grant = code
				given.want.Set("code", code.Code.Reveal())
			}
			for name, values := range app {
				given.want[name] = values
			}
			seen := w.watch()

			if _, err := w.spend(given.grant); err != nil {
				t.Fatal(err)
			}

			calls := seen()
			if len(calls) != 1 {
				t.Fatalf("%d requests were sent, want exactly one", len(calls))
			}
			if !reflect.DeepEqual(calls[0].Form, given.want) {
				t.Errorf("the form was %v, want %v", calls[0].Form, given.want)
			}
			expectPlainForm(t, calls[0].Header)
		})
	}
}

// A public client has no secret, and an empty one would be a wrong one (RFC 6749 §2.3.1).
func TestAPublicClientSendsItsIDAlone(t *testing.T) {
	w := newWorld(t, fakespaces.WithClient(appID, ""))
	public := spacesauth.Application{ID: appID}
	seen := w.watch()
	for sentence, grant := range map[string]spacesauth.Grant{
		"a sign-in": password(), "a refresh": refresh(w.IssueGrant(appID, bot)), "a code": w.code(),
	} {
		if _, err := w.client.Token(context.Background(), public, grant, nil); err != nil {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	if err := w.client.Revoke(context.Background(), public, spacesauth.NewSecret(w.IssueGrant(appID, bot))); err != nil {
		t.Error(err)
	}
	for _, call := range seen() {
		if call.Form.Has("client_secret") || call.Form.Get("client_id") != appID {
			t.Errorf("%s: the form was %v", call.Operation, call.Form)
		}
		expectPlainForm(t, call.Header)
	}
}

// expectPlainForm: secrets stand in the body and nowhere else.
func expectPlainForm(t *testing.T, header http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type":  "application/x-www-form-urlencoded",
		"Accept":        "application/json",
		"Authorization": "",
		"Cookie":        "",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("the header %s was %q, want %q", name, got, want)
		}
	}
}

func TestWhatComesBack(t *testing.T) {
	for sentence, grant := range map[string]func(*world) spacesauth.Grant{
		"of a sign-in":            func(*world) spacesauth.Grant { return password() },
		"of a refresh":            func(w *world) spacesauth.Grant { return refresh(w.IssueGrant(appID, bot)) },
		"of a second refresh too": func(w *world) spacesauth.Grant { return refresh(refreshed(w, w.IssueGrant(appID, bot))) },
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fakespaces.WithTokenLifetime(90*time.Minute))
			got, err := w.spend(grant(w))
			if err != nil {
				t.Fatal(err)
			}
			if !w.TokenWorks(got.AccessToken.Reveal()) {
				t.Error("the access token does not work")
			}
			if got.RefreshToken.Empty() || got.IDToken.Empty() {
				t.Error("the refresh token or the ID token is missing")
			}
			if got.TokenType != "Bearer" || got.Lifetime != 90*time.Minute || !got.IssueTime.Equal(noon) {
				t.Errorf("type %q, lifetime %v, issued %v", got.TokenType, got.Lifetime, got.IssueTime)
			}
			if got.Scope == "" {
				t.Error("the scope is missing")
			}
			expectNoSecret(t, got, w.Secrets()...)
			expectNoSecret(t, &got, w.Secrets()...)
		})
	}
}

// refreshed spends token and gives its successor.
func refreshed(w *world, token string) string {
	w.t.Helper()
	got, err := w.spend(refresh(token))
	if err != nil {
		w.t.Fatal(err)
	}
	return got.RefreshToken.Reveal()
}

// Lifetimes are counted from the sending: while an answer is on its way the token
// is already getting older.
func TestIssueTimeIsWhenTheRequestWasSent(t *testing.T) {
	w := newWorld(t)
	w.InterceptAnswer(func(fakespaces.Call) { w.clock.SetTime(noon.Add(10 * time.Second)) })
	got, err := w.spend(password())
	if err != nil || !got.IssueTime.Equal(noon) {
		t.Errorf("issued %v (%v), want %v", got.IssueTime, err, noon)
	}
}

// A service that rotates nothing, or leaves the token out, is as good as any.
func TestRefreshTokensThatDoNotRotate(t *testing.T) {
	for sentence, given := range map[string]struct {
		rotation fakespaces.Rotation
		want     func(sent string) string
	}{
		"a new one is given":      {fakespaces.RotateAlways, nil},
		"the same one comes back": {fakespaces.RotateNever, func(sent string) string { return sent }},
		"none comes back":         {fakespaces.RotateOmitted, func(string) string { return "" }},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fakespaces.WithRotation(given.rotation))
			sent := w.IssueGrant(appID, bot)
			got, err := w.spend(refresh(sent))
			if err != nil {
				t.Fatal(err)
			}
			back := got.RefreshToken.Reveal()
			if given.want == nil && (back == "" || back == sent) || given.want != nil && back != given.want(sent) {
				t.Error("another refresh token than expected came back")
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for sentence, given := range map[string]struct {
		grant func(*world) spacesauth.Grant
		app   spacesauth.Application
		want  spacesauth.Kind
	}{
		"a wrong password is a rejected grant": {
			func(*world) spacesauth.Grant {
				return spacesauth.PasswordGrant{Username: bot, Password: spacesauth.NewSecret("wrong")}
			}, application(), spacesauth.KindRejectedGrant,
		},
		"a spent refresh token is a rejected grant": {
			func(w *world) spacesauth.Grant {
				token := w.IssueGrant(appID, bot)
				refreshed(w, token)
				return refresh(token)
			}, application(), spacesauth.KindRejectedGrant,
		},
		"a wrong client secret is a rejected client": {
			func(w *world) spacesauth.Grant { return refresh(w.IssueGrant(appID, bot)) },
			spacesauth.Application{ID: appID, Secret: spacesauth.NewSecret("wrong")}, spacesauth.KindRejectedClient,
		},
		"an unknown scope is a rejected request": {
			func(*world) spacesauth.Grant {
				return spacesauth.PasswordGrant{Username: bot, Password: spacesauth.NewSecret(botSecret), Scopes: []string{"nonsense"}}
			}, application(), spacesauth.KindRejectedRequest,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			grant := given.grant(w)
			before := w.tokenCalls()
			got, err := w.client.Token(context.Background(), given.app, grant, nil)
			if kind(t, err) != given.want {
				t.Errorf("the error was %v, want %s", err, given.want)
			}
			if !got.AccessToken.Empty() || !got.RefreshToken.Empty() {
				t.Error("a refusal gave a token")
			}
			if calls := w.tokenCalls() - before; calls != 1 {
				t.Errorf("%d requests were sent, want exactly one", calls)
			}
		})
	}
}
