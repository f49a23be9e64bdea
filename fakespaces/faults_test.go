package fakespaces_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// wire says how an answer with a fault looks to a client that renews.
type wire struct {
	status int    // 0: no answer
	broken bool   // the body breaks off
	code   string // the error member
	page   bool   // a web page
	tokens bool   // a refresh token can be read, so the answer counts as delivered
	// noRefresh tells that it counts as delivered without one.
	noRefresh bool
	check     func(t *testing.T, w *world, got reply)
}

func field(name string, want any) func(*testing.T, *world, reply) {
	return func(t *testing.T, _ *world, got reply) {
		t.Helper()
		equal(t, name, got.fields[name], want)
	}
}

func header(name, want string) func(*testing.T, *world, reply) {
	return func(t *testing.T, _ *world, got reply) {
		t.Helper()
		equal(t, name, got.header.Get(name), want)
	}
}

var wires = map[fakespaces.Fault]wire{
	fakespaces.FaultLostBefore:   {},
	fakespaces.FaultLostAfter:    {},
	fakespaces.FaultSlowBody:     {status: 200, broken: true},
	fakespaces.FaultCutBody:      {status: 200, broken: true},
	fakespaces.FaultHTML502After: {status: 502, page: true},
	fakespaces.FaultTruncatedJSON: {status: 200, check: func(t *testing.T, _ *world, got reply) {
		equal(t, "body begins like an object", strings.HasPrefix(got.body, `{"access_token":"`), true)
		equal(t, "body is an object", got.fields != nil, false)
	}},
	fakespaces.FaultHugeBody: {status: 200, check: func(t *testing.T, _ *world, got reply) {
		equal(t, "bytes read", len(got.body), 1<<20)
	}},

	fakespaces.FaultMissingTokenType:    {status: 200, tokens: true, check: field("token_type", nil)},
	fakespaces.FaultStringExpiresIn:     {status: 200, tokens: true, check: field("expires_in", "3600")},
	fakespaces.FaultFractionalExpiresIn: {status: 200, tokens: true, check: field("expires_in", 3600.5)},
	fakespaces.FaultMissingExpiresIn:    {status: 200, tokens: true, check: field("expires_in", nil)},
	fakespaces.FaultZeroExpiresIn:       {status: 200, tokens: true, check: field("expires_in", 0.0)},
	fakespaces.FaultNegativeExpiresIn:   {status: 200, tokens: true, check: field("expires_in", -1.0)},
	fakespaces.FaultTextPlain:           {status: 200, tokens: true, check: header("Content-Type", "text/plain; charset=utf-8")},
	fakespaces.FaultUnknownFields:       {status: 200, tokens: true, check: field("x_region", "eu")},
	fakespaces.FaultNoRefreshToken:      {status: 200, tokens: true, noRefresh: true, check: field("refresh_token", nil)},
	fakespaces.FaultNoIDToken:           {status: 200, tokens: true, check: field("id_token", nil)},
	fakespaces.FaultEmptyAccessToken:    {status: 200, tokens: true, check: field("access_token", "")},
	fakespaces.FaultLongFormScopes: {status: 200, tokens: true, check: field("scope",
		"https://accounts.avayacloud.com/auth/userinfo.email https://accounts.avayacloud.com/auth/userinfo.profile https://accounts.avayacloud.com/auth/zangspaces")},

	fakespaces.FaultStringIssuer:    {status: 200, tokens: true}, // here and below: nothing to change in a renewal
	fakespaces.FaultGuestWithoutExp: {status: 200, tokens: true},
	fakespaces.FaultGuestOpaque:     {status: 200, tokens: true},
	fakespaces.FaultOtherAudience:   {status: 200, tokens: true},
	fakespaces.FaultOtherUser:       {status: 200, tokens: true},

	fakespaces.FaultHTML502:                {status: 502, page: true},
	fakespaces.FaultServerError500:         {status: 500, page: true},
	fakespaces.FaultUnavailable503:         {status: 503, page: true, check: header("Retry-After", "")},
	fakespaces.FaultTimeout408:             {status: 408, page: true},
	fakespaces.FaultTooEarly425:            {status: 425, page: true},
	fakespaces.FaultThrottledSeconds:       {status: 429, check: header("Retry-After", "30")},
	fakespaces.FaultThrottledDate:          {status: 429, check: header("Retry-After", "Wed, 02 Jan 2030 03:04:35 GMT")},
	fakespaces.FaultThrottled503:           {status: 503, check: header("Retry-After", "30")},
	fakespaces.FaultTemporarilyUnavailable: {status: 400, code: "temporarily_unavailable"},
	fakespaces.FaultErrorIn200:             {status: 200, code: "server_error"},
	fakespaces.FaultHTML200:                {status: 200, page: true},
	fakespaces.FaultRedirect:               {status: 302, check: header("Location", "/account/login")},
	fakespaces.FaultRedirect307:            {status: 307, check: header("Location", "/account/login")},

	fakespaces.FaultInvalidGrant:       {status: 400, code: "invalid_grant"},
	fakespaces.FaultInvalidGrantIn200:  {status: 200, code: "invalid_grant"},
	fakespaces.FaultInvalidClient:      {status: 401, code: "invalid_client"},
	fakespaces.FaultInvalidScope:       {status: 400, code: "invalid_scope"},
	fakespaces.FaultUnauthorizedClient: {status: 400, code: "unauthorized_client"},
	fakespaces.FaultEmpty400: {status: 400, check: func(t *testing.T, _ *world, got reply) {
		equal(t, "body", got.body, "")
	}},
	fakespaces.FaultHTML400:         {status: 400, page: true},
	fakespaces.FaultUnknownError400: {status: 400, check: field("code", "authen_error.4001")},
	fakespaces.FaultForbidden403:    {status: 403, check: field("code", "permission_error")},
}

