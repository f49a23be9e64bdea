package secrettemplate

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// given are values that look like nothing else in a message.
var given = Fields{
	AccessToken:   "00aa11bb22cc33dd",
	TokenType:     "Bearer",
	Authorization: "Bearer 00aa11bb22cc33dd",
	ExpiresAt:     "2026-11-23T23:29:05Z",
	Scope:         "email spaces",
	APIURL:        "https://api.example.test",
	SocketURL:     "",
	IDToken:       "eyJh.eyJz.c2ln",
	Identity:      Identity{Username: "bot@example.test", UserID: "4711"},
}

func TestATemplateIsRendered(t *testing.T) {
	for sentence, c := range map[string]struct{ text, want string }{
		"a text stays as it is": {"plain\n", "plain\n"},
		"a field":               {`token = "{{ .AccessToken }}"`, `token = "00aa11bb22cc33dd"`},
		"every field":           {"{{.TokenType}},{{.Authorization}},{{.ExpiresAt}},{{.Scope}},{{.APIURL}},{{.SocketURL}},{{.IDToken}}", "Bearer,Bearer 00aa11bb22cc33dd,2026-11-23T23:29:05Z,email spaces,https://api.example.test,,eyJh.eyJz.c2ln"},
		"the identity, by path": {"{{ .Identity.Username }} {{ .Identity.UserID }}", "bot@example.test 4711"},
		"the identity, by with": {"{{ with .Identity }}{{ .Username }} {{ $.TokenType }}{{ end }}", "bot@example.test Bearer"},
		"the identity, by variable and parentheses":   {"{{ $i := .Identity }}{{ $i.UserID }}{{ (.Identity).UserID }}", "47114711"},
		"if, else if and else":                        {"{{ if .SocketURL }}a{{ else if eq .TokenType `jwt` }}b{{ else }}c{{ end }}", "c"},
		"with and its else":                           {"{{ with .SocketURL }}{{ . }}{{ else with .Scope }}{{ . }}{{ end }}", "email spaces"},
		"a variable that changes":                     {"{{ $x := `a` }}{{ if .Scope }}{{ $x = `b` }}{{ end }}{{ $x }}", "b"},
		"comments and trimmed space":                  {"a {{- /* why */ -}} b", "ab"},
		"and, or, not, len":                           {"{{ and .Scope (not .SocketURL) }} {{ or .SocketURL `none` }} {{ len .Scope }}", "true none 12"},
		"comparisons":                                 {"{{ eq .TokenType `jwt` `Bearer` }} {{ ne 1 2 }} {{ lt 1 2 }} {{ le `a` `a` }} {{ gt 1.5 2.5 }} {{ ge (len .Scope) 12 }}", "true true true true false true"},
		"quotes":                                      {"{{ .Scope | quote }} {{ .Scope | squote }}", `"email spaces" 'email spaces'`},
		"trims":                                       {"{{ trim ` a ` }} {{ trimAll `/` `/a/` }} {{ trimPrefix `https://` .APIURL }} {{ .APIURL | trimSuffix `.test` }}", "a a api.example.test https://api.example"},
		"cases":                                       {"{{ upper .TokenType }} {{ lower .TokenType }} {{ title .Scope }}", "BEARER bearer Email Spaces"},
		"replace":                                     {"{{ .Scope | replace ` ` `,` }}", "email,spaces"},
		"indent and nindent":                          {"{{ indent 2 `a\nb` }}{{ `c` | nindent 4 }}", "  a\n  b\n    c"},
		"default, coalesce, ternary and empty":        {"{{ .SocketURL | default `none` }} {{ coalesce .SocketURL .TokenType }} {{ ternary `a` `b` (empty .SocketURL) }}", "none Bearer a"},
		"coalesce of nothing is nothing":              {"[{{ coalesce .SocketURL }}]{{ with coalesce .SocketURL }}x{{ end }}", "[]"},
		"base64, to and fro":                          {"{{ b64enc .TokenType }} {{ .TokenType | b64enc | b64dec }}", "QmVhcmVy Bearer"},
		"JSON":                                        {"{{ toJson .Scope }} {{ toJson .Identity }}", `"email spaces" {"Username":"bot@example.test","UserID":"4711"}`},
		"contains, hasPrefix and hasSuffix":           {"{{ contains `mail` .Scope }} {{ hasPrefix `https` .APIURL }} {{ hasSuffix `x` .APIURL }}", "true true false"},
		"trunc and cat":                               {"{{ trunc 4 .AccessToken }} {{ trunc -4 .AccessToken }} {{ cat .TokenType .Scope }}", "00aa 33dd Bearer email spaces"},
		"print, println and printf":                   {"{{ print .TokenType 1 }}{{ println }}{{ printf `%s %5d %-4s| %q %% %.3s` .TokenType 42 `a` `b` `abcdef` }}", "Bearer1\nBearer    42 a   | \"b\" % abc"},
		"escapes for HTML, JavaScript and URLs":       {"{{ html `<a>` }} {{ js `it's` }} {{ urlquery `a b` }}", `&lt;a&gt; it\'s a+b`},
		"what looks like a statement inside a string": {"{{ `{{ range . }}` }}", "{{ range . }}"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if err := Check([]Entry{{"a.txt", c.text}}); err != nil {
				t.Fatalf("Check: %v", err)
			}
			parsed, err := Parse("a.txt", c.text)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a template keeps nothing from one rendering to the next
				got, err := parsed.Render(given)
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
		})
	}
}

