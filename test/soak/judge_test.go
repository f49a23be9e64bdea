package main

import (
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	for sentence, given := range map[string]struct {
		figures []figure
		fails   bool
	}{
		"only what may be anything":            {[]figure{{name: "deeds", number: 3}}, false},
		"what must be 0 is":                    {[]figure{{name: "deeds", number: 3}, {name: "leaks", wrong: true}}, false},
		"what must be 0 is not":                {[]figure{{name: "deeds"}, {name: "leaks", number: 1, wrong: true}}, true},
		"less than nothing is a mistake of us": {[]figure{{name: "sent again", number: -1, wrong: true}}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			var out strings.Builder
			if err := judge(&out, given.figures); err != nil != given.fails {
				t.Errorf("the error was %v", err)
			}
			if lines := strings.Count(out.String(), "\n"); lines != len(given.figures) {
				t.Errorf("%d lines for %d figures", lines, len(given.figures))
			}
		})
	}
}

func TestSecretsAreFoundByTheirEnds(t *testing.T) {
	index := newSecretIndex([]string{"eyJhbGciOiJIUzI1NiJ9.first", "eyJhbGciOiJIUzI1NiJ9.other", "0123456789abcdef", "short"})
	for text, want := range map[string]int{
		"": 0, "nothing": 0, "eyJhbGciOiJIUzI1NiJ9.": 0, "short": 0,
		"token eyJhbGciOiJIUzI1NiJ9.other end": 1,
		"0123456789abcdef 0123456789abcdef":    2,
		"1123456789abcdef":                     0,
	} {
		if got := index.found([]byte(text)); got != want {
			t.Errorf("%q: found %d, want %d", text, got, want)
		}
	}
}
