package fakespaces_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestTheBrowserIsSentOnlyWhereTheClientLives(t *testing.T) {
	const registered = "https://app.example.test/back"
	for sentence, c := range map[string]struct {
		registered []string
		asked      url.Values
		sent       bool
	}{
		"the registered address":            {[]string{registered}, asking("redirect_uri", registered), true},
		"the second registered address":     {[]string{callback, registered}, asking("redirect_uri", registered), true},
		"a slash more":                      {[]string{registered}, asking("redirect_uri", registered+"/"), false},
		"a slash less":                      {[]string{registered + "/"}, asking("redirect_uri", registered), false},
		"a query more":                      {[]string{registered}, asking("redirect_uri", registered+"?a=b"), false},
		"another spelling of the host":      {[]string{registered}, asking("redirect_uri", "https://APP.example.test/back"), false},
		"any address, if none is":           {nil, asking("redirect_uri", "https://else.example.test"), true},
		"an application's own scheme":       {nil, asking("redirect_uri", "com.example.app:/back"), true},
		"no address":                        {nil, asking("redirect_uri", ""), false},
		"a path":                            {nil, asking("redirect_uri", "/back"), false},
		"a host without its scheme":         {nil, asking("redirect_uri", "localhost:3000/"), false},
		"a scheme without its host":         {nil, asking("redirect_uri", "http:///back"), false},
		"an address with a fragment":        {nil, asking("redirect_uri", callback+"#a"), false},
		"an address that is none":           {nil, asking("redirect_uri", "http://%zz"), false},
		"an unknown client":                 {nil, asking("client_id", "app-2"), false},
		"no client":                         {nil, asking("client_id", ""), false},
		"two addresses":                     {nil, func() url.Values { q := asking(); q.Add("redirect_uri", registered); return q }(), false},
		"an address of another client's":    {[]string{callback}, asking("redirect_uri", registered), false},
		"a mistake, at a wrong address":     {[]string{callback}, asking("redirect_uri", registered, "scope", "x"), false},
		"a mistake, at no client's address": {nil, asking("client_id", "app-2", "response_type", "x"), false},
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

func TestTheQueryOfTheRedirectURIIsKept(t *testing.T) {
	w := newWorld(t)
	uri := callback + "?b=2&a=%20&b=1"
	got := w.decide(w.ticket(asking("redirect_uri", uri)), "allow")
	w.expectStatus(got, 303)
	equal(t, "it is kept", strings.HasPrefix(got.header.Get("Location"), uri+"&code="), true)
}
