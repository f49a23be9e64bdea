package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What --help lists stands in the table of docs/flags.md; those of the log, which
// are not ours, in one row.
func TestThePageListsEveryFlag(t *testing.T) {
	text, err := os.ReadFile("docs/flags.md")
	if err != nil {
		t.Fatal(err)
	}
	var help strings.Builder
	if _, err := parse([]string{"--help"}, &help); err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(help.String(), -1)
	if len(listed) < 10 {
		t.Fatalf("--help lists %d flags", len(listed))
	}
	for _, flag := range listed {
		name := "--" + flag[1]
		if strings.HasPrefix(flag[1], "zap-") {
			name = "--zap-*"
		}
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/flags.md lacks the flag %s", name)
		}
	}
}
