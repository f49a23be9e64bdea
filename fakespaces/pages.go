package fakespaces

import (
	"html/template"
	"net/http"
	"strings"
)

// The pages need nothing from elsewhere. Browser tests use the ids: username,
// password, sign-in, allow and deny.
const (
	pageTop = `{{define "top"}}<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.}} - fakespaces</title>
<link rel="icon" href="data:,">
<style>
body { margin: 0; background: #f2f4f7; color: #1d2733; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 22rem; margin: 10vh auto 0; padding: 2rem; background: #fff; border-radius: .5rem; }
h1 { margin-top: 0; font-size: 1.4rem; }
label, input, button { display: block; box-sizing: border-box; width: 100%; font: inherit; }
input { margin: .25rem 0 1rem; padding: .5rem; border: 1px solid #5b6b7d; border-radius: .25rem; }
button { margin-top: .75rem; padding: .6rem; border: 1px solid #0a5fb4; border-radius: .25rem; background: #0a5fb4; color: #fff; }
button.quiet { background: #fff; color: #0a5fb4; }
[role=alert] { padding: .5rem .75rem; border-left: .25rem solid #b3261e; background: #fdecea; }
</style>
</head>
<body>
<main>
<h1>{{.}}</h1>
{{end}}{{define "bottom"}}</main>
</body>
</html>
{{end}}`

	signInText = `{{define "sign-in"}}{{template "top" "Sign in"}}<p><strong>{{.Client}}</strong> wants to use your account.</p>
{{if .Wrong}}<p id="message" role="alert">Wrong user name or password.</p>
{{end}}<form method="post">
<label for="username">User name</label>
<input id="username" name="username" value="{{.Username}}" autocomplete="username" autocapitalize="none" required{{if not .Wrong}} autofocus{{end}}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{{if .Wrong}} autofocus aria-describedby="message"{{end}}>
<button id="sign-in" type="submit">Sign in</button>
</form>
{{template "bottom"}}{{end}}`

	consentText = `{{define "consent"}}{{template "top" "Allow access?"}}<p><strong>{{.Client}}</strong> asks, in the name of <strong>{{.Username}}</strong>, to use:</p>
<ul id="scopes">
{{range .Scopes}}<li>{{.}}</li>
{{end}}</ul>
<form method="post" action="/oauth2/authorize/confirm">
<input type="hidden" name="ticket" value="{{.Ticket}}">
<button id="allow" type="submit" name="decision" value="allow">Allow</button>
<button id="deny" class="quiet" type="submit" name="decision" value="deny">Deny</button>
</form>
{{template "bottom"}}{{end}}`

	refusalText = `{{define "refusal"}}{{template "top" "This does not work"}}<p id="message" role="alert">{{.}}</p>
<p>Go back to the application that sent you here, and start again.</p>
{{template "bottom"}}{{end}}`
)

var pages = template.Must(template.New("").Parse(pageTop + signInText + consentText + refusalText))

type signInForm struct {
	Client, Username string
	Wrong            bool // the name or password that was sent
}

type consentForm struct {
	Client, Username string
	Scopes           []string
	Ticket           string
}

func signInPage(shown signInForm) *answer { return page(http.StatusOK, "sign-in", shown) }

func consentPage(shown consentForm) *answer { return page(http.StatusOK, "consent", shown) }

func refusalPage(why error) *answer { return page(http.StatusBadRequest, "refusal", why.Error()) }

// pagePolicy leaves form-action out: Chromium applies it to the redirect that
// answers a form, and that leads to the client.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"

func page(status int, name string, shown any) *answer {
	var text strings.Builder
	mustBe(pages.ExecuteTemplate(&text, name, shown)) // the templates are ours: cannot happen
	made := plainAnswer(status, "text/html; charset=utf-8", text.String())
	made.header.Set("Cache-Control", "no-store")
	made.header.Set("Content-Security-Policy", pagePolicy)
	made.header.Set("Referrer-Policy", "no-referrer") // the address holds the state
	return made
}
