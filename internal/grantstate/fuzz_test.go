package grantstate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// fullDocument has something in every member.
func fullDocument() Document {
	token := Token{
		AccessToken: kept{spacesauth.NewSecret("at")}, IDToken: kept{spacesauth.NewSecret("a.b.c")}, TokenType: "Bearer", Scope: "email",
		ObtainedBy: v1alpha1.GrantTypePassword, IssueTime: noon, RenewalTime: noon.Add(40 * time.Minute), ExpirationTime: noon.Add(time.Hour),
		Generation: 3, Check: &Check{Passed: []v1alpha1.Verification{v1alpha1.VerificationTokenInfo}, Attempts: 1, Detail: "d", Person: true, NextAttemptTime: noon},
	}
	refused := Failure{Kind: spacesauth.KindThrottled, Detail: "d", InputsHash: "h", GrantRefused: true, Count: 2, Exponent: 1, Expired: true, NextAttemptTime: noon}
	signIn := refused
	signIn.SignIn = true
	return Document{
		credentialUID: "uid", secretUID: "secret", claims: 7, claimTime: noon,
		claim: &Claim{Number: 7, Holder: "me", Time: noon.Add(time.Nanosecond), TimeoutSeconds: 15, GrantID: "g", SignIn: true, RenewRequest: "r", RevokeRequest: "v"},
		grant: &Grant{
			ID: "g", Type: v1alpha1.GrantTypePassword, Environment: "e", AccountsURL: "https://a.test", ClientID: "c", RefreshToken: kept{spacesauth.NewSecret("rt")},
			Answered: 6, Rotations: 5, StartTime: noon, Token: &token, Condition: Ambiguous, Identity: Identity{"u", "i"}, Import: "other",
			End:    End{Time: noon.Add(time.Hour), Since: noon, IsTold: true, IsWarned: true},
			Lender: &Lender{Name: "corporate", UID: "lender", Secret: "s", ClientIDKey: "i", ClientSecretKey: "k", PreviousClientSecretKey: "p"},
		},
		deniedSince:    noon,
		firstUse:       &FirstUse{Seed: kept{spacesauth.NewSecret("seed")}, Code: kept{spacesauth.NewSecret("code")}, CodeVerifier: kept{spacesauth.NewSecret("v")}, RedirectURI: "http://localhost", Hash: "h", Client: "c", GrantID: "f", Environment: "e", AccountsURL: "https://a.test", ClientID: "c", Lender: &Lender{Name: "corporate", UID: "lender"}, Import: &ImportedFrom{ID: "other", StartTime: noon, Identity: Identity{"u", "i"}}},
		meanwhile:      &Publishable{Token: token, Answered: 5, Environment: "e", AccountsURL: "https://a.test", ClientID: "c", Identity: Identity{"u", "i"}},
		inputs:         inputs{Key: []byte("key"), Used: used{"c", "l", "s", "o", "i"}, Refused: []Refusal{{Hash: "h", Kind: spacesauth.KindUnclear, Detail: "d", SignIn: true, GrantID: "x", Import: true}}, Imported: []string{"i"}},
		refreshFailure: &refused, signInFailure: &signIn,
		requests: requests{HandledRenew: "a", TriedRenew: "b", TriedRenewTime: noon, HandledRevoke: "c", HandledExport: "d", ExportRefusal: "e"}, revoked: true, isBehind: true,
		shortLived: 2,
		rejections: rejections{Handled: "5f0c9a1be2d4", Times: []time.Time{noon}},
		owned:      Owned{Keys: []string{"access_token"}, Labels: []string{"l"}, Annotations: []string{"a"}, StateLabels: []string{"s"}},
		terms:      Terms{Policy: v1alpha1.RevocationOnDelete, DeadlineSeconds: 300},
		pending:    []Listed{{GrantID: "p", Environment: "e", AccountsURL: "https://a.test", ClientID: "c", RefreshToken: kept{spacesauth.NewSecret("old")}, Always: true, NotBefore: noon, TokenExpirationTime: noon, Attempts: 1, Detail: "d", NextAttemptTime: noon, GiveUpTime: noon}},
		exports:    []Export{{GrantID: "g", Number: 6, Key: "k", Request: "d", Time: noon}},
	}
}

