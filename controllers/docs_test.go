package controllers

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Two pages name the tests that prove what they say; a test that was renamed or
// deleted must not stay there.
func TestThePagesNameTestsThatExist(t *testing.T) {
	for name, c := range map[string]struct {
		heading string
		sources []string
		fewest  int
	}{
		"design.md":     {"| rule | what | tests |", []string{"*_test.go"}, 12},
		"spaces-api.md": {"| what | endpoint | used by | proved by |", []string{"*_test.go", "../internal/spacesauth/*_test.go", "../cmd/kubectl-spaces/*_test.go"}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := os.ReadFile(filepath.Join("..", "docs", name))
			if err != nil {
				t.Fatal(err)
			}
			tests := sourcesOf(t, c.sources)
			named := namedInLastColumn(t, string(page), c.heading)
			if len(named) < c.fewest {
				t.Fatalf("the table names %d tests", len(named))
			}
			for _, test := range named {
				if !strings.Contains(tests, test) {
					t.Errorf("the page names %q, and no test is called so", test)
				}
			}
		})
	}
}

func sourcesOf(t *testing.T, patterns []string) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(source)
		}
	}
	return all.String()
}

// namedInLastColumn lists what stands as code in the last column of a table, but for
// folders.
func namedInLastColumn(t *testing.T, page, heading string) []string {
	t.Helper()
	_, table, found := strings.Cut(page, heading)
	if !found {
		t.Fatal("the table is gone")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var named []string
	for row := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[len(cells)-1], -1) {
			if !strings.Contains(match[1], "/") {
				named = append(named, match[1])
			}
		}
	}
	return named
}
