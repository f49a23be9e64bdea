package controllers

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	token := &tokenRecord{IssueTime: noon, RenewalTime: noon.Add(40 * time.Minute), ExpirationTime: noon.Add(time.Hour)}
	used := usedInputs{Client: "client", Login: "login", Seed: "seed"}
	with := func(change func(*document)) *document {
		d := &document{Inputs: inputMemory{Used: used}, Grant: &grant{ID: "g", Token: token, RefreshToken: kept{spacesauth.NewSecret("r")}}}
		if change != nil {
			change(d)
		}
		return d
	}
	for sentence, c := range map[string]struct {
		kind     v1alpha1.GrantType
		document *document
		used     usedInputs
		after    time.Duration
		want     action
		reason   string
	}{
		"a new password credential signs in":            {kind: "Password", want: actionSignIn},
		"a new seed is refreshed":                       {kind: "RefreshToken", want: actionSeed},
		"a fresh token is left alone":                   {kind: "Password", document: with(nil), after: 39 * time.Minute, want: actionNone},
		"a token is renewed at its time":                {kind: "Password", document: with(nil), after: 40 * time.Minute, want: actionRefresh},
		"a token from the future is renewed":            {kind: "Password", document: with(nil), after: -61 * time.Second, want: actionRefresh},
		"a small clock difference is no future":         {kind: "Password", document: with(nil), after: -60 * time.Second, want: actionNone},
		"a seed that was claimed and not judged":        {kind: "RefreshToken", document: with(func(d *document) { d.Grant, d.FirstUse = nil, &firstUse{Hash: "seed"} }), want: actionSeed},
		"a seed on its way though its Secret is gone":   {kind: "RefreshToken", document: with(func(d *document) { d.FirstUse = &firstUse{Hash: "new"} }), want: actionSeed},
		"a seed on its way and another client":          {kind: "RefreshToken", document: with(func(d *document) { d.Grant, d.FirstUse = nil, &firstUse{Hash: "seed", Client: "client"} }), used: usedInputs{Client: "another", Seed: "seed"}, want: actionNone, reason: v1alpha1.ReasonReauthorizationRequired},
		"a seed on its way, another client and seed":    {kind: "RefreshToken", document: with(func(d *document) { d.Grant, d.FirstUse = nil, &firstUse{Hash: "old", Client: "client"} }), used: usedInputs{Client: "another", Seed: "new"}, want: actionSeed},
		"a code on its way beside a living grant":       {kind: "AuthorizationCode", document: with(func(d *document) { d.FirstUse = &firstUse{Hash: "code"} }), used: usedInputs{Code: "code"}, want: actionSignIn},
		"a refresh token that came without a token":     {kind: "RefreshToken", document: with(func(d *document) { d.Grant.Token = nil }), want: actionRefresh},
		"a password grant without a refresh token":      {kind: "Password", document: with(func(d *document) { d.Grant.RefreshToken = kept{} }), after: 40 * time.Minute, want: actionSignIn},
		"a code's grant without a refresh token":        {kind: "AuthorizationCode", document: with(func(d *document) { d.Grant.RefreshToken = kept{} }), after: 40 * time.Minute, want: actionNone, reason: v1alpha1.ReasonReauthorizationRequired},
		"a guest whose time has come":                   {kind: "Anonymous", document: with(func(d *document) { d.Grant.RefreshToken = kept{} }), after: 40 * time.Minute, want: actionSignIn},
		"a guest whose time has not":                    {kind: "Anonymous", document: with(func(d *document) { d.Grant.RefreshToken = kept{} }), want: actionNone},
		"a new code signs in":                           {kind: "AuthorizationCode", document: with(func(d *document) { d.Inputs.Used.Code = "code" }), used: usedInputs{Code: "new"}, want: actionSignIn},
		"a used code is not sent again":                 {kind: "AuthorizationCode", document: with(func(d *document) { d.Grant, d.Inputs.Used.Code = nil, "code" }), used: usedInputs{Code: "code"}, want: actionNone, reason: v1alpha1.ReasonReauthorizationRequired},
		"an unanswered refresh is replayed":             {kind: "Password", document: with(func(d *document) { d.Grant.Condition = grantAmbiguous }), want: actionRefresh},
		"a refused grant is replaced by the password":   {kind: "Password", document: with(func(d *document) { d.Grant.Condition = grantRefused }), want: actionSignIn},
		"a refused seed needs a person":                 {kind: "RefreshToken", document: with(func(d *document) { d.Grant.Condition = grantRefused }), want: actionNone, reason: v1alpha1.ReasonReauthorizationRequired},
		"a changed user signs in":                       {kind: "Password", document: with(nil), used: usedInputs{Login: "another"}, want: actionSignIn},
		"a changed client signs in":                     {kind: "Password", document: with(nil), used: usedInputs{Client: "another"}, want: actionSignIn},
		"a changed seed begins anew":                    {kind: "RefreshToken", document: with(nil), used: usedInputs{Client: "client", Seed: "another"}, want: actionSeed},
		"a changed client does not resend a seed":       {kind: "RefreshToken", document: with(nil), used: usedInputs{Client: "another", Seed: "seed"}, want: actionNone, reason: v1alpha1.ReasonReauthorizationRequired},
		"inputs that cannot be read are no change":      {kind: "RefreshToken", document: with(nil), used: usedInputs{}, want: actionNone},
		"a used seed is not sent again without a grant": {kind: "RefreshToken", document: with(func(d *document) { d.Grant = nil }), used: used, want: actionNone, reason: v1alpha1.ReasonReauthorizationRequired},
		"before the next attempt nothing is due": {kind: "Password", document: with(func(d *document) {
			d.Failure = &failure{Kind: spacesauth.KindUnavailable, NextAttemptTime: noon.Add(time.Hour)}
		}), after: 50 * time.Minute, want: actionNone, reason: v1alpha1.ReasonServiceUnavailable},
		"at the next attempt it is": {kind: "Password", document: with(func(d *document) {
			d.Failure = &failure{Kind: spacesauth.KindUnavailable, NextAttemptTime: noon.Add(time.Hour)}
		}), after: time.Hour, want: actionRefresh},
	} {
		t.Run(sentence, func(t *testing.T) {
			credential := bySeed("bot")
			credential.Spec.GrantType = c.kind
			got := decide(observation{credential: credential, now: noon.Add(c.after), document: c.document, used: c.used})
			if got.action != c.want {
				t.Errorf("decided %s, want %s", got.action, c.want)
			}
			if reason := reasonIn(got.finding); reason != c.reason {
				t.Errorf("found %q, want %q", reason, c.reason)
			}
		})
	}
}