// A member that is forgotten on the way to the Secret, or back, is lost with the next write.
func TestEveryMemberIsStored(t *testing.T) {
	full := fullDocument()
	for member := range reflect.TypeFor[Document]().Fields() {
		if reflect.ValueOf(full).FieldByIndex(member.Index).IsZero() && member.Name != "abandoned" {
			t.Errorf("%s is not filled: this test proves nothing of it", member.Name)
		}
	}
	content, err := full.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Read(content)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read.Bytes(); err != nil || !bytes.Equal(again, content) {
		t.Errorf("read and written again it differs (%v)", err)
	}
	for member := range reflect.TypeFor[Document]().Fields() {
		if reflect.ValueOf(read).FieldByIndex(member.Index).IsZero() && member.Name != "abandoned" {
			t.Errorf("%s is lost", member.Name)
		}
	}
}

// FuzzReadDocument reads any content of a state Secret.
func FuzzReadDocument(f *testing.F) {
	full, err := fullDocument().Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full, int64(2))
	for i := 1; i < len(full); i += len(full) / 12 {
		f.Add(full[:i], int64(i))
	}
	for _, content := range []string{
		``, `{}`, `[]`, `null`, `7`, `{"version":1,"credentialUID":"u"}`, `{"version":2,"credentialUID":"u"}`, `{"version":1,"VERSION":9,"credentialUID":"u"}`,
		`{"version":1,"version":9,"credentialUID":"u"}`, `{"version":9,"version":1,"credentialUID":"u"}`, `{"version":1e400}`, `{"version":1.0,"credentialUID":"u"}`, `{"version":-1,"credentialUID":"u"}`,
		`{"version":99999999999999999999,"credentialUID":"u"}`, `{"version":"1","credentialUID":"u"}`, `{"version":null,"credentialUID":"u"}`,
		`{"version":1,"credentialUID":"u","grant":{"refreshToken":null,"startTime":"2026-03-01T12:00:00.5+05:30"}}`,
		`{"version":1,"credentialUID":"u","grant":{"startTime":"0000-01-01T00:00:00+23:59","token":{"expirationTime":"9999-12-31T23:59:59-23:59"}}}`,
		`{"version":1,"credentialUID":"u\ud800","pending":[{"refreshToken":"\ufffd","nextAttemptTime":"0001-01-01T00:00:00Z"}],"publishedKeys":[],"inputs":{"key":"","refused":[]}}`,
		`{"version":1,"credentialUID":"u","unknown":{"x":[1]},"grant":{"identity":{}}}`, `{"version":1,"credentialUID":"u"} x`,
	} {
		f.Add([]byte(content), int64(len(content)))
	}
	f.Fuzz(func(t *testing.T, content []byte, newer int64) {
		d, err := Read(content)
		if err != nil {
			expectQuiet(t, err, content)
			return
		}
		if d.credentialUID == "" {
			t.Fatal("a document of nobody was accepted")
		}
		written, err := d.Bytes()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := Read(written)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if rewritten, err := again.Bytes(); err != nil || !bytes.Equal(written, rewritten) {
			t.Errorf("read and written again it differs (%v):\n%s\n%s", err, written, rewritten)
		}
		if g := d.grant; g != nil && (again.grant == nil || again.grant.RefreshToken.Reveal() != g.RefreshToken.Reveal() || !again.grant.StartTime.Equal(g.StartTime)) {
			t.Error("the grant is another one")
		}
		if copied, err := d.Clone().Bytes(); err != nil || !bytes.Equal(copied, written) {
			t.Errorf("a copy differs (%v)", err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %s %q", d, d, d, []any{d}), "refreshToken") {
			t.Error("it prints what it holds")
		}
		if newer > version {
			expectNewerRefused(t, written, newer)
		}
	})
}

// expectQuiet expects one of the few things that may be said about a document.
func expectQuiet(t *testing.T, err error, content []byte) {
	t.Helper()
	var read struct {
		Version int64 `json:"version"`
	}
	_ = json.Unmarshal(content, &read)
	if !slices.Contains([]string{
		"it is not a JSON document", "a field of it has an unexpected form", "its version or its credential is missing",
		fmt.Sprintf("its version is %d and this operator reads up to %d", read.Version, version),
	}, err.Error()) {
		t.Errorf("the error is %q", err)
	}
}

// expectNewerRefused expects that a good document of a later version is not read.
func expectNewerRefused(t *testing.T, good []byte, version int64) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(good, &members); err != nil {
		t.Fatal(err)
	}
	members["version"] = fmt.Appendf(nil, "%d", version)
	newer, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(newer); err == nil {
		t.Errorf("version %d was accepted", version)
	}
}

// history is a document and the answers that are under way to it, as several processes
// would write and lose them.
type history struct {
	t      *testing.T
	random *rand.Rand
	d      Document
	now    time.Time
	grants int
	// underWay are answers to claims of the past and of now, in any order.
	underWay []Answer
	// gone are grants that were given up for good: they must not live again.
	gone map[string]bool
}