// TestEachFault renews with a fault and then sends the same refresh token
// again: what happens then tells whether the work was done, and the ledger
// whether the service thinks the first answer arrived.
func TestEachFault(t *testing.T) {
	for _, fault := range fakespaces.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			want, tested := wires[fault]
			if !tested {
				t.Fatal("this fault has no entry in wires")
			}
			equal(t, "it has a meaning", fault.Meaning() != "", true)
			w := newWorld(t, fakespaces.WithStall(time.Millisecond))
			seed := w.IssueGrant(app, bot)
			w.Next(fakespaces.OperationRefresh, fault)

			got := w.refresh(seed)
			equal(t, "status", got.status, want.status)
			equal(t, "it breaks", got.err != nil, want.broken || want.status == 0)
			equal(t, "error code", got.text("error"), want.code)
			equal(t, "a web page", strings.Contains(got.body, "<html>"), want.page)
			equal(t, "a refresh token is there", got.refresh != "", want.tokens && !want.noRefresh)
			if want.check != nil {
				want.check(t, w, got)
			}

			again := w.refresh(seed)
			equal(t, "the work was done", again.status == 400, fault.DoesWork())
			l := w.Ledger()
			worked := map[bool]int{true: 1}[fault.DoesWork()]
			arrived := map[bool]int{true: 1}[want.tokens]
			equal(t, "sent again after delivery", l.SentAgainAfterDelivery, arrived)
			equal(t, "replays of lost answers", l.ReplaysOfLostAnswers, worked-arrived)
			equal(t, "concurrent refreshes", l.ConcurrentRefreshes, 0)
			if want.code != "" {
				equal(t, "refusals", l.Refused[want.code] > 0, true)
			}
		})
	}
	equal(t, "number of entries in wires", len(wires), len(fakespaces.Faults()))
}

func TestEachFaultOfARevocationDoesItsWorkOrNot(t *testing.T) {
	for _, fault := range fakespaces.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t, fakespaces.WithStall(time.Millisecond))
			seed := w.IssueGrant(app, bot)
			w.Next(fakespaces.OperationRevoke, fault)
			got := w.revoke(seed)
			equal(t, "revoked", w.Ledger().GrantsRevoked == 1, fault.DoesWork())
			equal(t, "the client sees a break", got.err != nil, wires[fault].broken || wires[fault].status == 0)
		})
	}
}

