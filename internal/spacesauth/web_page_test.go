package spacesauth_test

import (
	"context"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// What a firewall says of a call is not what the service says of it, and who has to judge
// a refusal must be able to tell them apart.
func TestAnErrorTellsWhetherTheAnswerWasAWebPage(t *testing.T) {
	const page = "<!DOCTYPE html><html><body>Access denied</body></html>"
	for sentence, given := range map[string]struct {
		answer answer
		want   bool
	}{
		"403 with a page":                         {answer{status: 403, contentType: "text/html", body: page}, true},
		"403 with a page that names no type":      {answer{status: 403, body: page}, true},
		"403 with a page that calls itself JSON":  {answer{status: 403, contentType: "application/json", body: "\t" + page}, true},
		"403 with words as text/html":             {answer{status: 403, contentType: "text/html; charset=utf-8", body: "Access denied"}, true},
		"502 with a page":                         {answer{status: 502, contentType: "text/html", body: page}, true},
		"429 with a page":                         {answer{status: 429, contentType: "text/html", body: page}, true},
		"302 with a page":                         {answer{status: 302, contentType: "text/html", body: page}, true},
		"200 with a page":                         {answer{status: 200, contentType: "text/html", body: page}, true},
		"403 with words":                          {answer{status: 403, contentType: "text/plain", body: "Access denied"}, false},
		"403 with an empty body as text/html":     {answer{status: 403, contentType: "text/html"}, false},
		"400 with an OAuth error":                 {answer{status: 400, contentType: "application/json", body: `{"error":"invalid_grant"}`}, false},
		"400 with an OAuth error as text/html":    {answer{status: 400, contentType: "text/html", body: `{"error":"invalid_grant"}`}, false},
		"400 with JSON that broke off, as HTML":   {answer{status: 400, contentType: "text/html", body: `{"error":"inval`}, false},
		"no answer at all":                        {answer{cut: true}, false},
		"a refusal with a page in its JSON":       {answer{status: 400, body: `{"error":"<html>"}`}, false},
		"an answer of a type that does not parse": {answer{status: 400, contentType: ";;", body: "x"}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			client, ctx, token := clientOf(t, environmentAt(given.answer.serve(t))), context.Background(), spacesauth.NewSecret("x")
			for call, ask := range map[string]func() error{
				"a spend":      func() error { _, err := client.Token(ctx, application(), refresh("x"), nil); return err },
				"a guest":      func() error { _, err := client.Guest(ctx, spacesauth.Guest{}, nil); return err },
				"a revocation": func() error { return client.Revoke(ctx, spacesauth.Application{ID: appID}, token) },
				"a profile":    func() error { _, err := client.UserProfile(ctx, "Bearer", token); return err },
				"a token info": func() error { _, err := client.TokenInfo(ctx, token); return err },
			} {
				// A revocation takes invalid_grant for done.
				if err := ask(); failureOf(err).WebPage != given.want {
					t.Errorf("%s: the error was %+v", call, failureOf(err))
				}
			}
		})
	}
}
