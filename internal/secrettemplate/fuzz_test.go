package secrettemplate

import (
	"runtime/metrics"
	"strings"
	"testing"
	"unicode"
)

// secretFields are values that stand in no template; whatever is derived from one keeps
// a part of it that is found again, in whichever case.
var secretFields = Fields{
	AccessToken:   "zqAccessToken7x",
	TokenType:     "zqTokenType7x",
	Authorization: "zqAuthorization7x",
	ExpiresAt:     "zqExpiresAt7x",
	Scope:         "zqScope7x zqScope7x",
	APIURL:        "https://zqapi7x.test",
	SocketURL:     "wss://zqsocket7x.test",
	IDToken:       "zqIDToken7x",
	Identity:      Identity{Username: "zqUsername7x", UserID: "zqUserID7x"},
}

// marks are what is looked for in errors: the secret fields, in part and as base64.
var marks = []string{"zq", "enFBY2Nl"}

// templates is where fuzzing begins.
var templates = []string{
	"", "plain", `token = "{{ .AccessToken }}"`, "{{ if .Scope }}{{ .Scope | replace ` ` `,` | quote }}{{ else }}none{{ end }}",
	"{{ with .Identity }}{{ .Username }}{{ end }}", "{{ with .Identity }}{{ . }}{{ end }}", "{{ $i := .Identity }}{{ $i.UserID | upper }}", "{{ range 9 }}{{ end }}", "{{ define `a` }}{{ end }}",
	"{{ $x := .IDToken }}{{ $x = print $x $x }}{{ $x }}", "{{ printf `%-9s|%5.2f` .Scope 1.5 }}", "{{ indent 3 .Scope | nindent 2 | b64enc | b64dec | toJson }}",
	"{{ .AccessToken | html | js | urlquery | trunc 9 }}", "{{ `a` | replace `a` `aa` | replace `a` `aa` }}", "{{ coalesce .SocketURL nil }}",
	"{{ ternary 1 2 true }}{{ eq 1 2 }}{{ lt .Scope `a` }}", "{{ b64dec .AccessToken }}", "{{ lt .Scope 1 }}", "{{ .AccessToken.Foo }}", "{{ (print .AccessToken).Foo }}",
	"{{ $y := .AccessToken }}{{ $y.Foo }}", "{{ len 3 }}{{ len .AccessToken }}", "{{ ternary .IDToken .Scope .AccessToken }}", "{{ trunc .AccessToken .Scope }}", "{{ printf .AccessToken .Scope }}",
	"{{ printf `%d` .AccessToken }}{{ printf `%!` }}", "{{ trimAll .IDToken .IDToken }}", "{{ replace `` .AccessToken .Scope }}", "{{ indent 101 .AccessToken }}", "{{ eq .Identity .Identity }}", "{{ toJson .Identity | quote | squote }}",
	"{{ (index .AccessToken) }}", "{{ call .AccessToken }}", "{{ and .AccessToken (or nil .Scope) | not }}", "{{ nil }}", "{{ . }}", "{{ $ }}", "{{ break }}", "{{ `a\nb` | indent 100 | indent 100 }}", "{{/* a */}}{{- 1 -}}",
	"{{ title .Scope | cat 1 nil | squote | lower | contains `a` }}", "{{ empty nil }}{{ default .AccessToken nil }}", "{{ le 1 1.5 }}{{ ge 'a' 1 }}{{ gt 1i 2i }}", "{{ print 0x7fffffffffffffff 1e308 }}", large + "{{ $x | lower | upper | trim | len }}",
}

