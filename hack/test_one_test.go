package hack_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTestOneRunsWhatIsNamedAlone(t *testing.T) {
	tree := plantTree(t)
	for sentence, c := range map[string]struct {
		focus  string
		exit   int
		says   []string
		silent []string
	}{
		"nothing is asked for": {exit: 2, says: []string{"Say which"}},
		"nothing is called so": {focus: "a unicorn", exit: 1,
			says: []string{"\ntest-one: no test, row or spec is called so: a unicorn\n"}, silent: []string{"PASS", "FAIL"}},
		"a Go test": {focus: "TestApples",
			says:   []string{"--- PASS: TestApples ", "--- PASS: TestApples/the_skin_is_red", "--- PASS: TestApples/the_skin_is_green"},
			silent: []string{"TestPears", "specs"}},
		"rows, in a test and beside one": {focus: "skin is green|is soft",
			says:   []string{"--- PASS: TestApples/the_skin_is_green", "--- PASS: TestPears/a_pear_is_soft"},
			silent: []string{"red", "brown", "a pear\n", "TestApples ", "TestPears ", "specs"}},
		"a row that fails": {focus: "a pear is brown", exit: 1,
			says: []string{"throw it away", "--- FAIL: TestPears/a_pear_is_brown"}, silent: []string{"soft"}},
		"specs across levels, of which one fails": {focus: "when it is on sh|A lamp falls", exit: 1,
			says: []string{`passed: A lamp when it is on shines "brightly"`, "it breaks", "failed: A lamp falls"}, silent: []string{"warm", "TestBeside"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			command := exec.Command(filepath.Join(tree, "hack", "test-one.sh"), c.focus)
			out, err := command.CombinedOutput()
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			said := string(out)
			if code := command.ProcessState.ExitCode(); code != c.exit {
				t.Errorf("it ended with %d, want %d", code, c.exit)
			}
			for _, text := range c.says {
				if !strings.Contains(said, text) {
					t.Errorf("it does not say %q", text)
				}
			}
			for _, text := range c.silent {
				if strings.Contains(said, text) {
					t.Errorf("it says %q", text)
				}
			}
			if t.Failed() {
				t.Logf("it said:\n%s", said)
			}
		})
	}
}

// plantTree makes a tree with tests of its own for the script, which need no control plane.
func plantTree(t *testing.T) string {
	t.Helper()
	tree, tests := t.TempDir(), filepath.Join("testdata", "test-one")
	plant := func(from, to string, mode fs.FileMode) {
		content, err := os.ReadFile(from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(tree, to)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(tree, to), content, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	plant(filepath.Join("..", "go.mod"), "go.mod", 0o644)
	plant(filepath.Join("..", "go.sum"), "go.sum", 0o644)
	plant("test-one.sh", filepath.Join("hack", "test-one.sh"), 0o755)
	plant(filepath.Join(tests, "envtest.sh"), filepath.Join("hack", "envtest.sh"), 0o755)
	for _, name := range []string{"lamps", "fruit"} {
		plant(filepath.Join(tests, name, name+"_test.go.txt"), filepath.Join(name, name+"_test.go"), 0o644)
	}
	return tree
}
