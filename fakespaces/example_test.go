package fakespaces_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// A test without a browser plays the person who signs in: it takes the address
// that the program under test made, and hands back where the browser was sent.
func ExampleService_Consent() {
	spaces := fakespaces.New(
		fakespaces.WithClient("my-app", "app-secret"),
		fakespaces.WithRedirectURI("my-app", "http://localhost:3000/"),
		fakespaces.WithUser("bot@example.test", "hunter2"),
	)
	address := "/oauth2/authorize?" + url.Values{
		"client_id":     {"my-app"},
		"redirect_uri":  {"http://localhost:3000/"},
		"response_type": {"code"},
		"state":         {"chosen by the program"},
	}.Encode()

	redirect, err := spaces.Consent(address, "bot@example.test")
	if err != nil {
		fmt.Println(err)
		return
	}
	back, _ := url.Parse(redirect)
	fmt.Println(back.Host, "gets a code:", back.Query().Has("code"))
	fmt.Println("state:", back.Query().Get("state"))

	// A slash less is another address: there the browser is never sent.
	_, err = spaces.Consent(strings.Replace(address, "3000%2F", "3000", 1), "bot@example.test")
	fmt.Println(err)

	// Output:
	// localhost:3000 gets a code: true
	// state: chosen by the program
	// redirect_uri is not registered for this client
}

// A suite starts a service of its own, gives its URL to the program under test,
// lets something go wrong, and asks the ledger afterwards.
func ExampleNew() {
	spaces := fakespaces.New(
		fakespaces.WithClient("my-app", "app-secret"),
		fakespaces.WithUser("bot@example.test", "hunter2"),
	)
	server := httptest.NewServer(spaces)
	defer server.Close()

	// The answer to the first renewal gets lost after its work was done.
	seed := spaces.IssueGrant("my-app", "bot@example.test")
	spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostAfter)

	// The program under test: it renews, hears nothing, and tries once more.
	renew := func() {
		answer, err := http.PostForm(server.URL+"/oauth2/access_token", url.Values{
			"grant_type":    {"refresh_token"},
			"client_id":     {"my-app"},
			"client_secret": {"app-secret"},
			"refresh_token": {seed},
		})
		if err != nil {
			fmt.Println("no answer")
			return
		}
		defer answer.Body.Close()
		fmt.Println(answer.Status)
	}
	renew()
	renew()

	ledger := spaces.Ledger()
	fmt.Println("replays of lost answers:", ledger.ReplaysOfLostAnswers)
	fmt.Println("sent again after delivery:", ledger.SentAgainAfterDelivery)
	fmt.Println("grant:", ledger.Grants[0].State, "-", ledger.Grants[0].Reason)

	// Output:
	// no answer
	// 400 Bad Request
	// replays of lost answers: 1
	// sent again after delivery: 0
	// grant: dead - reuse detected
}
