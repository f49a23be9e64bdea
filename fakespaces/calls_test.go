package fakespaces_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// A client that thinks better of it after the header must find nothing done: a guest
// needs no form at all, and a refresh token may stand in the first half of one.
func TestARequestThatBreaksOffDoesNothing(t *testing.T) {
	w := newWorld(t)
	token := w.IssueGrant(app, bot)
	form := fmt.Sprintf("grant_type=refresh_token&client_id=%s&client_secret=%s&refresh_token=%s", app, appSecret, token)
	for path, body := range map[string]string{"/api/anonymous/auth": "", "/oauth2/access_token": form} {
		arrived := make(chan struct{})
		w.InterceptAnswer(func(fakespaces.Call) { close(arrived) })
		connection, err := net.Dial("tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: spaces\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
			path, len(body)+10, body)
		if err != nil {
			t.Fatal(err)
		}
		if err := connection.Close(); err != nil {
			t.Fatal(err)
		}
		<-arrived
	}
	ledger := w.Ledger()
	equal(t, "guests", ledger.GuestsIssued, 0)
	equal(t, "tokens", ledger.TokensIssued, 0)
}
