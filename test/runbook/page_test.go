package runbook

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// page is the runbook, as the repository has it.
const page = "../../docs/runbook.md"

// entry is what the page says of one reason or alert: the blocks of commands, by what they are for.
type entry struct{ look, mend, check string }

var (
	headings = regexp.MustCompile(`(?m)^### (\w+)$`)
	blocks   = regexp.MustCompile("(?s)```sh (look|mend|check)\n(.*?)```\n")
)

// entries reads the page.
func entries(t *testing.T) map[string]entry {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	found := map[string]entry{}
	starts := headings.FindAllStringSubmatchIndex(text, -1)
	for i, start := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		var e entry
		for _, block := range blocks.FindAllStringSubmatch(text[start[1]:end], -1) {
			switch block[1] {
			case "look":
				e.look += block[2]
			case "mend":
				e.mend += block[2]
			case "check":
				e.check += block[2]
			}
		}
		found[text[start[2]:start[3]]] = e
	}
	if whole := strings.Count(text, "```sh "); whole != len(blocks.FindAllString(text, -1)) {
		t.Errorf("%d blocks of commands, and %d that are run", whole, len(blocks.FindAllString(text, -1)))
	}
	return found
}