// FuzzRender renders any template with any values.
func FuzzRender(f *testing.F) {
	for _, text := range templates {
		f.Add(text, "00aa11bb22cc33dd", "email spaces")
	}
	f.Add("{{ .AccessToken }}{{ .AccessToken }}", strings.Repeat("a", MaxKey/2), "")
	f.Add("{{ .AccessToken | quote }}", strings.Repeat("a", MaxKey), "")
	f.Add("{{ .Scope | toJson | js }}", "\x00\xff{{", "{{ .AccessToken }}\u2028<>'\"")
	f.Fuzz(func(t *testing.T, text, token, scope string) {
		fields := given
		fields.AccessToken, fields.Scope = token, scope
		parsed, err := Parse("a.txt", text)
		if err != nil {
			expectFitToSay(t, err)
			return
		}
		expectFrugal(t, len(token)+len(scope), func() {
			out, err := parsed.Render(fields)
			if len(out) > MaxKey {
				t.Errorf("%d bytes came out", len(out))
			}
			if err != nil {
				expectFitToSay(t, err)
				expectNoValue(t, err, text, given.IDToken)
			}
			again, second := parsed.Render(fields)
			if string(again) != string(out) || (second == nil) != (err == nil) {
				t.Error("rendered twice it differs")
			}
		})
	})
}

// FuzzErrorsTellNoValue renders any template with values that are found again.
func FuzzErrorsTellNoValue(f *testing.F) {
	for _, text := range templates {
		f.Add("a.txt", text)
	}
	f.Add("a\nb\x1b", "{{ .AccessToken | b64dec }}")
	f.Add("zq", "{{ .Nothing }}")
	f.Fuzz(func(t *testing.T, key, text string) {
		if len(key) > 253 { // the API server takes no longer one
			return
		}
		set, err := ParseSet([]Entry{{key, text}})
		if err != nil {
			expectFitToSay(t, err)
			return
		}
		if _, err := set.Render(secretFields); err != nil {
			expectFitToSay(t, err)
			for _, mark := range marks {
				expectNoValue(t, err, key+text, mark)
			}
		}
	})
}

// FuzzSet checks, parses and renders several templates as one Secret.
func FuzzSet(f *testing.F) {
	for i, text := range templates {
		f.Add(text, templates[(i+1)%len(templates)], uint8(i))
	}
	f.Add(large+"{{ $x }}", "", uint8(8))
	f.Add(large+"{{ $x }}", strings.Repeat("a", MaxText), uint8(9))
	f.Fuzz(func(t *testing.T, first, second string, copies uint8) {
		var entries []Entry
		for i := range int(copies)%20 + 1 {
			entries = append(entries, Entry{string(rune('a'+i)) + ".txt", first}, Entry{string(rune('a'+i)) + ".ini", second})
		}
		expectFrugal(t, 0, func() {
			if err := Check(entries[:2]); err != nil {
				expectFitToSay(t, err)
			}
		})
		set, err := ParseSet(entries)
		if err != nil {
			return
		}
		data, err := set.Render(secretFields)
		total := 0
		for key, value := range data {
			if len(value) > MaxKey {
				t.Errorf("%d bytes came out for %s", len(value), key)
			}
			total += len(value)
		}
		switch {
		case total > MaxTotal:
			t.Errorf("%d bytes came out in all", total)
		case err != nil && data != nil:
			t.Error("an error came with data")
		case err == nil && len(data) != len(entries):
			t.Errorf("%d of %d keys came out", len(data), len(entries))
		}
	})
}

// expectNoValue looks for a value in an error, unless the template says it itself.
func expectNoValue(t *testing.T, err error, template, value string) {
	t.Helper()
	if strings.Contains(fold(err.Error()), fold(value)) && !strings.Contains(fold(template), fold(value)) {
		t.Errorf("a value stands in the error: %v", err)
	}
}

// fold writes every letter in the same case.
func fold(text string) string {
	return strings.Map(func(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }, text)
}

// allocated is how much memory was ever asked for.
const allocated = "/gc/heap/allocs:bytes"

// expectFrugal bounds the memory, and so the time, that work asks for: a clock would
// measure the machine.
func expectFrugal(t *testing.T, given int, work func()) {
	t.Helper()
	before := []metrics.Sample{{Name: allocated}}
	after := []metrics.Sample{{Name: allocated}}
	metrics.Read(before)
	work()
	metrics.Read(after)
	if spent := after[0].Value.Uint64() - before[0].Value.Uint64(); spent > 2*maxSpent+64*uint64(given) {
		t.Errorf("%d MiB were asked for", spent>>20)
	}
}
