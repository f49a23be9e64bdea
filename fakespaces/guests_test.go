package fakespaces_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

const ada = "ada@example.test"

func (w *world) beGuest(form url.Values) reply { return w.post("/api/anonymous/auth", form) }

// present asks whose token this is, under a scheme.
func (w *world) present(scheme, token string) reply {
	return w.sendAs(w.Context(), "GET", "/api/users/me", http.Header{"Authorization": {scheme + " " + token}}, "")
}

func TestAGuestIsWhoItSaysItIs(t *testing.T) {
	const form, json = "application/x-www-form-urlencoded", "application/json"
	for sentence, c := range map[string]struct{ contentType, body, displayname, username string }{
		"by form":                           {form, "displayname=Ada+L&username=ada%40example.test", "Ada L", ada},
		"by JSON":                           {json, `{"displayname":"Ada L","username":"ada@example.test"}`, "Ada L", ada},
		"by JSON with a character set":      {json + "; charset=utf-8", `{"displayname":"Ada"}`, "Ada", ""},
		"by JSON with members nobody knows": {json, `{"displayname":"Ada","room":{"id":1}}`, "Ada", ""},
		"by JSON with null":                 {json, `{"displayname":"Ada","picturefile":null}`, "Ada", ""},
		"by JSON that does not say so":      {"", ` {"displayname":"Ada"}`, "Ada", ""},
		"by a form that does not say so":    {"", "displayname=Ada", "Ada", ""},
		"with empty strings":                {form, "displayname=&username=&picturefile=", "", ""},
		"without a body":                    {"", "", "", ""},
		"without a body, but with a type":   {json, "", "", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			header := http.Header{}
			if c.contentType != "" {
				header.Set("Content-Type", c.contentType)
			}
			got := w.sendAs(t.Context(), "POST", "/api/anonymous/auth", header, c.body)
			w.expectStatus(got, 200)
			equal(t, "members", len(got.fields), 1)

			me := w.present("jwt", got.text("token"))
			w.expectStatus(me, 200)
			equal(t, "displayname", me.text("displayname"), c.displayname)
			equal(t, "username", me.text("username"), c.username)
			equal(t, "aType", me.text("aType"), "guest")
			equal(t, "_id", me.fields["_id"], claimsOf(t, got.text("token"))["anonymous_id"])
			equal(t, "calls", w.Ledger().Calls[fakespaces.OperationGuest], 1)
		})
	}
}

