// Package expect holds what a test may expect of a program that keeps Avaya Spaces credentials, such as
// the SpacesCredential operator, once it has run against package fakespaces:
//
//	expect.NoGrantLeft(t, spaces.Ledger())
//	expect.NothingSentAgain(t, spaces.Ledger())
//	expect.TokenWorks(t, spaces, "team-a/meeting-bot-token", secret.Data)
//	expect.NoSecretIn(t, spaces, map[string]string{"the operator's log": log})
//
// Each tells all that it found, and which grant or Secret it is, by Errorf; none of them shows a secret.
// They give whether all was well, for a test that has nothing to do otherwise. The first two look at
// a Ledger, which may have come by HTTP from the command.
//
// It needs the standard library alone: [T] is what testing, Ginkgo and testify have in common. In a poll
// (Gomega's Eventually) hand in a [Finding] and look at its text.
package expect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// T is what is needed of a *testing.T or of GinkgoT().
type T interface {
	Helper()
	Errorf(format string, values ...any)
}

// Finding is a T that only remembers what was told.
type Finding struct{ lines []string }

// Helper implements T.
func (f *Finding) Helper() {}

// Errorf implements T.
func (f *Finding) Errorf(format string, values ...any) {
	f.lines = append(f.lines, fmt.Sprintf(format, values...))
}

// String is all that was told, empty if that is nothing.
func (f *Finding) String() string { return strings.Join(f.lines, "\n") }

// NoGrantLeft expects that no grant is alive: whoever signed in has signed out again.
func NoGrantLeft(t T, ledger fakespaces.Ledger) bool {
	t.Helper()
	return none(t, "grants are left alive", ledger, func(of fakespaces.GrantRecord) string {
		if of.State != fakespaces.GrantLive {
			return ""
		}
		return fmt.Sprintf("refreshed %d times", of.Refreshes)
	})
}

// NothingSentAgain expects that no refresh token and no code was sent once more after the answer for it had
// been delivered, which a service may take for theft.
func NothingSentAgain(t T, ledger fakespaces.Ledger) bool {
	t.Helper()
	return none(t, "grants had a refresh token or a code sent again after its answer was delivered", ledger, func(of fakespaces.GrantRecord) string {
		if of.SentAgainAfterDelivery+of.CodeSentAgainAfterDelivery == 0 {
			return ""
		}
		return fmt.Sprintf("refresh tokens %d times, its code %d times", of.SentAgainAfterDelivery, of.CodeSentAgainAfterDelivery)
	})
}

// NoConcurrentRefreshes expects that no grant was refreshed while a refresh of it was under way.
func NoConcurrentRefreshes(t T, ledger fakespaces.Ledger) bool {
	t.Helper()
	return none(t, "grants were refreshed twice at once", ledger, func(of fakespaces.GrantRecord) string {
		if of.ConcurrentRefreshes == 0 {
			return ""
		}
		return fmt.Sprintf("%d times", of.ConcurrentRefreshes)
	})
}

// NoGrantLost expects that the service ended no grant: for a spent token that came again, or by an
// administrator.
func NoGrantLost(t T, ledger fakespaces.Ledger) bool {
	t.Helper()
	return none(t, "grants were ended by the service", ledger, func(of fakespaces.GrantRecord) string {
		if of.State != fakespaces.GrantDead {
			return ""
		}
		return of.Reason
	})
}

// none expects that no grant is found guilty, and lists those that are.
func none(t T, of string, ledger fakespaces.Ledger, guilt func(fakespaces.GrantRecord) string) bool {
	t.Helper()
	var found []string
	for _, grant := range ledger.Grants {
		if why := guilt(grant); why != "" {
			found = append(found, fmt.Sprintf("%s of %s (client %s, %s, since %s): %s",
				grant.ID, grant.User, grant.Client, grant.Origin, grant.IssuedAt.UTC().Format(time.RFC3339), why))
		}
	}
	if len(found) == 0 {
		return true
	}
	t.Errorf("%d of %d %s:\n  %s", len(found), len(ledger.Grants), of, strings.Join(found, "\n  "))
	return false
}

// Service is what is asked about tokens: a [fakespaces.Service].
type Service interface {
	TokenWorks(token string) bool
	Secrets() []string
}

// TokenWorks expects that data, that of a published Secret, holds a token that the service takes now, and
// that its parts belong together. The name says in a failure which Secret it is.
func TokenWorks(t T, spaces Service, name string, data map[string][]byte) bool {
	t.Helper()
	token := string(data["access_token"])
	if token == "" {
		t.Errorf("%s holds no access_token; its keys are %v", name, slices.Sorted(maps.Keys(data)))
		return false
	}
	fine := true
	wrong := func(format string, values ...any) {
		t.Helper()
		t.Errorf("%s, token %s: %s", name, fingerprint(token), fmt.Sprintf(format, values...))
		fine = false
	}
	if !spaces.TokenWorks(token) {
		wrong("the service does not take it: it has expired (expires_at: %s), its grant has ended, or it never was one", data["expires_at"])
	}
	if string(data["authorization"]) != string(data["token_type"])+" "+token {
		wrong("authorization is not token_type and this token")
	}
	if _, err := time.Parse(time.RFC3339, string(data["expires_at"])); err != nil {
		wrong("expires_at is %q, and no time", data["expires_at"])
	}
	return fine
}

// shortest is the length from which on a secret is looked for: shorter ones stand in any text.
const shortest = 6

// NoSecretIn expects that texts (logs, events, statuses, by what they are) hold no secret that the service
// ever gave or was given.
func NoSecretIn(t T, spaces Service, texts map[string]string) bool {
	t.Helper()
	fine := true
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		for number, secret := range spaces.Secrets() {
			if at := strings.Index(texts[name], secret); len(secret) >= shortest && at >= 0 {
				// No fingerprint: it may be a password, which can be guessed from one.
				t.Errorf("%s holds secret number %d of Secrets() in line %d", name, number, strings.Count(texts[name][:at], "\n")+1)
				fine = false
			}
		}
	}
	return fine
}

// fingerprint is how the operator names a token: in status, and in an annotation of the Secret.
func fingerprint(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])[:12]
}