func TestWhatCannotWorkIsFoundBeforeAnythingIsSpent(t *testing.T) {
	for sentence, c := range map[string]struct{ text, want string }{
		"an action that does not end":            {"a\n{{ .Scope", `the template of key "a.txt", line 2: unclosed action`},
		"an if that does not end":                {"{{ if .Scope }}", `line 1: unexpected EOF`},
		"a field that does not exist":            {"a\nb {{ .AccesToken }}", `the template of key "a.txt", line 2: there is no field .AccesToken, only .AccessToken, .TokenType`},
		"one in a branch that no trial takes":    {"{{ if eq .TokenType `x` }}{{ .Typo }}{{ end }}", "there is no field .Typo"},
		"one of the identity":                    {"{{ .Identity.Mail }}", "there is no field .Identity.Mail, only .Username, .UserID"},
		"one of what with stands for":            {"{{ with .Identity }}{{ .Scope }}{{ end }}", "there is no field .Scope, only .Username, .UserID"},
		"one of a variable":                      {"{{ $x := .Identity }}{{ $x.Scope }}", "there is no field .Scope, only .Username"},
		"one of $":                               {"{{ with .Scope }}{{ $.Typo }}{{ end }}", "there is no field .Typo"},
		"one of an expression":                   {"{{ (print .Scope).Typo }}", "there is no field .Typo"},
		"a field of a text":                      {"{{ .Scope.Username }}", "what stands before .Username is a text"},
		"a field of a text, under with":          {"{{ with .Scope }}{{ .Username }}{{ end }}", "can't evaluate field Username"},
		"a refresh token":                        {"{{ .RefreshToken }}", "there is no field .RefreshToken"},
		"a client secret":                        {"{{ .ClientSecret }}", "there is no field .ClientSecret"},
		"a password":                             {"{{ .Password }}", "there is no field .Password"},
		"all fields at once":                     {"{{ . }}", ". alone is not allowed"},
		"all fields at once, by $":               {"{{ with .Scope }}{{ toJson $ }}{{ end }}", "$ alone is not allowed"},
		"a variable that does not exist":         {"{{ $x }}", "undefined variable"},
		"a function that does not exist":         {"a\n{{ frobnicate .Scope }}", "line 2: there is no function frobnicate for templates here"},
		"too few arguments":                      {"{{ replace .Scope }}", "wrong number of args for replace"},
		"an argument of another type":            {"{{ indent .Scope 2 }}", "expected int"},
		"a comparison of different types":        {"{{ eq .Scope 1 }}", "two values of different types are compared"},
		"an order of what has none":              {"{{ lt true false }}", "only two texts or two numbers"},
		"base64 that is none":                    {"{{ b64dec `!` }}", "b64dec was given what is not base64"},
		"more output than fits in a key":         {strings.Repeat("{{ .AccessToken }}", 33), "what comes out of it is larger than 64 KiB"},
		"a text longer than the CRD allows":      {strings.Repeat("ä", MaxText+1), "longer than 8192 characters"},
		"printf with too few arguments":          {"{{ printf `%s %s` .Scope }}", "one argument for each directive"},
		"printf with a verb that does not exist": {"{{ printf `%y` .Scope }}", "and no others"},
		"printf that ends in the middle":         {"{{ printf `%` }}", "and no others"},
	} {
		t.Run(sentence, func(t *testing.T) { expectRefused(t, c.text, c.want) })
	}
}

