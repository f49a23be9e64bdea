package secrettemplate

import (
	"runtime"
	"strings"
	"testing"
)

// maxSpent is how much memory one check of one template may ask for in all, freed or
// not: a few times the work of its two trials.
const maxSpent = 32 << 20

// large makes a variable of 60 KiB.
const large = "{{ $x := print .AccessToken .AccessToken .AccessToken }}{{ $x = print $x $x }}{{ $x = print $x $x $x $x $x }}"

func TestAnAttackIsRefusedAtOnce(t *testing.T) {
	const (
		loops   = "range is not allowed"
		defines = "define and block are not allowed"
		large64 = "more than 64 KiB goes into or comes out of a function"
		tooMuch = "the template does too much"
	)
	attacks := map[string]struct{ text, want string }{
		"a loop over a number":                        {"{{ range 200000000 }}{{ end }}", loops},
		"a loop in an if":                             {"{{ if .Scope }}\n{{ range 9 }}{{ end }}{{ end }}", "line 2: " + loops},
		"a loop in an else":                           {"{{ if .Scope }}{{ else }}{{ range 9 }}{{ end }}{{ end }}", loops},
		"a loop in a with":                            {"{{ with .Scope }}{{ range 9 }}{{ end }}{{ end }}", loops},
		"a loop in the else of a with":                {"{{ with .Scope }}{{ else }}{{ range 9 }}{{ end }}{{ end }}", loops},
		"a loop in the else of a loop":                {"{{ range 9 }}{{ else }}{{ range 9 }}{{ break }}{{ end }}{{ end }}", loops},
		"a loop with break and continue":              {"{{ range $i := 9 }}{{ continue }}{{ break }}{{ end }}", loops},
		"a break without a loop":                      {"{{ break }}", "break"},
		"a loop in a definition":                      {"{{ define `a` }}{{ range 9 }}{{ end }}{{ end }}", defines},
		"a definition":                                {"a\n{{ define `a` }}{{ end }}", "line 2: " + defines},
		"a definition of the name of the key":         {"{{ define `a.txt` }}b{{ end }}", defines},
		"a definition of the name inside":             {"{{ define `template` }}b{{ end }}", defines},
		"a recursion":                                 {"{{ define `a` }}{{ template `a` }}{{ end }}{{ template `a` }}", defines},
		"a recursion into the template itself":        {"{{ template `template` }}", "template and block are not allowed"},
		"a template by the name of the key":           {"{{ template `a.txt` . }}", "template and block are not allowed"},
		"a block":                                     {"{{ block `a` . }}b{{ end }}", defines},
		"a huge indent":                               {"{{ indent 1000000000 .Scope }}", "0 to 100 spaces"},
		"a negative indent":                           {"{{ indent -1 .Scope }}", "0 to 100 spaces"},
		"a huge nindent":                              {"{{ nindent 101 .Scope }}", "0 to 100 spaces"},
		"an indent of lines that grow":                {large + "{{ replace `c` `\n` $x | indent 100 }}", large64},
		"indents of indents":                          {"{{ `a\n\n\n\n\n\n\n\n\n` " + strings.Repeat("| replace ` ` `\n` | indent 9 ", 100) + "}}", large64},
		"a replace that doubles 64 times":             {"{{ `a`" + strings.Repeat(" | replace `a` `aa`", 64) + " }}", large64},
		"a replace with a large new text":             {large + "{{ replace `c` $x `cccccccccccccccccccccccccccccccc` }}", large64},
		"a replace of nothing":                        {"{{ replace `` `aaaaaaaaaaaaaaaa` .AccessToken }}", "nothing to look for"},
		"a huge width":                                {"{{ printf `%1000000000d` 1 }}", "widths and precisions up to 100"},
		"a huge width that overflows":                 {"{{ printf `%99999999999999999999d` 1 }}", "widths and precisions up to 100"},
		"a huge precision":                            {"{{ printf `%.1000000000f` 1.5 }}", "widths and precisions up to 100"},
		"a width from an argument":                    {"{{ printf `%*d` 1000000000 1 }}", "and no others"},
		"a precision from an argument":                {"{{ printf `%.*f` 1000000000 1.5 }}", "and no others"},
		"an argument many times":                      {large + "{{ printf `" + strings.Repeat("%[1]s", 400) + "` $x }}", "and no others"},
		"many large arguments":                        {large + "{{ printf `" + strings.Repeat("%s", 1000) + "`" + strings.Repeat(" $x", 1000) + " }}", large64},
		"a print that doubles":                        {"{{ $x := .AccessToken }}" + strings.Repeat("{{ $x = print $x $x }}", 100), large64},
		"a println that doubles":                      {"{{ $x := .AccessToken }}" + strings.Repeat("{{ $x = println $x $x }}", 100), large64},
		"a cat that doubles":                          {"{{ $x := .AccessToken }}" + strings.Repeat("{{ $x = cat $x $x }}", 100), large64},
		"a printf that doubles":                       {"{{ $x := .AccessToken }}" + strings.Repeat("{{ $x = printf `%s%s` $x $x }}", 100), large64},
		"a quote that doubles":                        {"{{ .Scope" + strings.Repeat("|quote", 1000) + " }}", large64},
		"a quote of two":                              {"{{ $x := .AccessToken }}" + strings.Repeat("{{ $x = quote $x $x }}", 100), large64},
		"a squote of two":                             {"{{ $x := .AccessToken }}" + strings.Repeat("{{ $x = squote $x $x }}", 100), large64},
		"a toJson that doubles":                       {"{{ .Scope" + strings.Repeat("|toJson", 1000) + " }}", large64},
		"an html that grows":                          {"{{ `&`" + strings.Repeat("|html", 1000) + " }}", tooMuch},
		"a js that doubles":                           {"{{ `'`" + strings.Repeat("|js", 1000) + " }}", large64},
		"a urlquery that grows":                       {"{{ `%`" + strings.Repeat("|urlquery", 800) + " }}", tooMuch},
		"a b64enc that grows":                         {"{{ .Scope" + strings.Repeat("|b64enc", 1000) + " }}", large64},
		"a thousand calls on a large text":            {large + "{{ $x" + strings.Repeat("|lower", 1000) + " | len }}", tooMuch},
		"a thousand comparisons of large texts":       {large + "{{ $y := print $x `` }}{{ ne `a` $x }}" + strings.Repeat("{{ne $x `a`}}", 500), tooMuch},
		"a comparison with a thousand large texts":    {large + "{{ $y := lower $x }}{{ eq $x" + strings.Repeat(" $y", 1000) + " }}", large64},
		"a trimAll that looks for a thousand letters": {"{{ trimAll .AccessToken .AccessToken }}", "at most 100"},
		"a large output in small pieces":              {large + "{{ trunc 30000 $x }}{{ trunc 30000 $x }}{{ trunc 30000 $x }}", "larger than 64 KiB"},
	}
	for _, name := range strings.Fields("call slice index env expandenv getHostByName repeat until untilStep seq list dict append splitList regexReplaceAll " +
		"now date ago randInt randAlphaNum randBytes shuffle uuidv4 genPrivateKey genCA genSelfSignedCert htpasswd bcrypt derivePassword " +
		"encryptAES fail tpl include lookup osBase deepCopy wrap abbrev nospace toPrettyJson fromJson substr typeOf") {
		attacks["the function "+name] = struct{ text, want string }{"{{ " + name + " }}", "there is no function " + name + " for templates here"}
	}
	for sentence, c := range attacks {
		t.Run(sentence, func(t *testing.T) {
			expectCheap(t, func() { expectRefused(t, c.text, c.want) })
		})
	}
}

