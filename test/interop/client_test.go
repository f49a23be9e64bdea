package interop

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	redirectURI = "http://localhost:3000/signed-in"
	user        = "bot@example.test"
	password    = "hunter2 & %co"
	verifier    = "a-code-verifier-of-at-least-43-characters-0123456789"
	lifetime    = 20 * time.Minute
)

// The clients that the server knows. A secret may hold anything, so one does.
var (
	app     = application("app: 1", "s3cret: of+the%41pp/ä")
	another = application("another", "its-secret")
	limited = application("limited", "the-secret-of-one-grant-type")
	public  = application("cli", "")
)

func application(id, secret string) spacesauth.Application {
	return spacesauth.Application{ID: id, Secret: spacesauth.NewSecret(secret)}
}

// world is the server behind a socket, and our client of it.
type world struct {
	*Server
	t      *testing.T
	url    string
	client *spacesauth.Client
}

func newWorld(t *testing.T) *world { return newWorldOf(t, lifetime) }

// newWorldOf is a world whose access tokens live for so long.
func newWorldOf(t *testing.T, lifetime time.Duration) *world {
	t.Helper()
	w := &world{Server: New(lifetime), t: t}
	for _, known := range []spacesauth.Application{app, another, limited, public} {
		client := Client{ID: known.ID, Secret: known.Secret.Reveal(), RedirectURI: redirectURI}
		if known.ID == limited.ID {
			client.GrantTypes = []string{"authorization_code"}
		}
		if err := w.Add(client); err != nil {
			t.Fatal(err)
		}
	}
	w.AddUser(user, password)
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.url = server.URL
	var err error
	w.client, err = spacesauth.New(spacesauth.Environment{Name: "interop", AccountsURL: w.url, APIURL: w.url, TimeoutSeconds: 15})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

func login(scopes ...string) spacesauth.PasswordGrant {
	return spacesauth.PasswordGrant{Username: user, Password: spacesauth.NewSecret(password), Scopes: scopes}
}

func refresh(token spacesauth.Secret) spacesauth.RefreshTokenGrant {
	return spacesauth.RefreshTokenGrant{RefreshToken: token}
}

// code signs in as a person with a browser does, and takes the code from where it is sent.
func (w *world) code(client spacesauth.Application) spacesauth.AuthorizationCodeGrant {
	w.t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	asked := url.Values{
		"response_type": {"code"}, "client_id": {client.ID}, "redirect_uri": {redirectURI}, "scope": {"email spaces"}, "state": {"long enough"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	sentTo := w.open(asked)
	if sentTo.Query().Get("code") == "" {
		w.t.Fatalf("the browser was sent to %s", sentTo)
	}
	return spacesauth.AuthorizationCodeGrant{
		Code: spacesauth.NewSecret(sentTo.Query().Get("code")), CodeVerifier: spacesauth.NewSecret(verifier), RedirectURI: redirectURI,
	}
}

// open opens the sign-in page and tells where the browser is sent.
func (w *world) open(asked url.Values) *url.URL {
	w.t.Helper()
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := browser.Get(w.client.Environment().AuthorizationEndpoint() + "?" + asked.Encode())
	if err != nil {
		w.t.Fatal(err)
	}
	_ = answer.Body.Close()
	sentTo, err := answer.Location()
	if err != nil {
		w.t.Fatal(err)
	}
	return sentTo
}

func (w *world) spend(client spacesauth.Application, grant spacesauth.Grant) (spacesauth.Answer, error) {
	return w.client.Token(context.Background(), client, grant, nil)
}

// must is what a spend gives that has to work.
func (w *world) must(client spacesauth.Application, grant spacesauth.Grant) spacesauth.Answer {
	w.t.Helper()
	got, err := w.spend(client, grant)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// expectFailure expects an error of our client's, of this kind.
func expectFailure(t *testing.T, err error, kind spacesauth.Kind, status int, code string) {
	t.Helper()
	var failed *spacesauth.Error
	if !errors.As(err, &failed) {
		t.Fatalf("the error is %v", err)
	}
	if failed.Kind != kind || failed.StatusCode != status || failed.Code != code || failed.WebPage || failed.HostUnjudged {
		t.Errorf("the error is %+v, want %s, %d %s", failed, kind, status, code)
	}
	for _, secret := range []string{password, app.Secret.Reveal(), another.Secret.Reveal(), limited.Secret.Reveal(), verifier} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
}

// expectDead expects that the server takes a refresh token no more.
func (w *world) expectDead(client spacesauth.Application, token spacesauth.Secret) {
	w.t.Helper()
	_, err := w.spend(client, refresh(token))
	expectFailure(w.t, err, spacesauth.KindRejectedGrant, 400, "invalid_grant")
}

func (w *world) expectLiving(want int) {
	w.t.Helper()
	if living, _ := w.Grants(); living != want {
		w.t.Errorf("%d grants live, want %d", living, want)
	}
}

// works tells whether the server takes an access token.
func (w *world) works(answer spacesauth.Answer) bool {
	w.t.Helper()
	_, err := w.client.UserProfile(context.Background(), answer.TokenType, answer.AccessToken)
	if err != nil {
		expectFailure(w.t, err, spacesauth.KindUnclear, 401, "")
	}
	return err == nil
}

func TestASignInGivesWhatIsAskedFor(t *testing.T) {
	for sentence, given := range map[string]struct {
		client spacesauth.Application
		grant  func(*world) spacesauth.Grant
	}{
		"by password":                    {app, func(*world) spacesauth.Grant { return login("email", "spaces") }},
		"by code":                        {app, func(w *world) spacesauth.Grant { return w.code(app) }},
		"by password, without a secret":  {public, func(*world) spacesauth.Grant { return login("email", "spaces") }},
		"by code, without a secret":      {public, func(w *world) spacesauth.Grant { return w.code(public) }},
		"by refresh token from a person": {app, func(w *world) spacesauth.Grant { return refresh(w.must(app, w.code(app)).RefreshToken) }},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			got := w.must(given.client, given.grant(w))
			if got.TokenType != "Bearer" || got.Scope != "email spaces" || got.RefreshToken.Empty() {
				t.Errorf("the answer is %+v", got)
			}
			// The server rounds to whole seconds and counts what is left of the lifetime.
			if got.Lifetime > lifetime || got.Lifetime < lifetime-5*time.Second {
				t.Errorf("it lives for %s", got.Lifetime)
			}
			if !w.works(got) {
				t.Error("the access token does not work")
			}
			w.expectLiving(1)
		})
	}
}

func TestARefreshTokenRotates(t *testing.T) {
	w := newWorld(t)
	newest := w.must(app, login("email"))
	for range 3 {
		former := newest
		newest = w.must(app, refresh(former.RefreshToken))
		if newest.RefreshToken.Reveal() == former.RefreshToken.Reveal() {
			t.Error("the same refresh token came back")
		}
		if newest.Scope != "email" {
			t.Errorf("the scope is %q", newest.Scope)
		}
		if !w.works(newest) || w.works(former) {
			t.Error("a rotation ends the access token before, and gives one that works")
		}
	}
	if living, rotations := w.Grants(); living != 1 || rotations != 3 {
		t.Errorf("%d grants live after %d rotations", living, rotations)
	}
}

func TestASpentRefreshTokenEndsItsGrant(t *testing.T) {
	w := newWorld(t)
	first := w.must(app, login("email"))
	second := w.must(app, refresh(first.RefreshToken))
	w.expectDead(app, first.RefreshToken)
	w.expectDead(app, second.RefreshToken)
	if w.works(second) {
		t.Error("its access token works")
	}
	w.expectLiving(0)
}

func TestASpentCodeEndsItsGrant(t *testing.T) {
	w := newWorld(t)
	code := w.code(app)
	got := w.must(app, code)
	_, err := w.spend(app, code)
	expectFailure(t, err, spacesauth.KindRejectedGrant, 400, "invalid_grant")
	w.expectDead(app, got.RefreshToken)
}

func TestRefusals(t *testing.T) {
	changed := func(w *world, change func(*spacesauth.AuthorizationCodeGrant)) spacesauth.Grant {
		code := w.code(app)
		change(&code)
		return code
	}
	for sentence, given := range map[string]struct {
		client spacesauth.Application
		grant  func(*world) spacesauth.Grant
		kind   spacesauth.Kind
		status int
		code   string
	}{
		"a wrong password": {app, func(*world) spacesauth.Grant {
			return spacesauth.PasswordGrant{Username: user, Password: spacesauth.NewSecret("wrong")}
		}, spacesauth.KindRejectedGrant, 400, "invalid_grant"},
		"a user nobody knows": {app, func(*world) spacesauth.Grant {
			return spacesauth.PasswordGrant{Username: "x", Password: spacesauth.NewSecret(password)}
		}, spacesauth.KindRejectedGrant, 400, "invalid_grant"},
		"a refresh token nobody knows": {app, func(*world) spacesauth.Grant {
			return refresh(spacesauth.NewSecret("ory_rt_x.y"))
		}, spacesauth.KindRejectedGrant, 400, "invalid_grant"},
		"a refresh token of another client": {another, func(w *world) spacesauth.Grant {
			return refresh(w.must(app, login()).RefreshToken)
		}, spacesauth.KindRejectedGrant, 400, "invalid_grant"},
		"a code nobody knows": {app, func(w *world) spacesauth.Grant {
			return changed(w, func(c *spacesauth.AuthorizationCodeGrant) { c.Code = spacesauth.NewSecret("ory_ac_x.y") })
		}, spacesauth.KindRejectedGrant, 400, "invalid_grant"},
		"a code of another client": {another, func(w *world) spacesauth.Grant {
			return w.code(app)
		}, spacesauth.KindRejectedGrant, 400, "invalid_grant"},
		"another verifier": {app, func(w *world) spacesauth.Grant {
			return changed(w, func(c *spacesauth.AuthorizationCodeGrant) { c.CodeVerifier = spacesauth.NewSecret(verifier + "x") })
		}, spacesauth.KindRejectedGrant, 400, "invalid_grant"},
		"another redirect URI": {app, func(w *world) spacesauth.Grant {
			return changed(w, func(c *spacesauth.AuthorizationCodeGrant) { c.RedirectURI += "/" })
		}, spacesauth.KindRejectedGrant, 400, "invalid_grant"},
		"a wrong client secret": {application(app.ID, "wrong"), func(*world) spacesauth.Grant {
			return login()
		}, spacesauth.KindRejectedClient, 401, "invalid_client"},
		"no client secret": {application(app.ID, ""), func(*world) spacesauth.Grant {
			return login()
		}, spacesauth.KindRejectedClient, 401, "invalid_client"},
		"a client nobody knows": {application("x", "x"), func(*world) spacesauth.Grant {
			return login()
		}, spacesauth.KindRejectedClient, 401, "invalid_client"},
		"a grant type that the client may not use": {limited, func(*world) spacesauth.Grant {
			return login()
		}, spacesauth.KindRejectedClient, 400, "unauthorized_client"},
		"a scope that nobody may have": {app, func(*world) spacesauth.Grant {
			return login("email", "everything")
		}, spacesauth.KindRejectedRequest, 400, "invalid_scope"},
		"a password that is empty": {app, func(*world) spacesauth.Grant {
			return spacesauth.PasswordGrant{Username: user}
		}, spacesauth.KindRejectedRequest, 400, "invalid_request"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			grant := given.grant(w)
			got, err := w.spend(given.client, grant)
			expectFailure(t, err, given.kind, given.status, given.code)
			if !got.AccessToken.Empty() || !got.RefreshToken.Empty() {
				t.Error("a refusal gave a token")
			}
		})
	}
}

func TestAPublicClientNeedsPKCE(t *testing.T) {
	w := newWorld(t)
	sentTo := w.open(url.Values{"response_type": {"code"}, "client_id": {public.ID}, "redirect_uri": {redirectURI}, "state": {"long enough"}})
	if got := sentTo.Query().Get("error"); got != "invalid_request" {
		t.Errorf("the browser was sent to %s", sentTo)
	}
}

// Trouble of the server's own comes in words that otherwise mean a mistake of ours. None of it
// may cost the grant: the same refresh token works as soon as the trouble is over.
func TestTroubleOfTheServersOwn(t *testing.T) {
	for sentence, given := range map[string]struct {
		begin  func(*world) (end func())
		kind   spacesauth.Kind
		status int
		code   string
	}{
		"a transaction that another one was faster than": {failing(Conflict), spacesauth.KindRejectedRequest, 400, "invalid_request"},
		"a store of clients that is away":                {failing(ClientsAway), spacesauth.KindRejectedClient, 401, "invalid_client"},
		"a store of grants that is away":                 {failing(GrantsAway), spacesauth.KindUnavailable, 500, "server_error"},
		"another signing secret":                         {(*world).ReplaceSecret, spacesauth.KindRejectedRequest, 400, "invalid_request"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			granted := w.must(app, login())
			end := given.begin(w)
			_, err := w.spend(app, refresh(granted.RefreshToken))
			expectFailure(t, err, given.kind, given.status, given.code)
			end()
			if !w.works(w.must(app, refresh(granted.RefreshToken))) {
				t.Error("the access token does not work")
			}
		})
	}
	t.Run("a store of users that is away", func(t *testing.T) {
		w := newWorld(t)
		w.Fail(GrantsAway)
		_, err := w.spend(app, login())
		expectFailure(t, err, spacesauth.KindUnavailable, 500, "server_error")
	})
	t.Run("a store of codes that is away, before the code was looked at", func(t *testing.T) {
		w := newWorld(t)
		code := w.code(app)
		w.Fail(GrantsAway)
		_, err := w.spend(app, code)
		expectFailure(t, err, spacesauth.KindUnavailable, 500, "server_error")
		w.Fail("")
		w.must(app, code)
	})
}

func failing(fault Fault) func(*world) func() {
	return func(w *world) func() {
		w.Fail(fault)
		return func() { w.Fail("") }
	}
}
