package fakespaces_test

import (
	"net/url"
	"regexp"
	"testing"
)

// asking is the query of a client that does everything right, with changes: a
// name and its value, or "" to leave the name out.
func asking(changes ...string) url.Values {
	query := values("client_id", app, "redirect_uri", callback, "response_type", "code", "access_type", "offline",
		"scope", "email profile spaces", "state", "state-1")
	for i := 0; i < len(changes); i += 2 {
		query.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			query.Del(changes[i])
		}
	}
	return query
}

const authorizePath = "/oauth2/authorize?"

// open opens the sign-in page.
func (w *world) open(query url.Values) reply {
	return w.send(w.Context(), "GET", authorizePath+query.Encode(), "", nil)
}

// enter sends name and password from that page.
func (w *world) enter(query url.Values, username, password string) reply {
	return w.post(authorizePath+query.Encode(), values("username", username, "password", password))
}

// decide answers the consent page.
func (w *world) decide(ticket, decision string) reply {
	return w.post("/oauth2/authorize/confirm", values("ticket", ticket, "decision", decision))
}

var ticketOf = regexp.MustCompile(`name="ticket" value="([^"]+)"`)

// ticket is the one of a new consent page.
func (w *world) ticket(query url.Values) string {
	w.Helper()
	got := w.enter(query, bot, botSecret)
	w.expectStatus(got, 200)
	found := ticketOf.FindStringSubmatch(got.body)
	if found == nil {
		w.Fatalf("no ticket in %q", got.body)
	}
	return found[1]
}

// location is where an answer sends the browser, without its query, and the
// query.
func (w *world) location(got reply) (string, url.Values) {
	w.Helper()
	w.expectStatus(got, 303)
	return taken(w.T, got.header.Get("Location"))
}

func taken(t *testing.T, address string) (string, url.Values) {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := parsed.Query()
	parsed.RawQuery = ""
	return parsed.String(), query
}
