package controllers

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The design page names the tests of each rule; a test that was renamed or deleted
// must not stay there.
func TestTheDesignPageNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(source)
	}
	_, table, found := strings.Cut(string(page), "| rule | what | tests |")
	if !found {
		t.Fatal("the table of rules is gone")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	named := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(table, -1)
	if len(named) < 12 {
		t.Fatalf("the table names %d tests", len(named))
	}
	for _, match := range named {
		if !strings.Contains(sources.String(), match[1]) {
			t.Errorf("the page names %q, and no test is called so", match[1])
		}
	}
}
