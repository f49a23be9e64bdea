package spacesauth_test

import (
	"context"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// tokenLifetime and patience are what the service of the tables below tells.
const (
	tokenLifetime  = 20 * time.Minute
	patience       = 7 * time.Second
	impliedByTable = 42 * time.Minute // the default lifetime of the client
)

// faulted is what the client makes of one odd answer.
type faulted struct {
	// kind is the class of a spend that meets the fault, "" for success.
	kind spacesauth.Kind
	// revocation is the class of a revocation that meets it: the documented success
	// has no body, so what befalls the body of a 2xx changes nothing.
	revocation spacesauth.Kind
	status     int
	code       string
	retryAfter time.Duration
	lifetime   time.Duration
	keeps      bool // a failure that brings a refresh token
	keepsNone  bool // a success that brings none
}

// faultTable has a row for each fault; a new one fails the test until it has its own.
var faultTable = map[fakespaces.Fault]faulted{
	fakespaces.FaultLostBefore:    {kind: spacesauth.KindAmbiguous, revocation: spacesauth.KindAmbiguous},
	fakespaces.FaultLostAfter:     {kind: spacesauth.KindAmbiguous, revocation: spacesauth.KindAmbiguous},
	fakespaces.FaultSlowBody:      {kind: spacesauth.KindAmbiguous, status: 200},
	fakespaces.FaultCutBody:       {kind: spacesauth.KindAmbiguous, status: 200},
	fakespaces.FaultHTML502After:  {kind: spacesauth.KindUnavailable, revocation: spacesauth.KindUnavailable, status: 502},
	fakespaces.FaultTruncatedJSON: {kind: spacesauth.KindAmbiguous, status: 200},
	fakespaces.FaultHugeBody:      {kind: spacesauth.KindAmbiguous, status: 200},

	fakespaces.FaultMissingTokenType:    {lifetime: tokenLifetime},
	fakespaces.FaultStringExpiresIn:     {lifetime: tokenLifetime},
	fakespaces.FaultFractionalExpiresIn: {lifetime: tokenLifetime},
	fakespaces.FaultMissingExpiresIn:    {lifetime: impliedByTable},
	fakespaces.FaultZeroExpiresIn:       {lifetime: impliedByTable},
	fakespaces.FaultNegativeExpiresIn:   {lifetime: impliedByTable},
	fakespaces.FaultTextPlain:           {lifetime: tokenLifetime},
	fakespaces.FaultUnknownFields:       {lifetime: tokenLifetime},
	fakespaces.FaultLongFormScopes:      {lifetime: tokenLifetime},
	fakespaces.FaultNoRefreshToken:      {lifetime: tokenLifetime, keepsNone: true},
	fakespaces.FaultNoIDToken:           {lifetime: tokenLifetime},
	fakespaces.FaultEmptyAccessToken:    {kind: spacesauth.KindUnavailable, status: 200, keeps: true},

	fakespaces.FaultHTML502:                both(spacesauth.KindUnavailable, 502, ""),
	fakespaces.FaultServerError500:         both(spacesauth.KindUnavailable, 500, ""),
	fakespaces.FaultUnavailable503:         both(spacesauth.KindUnavailable, 503, ""),
	fakespaces.FaultTimeout408:             both(spacesauth.KindUnavailable, 408, ""),
	fakespaces.FaultTooEarly425:            both(spacesauth.KindUnavailable, 425, ""),
	fakespaces.FaultThrottledSeconds:       asked(429),
	fakespaces.FaultThrottledDate:          asked(429),
	fakespaces.FaultThrottled503:           asked(503),
	fakespaces.FaultTemporarilyUnavailable: both(spacesauth.KindUnavailable, 400, "temporarily_unavailable"),
	fakespaces.FaultErrorIn200:             both(spacesauth.KindUnavailable, 200, "server_error"),
	fakespaces.FaultHTML200:                {kind: spacesauth.KindAmbiguous, revocation: spacesauth.KindUnclear, status: 200},
	fakespaces.FaultRedirect:               both(spacesauth.KindUnavailable, 302, ""),
	fakespaces.FaultRedirect307:            both(spacesauth.KindUnavailable, 307, ""),

	// A revocation that is told of a dead grant has nothing left to revoke.
	fakespaces.FaultInvalidGrant:      {kind: spacesauth.KindRejectedGrant, status: 400, code: "invalid_grant"},
	fakespaces.FaultInvalidGrantIn200: {kind: spacesauth.KindRejectedGrant, status: 200, code: "invalid_grant"},

	fakespaces.FaultInvalidClient:      both(spacesauth.KindRejectedClient, 401, "invalid_client"),
	fakespaces.FaultInvalidScope:       both(spacesauth.KindRejectedRequest, 400, "invalid_scope"),
	fakespaces.FaultUnauthorizedClient: both(spacesauth.KindRejectedClient, 400, "unauthorized_client"),
	fakespaces.FaultEmpty400:           both(spacesauth.KindUnclear, 400, ""),
	fakespaces.FaultHTML400:            both(spacesauth.KindUnclear, 400, ""),
	fakespaces.FaultUnknownError400:    both(spacesauth.KindUnclear, 400, ""),
	fakespaces.FaultForbidden403:       both(spacesauth.KindUnclear, 403, ""),

	// These have nothing to change in the answers of the accounts host's endpoints.
	fakespaces.FaultStringIssuer:    {lifetime: tokenLifetime},
	fakespaces.FaultGuestWithoutExp: {lifetime: tokenLifetime},
	fakespaces.FaultGuestOpaque:     {lifetime: tokenLifetime},
	fakespaces.FaultOtherAudience:   {lifetime: tokenLifetime},
	fakespaces.FaultOtherUser:       {lifetime: tokenLifetime},
}

func both(kind spacesauth.Kind, status int, code string) faulted {
	return faulted{kind: kind, revocation: kind, status: status, code: code}
}

func asked(status int) faulted {
	row := both(spacesauth.KindThrottled, status, "")
	row.retryAfter = patience
	return row
}

func newFaultyWorld(t *testing.T) *world {
	w := newWorld(t, fakespaces.WithTokenLifetime(tokenLifetime), fakespaces.WithRetryAfter(patience))
	w.client = clientOf(t, environmentAt(w.server.URL),
		spacesauth.WithClock(w.clock), spacesauth.WithDefaultLifetime(impliedByTable))
	return w
}

func TestSpendsThatMeetAFault(t *testing.T) {
	for sentence, grant := range map[string]func(*world) spacesauth.Grant{
		"a sign-in": func(*world) spacesauth.Grant { return password() },
		"a refresh": func(w *world) spacesauth.Grant { return refresh(w.IssueGrant(appID, bot)) },
		"a code":    func(w *world) spacesauth.Grant { return w.code() },
	} {
		for _, fault := range fakespaces.Faults() {
			t.Run(sentence+" that meets "+string(fault), func(t *testing.T) {
				want, listed := faultTable[fault]
				if !listed {
					t.Fatal("the table of this test does not say what the client should make of it")
				}
				w := newFaultyWorld(t)
				given := grant(w)
				w.Next(fakespaces.OperationAny, fault)

				got, err := w.spend(given)

				failure := failureOf(err)
				if kind(t, err) != want.kind || failure.StatusCode != want.status && err != nil ||
					failure.Code != want.code || failure.RetryAfter != want.retryAfter {
					t.Errorf("the error was %+v (%v), want %+v", failure, err, want)
				}
				if want.kind == "" && (got.Lifetime != want.lifetime || !w.TokenWorks(got.AccessToken.Reveal()) || got.TokenType != "Bearer") {
					t.Errorf("lifetime %v, want %v; or the token does not work", got.Lifetime, want.lifetime)
				}
				if want.kind != "" && !got.AccessToken.Empty() {
					t.Error("a failure gave an access token")
				}
				// The service did its work: its answer holds the refresh token that counts now.
				if keeps := want.keeps || want.kind == "" && !want.keepsNone; keeps == got.RefreshToken.Empty() {
					t.Errorf("the answer has a refresh token: %v, want %v", !keeps, keeps)
				} else if keeps {
					if _, err := w.spend(refresh(got.RefreshToken.Reveal())); err != nil {
						t.Errorf("the refresh token does not work: %v", err)
					}
				}
				// Nothing is repeated, and no redirect is followed.
				calls := w.Ledger().Calls
				if once := 1 + boolToInt(want.keeps || want.kind == "" && !want.keepsNone); w.tokenCalls() != once || calls[fakespaces.OperationOther] != 0 {
					t.Errorf("the calls were %v, want %d and none elsewhere", calls, once)
				}
				expectNoSecret(t, err, append(w.Secrets(), "as ordered by a fault", "DOCTYPE", "authen_error", w.server.URL)...)
			})
		}
	}
}

func TestRevocationsThatMeetAFault(t *testing.T) {
	for _, fault := range fakespaces.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			want, listed := faultTable[fault]
			if !listed {
				t.Fatal("the table of this test does not say what the client should make of it")
			}
			w := newFaultyWorld(t)
			token := w.IssueGrant(appID, bot)
			w.Next(fakespaces.OperationAny, fault)

			err := w.client.Revoke(context.Background(), spacesauth.Application{ID: appID}, spacesauth.NewSecret(token))

			failure := failureOf(err)
			if kind(t, err) != want.revocation || failure.RetryAfter != want.retryAfter {
				t.Errorf("the error was %v, want %q", err, want.revocation)
			}
			calls := w.Ledger().Calls
			if calls[fakespaces.OperationRevoke] != 1 || calls[fakespaces.OperationOther] != 0 {
				t.Errorf("the calls were %v, want one revocation", calls)
			}
			expectNoSecret(t, err, append(w.Secrets(), "as ordered by a fault", "DOCTYPE", "authen_error", w.server.URL)...)
		})
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
