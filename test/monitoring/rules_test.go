package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

// promtoolVariable names promtool; make test-alerts builds it.
const promtoolVariable = "PROMTOOL"

// ruleTests is what rules_test.yaml holds, as far as it is looked at here.
type ruleTests struct {
	Tests []struct {
		Name  string `json:"name"`
		Cases []struct {
			Alert    string           `json:"alertname"`
			Expected []map[string]any `json:"exp_alerts"`
		} `json:"alert_rule_test"`
	} `json:"tests"`
}

// The rules do what rules_test.yaml says, by the judgement of Prometheus itself.
func TestEveryAlertDoesWhatItsTestsSay(t *testing.T) {
	promtool := os.Getenv(promtoolVariable)
	if promtool == "" {
		t.Fatalf("%s names no promtool: run it by make test-alerts", promtoolVariable)
	}
	folder := t.TempDir()
	rules, err := yaml.Marshal(readRules(t))
	if err != nil {
		t.Fatal(err)
	}
	// rules.yaml is an object of Kubernetes, and promtool wants what stands in it.
	for name, content := range map[string][]byte{"rules.yaml": rules, "rules_test.yaml": read(t, filepath.Join(configured, "rules_test.yaml"))} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, arguments := range [][]string{{"check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		command := exec.CommandContext(t.Context(), promtool, arguments...)
		command.Dir = folder
		if said, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", arguments, err, said)
		}
	}
}

// A rule that never fires in a test may be dead, and one that always does is no alert.
func TestEveryAlertIsTriedForFiringAndForSilence(t *testing.T) {
	var tests ruleTests
	if err := yaml.Unmarshal(read(t, filepath.Join(configured, "rules_test.yaml")), &tests); err != nil {
		t.Fatal(err)
	}
	fires, keepsSilent := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, c := range test.Cases {
			if len(c.Expected) > 0 {
				fires[c.Alert] = true
			} else {
				keepsSilent[c.Alert] = true
			}
		}
	}
	var known []string
	for _, r := range readRules(t).alerts() {
		known = append(known, r.Alert)
		if !fires[r.Alert] {
			t.Errorf("no test has %s fire", r.Alert)
		}
		if !keepsSilent[r.Alert] {
			t.Errorf("no test has %s keep silent", r.Alert)
		}
	}
	for _, tried := range []map[string]bool{fires, keepsSilent} {
		for name := range tried {
			if !slices.Contains(known, name) {
				t.Errorf("a test tries %s, and there is no such alert", name)
			}
		}
	}
}
