package fakespaces_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The recipes for Python, Node and Java are tests; each must run, pass, and end the command that it started.
func TestTheRecipesOfTheReadmeRun(t *testing.T) {
	blocks := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)\n```([a-z]+)\n(.*?)\n```\n").FindAllStringSubmatch(readme(t), -1) {
		blocks[block[1]] = block[2]
	}
	folder := t.TempDir()
	if said, err := exec.Command("go", "build", "-o", filepath.Join(folder, "fakespaces"), "./cmd/fakespaces").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for language, c := range map[string]struct {
		file string
		run  []string
		says string
	}{
		"python":     {"recipe.py", []string{"python3", "-W", "error", "-m", "unittest", "recipe.py"}, "Ran 1 test"},
		"javascript": {"recipe.mjs", []string{"node", "--test", "--test-reporter", "tap", "recipe.mjs"}, "# pass 1\n"},
		"java":       {"LostAnswer.java", []string{"java", "LostAnswer.java"}, "passed"},
	} {
		t.Run(language, func(t *testing.T) {
			if _, err := exec.LookPath(c.run[0]); err != nil {
				t.Skipf("skipped: there is no %s here", c.run[0])
			}
			t.Parallel()
			if err := os.WriteFile(filepath.Join(folder, c.file), []byte(blocks[language]), 0o600); err != nil {
				t.Fatal(err)
			}
			recipe := exec.Command(c.run[0], c.run[1:]...)
			recipe.Dir = folder
			recipe.Env = append(os.Environ(), "PATH="+folder+string(os.PathListSeparator)+os.Getenv("PATH"))
			said, err := recipe.CombinedOutput()
			if err != nil || !strings.Contains(string(said), c.says) {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}
