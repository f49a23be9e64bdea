package controllers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// fullDocument has something in every member.
func fullDocument() document {
	token := tokenRecord{
		AccessToken: kept{spacesauth.NewSecret("at")}, IDToken: kept{spacesauth.NewSecret("a.b.c")}, TokenType: "Bearer", Scope: "email",
		ObtainedBy: v1alpha1.GrantTypePassword, IssueTime: noon, RenewalTime: noon.Add(40 * time.Minute), ExpirationTime: noon.Add(time.Hour),
		Check: &check{Attempts: 1, Detail: "d", Person: true, NextAttemptTime: noon},
	}
	return document{
		Version: 1, CredentialUID: "uid", SecretUID: "secret", Claims: 7,
		Claim: &claim{Number: 7, Holder: "me", Time: noon.Add(time.Nanosecond), GrantID: "g", SignIn: true, RenewRequest: "r", RevokeRequest: "v"},
		Grant: &grant{
			ID: "g", Type: v1alpha1.GrantTypePassword, Environment: "e", AccountsURL: "https://a.test", ClientID: "c", RefreshToken: kept{spacesauth.NewSecret("rt")},
			Answered: 6, Rotations: 5, StartTime: noon, Token: &token, Condition: grantAmbiguous, Identity: identity{"u", "i"},
		},
		FirstUse:            &firstUse{Seed: kept{spacesauth.NewSecret("seed")}, Code: kept{spacesauth.NewSecret("code")}, CodeVerifier: kept{spacesauth.NewSecret("v")}, RedirectURI: "http://localhost", Hash: "h", GrantID: "f", Environment: "e", AccountsURL: "https://a.test", ClientID: "c"},
		Previous:            &previous{Token: token, Environment: "e", AccountsURL: "https://a.test", ClientID: "c", Identity: identity{"u", "i"}},
		Inputs:              inputMemory{Key: []byte("key"), Used: usedInputs{"c", "l", "s", "o"}, Refused: []refusal{{Hash: "h", Kind: spacesauth.KindUnclear, Detail: "d", SignIn: true, GrantID: "x"}}},
		Failure:             &failure{Kind: spacesauth.KindThrottled, SignIn: true, Detail: "d", InputsHash: "h", GrantRefused: true, Count: 2, Exponent: 1, Expired: true, NextAttemptTime: noon},
		HandledRenewRequest: "a", TriedRenewRequest: "b", HandledRevokeRequest: "c", Revoked: true, PublishedKeys: []string{"access_token"},
		Revocation: revocationTerms{Policy: v1alpha1.RevocationOnDelete, DeadlineSeconds: 300},
		Pending:    []pendingRevocation{{GrantID: "p", Environment: "e", AccountsURL: "https://a.test", ClientID: "c", RefreshToken: kept{spacesauth.NewSecret("old")}, Always: true, NotBefore: noon, TokenExpirationTime: noon, Attempts: 1, Detail: "d", NextAttemptTime: noon, GiveUpTime: noon}},
	}
}

