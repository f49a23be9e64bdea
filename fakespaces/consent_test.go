package fakespaces_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func (w *world) address(query url.Values) string { return w.url + authorizePath + query.Encode() }

func TestConsentPlaysThePersonWithTheBrowser(t *testing.T) {
	w := newWorld(t)
	redirect, err := w.Consent(w.address(asking("scope", "spaces")), bot)
	equal(t, "no error", err, nil)
	address, brought := taken(t, redirect)
	equal(t, "address", address, callback)
	equal(t, "state", brought.Get("state"), "state-1")
	equal(t, "the code is a secret", slices.Contains(w.Secrets(), brought.Get("code")), true)
	token := w.exchange(brought.Get("code"))
	w.expectStatus(token, 200)
	equal(t, "scope", token.text("scope"), "spaces")
	equal(t, "calls", w.Ledger().Calls[fakespaces.OperationAuthorize], 0)
}

func TestRefusePlaysThePersonWhoDenies(t *testing.T) {
	w := newWorld(t)
	redirect, err := w.Refuse(w.address(asking()), bot)
	equal(t, "no error", err, nil)
	_, brought := taken(t, redirect)
	equal(t, "error", brought.Get("error"), "access_denied")
	equal(t, "state", brought.Get("state"), "state-1")
	equal(t, "code is there", brought.Has("code"), false)
}

func TestConsentChecksWhatThePageChecks(t *testing.T) {
	for sentence, c := range map[string]struct {
		address func(w *world) string
		user    string
		code    string // of the error in the redirect; "" for none
	}{
		"a mistake of the client":       {func(w *world) string { return w.address(asking("scope", "x")) }, bot, "invalid_scope"},
		"a mistake before the user":     {func(w *world) string { return w.address(asking("scope", "x")) }, "x", "invalid_scope"},
		"an unknown client":             {func(w *world) string { return w.address(asking("client_id", "x")) }, bot, ""},
		"an address not registered":     {func(w *world) string { return w.address(asking("redirect_uri", callback+"x")) }, bot, ""},
		"an unknown user":               {func(w *world) string { return w.address(asking()) }, "x", ""},
		"another path":                  {func(w *world) string { return w.url + "/authorize?" + asking().Encode() }, bot, ""},
		"an address that is none":       {func(*world) string { return "http://%zz" }, bot, ""},
		"an address without a question": {func(w *world) string { return w.address(nil) }, bot, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t, fakespaces.WithRedirectURI(app, callback))
			for _, decide := range []func(string, string) (string, error){w.Consent, w.Refuse} {
				redirect, err := decide(c.address(w), c.user)
				equal(t, "it fails", err != nil, c.code == "")
				_, brought := taken(t, redirect)
				equal(t, "error", brought.Get("error"), c.code)
			}
		})
	}
}

func TestDecisionsOverHTTP(t *testing.T) {
	w := newWorld(t)
	for sentence, c := range map[string]struct {
		body   string
		status int
		has    string // the parameter in the redirect
	}{
		"allowed":             {`{"url":"` + w.address(asking()) + `","user":"` + bot + `"}`, 200, "code"},
		"allowed, explicitly": {`{"url":"` + w.address(asking()) + `","user":"` + bot + `","deny":false}`, 200, "code"},
		"denied":              {`{"url":"` + w.address(asking()) + `","user":"` + bot + `","deny":true}`, 200, "error"},
		"a mistake":           {`{"url":"` + w.address(asking("scope", "x")) + `","user":"` + bot + `"}`, 200, "error"},
		"an unknown client":   {`{"url":"` + w.address(asking("client_id", "x")) + `","user":"` + bot + `"}`, 400, ""},
		"an unknown user":     {`{"url":"` + w.address(asking()) + `","user":"x"}`, 400, ""},
		"nothing":             {`{}`, 400, ""},
		"a misspelled member": {`{"url":"` + w.address(asking()) + `","user":"` + bot + `","denied":true}`, 400, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			status, text := control(t, w, "POST", "/fakespaces/consents", c.body)
			equal(t, "status", status, c.status)
			if c.status != 200 {
				equal(t, "one line of text", strings.Count(text, "\n"), 1)
				return
			}
			var given fakespaces.DecisionAnswer
			decode(t, text, &given)
			_, brought := taken(t, given.Redirect)
			equal(t, c.has+" is there", brought.Has(c.has), true)
			equal(t, "state", brought.Get("state"), "state-1")
		})
	}
}

func TestRedirectURIsAreRegisteredOverHTTP(t *testing.T) {
	w := newWorld(t)
	status, _ := control(t, w, "POST", "/fakespaces/switches", `{"redirectURIs":{"app-1":["http://localhost:3000"]}}`)
	equal(t, "status", status, 204)
	_, err := w.Consent(w.address(asking()), bot) // has a slash more
	equal(t, "it fails", err != nil, true)
	status, _ = control(t, w, "POST", "/fakespaces/switches", `{"redirectURIs":{"app-1":["localhost:3000"]}}`)
	equal(t, "status of one that is not absolute", status, 400)
}
