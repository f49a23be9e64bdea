package fakespaces_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func control(t *testing.T, w *world, method, path, body string) (int, string) {
	t.Helper()
	server := httptest.NewServer(w.ControlHandler())
	defer server.Close()
	request, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestSwitchesTurnOverHTTP(t *testing.T) {
	w := newWorld(t)
	killed := w.IssueGrant(app, bot)
	body, err := json.Marshal(map[string]any{
		"guestLifetimeSeconds": 60, "replicationDelaySeconds": 0.5,
		"tokenLifetimeSeconds": 20, "rotation": "never", "reuseDetection": false, "gracePeriodSeconds": 3,
		"retryAfterSeconds": 7, "unknownTokenStatus": 400, "authenticatedRevocation": true, "tokensEndAtRotation": false, "tokensOutliveRevocation": true, "down": false,
		"next":           []any{map[string]any{"operation": "password", "faults": []string{"throttled-seconds"}}},
		"faultRates":     []any{map[string]any{"operation": "profile", "fault": "html-502", "rate": 1}},
		"passwords":      map[string]string{"new@example.test": "pw"},
		"clientSecrets":  map[string]string{"new-app": "secret"},
		"revokeGrantsOf": []string{killed},
	})
	if err != nil {
		t.Fatal(err)
	}
	status, text := control(t, w, "POST", "/fakespaces/switches", string(body))
	equal(t, "status, "+text, status, 204)

	throttled := w.signIn()
	w.expectStatus(throttled, 429)
	equal(t, "Retry-After", throttled.header.Get("Retry-After"), "7")
	form := passwordForm()
	form.Set("client_id", "new-app")
	form.Set("client_secret", "secret")
	form.Set("username", "new@example.test")
	form.Set("password", "pw")
	token := w.post("/oauth2/access_token", form)
	w.expectStatus(token, 200)
	equal(t, "expires_in", token.fields["expires_in"], any(20.0))
	w.expectStatus(w.whoAmI(token.access), 502)
	w.SetFaultRate(fakespaces.OperationProfile, fakespaces.FaultHTML502, 0)
	w.expectStatus(w.whoAmI(token.access), 401)
	w.pass(500 * time.Millisecond)
	w.expectStatus(w.whoAmI(token.access), 200)
	guest := claimsOf(t, w.beGuest(url.Values{}).text("token"))
	equal(t, "lifetime of a guest", guest["exp"].(float64)-guest["iat"].(float64), 60)
	w.expectRefusal(w.revoke("unknown"), 401, "invalid_client")
	w.SetAuthenticatedRevocation(false)
	w.expectRefusal(w.revoke("unknown"), 400, "invalid_token")
	w.expectRefusal(w.refresh(killed), 400, "invalid_grant")
	seed := w.IssueGrant(app, bot)
	equal(t, "refresh token is the same", w.refresh(seed).refresh, seed)
}

func TestWrongSwitchesChangeNothing(t *testing.T) {
	for sentence, body := range map[string]string{
		"no JSON":              `down`,
		"two values":           `{"down":true}{}`,
		"a misspelled switch":  `{"down":true,"rotatoin":"never"}`,
		"an unknown rotation":  `{"down":true,"rotation":"x"}`,
		"an unknown fault":     `{"down":true,"next":[{"operation":"any","faults":["x"]}]}`,
		"an unknown operation": `{"down":true,"next":[{"operation":"x","faults":[]}]}`,
		"a rate above one":     `{"down":true,"faultRates":[{"operation":"any","fault":"html-400","rate":2}]}`,
		"a negative lifetime":  `{"down":true,"tokenLifetimeSeconds":-1}`,
		"a negative delay":     `{"down":true,"replicationDelaySeconds":-1}`,
		"a negative grant":     `{"down":true,"grantLifetimeSeconds":-1}`,
		"less than no grant":   `{"down":true,"grantsPerUser":-1}`,
		"a negative guest":     `{"down":true,"guestLifetimeSeconds":-1}`,
		"an unknown status":    `{"down":true,"unknownTokenStatus":404}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			status, text := control(t, w, "POST", "/fakespaces/switches", body)
			equal(t, "status", status, 400)
			equal(t, "one line of text", strings.Count(text, "\n"), 1)
			w.expectStatus(w.signIn(), 200)
		})
	}
}

func TestTheControlPathReads(t *testing.T) {
	w := newWorld(t)
	status, text := control(t, w, "POST", "/fakespaces/grants", `{"client":"app-1","user":"bot@example.test"}`)
	equal(t, "status", status, 201)
	var seed fakespaces.SeedAnswer
	decode(t, text, &seed)
	w.expectStatus(w.refresh(seed.RefreshToken), 200)
	status, _ = control(t, w, "POST", "/fakespaces/grants", `{"client":"app-1"}`)
	equal(t, "status without a user", status, 400)

	var l fakespaces.Ledger
	_, text = control(t, w, "GET", "/fakespaces/ledger", "")
	decode(t, text, &l)
	equal(t, "tokens issued", l.TokensIssued, 1)
	equal(t, "origin", l.Grants[0].Origin, "seed")
	equal(t, "refreshed", l.Grants[0].RefreshedAt, w.now())
	equal(t, "no end in JSON", strings.Contains(text, "endedAt"), false)

	var faults []fakespaces.FaultMeaning
	_, text = control(t, w, "GET", "/fakespaces/faults", "")
	decode(t, text, &faults)
	equal(t, "faults", len(faults), len(fakespaces.Faults()))
	for _, fault := range faults {
		equal(t, "meaning of "+string(fault.Fault), fault.Meaning != "", true)
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}

func TestOptionsAreTheSwitchesBeforeServing(t *testing.T) {
	w := newWorld(t,
		fakespaces.WithRetryAfter(9*time.Second),
		fakespaces.WithFaultRate(fakespaces.OperationProfile, fakespaces.FaultThrottled503, 1))
	got := w.whoAmI("x")
	w.expectStatus(got, 503)
	equal(t, "Retry-After", got.header.Get("Retry-After"), "9")
}

func TestAnEmptyListClears(t *testing.T) {
	for _, empty := range []string{"[]", "{}", " { } "} {
		w := newWorld(t)
		w.SetFaultRate(fakespaces.OperationAny, fakespaces.FaultHTML502, 1)
		w.Next(fakespaces.OperationPassword, fakespaces.FaultThrottledDate)
		status, text := control(t, w, "POST", "/fakespaces/switches", fmt.Sprintf(`{"faultRates": %s, "next": []}`, empty))
		equal(t, "status, "+text, status, 204)
		w.expectStatus(w.signIn(), 200)
	}
	// What is absent stays.
	w := newWorld(t)
	w.SetFaultRate(fakespaces.OperationAny, fakespaces.FaultHTML502, 1)
	control(t, w, "POST", "/fakespaces/switches", `{"retryAfterSeconds": 7}`)
	w.expectStatus(w.signIn(), 502)
	// An object with something in it is a mistake, and so is an unknown member.
	for _, wrong := range []string{`{"a": 1}`, `[{"operation": "any", "fault": "html-502", "rate": 1, "x": 1}]`} {
		status, _ := control(t, w, "POST", "/fakespaces/switches", `{"faultRates": `+wrong+`}`)
		equal(t, "status of "+wrong, status, 400)
	}
}

func TestSwitchesAreShownAsTheyStand(t *testing.T) {
	w := newWorld(t)
	turned := `{
		"tokenLifetimeSeconds": 20, "guestLifetimeSeconds": 60, "replicationDelaySeconds": 0.5, "rotation": "never",
		"grantLifetimeSeconds": 600, "grantsLiveAnew": true, "grantsPerUser": 3,
		"reuseDetection": false, "gracePeriodSeconds": 3, "retryAfterSeconds": 7, "unknownTokenStatus": 400,
		"authenticatedRevocation": true, "tokensEndAtRotation": true, "tokensOutliveRevocation": true, "down": true,
		"next": [{"operation": "refresh", "faults": ["html-502", "lost-after"]}],
		"faultRates": [{"operation": "any", "fault": "html-502", "rate": 0.25}], "redirectURIs": {"app": ["http://localhost:3000"]}`
	secret := `"passwords": {"bot@example.test": "hush-hush"}, "clientSecrets": {"app": "hush-hush"}`
	status, text := control(t, w, "POST", "/fakespaces/switches", turned+", "+secret+"}")
	equal(t, "status, "+text, status, 204)
	status, text = control(t, w, "GET", "/fakespaces/switches", "")
	equal(t, "status", status, 200)
	var shown, want any
	for text, into := range map[string]*any{text: &shown, turned + "}": &want} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(shown, want) {
		t.Errorf("shown are %v, turned were %v", shown, want)
	}
}

// Each switch is shown, or it is a secret or a deed.
func TestEverySwitchIsShown(t *testing.T) {
	shown := reflect.ValueOf(newWorld(t).Switches())
	for i := range shown.NumField() {
		switch name := shown.Type().Field(i).Name; name {
		case "Passwords", "ClientSecrets", "RevokeGrantsOf":
		default:
			if shown.Field(i).IsZero() {
				t.Errorf("%s is not shown", name)
			}
		}
	}
}