// FuzzRecord tells any history of claims, answers that are late or lost, requests and
// revocations, and looks at the document after every step.
func FuzzRecord(f *testing.F) {
	for seed := range uint64(16) {
		f.Add(seed, bytes.Repeat([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 4+int(seed)))
	}
	f.Add(uint64(1), bytes.Repeat([]byte{1, 3}, 60)) // sign-ins, one after the other
	for seed := range uint64(8) {
		f.Add(seed, []byte{1, 3, 0, 6, 5, 3}) // revoked on request, wholly, while a refresh is out
		f.Add(seed, []byte{2, 6, 5, 3})       // the same for a seed
	}
	f.Add(uint64(2), []byte{1, 3, 0, 6, 3})                   // revoked on request while a refresh is out
	f.Add(uint64(3), []byte{2, 6, 3})                         // the same for a seed
	f.Add(uint64(4), []byte{1, 3, 2, 0, 3, 3, 4})             // a seed and a refresh, both out
	f.Add(uint64(5), []byte{9, 1, 3, 1, 3, 6, 3, 8, 0, 3, 5}) // policy Never
	f.Fuzz(func(t *testing.T, seed uint64, steps []byte) {
		h := &history{
			t: t, random: rand.New(rand.NewPCG(seed, 1)), now: noon, gone: map[string]bool{},
			d: Document{credentialUID: "uid"},
		}
		for _, step := range steps[:min(len(steps), 200)] {
			before := h.d.claims
			h.step(step)
			h.expectSound(before)
		}
		if read, err := Read(h.written()); err != nil || read.claims != h.d.claims {
			t.Errorf("it cannot be read back: %v", err)
		}
	})
}

func (h *history) step(step byte) {
	h.now = h.now.Add(time.Duration(h.random.IntN(100)) * time.Second)
	h.d = h.d.Clone() // as a pass does: what was remembered must not change
	switch step % 10 {
	case 0:
		if h.d.grant != nil {
			h.claim(*h.d.grant, false, nil)
		}
	case 1:
		h.claim(h.newGrant(), true, nil)
	case 2:
		next := h.newGrant()
		first := &FirstUse{Hash: next.ID, GrantID: next.ID, Seed: next.RefreshToken}
		if open := h.d.firstUse; open != nil && h.random.IntN(2) == 0 {
			next.ID, first = open.GrantID, open // sent again
		}
		h.claim(next, true, first)
	case 3, 4:
		if len(h.underWay) > 0 {
			i := h.random.IntN(len(h.underWay))
			a := h.underWay[i]
			h.underWay = slices.Delete(h.underWay, i, i+1)
			h.recordTwice(a)
		}
	case 5: // the service has revoked what is listed
		h.d.pending = nil
	case 6:
		h.giveUp()
		h.d.RevokeAll(fmt.Sprint(h.now), h.now)
	case 7: // a token has passed its checks
		if h.d.grant != nil && h.d.grant.Token != nil {
			h.d.grant.Token.Check, h.d.meanwhile = nil, nil
		}
	case 8: // an answer is lost
		if len(h.underWay) > 0 {
			h.underWay = h.underWay[1:]
		}
	case 9:
		h.d.terms.Policy = []v1alpha1.RevocationPolicy{v1alpha1.RevocationNever, v1alpha1.RevocationOnDelete}[h.random.IntN(2)]
	}
}

// giveUp remembers the grants that a person has revoked.
func (h *history) giveUp() {
	if h.d.grant != nil {
		h.gone[h.d.grant.ID] = true
	}
	if h.d.firstUse != nil {
		h.gone[h.d.firstUse.GrantID] = true
	}
}

func (h *history) newGrant() Grant {
	h.grants++
	return Grant{ID: fmt.Sprint("g", h.grants), RefreshToken: kept{spacesauth.NewSecret(fmt.Sprint("sent", h.grants))}}
}

// claim announces a spend as the loop does, and puts its answer under way.
func (h *history) claim(g Grant, signIn bool, first *FirstUse) {
	d := &h.d
	d.claims++
	d.claim = &Claim{Number: d.claims, Holder: fmt.Sprint(h.random.IntN(2)), GrantID: g.ID, SignIn: signIn}
	if signIn && first == nil && h.random.IntN(4) == 0 {
		d.claim.RevokeRequest = fmt.Sprint("revoke", d.claims)
	}
	if first != nil {
		if old := d.firstUse; old != nil && old.GrantID != first.GrantID {
			d.list(old.grant(), h.now, h.now, h.now)
			if !d.terms.Never() {
				h.gone[old.GrantID] = true
			}
		}
		d.firstUse = first
	}
	a := Answer{claim: *d.claim, hash: g.ID}
	outcome := h.random.IntN(10)
	switch {
	case outcome == 0:
		a.failure = &Failure{Kind: spacesauth.KindAmbiguous, SignIn: signIn}
	case outcome == 1 && signIn:
		a.refusal = &Refusal{Hash: g.ID, Kind: spacesauth.KindRejectedGrant, SignIn: true}
		if first != nil {
			a.refusal.GrantID = g.ID
		}
	case outcome == 1:
		a.failure = &Failure{Kind: spacesauth.KindRejectedGrant, GrantRefused: true}
	}
	if outcome > 1 || outcome == 0 && h.random.IntN(2) == 0 {
		g.RefreshToken = kept{spacesauth.NewSecret(fmt.Sprint("answer", d.claims))}
		g.Answered, g.Condition = d.claims, Valid
		if a.failure == nil {
			g.Token = &Token{ExpirationTime: h.now.Add(time.Hour)}
			if h.random.IntN(3) == 0 {
				g.Token.Check = &Check{}
			}
		}
		a.grant = &g
	}
	h.underWay = append(h.underWay, a)
}

// recordTwice records an answer, and once more: a write whose outcome was lost is made
// again.
func (h *history) recordTwice(a Answer) {
	t := h.t
	t.Helper()
	open := h.d.claim
	if a.claim.RevokeRequest != "" && open != nil && *open == a.claim {
		h.giveUp()
	}
	h.d.Record(h.copyOf(a), h.now)
	once := h.written()
	again := h.d.Clone()
	again.Record(h.copyOf(a), h.now)
	if twice, err := again.Bytes(); err != nil || !bytes.Equal(once, twice) {
		t.Errorf("recording it twice changed the document (%v):\n%s\n%s", err, once, twice)
	}
	if open != nil && *open == a.claim && h.d.claim != nil {
		t.Error("its claim stays open")
	}
	if open != nil && *open != a.claim && (h.d.claim == nil || *h.d.claim != *open) {
		t.Error("it closed a claim of another call")
	}
	h.expectKept(a)
}

// copyOf is the answer as it is kept in memory: recording must not change it.
func (h *history) copyOf(a Answer) Answer {
	a.grant = a.grant.clone()
	return a
}

// expectKept expects that a refresh token of the service is somewhere: in the grant, on
// the list, or behind a newer one of its grant.
func (h *history) expectKept(a Answer) {
	t := h.t
	t.Helper()
	if a.grant == nil || a.grant.RefreshToken.Empty() || h.d.terms.Never() {
		return
	}
	if g := h.d.grant; g != nil && g.ID == a.grant.ID && (g.Answered > a.claim.Number || g.RefreshToken.Reveal() == a.grant.RefreshToken.Reveal()) {
		return
	}
	if entry := h.d.entry(a.grant.ID); entry == nil || entry.RefreshToken.Reveal() != a.grant.RefreshToken.Reveal() {
		t.Errorf("the refresh token of %s is nowhere", a.grant.ID)
	}
}

func (h *history) written() []byte {
	content, err := h.d.Bytes()
	if err != nil {
		h.t.Fatal(err)
	}
	return content
}

// expectSound is what holds after every step.
func (h *history) expectSound(claimsBefore int64) {
	t, d := h.t, h.d
	t.Helper()
	if len(d.pending) > maxPending {
		t.Fatalf("%d grants are listed", len(d.pending))
	}
	seen := map[string]bool{}
	for _, entry := range d.pending {
		if seen[entry.GrantID] {
			t.Errorf("%s is listed twice", entry.GrantID)
		}
		if entry.RefreshToken.Empty() {
			t.Errorf("%s is listed without a token", entry.GrantID)
		}
		seen[entry.GrantID] = true
	}
	if d.grant != nil && seen[d.grant.ID] {
		t.Errorf("%s is living and listed", d.grant.ID)
	}
	if d.firstUse != nil && seen[d.firstUse.GrantID] {
		t.Errorf("%s is on its way and listed", d.firstUse.GrantID)
	}
	if d.grant != nil && h.gone[d.grant.ID] {
		t.Errorf("%s was given up and lives again", d.grant.ID)
	}
	if d.claims < claimsBefore || d.claim != nil && d.claim.Number > d.claims {
		t.Errorf("after %d claims: %d, and %+v", claimsBefore, d.claims, d.claim)
	}
	if len(d.inputs.Refused) > maxRefusals {
		t.Errorf("%d refusals are remembered", len(d.inputs.Refused))
	}
}