func reasonIn(f *finding) string {
	if f == nil {
		return ""
	}
	return f.reason
}

func TestSettle(t *testing.T) {
	failed := func(kind spacesauth.Kind) error { return fmt.Errorf("wrapped: %w", &spacesauth.Error{Kind: kind}) }
	living := &tokenRecord{ExpirationTime: noon.Add(time.Hour)}
	for sentence, c := range map[string]struct {
		err      error
		signIn   bool
		token    *tokenRecord
		previous *failure
		refused  bool
		leaves   grantCondition
		atLeast  time.Duration
		atMost   time.Duration
	}{
		"a refused password is a refusal":          {err: failed(spacesauth.KindRejectedGrant), signIn: true, refused: true},
		"an unclear answer to a password too":      {err: failed(spacesauth.KindUnclear), signIn: true, refused: true},
		"a refused client is a refusal":            {err: failed(spacesauth.KindRejectedClient), refused: true},
		"a refused request is a refusal":           {err: failed(spacesauth.KindRejectedRequest), refused: true},
		"a refused refresh ends the grant":         {err: failed(spacesauth.KindRejectedGrant), leaves: grantRefused, atLeast: time.Second, atMost: time.Second},
		"an unclear refresh is rechecked hourly":   {err: failed(spacesauth.KindUnclear), token: living, atLeast: time.Hour, atMost: time.Hour},
		"a second unclear one with life left":      {err: failed(spacesauth.KindUnclear), token: living, previous: &failure{Kind: spacesauth.KindUnclear}, atLeast: time.Hour, atMost: time.Hour},
		"a second unclear one past expiry ends it": {err: failed(spacesauth.KindUnclear), previous: &failure{Kind: spacesauth.KindUnclear}, leaves: grantRefused, atLeast: time.Second, atMost: time.Second},
		"a lost answer leaves the grant ambiguous": {err: failed(spacesauth.KindAmbiguous), leaves: grantAmbiguous, atLeast: time.Second, atMost: time.Second},
		"an error of no kind counts as a lost one": {err: errors.New("unknown"), leaves: grantAmbiguous, atLeast: time.Second, atMost: time.Second},
		"patience is honoured":                     {err: &spacesauth.Error{Kind: spacesauth.KindThrottled, RetryAfter: time.Hour}, token: living, atLeast: time.Hour, atMost: time.Hour},
		"an outage backs off":                      {err: failed(spacesauth.KindUnavailable), previous: &failure{Kind: spacesauth.KindUnavailable, Count: 20, Exponent: 20, Expired: true}, atLeast: 5 * time.Minute, atMost: 10 * time.Minute},
		"an outage backs off anew at expiry":       {err: failed(spacesauth.KindUnavailable), previous: &failure{Kind: spacesauth.KindUnavailable, Count: 20, Exponent: 20}, atLeast: time.Second, atMost: time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := spend{by: v1alpha1.GrantTypeRefreshToken, signIn: c.signIn, living: c.token, passwordIsLeft: true, inputsHash: "hash"}
			if c.signIn {
				s.by = v1alpha1.GrantTypePassword
			}
			f, refused := settle("uid", s, c.previous, c.err, noon)
			if (refused != nil) != c.refused || (f == nil) != c.refused {
				t.Fatalf("refusal %v, failure %v", refused, f)
			}
			if f == nil {
				return
			}
			if got := f.leaves(grantValid); got != c.leaves {
				t.Errorf("the grant is %q, want %q", got, c.leaves)
			}
			if wait := f.NextAttemptTime.Sub(noon); wait < c.atLeast || wait > c.atMost {
				t.Errorf("the next attempt is in %s, want %s to %s", wait, c.atLeast, c.atMost)
			}
		})
	}
}