func TestWhatIsOddAndHarmlessIsCheap(t *testing.T) {
	for sentence, text := range map[string]string{
		"deep parentheses":          "{{ print " + strings.Repeat("(", 4000) + "1" + strings.Repeat(")", 4000) + " }}",
		"deep ifs":                  strings.Repeat("{{if 1}}", 480) + strings.Repeat("{{end}}", 480),
		"many variables":            strings.Repeat("{{$x:=1}}", 900),
		"many fields":               strings.Repeat("{{.Scope}}", 200),
		"one large function":        large + "{{ $x | len }}",
		"a long text":               strings.Repeat("ä", MaxText),
		"nothing":                   "",
		"an and of a thousand ors":  "{{ and " + strings.Repeat("(or 1) ", 1000) + "}}",
		"a path with huge numbers":  "{{ print 0x7fffffffffffffff 1e308 'a' 1i }}",
		"a chain of equal replaces": "{{ .Scope" + strings.Repeat(" | replace `a` `b`", 64) + " }}",
	} {
		t.Run(sentence, func(t *testing.T) {
			expectCheap(t, func() {
				if err := Check([]Entry{{"a.txt", text}}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// expectCheap bounds the memory that a check asks for.
func expectCheap(t *testing.T, check func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	check()
	runtime.ReadMemStats(&after)
	if spent := after.TotalAlloc - before.TotalAlloc; spent > maxSpent {
		t.Errorf("%d MiB were asked for", spent>>20)
	}
}

func TestAPanicIsAnError(t *testing.T) {
	for sentence, panics := range map[string]func(string) string{
		"with a value":   func(text string) string { panic(text) },
		"of the runtime": func(text string) string { return text[len(text)+1:] },
	} {
		t.Run(sentence, func(t *testing.T) {
			metered["panics"], allowed["panics"] = panics, true
			defer func() { delete(metered, "panics"); delete(allowed, "panics") }()
			parsed, err := Parse("a.txt", "a\n{{ panics .AccessToken }}")
			if err != nil {
				t.Fatal(err)
			}
			_, err = parsed.Render(given)
			if err == nil || strings.Contains(err.Error(), given.AccessToken) || !strings.Contains(err.Error(), `"a.txt", line 2`) {
				t.Errorf("got %v", err)
			}
		})
	}
}
