package monitoring

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// picturesVariable names the folder that pictures of the run are drawn into.
const picturesVariable = "PICTURES"

// variables are what Grafana puts in the place of its variables.
var variables = strings.NewReplacer("$__rate_interval", "4m", "$namespace", ".*")

// unseen are the alerts that a run of two minutes with three operators of one build does not
// bring about; their expressions are held against what was scraped, and rules_test.yaml has them fire.
var unseen = []string{
	"SpacesQueueLong",          // a thousand calls that wait
	"SpacesCredentialsOverdue", // an operator that does not keep up
	"SpacesUpgradeStuck",       // another version
}

// Two minutes with every trouble, as two hours: each panel shows something, and each alert fires for
// what it is for.
func TestTheDashboardShowsEveryTrouble(t *testing.T) {
	trouble := newTroubled(t)
	trouble.startOperators()
	kept := trouble.run()
	t.Run("each panel shows something", func(t *testing.T) { expectShown(t, kept, readDashboard(t)) })
	t.Run("each alert fires", func(t *testing.T) { expectFired(t, kept, readRules(t)) })
	if folder := os.Getenv(picturesVariable); folder != "" {
		t.Run("the pictures", func(t *testing.T) { drawAll(t, kept, readDashboard(t), folder) })
	}
	if t.Failed() {
		for name, operator := range trouble.operators {
			said, _ := operator.Log()
			t.Logf("the last words of %s:\n%s", name, said[max(0, len(said)-2000):])
		}
	}
}

func expectShown(t *testing.T, kept *record, d dashboard) {
	t.Helper()
	for _, p := range d.Panels {
		for _, asked := range p.Targets {
			expectNames(t, kept, p.Title, variables.Replace(asked.Expr))
			if len(kept.asked(t, variables.Replace(asked.Expr))) == 0 {
				t.Errorf("%q shows nothing for %s", p.Title, asked.Expr)
			}
		}
	}
}

// expectNames has every metric of an expression be one that was scraped. What is put in the place of
// nothing, as by vector(0), would hide one that is mistyped.
func expectNames(t *testing.T, kept *record, of, expression string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Fatalf("%s: %s: %v", of, expression, err)
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, is := node.(*parser.VectorSelector); is && !kept.names[selector.Name] {
			t.Errorf("%s asks for %s, which nobody serves", of, selector.Name)
		}
		return nil
	})
}

func expectFired(t *testing.T, kept *record, rules ruleFile) {
	t.Helper()
	for _, r := range rules.alerts() {
		expectNames(t, kept, r.Alert, r.Expr)
		hold, err := model.ParseDuration(max(r.For, "0s"))
		if err != nil {
			t.Fatalf("%s: %v", r.Alert, err)
		}
		longest := longestOf(kept.asked(t, r.Expr))
		fired := longest > 0 && longest-step >= time.Duration(hold)
		t.Logf("%s holds for up to %s, and fires after %s", r.Alert, longest, r.For)
		if fired == slices.Contains(unseen, r.Alert) {
			t.Errorf("%s fired: %t", r.Alert, fired)
		}
	}
}

// longestOf is the longest time that one series is there without a gap.
func longestOf(found promql.Matrix) (longest time.Duration) {
	for _, series := range found {
		var since int64
		for i, point := range series.Floats {
			if i == 0 || point.T-series.Floats[i-1].T > step.Milliseconds() {
				since = point.T
			}
			longest = max(longest, time.Duration(point.T-since)*time.Millisecond+step)
		}
	}
	return longest
}

// drawAll draws a picture for each of the things that docs/monitoring.md shows.
func drawAll(t *testing.T, kept *record, d dashboard, folder string) {
	t.Helper()
	for name, rows := range map[string][]string{
		"monitoring-tokens.svg":   {"Are the tokens fine?"},
		"monitoring-service.svg":  {"The service"},
		"monitoring-operator.svg": {"Revocations", "The operator"},
	} {
		picture, err := pictureOf(t, kept, panelsUnder(d, rows))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// panelsUnder are the panels with a time axis below some rows.
func panelsUnder(d dashboard, rows []string) (all []panel) {
	isUnder := false
	for _, p := range d.Panels {
		switch {
		case p.Type == "row":
			isUnder = slices.Contains(rows, p.Title)
		case isUnder && p.Type != "stat":
			all = append(all, p)
		}
	}
	return all
}