func TestSchedule(t *testing.T) {
	for sentence, c := range map[string]struct {
		renewal  v1alpha1.Renewal
		lifetime time.Duration
		latest   time.Duration
	}{
		"a third is left by default":          {v1alpha1.Renewal{}, time.Hour, time.Hour * 67 / 100},
		"a percentage":                        {v1alpha1.Renewal{RenewBeforePercent: ptr.To(int32(50))}, time.Hour, 30 * time.Minute},
		"seconds":                             {v1alpha1.Renewal{RenewBeforeSeconds: ptr.To(int32(600))}, time.Hour, 50 * time.Minute},
		"at least five seconds":               {v1alpha1.Renewal{RenewBeforePercent: ptr.To(int32(5))}, 20 * time.Second, 15 * time.Second},
		"half a lifetime wins":                {v1alpha1.Renewal{RenewBeforeSeconds: ptr.To(int32(604800))}, time.Hour, 30 * time.Minute},
		"also over the five seconds":          {v1alpha1.Renewal{}, 4 * time.Second, 2 * time.Second},
		"a token of a second":                 {v1alpha1.Renewal{}, time.Second, time.Second},
		"a token of two seconds":              {v1alpha1.Renewal{}, 2 * time.Second, 2 * time.Second},
		"a token of three seconds":            {v1alpha1.Renewal{}, 3 * time.Second, 2 * time.Second},
		"a lifetime that is no whole second":  {v1alpha1.Renewal{}, 20*time.Second + 900*time.Millisecond, 20 * time.Second * 67 / 100},
		"a lifetime of no length is a second": {v1alpha1.Renewal{}, 0, time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			for i := range 200 {
				uid := types.UID(fmt.Sprint(i))
				issue, renew, expire := schedule(uid, c.renewal, noon.Add(300*time.Millisecond), c.lifetime)
				again, _, _ := schedule(uid, c.renewal, noon.Add(300*time.Millisecond), c.lifetime)
				for _, at := range []time.Time{issue, renew, expire} {
					if at.Nanosecond() != 0 {
						t.Fatalf("%s is no whole second", at)
					}
				}
				if !issue.Equal(noon) || !again.Equal(issue) {
					t.Fatalf("issued at %s", issue)
				}
				wait := renew.Sub(issue)
				if earliest := c.latest*9/10 - time.Second; wait > c.latest || wait < earliest {
					t.Fatalf("renewal after %s, want %s to %s", wait, earliest, c.latest)
				}
				if want := max(c.lifetime.Truncate(time.Second), time.Second); expire.Sub(issue) != want {
					t.Fatalf("expiry after %s, want %s", expire.Sub(issue), want)
				}
			}
		})
	}
}

