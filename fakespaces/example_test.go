package fakespaces_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

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
