package controllers

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// Three pages name the tests that prove what they say; a test that was renamed or
// deleted must not stay there.
func TestThePagesNameTestsThatExist(t *testing.T) {
	for name, c := range map[string]struct {
		heading string
		sources []string
		fewest  int
	}{
		"reliability.md":  {"| rule | what | tests |", []string{"*_test.go", "../*_test.go", "../internal/*/*_test.go", "../api/v1alpha1/*_test.go"}, 20},
		"spaces-api.md":   {"| what | endpoint | used by | proved by |", []string{"*_test.go", "../internal/spacesauth/*_test.go", "../cmd/kubectl-spaces/*_test.go"}, 8},
		"threat-model.md": {"| rule | proved by |", []string{"*_test.go", "../*_test.go", "../charts/*_test.go", "../internal/*/*_test.go", "../api/v1alpha1/*_test.go"}, 20},
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

// The page on reliability explains every column of the matrix, and counts its rows.
func TestTheReliabilityPageKnowsTheMatrix(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	for _, m := range slices.Concat(mishaps, splits) {
		if !strings.Contains(page, string(m)) {
			t.Errorf("the page does not explain the column %q", m)
		}
	}
	if stories := fmt.Sprintf("tells %d stories", len(crashStories)+len(ownedStories)); !strings.Contains(page, stories) {
		t.Errorf("the page does not say: %s", stories)
	}
}

// The threat model's table of rights is that of config/rbac: no right too few or too many.
func TestTheThreatModelListsEveryRight(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| role | group | resource | verbs | for |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	listed := map[string]bool{}
	for _, row := range strings.Split(table, "\n")[1:] {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		listed[strings.Join(cells[:4], " | ")] = true
	}
	for _, name := range []string{"manager", "state_key", "leader_election", "cluster_client", "metrics_auth"} {
		file, err := os.ReadFile(filepath.Join("..", "config", "rbac", name+"_role.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal(file, &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			groups := make([]string, 0, len(rule.APIGroups))
			for _, group := range rule.APIGroups {
				if group == "" {
					groups = append(groups, "core")
					continue
				}
				groups = append(groups, "`"+group+"`")
			}
			for _, resource := range rule.Resources {
				right := strings.Join([]string{"`" + role.Name + "`", strings.Join(groups, ", "), "`" + resource + "`", strings.Join(rule.Verbs, ", ")}, " | ")
				if !listed[right] {
					t.Errorf("the page does not list: %s", right)
				}
				delete(listed, right)
			}
		}
	}
	for right := range listed {
		t.Errorf("config/rbac does not grant: %s", right)
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