func TestRenewalsIssuedTogetherAreSpread(t *testing.T) {
	perTenSeconds := map[int]int{}
	const tokens = 1000
	var last time.Duration
	for i := range tokens {
		_, renew, _ := schedule(types.UID(fmt.Sprintf("uid-%d", i)), v1alpha1.Renewal{}, noon, time.Hour)
		wait := renew.Sub(noon)
		perTenSeconds[int(wait/(10*time.Second))]++
		last = max(last, wait)
	}
	mean := float64(tokens) / (float64(time.Hour*67/100/10) / float64(10*time.Second))
	for slot, count := range perTenSeconds {
		if float64(count) > 2.2*mean {
			t.Errorf("%d renewals within ten seconds at %ds, the mean is %.0f", count, slot*10, mean)
		}
	}
}

func TestBackoff(t *testing.T) {
	for count := int32(0); count < 100; count++ {
		for _, left := range []time.Duration{-time.Hour, 0, time.Second, time.Minute, time.Hour, 10000 * time.Hour} {
			wait := backoff("uid", count, left)
			if wait < minBackoff || wait > maxBackoff {
				t.Errorf("failure %d with %s left waits %s", count, left, wait)
			}
			if quarter := max(left/4, minBackoff); left > 0 && wait > quarter {
				t.Errorf("failure %d with %s left waits %s, more than a quarter", count, left, wait)
			}
		}
	}
	if backoff("a", 30, 0) == backoff("b", 30, 0) {
		t.Error("two credentials wait equally long")
	}
}

