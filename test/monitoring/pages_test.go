package monitoring

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// runbook is where runbook_url leads. The chart puts another page in its place by value.
const runbook = "https://github.com/spaces-operator/spaces-credential-operator/blob/main/docs/runbook.md"

// severities are those that docs/monitoring.md explains.
var severities = []string{"critical", "warning", "info"}

// Whoever is woken reads what is wrong, and finds what to do.
func TestEveryAlertSaysWhatIsWrongAndLeadsToTheRunbook(t *testing.T) {
	headings := headingsOf(string(read(t, filepath.Join(docs, "runbook.md"))))
	for _, r := range readRules(t).alerts() {
		for _, name := range []string{"summary", "description"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no %s", r.Alert, name)
			}
		}
		if strings.Contains(r.Annotations["summary"]+r.Annotations["description"], "\n") {
			t.Errorf("%s says something of several lines", r.Alert)
		}
		if !slices.Contains(severities, r.Labels["severity"]) {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		if wanted := runbook + "#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != wanted {
			t.Errorf("%s leads to %s, not to %s", r.Alert, r.Annotations["runbook_url"], wanted)
		}
		if !slices.Contains(headings, r.Alert) {
			t.Errorf("docs/runbook.md has no heading %s", r.Alert)
		}
	}
}

// headingsOf are the headings of a page, without their marks.
func headingsOf(page string) (all []string) {
	for line := range strings.SplitSeq(page, "\n") {
		if marks, text, found := strings.Cut(line, " "); found && marks != "" && strings.Trim(marks, "#") == "" {
			all = append(all, strings.Trim(text, "` "))
		}
	}
	return all
}

// alertName is how a page names an alert.
var alertName = regexp.MustCompile("`(Spaces[A-Za-z]+)`")

// docs/metrics.md names each alert beside its metric, and none that there is not; the two that no
// metric of ours has stand in its text.
func TestTheMetricsPageNamesEveryAlert(t *testing.T) {
	var known, named []string
	for _, r := range readRules(t).alerts() {
		known = append(known, r.Alert)
	}
	for _, match := range alertName.FindAllStringSubmatch(string(read(t, filepath.Join(docs, "metrics.md"))), -1) {
		if name := match[1]; name != "SpacesCredential" {
			named = append(named, name)
		}
	}
	slices.Sort(known)
	slices.Sort(named)
	if named = slices.Compact(named); !slices.Equal(known, named) {
		t.Errorf("docs/metrics.md names %v, and the rules are %v", named, known)
	}
}

// alertRow is a row of the table of docs/monitoring.md: alert, severity, and for how long.
var alertRow = regexp.MustCompile("(?m)^\\| \\[`(Spaces[A-Za-z]+)`\\]\\(runbook.md#([a-z]+)\\) \\| ([a-z]+) \\| ([^|]+) \\|")

// The table of docs/monitoring.md is that of the rules, in their order.
func TestTheMonitoringPageListsEveryAlert(t *testing.T) {
	var wanted, listed [][]string
	for _, r := range readRules(t).alerts() {
		after := r.For
		if after == "" {
			after = "at once"
		}
		wanted = append(wanted, []string{r.Alert, strings.ToLower(r.Alert), r.Labels["severity"], after})
	}
	for _, row := range alertRow.FindAllStringSubmatch(string(read(t, filepath.Join(docs, "monitoring.md"))), -1) {
		listed = append(listed, row[1:])
	}
	if !slices.EqualFunc(wanted, listed, slices.Equal[[]string]) {
		t.Errorf("docs/monitoring.md lists %v, and the rules are %v", listed, wanted)
	}
}