// expectRefused checks a template and the form of what is said about it.
func expectRefused(t *testing.T, text, want string) {
	t.Helper()
	err := Check([]Entry{{"fine.txt", "fine"}, {"a.txt", text}})
	if err == nil {
		t.Fatal("it was accepted")
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	var problem *Error
	if !errors.As(err, &problem) || problem.Key != "a.txt" {
		t.Errorf("the error does not name the key: %#v", err)
	}
	expectFitToSay(t, err)
}

func expectFitToSay(t *testing.T, err error) {
	t.Helper()
	said := err.Error()
	if strings.ContainsAny(said, "\n\r\t\x00") || len(said) > 2000 || strings.HasSuffix(said, ".") {
		t.Errorf("this is no line for a message: %q", said)
	}
}

func TestAllKeysTogetherHaveALimit(t *testing.T) {
	var entries []Entry
	for key := range strings.SplitSeq("a-1 a-2 a-3 a-4 a-5 a-6 a-7 a-8 a-9 a-10", " ") {
		entries = append(entries, Entry{key, strings.Repeat("{{ .AccessToken }}", 30)})
	}
	if err := Check(entries[:8]); err != nil {
		t.Errorf("480 KiB: %v", err)
	}
	err := Check(entries)
	if err == nil || !strings.Contains(err.Error(), `key "a-9": with it, what comes out of all templates together is larger than 512 KiB`) {
		t.Errorf("600 KiB: %v", err)
	}
}

func TestAnErrorTellsNothingOfTheValues(t *testing.T) {
	for sentence, text := range map[string]string{
		"that a function refuses":      "{{ b64dec .AccessToken }}",
		"that a function cannot take":  "{{ indent (len .Scope) .Scope | len | b64dec }}",
		"that are no number":           "{{ indent .IDToken .Scope }}",
		"that have no such field":      "{{ with .Identity.Username }}{{ .UserID }}{{ end }}",
		"that are too long":            "{{ $x := print .AccessToken .AccessToken }}{{ indent 101 $x }}",
		"that are compared with a one": "{{ eq .AccessToken 1 }}",
	} {
		t.Run(sentence, func(t *testing.T) {
			fields := given
			fields.AccessToken, fields.IDToken = "secret!secret!", "secret!secret?"
			fields.Identity.Username = "secret!somebody"
			parsed, err := Parse("a.txt", text)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = parsed.Render(fields); err == nil {
				t.Fatal("it was rendered")
			}
			if strings.Contains(err.Error(), "secret!") {
				t.Errorf("a value stands in the error: %v", err)
			}
			expectFitToSay(t, err)
		})
	}
}

func TestAKeyCannotPretendToBeAMessage(t *testing.T) {
	err := Check([]Entry{{"a: line 7:3: \n{{ executing \"x\" at <", "{{ indent 1000 .Scope }}"}})
	var problem *Error
	if !errors.As(err, &problem) || problem.Line != 1 || !strings.Contains(problem.Problem, "0 to 100 spaces") {
		t.Errorf("got %v", err)
	}
	expectFitToSay(t, err)
}

func TestTheReadmeListsEveryFunction(t *testing.T) {
	readme, err := os.ReadFile("../../docs/published-secret.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Functions() {
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("docs/published-secret.md lacks the function %s", name)
		}
	}
}

func TestAllCallsTogetherHaveALimit(t *testing.T) {
	calls := strings.Repeat("{{len 1}}", 500)
	entries := []Entry{{"a.txt", calls}, {"b.txt", calls}, {"c.txt", calls}, {"d.txt", calls}}
	if _, err := ParseSet(entries); err != nil {
		t.Errorf("%d calls are refused: %v", MaxCalls, err)
	}
	_, err := ParseSet(append(entries, Entry{"e.txt", "{{len 1}}"}))
	if found := (*Error)(nil); !errors.As(err, &found) || found.Key != "e.txt" {
		t.Errorf("more calls are not refused at the key that they stand at: %v", err)
	}
}