func TestRecord(t *testing.T) {
	now := noon
	claimed := claim{Number: 5, Holder: "me", GrantID: "g"}
	from := func(id string, number int64, token string) *grant {
		return &grant{ID: id, Answered: number, RefreshToken: kept{spacesauth.NewSecret(token)}, Token: &tokenRecord{ExpirationTime: noon.Add(time.Hour)}}
	}
	for sentence, c := range map[string]struct {
		before  document
		answer  answer
		token   string
		pending []string
	}{
		"an answer replaces the token it was spent for": {
			before: document{Claim: &claimed, Grant: from("g", 4, "old")},
			answer: answer{claim: claimed, grant: from("g", 5, "new")}, token: "new"},
		"a sign-in supersedes the living grant": {
			before: document{Claim: &claimed, Grant: from("old", 4, "old")},
			answer: answer{claim: claimed, grant: from("g", 5, "new")}, token: "new", pending: []string{"old"}},
		"a late answer gives way to a newer token": {
			before: document{Grant: from("g", 6, "newer")},
			answer: answer{claim: claimed, grant: from("g", 5, "late")}, token: "newer"},
		"a late answer replaces a refused token": {
			before: document{Grant: refusedGrant(from("g", 6, "refused"))},
			answer: answer{claim: claimed, grant: from("g", 5, "late")}, token: "late"},
		"a late answer of another grant is listed": {
			before: document{Grant: from("h", 6, "newer")},
			answer: answer{claim: claimed, grant: from("g", 5, "late")}, token: "newer", pending: []string{"late"}},
		"a late answer of a listed grant replaces the listed token": {
			before: document{Grant: from("h", 6, "newer"), Pending: []pendingRevocation{{GrantID: "g", RefreshToken: kept{spacesauth.NewSecret("stale")}}}},
			answer: answer{claim: claimed, grant: from("g", 5, "late")}, token: "newer", pending: []string{"late"}},
		"a late answer to a seed that is still out becomes the grant": {
			before: document{FirstUse: &firstUse{GrantID: "g"}},
			answer: answer{claim: claimed, grant: from("g", 5, "late")}, token: "late"},
		"a late answer to a seed whose replay was refused becomes the grant": {
			before: document{Inputs: inputMemory{Refused: []refusal{{GrantID: "g", Kind: spacesauth.KindRejectedGrant}}}},
			answer: answer{claim: claimed, grant: from("g", 5, "late")}, token: "late"},
		"a late answer to a seed that a newer grant followed is listed": {
			before: document{Grant: from("h", 6, "newer"), Inputs: inputMemory{Refused: []refusal{{GrantID: "g", Kind: spacesauth.KindRejectedGrant}}}},
			answer: answer{claim: claimed, grant: from("g", 5, "late")}, token: "newer", pending: []string{"late"}},
		"an answer to a claim that stands, of a grant that was listed meanwhile, joins it": {
			before: document{Claim: &claimed, Grant: from("h", 4, "living"), Pending: []pendingRevocation{{GrantID: "g", RefreshToken: kept{spacesauth.NewSecret("stale")}}}},
			answer: answer{claim: claimed, grant: from("g", 5, "late")}, token: "living", pending: []string{"late"}},
		"policy Never lists nothing": {
			before: document{Grant: from("h", 6, "newer"), Revocation: revocationTerms{Policy: v1alpha1.RevocationNever}},
			answer: answer{claim: claimed, grant: from("g", 5, "late")}, token: "newer"},
	} {
		t.Run(sentence, func(t *testing.T) {
			d := c.before.clone()
			d.record(c.answer, now)
			if got := d.Grant.RefreshToken.Reveal(); got != c.token {
				t.Errorf("the grant holds %q, want %q", got, c.token)
			}
			var pending []string
			for _, entry := range d.Pending {
				pending = append(pending, entry.RefreshToken.Reveal())
			}
			if fmt.Sprint(pending) != fmt.Sprint(c.pending) {
				t.Errorf("listed are %v, want %v", pending, c.pending)
			}
			if d.Claim != nil {
				t.Error("the claim stays open")
			}
			again := d.clone()
			again.record(c.answer, now)
			if again.Grant.RefreshToken.Reveal() != c.token || len(again.Pending) != len(d.Pending) {
				t.Error("recording the same answer twice changed the document")
			}
		})
	}
}

