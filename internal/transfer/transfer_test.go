package transfer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const refreshToken = "rt-5f0c9a1be2d4-0123456789"

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func aGrant() Grant {
	return Grant{
		Source: Source{Namespace: "team-a", Name: "meeting-bot", CredentialUID: "uid", GrantType: "Password"},
		ID:     "g", Environment: "staging", AccountsURL: "https://accounts.example.test", ClientID: "c", Scope: "email spaces",
		RefreshToken: spacesauth.NewSecret(refreshToken), Username: "ann@example.test", UserID: "5f0c",
		StartTime: noon.Add(-time.Hour), ExportTime: noon, TokenExpirationTime: noon.Add(time.Hour),
	}
}

func address() Address {
	return Address{Namespace: "team-a", Name: "meeting-bot", CredentialUID: "uid", Request: "now"}
}

func newKey(t *testing.T) PrivateKey {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sealed is the grant of these tests in its envelope.
func sealed(t *testing.T, to PublicKey) []byte {
	t.Helper()
	content, err := Seal(aGrant(), to, address())
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestAGrantArrivesAsItWasSent(t *testing.T) {
	key := newKey(t)
	text, err := key.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublicKey(" " + key.Public().String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParsePrivateKey(text + "\n")
	if err != nil {
		t.Fatal(err)
	}
	content := sealed(t, public)
	if bytes.Contains(content, []byte(refreshToken)) {
		t.Error("the envelope shows the refresh token")
	}
	envelope, err := ReadEnvelope(append([]byte("\n"), append(content, '\n')...))
	if err != nil {
		t.Fatal(err)
	}
	if envelope.Key != public.ID() || envelope.Request != "now" {
		t.Errorf("it is addressed to %+v", envelope.Address)
	}
	got, err := envelope.Open(again)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := aGrant().Reveal()
	if now, _ := got.Reveal(); !bytes.Equal(now, want) {
		t.Errorf("it is another grant:\n%s\n%s", now, want)
	}
}

// Every byte of an envelope counts: one that was changed does not open, or is the same grant.
func TestAnEnvelopeThatWasChangedDoesNotOpen(t *testing.T) {
	key := newKey(t)
	content := sealed(t, key.Public())
	whole, err := ReadEnvelope(content)
	if err != nil {
		t.Fatal(err)
	}
	for i := range content {
		changed := bytes.Clone(content)
		changed[i] ^= 1
		envelope, err := ReadEnvelope(changed)
		if err != nil {
			continue
		}
		// Base64 has bits at its end that mean nothing.
		if _, err := envelope.Open(key); err == nil && !reflect.DeepEqual(envelope, whole) {
			t.Fatalf("it opens with byte %d changed: %s", i, changed[max(0, i-20):min(len(changed), i+20)])
		}
	}
	var members map[string]any
	if err := json.Unmarshal(content, &members); err != nil {
		t.Fatal(err)
	}
	for member := range members {
		without := map[string]any{}
		for name, value := range members {
			if name != member {
				without[name] = value
			}
		}
		raw, _ := json.Marshal(without)
		if envelope, err := ReadEnvelope(raw); err == nil {
			if _, err := envelope.Open(key); err == nil {
				t.Errorf("it opens without %s", member)
			}
		}
	}
}

func TestAnEnvelopeOpensWithItsKeyAlone(t *testing.T) {
	first, second := newKey(t), newKey(t)
	envelope, err := ReadEnvelope(sealed(t, first.Public()))
	if err != nil {
		t.Fatal(err)
	}
	_, err = envelope.Open(second)
	if want := "the export is for the key " + first.Public().ID() + ", and this is the key " + second.Public().ID(); err == nil || err.Error() != want {
		t.Errorf("it says %v", err)
	}
	envelope.Key = second.Public().ID()
	if _, err = envelope.Open(second); err == nil || strings.Contains(err.Error(), refreshToken) {
		t.Errorf("another key opens it: %v", err)
	}
}

// A sealed grant of one object must not be shown as that of another: address and grant agree.
func TestAnAddressThatIsNotTheGrantsIsNotBelieved(t *testing.T) {
	key := newKey(t)
	of := address()
	of.Name = "another"
	content, err := Seal(aGrant(), key.Public(), of)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := ReadEnvelope(content)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := envelope.Open(key); err == nil {
		t.Error("it opens")
	}
}

func TestWhatIsNoGrantIsNotRead(t *testing.T) {
	change := func(by func(*written)) []byte {
		var w written
		content, _ := aGrant().Reveal()
		if err := json.Unmarshal(content, &w); err != nil {
			t.Fatal(err)
		}
		by(&w)
		changed, _ := json.Marshal(w)
		return changed
	}
	for sentence, content := range map[string][]byte{
		"nothing":                       nil,
		"a text":                        []byte(refreshToken),
		"a newer version":               change(func(w *written) { w.Version = 2 }),
		"no version":                    change(func(w *written) { w.Version = 0 }),
		"no refresh token":              change(func(w *written) { w.RefreshToken = "" }),
		"no client":                     change(func(w *written) { w.ClientID = "" }),
		"no accounts URL":               change(func(w *written) { w.AccountsURL = "" }),
		"no ID":                         change(func(w *written) { w.ID = "" }),
		"a refresh token with a space":  change(func(w *written) { w.RefreshToken = "a b" }),
		"a refresh token beyond bounds": change(func(w *written) { w.RefreshToken = strings.Repeat("a", spacesauth.MaxRefreshToken+1) }),
		"a user with an escape":         change(func(w *written) { w.Username = "a\x1b[31m" }),
		"a scope beyond bounds":         change(func(w *written) { w.Scope = strings.Repeat("a", maxText+1) }),
		"more than fits":                append(change(func(*written) {}), bytes.Repeat([]byte(" "), MaxSize)...),
		"a number for a name":           []byte(`{"version":1,"grantID":7}`),
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := ReadGrant(content)
			if err == nil {
				t.Fatal("it is read")
			}
			if strings.Contains(err.Error(), refreshToken) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("the error repeats it: %v", err)
			}
		})
	}
}

func TestWhatIsNoKeyIsNotRead(t *testing.T) {
	x25519 := "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
	for _, text := range []string{"", "x", x25519, strings.Repeat("A", 88), strings.Repeat("BO", 1000)} {
		if _, err := ParsePublicKey(text); err == nil || !strings.Contains(err.Error(), "no public key") {
			t.Errorf("%q is read as a public key (%v)", text, err)
		}
		if _, err := ParsePrivateKey(text); text != x25519 && err == nil {
			t.Errorf("%q is read as a private key", text)
		}
	}
}

func TestAPrivateKeyIsPrintedNowhere(t *testing.T) {
	key := newKey(t)
	text, err := key.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(map[string]any{"key": key})
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s %x", key, key, key, key, []any{key}), string(raw)} {
		if strings.Contains(printed, text) || strings.Contains(printed, "0x") {
			t.Errorf("it prints as %s", printed)
		}
	}
}

// FuzzReadEnvelope reads what anybody may put into a file.
func FuzzReadEnvelope(f *testing.F) {
	key, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	content, err := Seal(aGrant(), key.Public(), address())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte(`{"version":1,"suite":"` + Suite + `","key":"` + key.Public().ID() + `","encapsulated":"","sealed":""}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		envelope, err := ReadEnvelope(content)
		if err != nil {
			return
		}
		if _, err := envelope.Open(key); err != nil && strings.ContainsFunc(err.Error(), isControl) {
			t.Errorf("the error steers a terminal: %q", err)
		}
	})
}