func TestFaultsComeInTurn(t *testing.T) {
	w := newWorld(t)
	w.Next(fakespaces.OperationAny, fakespaces.FaultEmpty400)
	w.Next(fakespaces.OperationPassword, fakespaces.FaultHTML502, fakespaces.NoFault, fakespaces.FaultTimeout408)
	for i, want := range []int{502, 200, 408, 400, 200} {
		if got := w.signIn(); got.status != want {
			t.Errorf("call %d answers %d; want %d", i+1, got.status, want)
		}
	}
}

func TestAFaultRateIsAShareOfTheCalls(t *testing.T) {
	// A source that counts up in its first byte makes 256 even draws.
	w := newWorld(t, fakespaces.WithRandom(&counting{}))
	w.SetFaultRate(fakespaces.OperationConfiguration, fakespaces.FaultHTML502, 0.25)
	w.SetFaultRate(fakespaces.OperationConfiguration, fakespaces.FaultEmpty400, 0.5)
	seen := map[int]int{}
	for range 256 {
		seen[w.send(t.Context(), "GET", "/api/service-configurations", "", nil).status]++
	}
	equal(t, "502", seen[502], 64)
	equal(t, "400", seen[400], 128)
	equal(t, "200", seen[200], 64)
}

// counting is a source of 8-byte draws, each 1/256 above the one before.
type counting struct{ next byte }

func (c *counting) Read(into []byte) (int, error) {
	clear(into)
	into[0] = c.next
	c.next++
	return len(into), nil
}

func TestWhatIsMisspelledPanics(t *testing.T) {
	s := fakespaces.New()
	for sentence, call := range map[string]func(){
		"a fault in a queue":      func() { s.Next(fakespaces.OperationAny, "no-such-fault") },
		"an operation":            func() { s.Next("no-such-operation") },
		"a fault with a rate":     func() { s.SetFaultRate(fakespaces.OperationAny, "no-such-fault", 1) },
		"a rate above one":        func() { s.SetFaultRate(fakespaces.OperationAny, fakespaces.FaultHTML400, 1.1) },
		"a rotation":              func() { s.SetRotation("no-such-rotation") },
		"a redirect URI":          func() { s.AddRedirectURI("app", "localhost:3000") },
		"an unknown-token status": func() { s.SetUnknownTokenStatus(http.StatusTeapot) },
	} {
		t.Run(sentence, func(t *testing.T) {
			defer func() { equal(t, "it panicked", recover() != nil, true) }()
			call()
		})
	}
}

func TestDownCutsEveryCallBeforeItsWork(t *testing.T) {
	w := newWorld(t)
	seed := w.IssueGrant(app, bot)
	w.Down(true)
	for sentence, got := range map[string]reply{
		"refresh": w.refresh(seed), "password": w.signIn(), "revoke": w.revoke(seed), "profile": w.whoAmI("x"),
	} {
		equal(t, sentence+" is cut", got.err != nil, true)
	}
	w.Down(false)
	w.expectStatus(w.refresh(seed), 200)
	equal(t, "tokens issued", w.Ledger().TokensIssued, 1)
}

func TestAClientThatLeavesASlowBodyLosesTheAnswer(t *testing.T) {
	w := newWorld(t, fakespaces.WithStall(time.Hour))
	seed := w.IssueGrant(app, bot)
	w.Next(fakespaces.OperationRefresh, fakespaces.FaultSlowBody)
	ctx, leave := context.WithCancel(t.Context())
	w.InterceptAnswer(func(fakespaces.Call) { leave() })
	equal(t, "it breaks", w.send(ctx, "POST", "/oauth2/access_token", "", refreshForm(seed)).err != nil, true)
	w.InterceptAnswer(nil)
	w.refresh(seed)
	w.server.Close() // every call has landed: the client goes on before the service has seen it leave
	equal(t, "replays of lost answers", w.Ledger().ReplaysOfLostAnswers, 1)
}

func TestAFollowedRedirectIsSeen(t *testing.T) {
	w := newWorld(t)
	w.client.CheckRedirect = nil
	w.Next(fakespaces.OperationPassword, fakespaces.FaultRedirect307)
	w.expectStatus(w.signIn(), 200)
	equal(t, "calls of other", w.Ledger().Calls[fakespaces.OperationOther], 1)
}