// A claim may stay open while its answer cannot be saved. When a person asks for
// revocation then, the answer must not bring the grant back.
func TestAnAnswerThatWasUnderWayAtARevocationIsRevokedToo(t *testing.T) {
	secret := func(value string) kept { return kept{spacesauth.NewSecret(value)} }
	claimed := claim{Number: 5, Holder: "me", GrantID: "g"}
	for sentence, before := range map[string]document{
		"a refresh":            {Grant: &grant{ID: "g", RefreshToken: secret("old")}},
		"the use of a seed":    {FirstUse: &firstUse{GrantID: "g", Seed: secret("old")}},
		"the use of a code":    {FirstUse: &firstUse{GrantID: "g", Code: secret("code")}},
		"under policy Never":   {Grant: &grant{ID: "g", RefreshToken: secret("old")}, Revocation: revocationTerms{Policy: v1alpha1.RevocationNever}},
		"a seed, once refused": {Grant: &grant{ID: "h", RefreshToken: secret("h")}, Inputs: inputMemory{Refused: []refusal{{GrantID: "g", Kind: spacesauth.KindRejectedGrant}}}},
	} {
		for _, revoked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, revoked before it comes: %v", sentence, revoked), func(t *testing.T) {
				d := before.clone()
				d.Claim = &claimed
				d.revokeAll("now", noon)
				if revoked {
					d.Pending = nil
				}
				d.record(answer{claim: claimed, grant: &grant{ID: "g", Answered: 5, RefreshToken: secret("new"), Token: &tokenRecord{}}}, noon)
				if d.Grant != nil {
					t.Errorf("the grant %s is back", d.Grant.ID)
				}
				entry := d.listed("g")
				if entry == nil || entry.RefreshToken.Reveal() != "new" || !entry.due(noon, time.Time{}) {
					t.Errorf("its newest token is not listed as due: %+v", entry)
				}
			})
		}
	}
}

func refusedGrant(g *grant) *grant {
	g.Condition = grantRefused
	return g
}

func TestAFullListGivesUpItsOldestEntryAndSaysSo(t *testing.T) {
	d := document{}
	for i := range maxPending + 3 {
		d.list(&grant{ID: fmt.Sprint(i), RefreshToken: kept{spacesauth.NewSecret("x")}}, noon, noon, noon)
	}
	if len(d.Pending) != maxPending || d.abandoned != 3 || d.Pending[0].GrantID != "3" {
		t.Errorf("%d listed, %d abandoned, the oldest is %s", len(d.Pending), d.abandoned, d.Pending[0].GrantID)
	}
}

func TestARevocationWaitsNoLongerThanItsCapAfterAClockWasSetBack(t *testing.T) {
	entry := pendingRevocation{
		Attempts: 1, NextAttemptTime: noon.Add(time.Minute), NotBefore: noon.Add(superseded),
		TokenExpirationTime: noon.Add(24 * time.Hour), GiveUpTime: noon.Add(revocationPatience),
	}
	for sentence, c := range map[string]struct {
		at         time.Time
		due, waits bool
	}{
		"at once":                      {noon, false, true},
		"a second later":               {noon.Add(time.Second), false, true},
		"when its time has come":       {noon.Add(superseded), true, false},
		"with the clock a bit back":    {noon.Add(-time.Second), true, true},
		"with the clock an hour back":  {noon.Add(-time.Hour), true, false},
		"with the clock a month back":  {noon.Add(-30 * 24 * time.Hour), true, false},
		"with the clock a month ahead": {noon.Add(30 * 24 * time.Hour), true, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if due := entry.due(c.at, c.at.Add(-superseded)); due != c.due {
				t.Errorf("due is %v", due)
			}
			if waits := entry.waits(c.at); waits != c.waits {
				t.Errorf("waiting is %v", waits)
			}
		})
	}
}

func TestTheDocumentKeepsSecretsAndPrintsNone(t *testing.T) {
	const secret = "a-refresh-token-that-must-be-kept"
	d := document{Version: 1, CredentialUID: "uid", Grant: &grant{RefreshToken: kept{spacesauth.NewSecret(secret)}}}
	content, err := d.bytes()
	if err != nil {
		t.Fatal(err)
	}
	read, err := readDocument(content)
	if err != nil || read.Grant.RefreshToken.Reveal() != secret {
		t.Fatalf("the secret was not kept: %v", err)
	}
	for _, printed := range []string{fmt.Sprint(d), fmt.Sprintf("%+v", d), fmt.Sprintf("%#v", *d.Grant), fmt.Sprintf("%q", d.Grant.RefreshToken), fmt.Sprint(d.MarshalLog())} {
		if strings.Contains(printed, secret) {
			t.Error("the secret was printed")
		}
	}
}

