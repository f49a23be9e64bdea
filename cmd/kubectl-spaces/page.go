package main

import (
	"html/template"
	"net/http"
)

// page is what a person sees in the browser at the end. It holds nothing of the
// answer, needs nothing from elsewhere, and no script.
type page struct {
	Status      int
	Title, Text string
}

var (
	pageSignedIn = page{http.StatusOK, "You are signed in",
		"The terminal tells what follows. You can close this window."}
	pageDenied = page{http.StatusOK, "The sign-in was denied",
		"Nothing was stored. To try again, run the command again. You can close this window."}
	pageFailed = page{http.StatusBadRequest, "The sign-in failed",
		"The service did not sign you in; the terminal says more. You can close this window."}
	pageWrongState = page{http.StatusBadRequest, "This is not the sign-in that was begun",
		"The answer belongs to another sign-in, so it was not used. The one that was begun last still waits, in a window of its own or at the address that the terminal shows. You can close this window."}
	pageOpenedTwice = page{http.StatusGone, "This address was opened before",
		"It is good for one time, and somebody else on this machine may have used it. The sign-in has ended; run the command again. You can close this window."}
	pageNothing = page{http.StatusBadRequest, "There is nothing to see here",
		"This address waits for a sign-in that kubectl spaces login began. You can close this window."}
)

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ .Title }}</title>
<style>
body { font-family: system-ui, sans-serif; line-height: 1.5; color: #222; background: #f4f4f2; margin: 0; }
main { max-width: 32rem; margin: 15vh 1rem 0; padding: 2rem; background: #fff; border-radius: .5rem; border-top: .3rem solid {{ if .Good }}#1b7f4b{{ else }}#b3261e{{ end }}; }
@media (min-width: 38rem) { main { margin: 15vh auto 0; } }
h1 { font-size: 1.4rem; margin-top: 0; }
p { margin-bottom: 0; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #1c1c1c; } main { background: #2a2a2a; } }
</style>
</head>
<body>
<main>
<h1>{{ .Title }}</h1>
<p>{{ .Text }}</p>
</main>
</body>
</html>
`))

// Good tells whether the person got what they came for.
func (p page) Good() bool { return p == pageSignedIn }

// write sends the page. The address it stands at holds a code, so it goes nowhere.
func (p page) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_ = pageTemplate.Execute(w, p) // a browser that left needs no page
}
