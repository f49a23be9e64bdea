package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// unreleased is the heading of what has no version yet.
const unreleased = "Unreleased"

// ownLinks are links to files of the repository.
var ownLinks = regexp.MustCompile(`\]\(([^):#]+)(#[^)]*)?\)`)

// writeNotes cuts release-notes.md from CHANGELOG.md.
func writeNotes(s settings, imageDigest string) error {
	say("release-notes.md")
	changelog, err := os.ReadFile(filepath.Join(s.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	notes, err := notesOf(string(changelog), s.version)
	if err != nil {
		return err
	}
	notes += fmt.Sprintf("\n### Image\n\n`%s:%s`, `%s`. [How to verify](%s/blob/%[2]s/docs/release.md#verify)\nit and the files here.\n", s.name, s.version, imageDigest, sourceURL)
	return os.WriteFile(filepath.Join(s.out, "release-notes.md"), []byte(notes), 0o644)
}

// notesOf are the changes of a version: what stands under its heading, or else under Unreleased,
// which the notes say then. Links lead to the files of that version.
func notesOf(changelog, version string) (string, error) {
	notes := "# " + version + "\n"
	changes, found := sectionOf(changelog, version)
	if !found {
		if changes, found = sectionOf(changelog, unreleased); !found {
			return "", fmt.Errorf("CHANGELOG.md has neither a heading %q nor %q", "## "+version, "## "+unreleased)
		}
		notes += fmt.Sprintf("\nCHANGELOG.md has no heading for %s: these changes stand there under %s.\n", version, unreleased)
	}
	if changes == "" {
		return "", fmt.Errorf("CHANGELOG.md tells no change of %s", version)
	}
	return notes + "\n" + ownLinks.ReplaceAllString(changes, "]("+sourceURL+"/blob/"+version+"/$1$2)") + "\n", nil
}

// sectionOf is what stands under a heading of the second level: the version, as it is or in
// brackets, and perhaps a date.
func sectionOf(changelog, heading string) (section string, found bool) {
	var lines []string
	for line := range strings.Lines(changelog) {
		if title, isHeading := strings.CutPrefix(line, "## "); isHeading {
			if found {
				break
			}
			first, _, _ := strings.Cut(strings.TrimSpace(title), " ")
			found = strings.Trim(first, "[]") == heading
			continue
		}
		if found {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "")), found
}