func TestReadDocumentNamesNothingItRead(t *testing.T) {
	for sentence, content := range map[string]string{
		"a damaged document":        `{"version": 1, "credentialUID": "u", "grant": {"refreshToken": 7777777}}`,
		"a document of the future":  `{"version": 7}`,
		"no document":               `7777777`,
		"a document of nobody":      `{"version": 1}`,
		"a document without a type": `{"credentialUID": "7777777"}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := readDocument([]byte(content))
			if err == nil || strings.Contains(err.Error(), "7777777") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestStripSecretMetadataKeepsOnlyWhatTheLoopLooksAt(t *testing.T) {
	object := partial(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "data", v1alpha1.AnnotationCredentialUID: "uid"})
	stripped, err := StripSecretMetadata(object)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(stripped)
	if strings.Contains(string(raw), "last-applied") || !strings.Contains(string(raw), "credential-uid") {
		t.Errorf("kept %s", raw)
	}
}

func TestOverdue(t *testing.T) {
	renewal := noon
	credential := func(change func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential {
		c := byPassword("bot")
		c.Status.Token = &v1alpha1.TokenStatus{RenewalTime: atSecond(renewal)}
		if change != nil {
			change(c)
		}
		return c
	}
	for sentence, c := range map[string]struct {
		credential *v1alpha1.SpacesCredential
		at         time.Time
		want       bool
	}{
		"a renewal that is late":       {credential(nil), noon.Add(time.Minute), true},
		"a renewal that is just due":   {credential(nil), noon.Add(sweepMargin), false},
		"one in backoff":               {credential(func(c *v1alpha1.SpacesCredential) { c.Status.NextAttemptTime = atSecond(noon.Add(time.Hour)) }), noon.Add(time.Minute), false},
		"one whose backoff has passed": {credential(func(c *v1alpha1.SpacesCredential) { c.Status.NextAttemptTime = atSecond(noon) }), noon.Add(time.Minute), true},
		"a suspended one":              {credential(func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true }), noon.Add(time.Minute), false},
		"one without a token":          {byPassword("bot"), noon.Add(time.Minute), false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := isOverdue(c.credential, c.at); got != c.want {
				t.Errorf("overdue is %v", got)
			}
		})
	}
}

func partial(annotations map[string]string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x", Annotations: annotations}}
}

func TestNextTryOfARevocationIsNeverPast(t *testing.T) {
	past, soon, gate, deadline := noon.Add(-time.Second), noon.Add(time.Second), noon.Add(time.Minute), noon.Add(time.Hour)
	for sentence, given := range map[string]struct {
		problem, entry, want time.Time
	}{
		"an entry that failed waits for its own time":          {soon, soon, soon},
		"an entry whose time has come waits for the gate":      {gate, past, gate},
		"an entry that was never tried waits for the gate":     {gate, time.Time{}, gate},
		"without another time the deadline ends the wait":      {time.Time{}, past, deadline},
		"an entry that waits is sooner than a gate for others": {gate, soon, soon},
	} {
		t.Run(sentence, func(t *testing.T) {
			entry := pendingRevocation{NextAttemptTime: given.entry, GiveUpTime: deadline}
			round := revocationRound{left: []pendingRevocation{entry}, problem: entry.problem().at(given.problem)}
			if got := round.nextTry(deadline, noon).wake; !got.Equal(given.want) {
				t.Errorf("the next try is at %s, want %s", got, given.want)
			}
		})
	}
}
