package seal_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/seal"
)

var place = seal.Place{Namespace: "team-a", Name: "bot-grant", Credential: "a-credential"}

func newRing(t testing.TB) seal.Keyring {
	t.Helper()
	key, err := seal.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return seal.NewKeyring(key)
}

// both is a ring of the keys of two, sealing with that of the second.
func both(t *testing.T, first, second seal.Keyring) seal.Keyring {
	t.Helper()
	data := second.Data()
	for name, value := range first.Data() {
		if name != seal.Current {
			data[name] = value
		}
	}
	ring, err := seal.ParseKeyring(data)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func sealed(t testing.TB, ring seal.Keyring, document string) []byte {
	t.Helper()
	content, err := ring.Seal(place, []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestWhatIsSealedOpens(t *testing.T) {
	ring := newRing(t)
	content := sealed(t, ring, "a refresh token")
	if bytes.Contains(content, []byte("refresh")) {
		t.Error("it can be read")
	}
	if bytes.Equal(content, sealed(t, ring, "a refresh token")) {
		t.Error("equal documents are sealed alike")
	}
	document, at, err := ring.Open(place.Namespace, place.Name, content)
	if err != nil || string(document) != "a refresh token" || at != place {
		t.Errorf("%q at %v: %v", document, at, err)
	}
}

func TestASealIsOfOnePlace(t *testing.T) {
	ring := newRing(t)
	content := sealed(t, ring, "a refresh token")
	change := func(member string, value any) []byte {
		var e map[string]any
		if err := json.Unmarshal(content, &e); err != nil {
			t.Fatal(err)
		}
		e[member] = value
		changed, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	for what, try := range map[string]struct {
		namespace, name string
		content         []byte
	}{
		"another name":                       {"team-a", "other-grant", content},
		"another namespace":                  {"team-b", "bot-grant", content},
		"another name, said so":              {"team-a", "other-grant", change("name", "other-grant")},
		"another namespace, said so":         {"team-b", "bot-grant", change("namespace", "team-b")},
		"another credential":                 {"team-a", "bot-grant", change("credentialUID", "another")},
		"nothing":                            {"team-a", "bot-grant", nil},
		"no JSON":                            {"team-a", "bot-grant", []byte("x")},
		"an unsealed document":               {"team-a", "bot-grant", []byte(`{"version":1,"credentialUID":"a-credential"}`)},
		"a key that nobody could have named": {"team-a", "bot-grant", change("key", "<b>come here</b>")},
		"no version":                         {"team-a", "bot-grant", change("version", 0)},
		"too large":                          {"team-a", "bot-grant", change("sealed", bytes.Repeat([]byte("a"), seal.MaxSize))},
	} {
		if _, _, err := ring.Open(try.namespace, try.name, try.content); !errors.Is(err, seal.ErrBroken) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestADocumentThatIsCutOrChangedDoesNotOpen(t *testing.T) {
	ring := newRing(t)
	content := sealed(t, ring, "a refresh token")
	for i := range content {
		if _, _, err := ring.Open(place.Namespace, place.Name, content[:i]); err == nil {
			t.Errorf("it opens when cut at %d", i)
		}
		changed := bytes.Clone(content)
		changed[i] ^= 1
		document, _, err := ring.Open(place.Namespace, place.Name, changed)
		if err == nil {
			t.Errorf("it opens with byte %d (%q) changed: %q", i, content[i], document)
		}
	}
}

func TestAKeyThatIsMissingIsNamed(t *testing.T) {
	old, ring := newRing(t), newRing(t)
	content := sealed(t, old, "a refresh token")
	_, _, err := ring.Open(place.Namespace, place.Name, content)
	var unknown *seal.UnknownKeyError
	if !errors.As(err, &unknown) || unknown.ID != old.CurrentID() {
		t.Errorf("it was told: %v", err)
	}
	rotated := both(t, old, ring)
	if _, _, err := rotated.Open(place.Namespace, place.Name, content); err != nil {
		t.Errorf("the old key is there and does not open: %v", err)
	}
	if _, _, err := ring.Open(place.Namespace, place.Name, sealed(t, rotated, "x")); err != nil {
		t.Errorf("another key than the current one seals: %v", err)
	}
}

func TestANewerSealIsTold(t *testing.T) {
	ring := newRing(t)
	content := bytes.Replace(sealed(t, ring, "x"), []byte(`"version":1`), []byte(`"version":2`), 1)
	var newer *seal.NewerError
	if _, _, err := ring.Open(place.Namespace, place.Name, content); !errors.As(err, &newer) || newer.Version != 2 {
		t.Errorf("it was told: %v", err)
	}
}

func TestARingIsReadAsItWasWritten(t *testing.T) {
	ring := both(t, newRing(t), newRing(t))
	again, err := seal.ParseKeyring(ring.Data())
	if err != nil || again.CurrentID() != ring.CurrentID() || len(again.IDs()) != 2 {
		t.Errorf("%v, %v", again, err)
	}
}

func TestARingThatCannotBeIsRefused(t *testing.T) {
	ring := newRing(t)
	for what, change := range map[string]func(map[string][]byte){
		"a key of 31 bytes":     func(data map[string][]byte) { data[ring.CurrentID()] = data[ring.CurrentID()][1:] },
		"a key of another name": func(data map[string][]byte) { data["mine"] = bytes.Repeat([]byte("k"), seal.KeySize) },
		"no current":            func(data map[string][]byte) { delete(data, seal.Current) },
		"a current that is not": func(data map[string][]byte) { data[seal.Current] = []byte("0123") },
		"nothing":               func(data map[string][]byte) { clear(data) },
	} {
		data := ring.Data()
		change(data)
		if _, err := seal.ParseKeyring(data); err == nil {
			t.Errorf("%s was taken", what)
		} else if strings.Contains(err.Error(), "kkkk") {
			t.Errorf("%s: the error repeats a key: %v", what, err)
		}
	}
}

func TestACodeIsOfItsPartsItsUseAndItsCredential(t *testing.T) {
	ring := newRing(t)
	id, code, err := ring.MAC("claim", "a-credential", "a-secret", "12")
	if err != nil || !ring.Verifies(id, code, "claim", "a-credential", "a-secret", "12") {
		t.Fatalf("it does not verify: %v", err)
	}
	for what, verifies := range map[string]bool{
		"another use":        ring.Verifies(id, code, "inputs", "a-credential", "a-secret", "12"),
		"another credential": ring.Verifies(id, code, "claim", "another", "a-secret", "12"),
		"other parts":        ring.Verifies(id, code, "claim", "a-credential", "a-secret", "13"),
		"a moved border":     ring.Verifies(id, code, "claim", "a-credential", "a-secret1", "2"),
		"another key":        newRing(t).Verifies(id, code, "claim", "a-credential", "a-secret", "12"),
	} {
		if verifies {
			t.Errorf("%s verifies", what)
		}
	}
}

func TestAKeyIsNotPrinted(t *testing.T) {
	key, err := seal.NewKey(strings.NewReader(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(format, []any{key, seal.NewKeyring(key)}); strings.Contains(text, "kkkk") || strings.Contains(text, "6b6b") {
			t.Errorf("%s prints it", format)
		}
	}
}

func FuzzOpen(f *testing.F) {
	key, err := seal.NewKey(strings.NewReader(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		f.Fatal(err)
	}
	ring := seal.NewKeyring(key)
	f.Add(sealed(f, ring, "a refresh token"))
	f.Add([]byte(`{"version":1,"credentialUID":"a-credential"}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, at, err := ring.Open(place.Namespace, place.Name, content); err == nil && at != place {
			t.Errorf("it opened for %v", at)
		}
	})
}

// worstContents are what somebody may put there who wants it to be costly to look at.
func worstContents(ring seal.Keyring) map[string][]byte {
	head := `{"version":1,"key":"` + ring.CurrentID() + `","namespace":"team-a","name":"bot-grant","credentialUID":"x",`
	fill := func(begin, unit, end string) []byte {
		return []byte(begin + strings.Repeat(unit, (seal.MaxSize-len(begin)-len(end))/len(unit)) + end)
	}
	return map[string][]byte{
		"a MiB of entries":            []byte(`{"version":1,"pending":[` + strings.Repeat("{},", 349_000) + "{}]}"),
		"as many entries as are read": fill(head+`"pending":[`, "{},", "{}]}"),
		"members without end":         fill(head, `"a":1,`, `"b":1}`),
		"members beside a seal":       fill(head+`"sealed":"AAAA",`, `"a":1,`, `"b":1}`),
		"numbers beside a seal":       fill(head+`"sealed":"AAAA","a":[`, "1,", "1]}"),
		"a member again and again":    fill(head+`"sealed":"AAAA",`, `"key":{},`, `"b":1}`),
		"an escaped name of a member": fill(head+`"sealed":"AAAA","`, "\\u017f", `":1}`),
		"a name that is no text":      fill(head+`"sealed":"AAAA","name":"`, "\xff", `"}`),
		"white space":                 fill(head+`"sealed":"AAAA"`, " ", "}"),
		"lists in lists":              fill(head+`"a":`, "[", "]}"),
		"a sealed text of ours":       fill(head+`"sealed":"`, "AAAA", `"}`),
		"a sealed list of numbers":    fill(head+`"sealed":[`, "1,", "1]}"),
		"escapes":                     fill(head+`"name":"`, "\\u0000", `"}`),
		"a long name of a key":        fill(`{"version":1,"sealed":"AAAA","key":"`, "a", `"}`),
	}
}

// Whatever somebody puts there, to find out that it is nobody's costs little memory.
func TestNoContentCostsMuchToLookAt(t *testing.T) {
	ring := newRing(t)
	const mostSpent = 4 << 20
	for what, content := range worstContents(ring) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := ring.Open("team-a", "bot-grant", content)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s opens", what)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > mostSpent {
			t.Errorf("%s: %d KiB were asked for", what, spent>>10)
		}
	}
}

// BenchmarkTheWorstContents tells how long it takes to find out: 10 ms at most, as the design
// has it. No test asserts a time.
func BenchmarkTheWorstContents(b *testing.B) {
	ring := newRing(b)
	for what, content := range worstContents(ring) {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := ring.Open("team-a", "bot-grant", content); err == nil {
					b.Fatal("it opens")
				}
			}
		})
	}
}

// BenchmarkAUsualDocument is what a claim and a save cost, and a read.
func BenchmarkAUsualDocument(b *testing.B) {
	ring, document := newRing(b), bytes.Repeat([]byte("document"), 256)
	sealed, err := ring.Seal(place, document)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ring.Seal(place, document); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := ring.Open(place.Namespace, place.Name, sealed); err != nil {
				b.Fatal(err)
			}
		}
	})
}