func TestAGuestThatCannotBeReadIsRefused(t *testing.T) {
	for sentence, body := range map[string]string{
		"JSON that breaks off":  `{"displayname":"Ada"`,
		"JSON that is a list":   `[]`,
		"a name that is a list": `{"displayname":["Ada"]}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			header := http.Header{"Content-Type": {"application/json"}}
			got := w.sendAs(t.Context(), "POST", "/api/anonymous/auth", header, body)
			w.expectStatus(got, 400)
			equal(t, "code", got.text("code"), "bad_request")
			equal(t, "guests issued", w.Ledger().GuestsIssued, 0)
			equal(t, "refusals", w.Ledger().Refused["invalid_request"], 1)
		})
	}
}

func TestEachGuestIsAnother(t *testing.T) {
	w := newWorld(t)
	named := values("displayname", "Ada", "username", ada)
	one, two := w.beGuest(named), w.beGuest(named)
	first, second := claimsOf(t, one.text("token")), claimsOf(t, two.text("token"))
	equal(t, "the ID is the same", first["anonymous_id"] == second["anonymous_id"], false)
	equal(t, "exp - iat", first["exp"].(float64)-first["iat"].(float64), 86400)
	equal(t, "iat", first["iat"].(float64), float64(w.now().Unix()))
	issuers, _ := first["iss"].([]any)
	equal(t, "iss is the documented array", slices.Equal(issuers, []any{"zang", "io"}), true)
	w.present("jwt", one.text("token"))

	l := w.Ledger()
	equal(t, "guests issued", l.GuestsIssued, 2)
	equal(t, "tokens issued", l.TokensIssued, 2)
	equal(t, "grants issued", l.GrantsIssued, 0)
	equal(t, "calls of the user", l.CallsByUser[ada], 3)
	equal(t, "the token is a secret", slices.Contains(w.Secrets(), one.text("token")), true)
}

func TestAGuestExpires(t *testing.T) {
	w := newWorld(t, fakespaces.WithGuestLifetime(20*time.Second))
	token := w.beGuest(nil).text("token")
	w.SetGuestLifetime(time.Hour) // it was told its lifetime
	w.pass(20*time.Second - 1)
	equal(t, "it works", w.TokenWorks(token), true)
	w.expectStatus(w.present("jwt", token), 200)
	w.pass(1)
	equal(t, "it works", w.TokenWorks(token), false)
	w.expectStatus(w.present("jwt", token), 401)
}

func TestTheSchemeBelongsToTheKindOfToken(t *testing.T) {
	for sentence, c := range map[string]struct {
		scheme string
		guest  bool
		want   int
	}{
		"a guest's token as jwt":            {"jwt", true, 200},
		"a guest's token as JWT":            {"JWT", true, 200},
		"a guest's token as Bearer":         {"Bearer", true, 401},
		"an access token as Bearer":         {"Bearer", false, 200},
		"an access token as bearer":         {"bearer", false, 200},
		"an access token as jwt":            {"jwt", false, 401},
		"an access token of a service app":  {"service_app", false, 401},
		"a guest's token without a scheme":  {"", true, 401},
		"an access token with two of them ": {"Bearer jwt", false, 401},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			token := w.signIn().access
			if c.guest {
				token = w.beGuest(nil).text("token")
			}
			w.expectStatus(w.present(c.scheme, token), c.want)
		})
	}
}

func TestOddGuestsWork(t *testing.T) {
	for fault, check := range map[fakespaces.Fault]func(t *testing.T, token string){
		fakespaces.FaultStringIssuer: func(t *testing.T, token string) {
			equal(t, "iss", claimsOf(t, token)["iss"], any("zang"))
		},
		fakespaces.FaultGuestWithoutExp: func(t *testing.T, token string) {
			_, there := claimsOf(t, token)["exp"]
			equal(t, "exp is there", there, false)
		},
		fakespaces.FaultGuestOpaque: func(t *testing.T, token string) {
			equal(t, "length", len(token), 40)
		},
	} {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t)
			w.Next(fakespaces.OperationGuest, fault)
			token := w.beGuest(nil).text("token")
			check(t, token)
			w.expectStatus(w.present("jwt", token), 200)
			equal(t, "it is a secret", slices.Contains(w.Secrets(), token), true)
			equal(t, "guests issued", w.Ledger().GuestsIssued, 1)
			w.pass(24 * time.Hour)
			w.expectStatus(w.present("jwt", token), 401)
		})
	}
}

func TestEachFaultOfAGuestDoesItsWorkOrNot(t *testing.T) {
	for _, fault := range fakespaces.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t, fakespaces.WithStall(time.Millisecond))
			w.Next(fakespaces.OperationGuest, fault)
			got := w.beGuest(nil)
			equal(t, "a guest was made", w.Ledger().GuestsIssued == 1, fault.DoesWork())
			equal(t, "status", got.status, wires[fault].status)
			equal(t, "the client sees a break", got.err != nil, wires[fault].broken || wires[fault].status == 0)
		})
	}
}

// A client that takes its request back has sent the header of it already.
func TestAGuestWhoseFormBreaksOffIsNotMade(t *testing.T) {
	service := fakespaces.New()
	request := httptest.NewRequest(http.MethodPost, "/api/anonymous/auth", io.MultiReader(strings.NewReader("displayname="), iotest.ErrReader(io.ErrUnexpectedEOF)))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	recorder := httptest.NewRecorder()
	service.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusBadRequest || service.Ledger().GuestsIssued != 0 {
		t.Errorf("the answer is %d, %d guests were made", recorder.Code, service.Ledger().GuestsIssued)
	}
}