// FuzzReadDocument reads any content of a state Secret.
func FuzzReadDocument(f *testing.F) {
	full, err := fullDocument().bytes()
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
	f.Fuzz(func(t *testing.T, content []byte, version int64) {
		d, err := readDocument(content)
		if err != nil {
			expectQuiet(t, err, content)
			return
		}
		if d.Version != documentVersion || d.CredentialUID == "" {
			t.Fatalf("version %d of %q was accepted", d.Version, d.CredentialUID)
		}
		written, err := d.bytes()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := readDocument(written)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if rewritten, err := again.bytes(); err != nil || !bytes.Equal(written, rewritten) {
			t.Errorf("read and written again it differs (%v):\n%s\n%s", err, written, rewritten)
		}
		if g := d.Grant; g != nil && (again.Grant == nil || again.Grant.RefreshToken.Reveal() != g.RefreshToken.Reveal() || !again.Grant.StartTime.Equal(g.StartTime)) {
			t.Error("the grant is another one")
		}
		if copied, err := d.clone().bytes(); err != nil || !bytes.Equal(copied, written) {
			t.Errorf("a copy differs (%v)", err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %s %q", d, d, d, []any{d}), "refreshToken") {
			t.Error("it prints what it holds")
		}
		if version > documentVersion {
			expectNewerRefused(t, written, version)
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
		fmt.Sprintf("its version is %d and this operator reads up to %d", read.Version, documentVersion),
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
	if _, err := readDocument(newer); err == nil {
		t.Errorf("version %d was accepted", version)
	}
}

// history is a document and the answers that are under way to it, as several processes
// would write and lose them.
type history struct {
	t      *testing.T
	random *rand.Rand
	d      document
	now    time.Time
	grants int
	// underWay are answers to claims of the past and of now, in any order.
	underWay []answer
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
			d: document{Version: 1, CredentialUID: "uid"},
		}
		for _, step := range steps[:min(len(steps), 200)] {
			before := h.d.Claims
			h.step(step)
			h.expectSound(before)
		}
		if read, err := readDocument(h.written()); err != nil || read.Claims != h.d.Claims {
			t.Errorf("it cannot be read back: %v", err)
		}
	})
}

func (h *history) step(step byte) {
	h.now = h.now.Add(time.Duration(h.random.IntN(100)) * time.Second)
	h.d = h.d.clone() // as a pass does: what was remembered must not change
	switch step % 10 {
	case 0:
		if h.d.Grant != nil {
			h.claim(*h.d.Grant, false, nil)
		}
	case 1:
		h.claim(h.newGrant(), true, nil)
	case 2:
		next := h.newGrant()
		first := &firstUse{Hash: next.ID, GrantID: next.ID, Seed: next.RefreshToken}
		if open := h.d.FirstUse; open != nil && h.random.IntN(2) == 0 {
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
		h.d.Pending = nil
	case 6:
		h.giveUp()
		h.d.revokeAll(fmt.Sprint(h.now), h.now)
	case 7: // a token has passed its checks
		if h.d.Grant != nil && h.d.Grant.Token != nil {
			h.d.Grant.Token.Check, h.d.Previous = nil, nil
		}
	case 8: // an answer is lost
		if len(h.underWay) > 0 {
			h.underWay = h.underWay[1:]
		}
	case 9:
		h.d.Revocation.Policy = []v1alpha1.RevocationPolicy{v1alpha1.RevocationNever, v1alpha1.RevocationOnDelete}[h.random.IntN(2)]
	}
}

// giveUp remembers the grants that a person has revoked.
func (h *history) giveUp() {
	if h.d.Grant != nil {
		h.gone[h.d.Grant.ID] = true
	}
	if h.d.FirstUse != nil {
		h.gone[h.d.FirstUse.GrantID] = true
	}
}

func (h *history) newGrant() grant {
	h.grants++
	return grant{ID: fmt.Sprint("g", h.grants), RefreshToken: kept{spacesauth.NewSecret(fmt.Sprint("sent", h.grants))}}
}

// claim announces a spend as the loop does, and puts its answer under way.
func (h *history) claim(g grant, signIn bool, first *firstUse) {
	d := &h.d
	d.Claims++
	d.Claim = &claim{Number: d.Claims, Holder: fmt.Sprint(h.random.IntN(2)), GrantID: g.ID, SignIn: signIn}
	if signIn && first == nil && h.random.IntN(4) == 0 {
		d.Claim.RevokeRequest = fmt.Sprint("revoke", d.Claims)
	}
	if first != nil {
		if old := d.FirstUse; old != nil && old.GrantID != first.GrantID {
			d.list(old.grant(), h.now, h.now, h.now)
			if !d.Revocation.never() {
				h.gone[old.GrantID] = true
			}
		}
		d.FirstUse = first
	}
	a := answer{claim: *d.Claim, inputsHash: g.ID}
	outcome := h.random.IntN(10)
	switch {
	case outcome == 0:
		a.failure = &failure{Kind: spacesauth.KindAmbiguous, SignIn: signIn}
	case outcome == 1 && signIn:
		a.refusal = &refusal{Hash: g.ID, Kind: spacesauth.KindRejectedGrant, SignIn: true}
		if first != nil {
			a.refusal.GrantID = g.ID
		}
	case outcome == 1:
		a.failure = &failure{Kind: spacesauth.KindRejectedGrant, GrantRefused: true}
	}
	if outcome > 1 || outcome == 0 && h.random.IntN(2) == 0 {
		g.RefreshToken = kept{spacesauth.NewSecret(fmt.Sprint("answer", d.Claims))}
		g.Answered, g.Condition = d.Claims, grantValid
		if a.failure == nil {
			g.Token = &tokenRecord{ExpirationTime: h.now.Add(time.Hour)}
			if h.random.IntN(3) == 0 {
				g.Token.Check = &check{}
			}
		}
		a.grant = &g
	}
	h.underWay = append(h.underWay, a)
}

// recordTwice records an answer, and once more: a write whose outcome was lost is made
// again.
func (h *history) recordTwice(a answer) {
	t := h.t
	t.Helper()
	open := h.d.Claim
	if a.claim.RevokeRequest != "" && open != nil && *open == a.claim {
		h.giveUp()
	}
	h.d.record(h.copyOf(a), h.now)
	once := h.written()
	again := h.d.clone()
	again.record(h.copyOf(a), h.now)
	if twice, err := again.bytes(); err != nil || !bytes.Equal(once, twice) {
		t.Errorf("recording it twice changed the document (%v):\n%s\n%s", err, once, twice)
	}
	if open != nil && *open == a.claim && h.d.Claim != nil {
		t.Error("its claim stays open")
	}
	if open != nil && *open != a.claim && (h.d.Claim == nil || *h.d.Claim != *open) {
		t.Error("it closed a claim of another call")
	}
	h.expectKept(a)
}

// copyOf is the answer as it is kept in memory: recording must not change it.
func (h *history) copyOf(a answer) answer {
	a.grant = clonePointer(a.grant)
	return a
}

// expectKept expects that a refresh token of the service is somewhere: in the grant, on
// the list, or behind a newer one of its grant.
func (h *history) expectKept(a answer) {
	t := h.t
	t.Helper()
	if a.grant == nil || a.grant.RefreshToken.Empty() || h.d.Revocation.never() {
		return
	}
	if g := h.d.Grant; g != nil && g.ID == a.grant.ID && (g.Answered > a.claim.Number || g.RefreshToken.Reveal() == a.grant.RefreshToken.Reveal()) {
		return
	}
	if entry := h.d.listed(a.grant.ID); entry == nil || entry.RefreshToken.Reveal() != a.grant.RefreshToken.Reveal() {
		t.Errorf("the refresh token of %s is nowhere", a.grant.ID)
	}
}

func (h *history) written() []byte {
	content, err := h.d.bytes()
	if err != nil {
		h.t.Fatal(err)
	}
	return content
}

// expectSound is what holds after every step.
func (h *history) expectSound(claimsBefore int64) {
	t, d := h.t, h.d
	t.Helper()
	if len(d.Pending) > maxPending {
		t.Fatalf("%d grants are listed", len(d.Pending))
	}
	seen := map[string]bool{}
	for _, entry := range d.Pending {
		if seen[entry.GrantID] {
			t.Errorf("%s is listed twice", entry.GrantID)
		}
		if entry.RefreshToken.Empty() {
			t.Errorf("%s is listed without a token", entry.GrantID)
		}
		seen[entry.GrantID] = true
	}
	if d.Grant != nil && seen[d.Grant.ID] {
		t.Errorf("%s is living and listed", d.Grant.ID)
	}
	if d.FirstUse != nil && seen[d.FirstUse.GrantID] {
		t.Errorf("%s is on its way and listed", d.FirstUse.GrantID)
	}
	if d.Grant != nil && h.gone[d.Grant.ID] {
		t.Errorf("%s was given up and lives again", d.Grant.ID)
	}
	if d.Claims < claimsBefore || d.Claim != nil && d.Claim.Number > d.Claims {
		t.Errorf("after %d claims: %d, and %+v", claimsBefore, d.Claims, d.Claim)
	}
	if len(d.Inputs.Refused) > maxRefusals {
		t.Errorf("%d refusals are remembered", len(d.Inputs.Refused))
	}
}
