package hack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What keeps the control plane from being built is told at once, in a line or two.
func TestABuildThatCannotWorkSaysWhy(t *testing.T) {
	goPath, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	// Folders with what a script needs beside Go, as links, for Go may stand among the system's programs.
	system := t.TempDir()
	for _, name := range []string{"bash", "dirname", "env", "awk", "mkdir", "cat", "df", "sed", "rm"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(system, name)); err != nil {
			t.Fatal(err)
		}
	}
	old := t.TempDir()
	if err := os.WriteFile(filepath.Join(old, "go"), []byte("#!/usr/bin/env bash\necho go1.19.4\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path      []string
		variables []string
		says      string
	}{
		"there is no Go":       {path: []string{system}, says: "there is no Go here"},
		"Go is old":            {path: []string{old, system}, says: "is too old"},
		"there is no network":  {path: []string{filepath.Dir(goPath), system}, variables: []string{"GOPROXY=off"}, says: "Go modules cannot be had"},
		"the disk is too full": {path: []string{full(t), filepath.Dir(goPath), system}, says: "make room"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			script := exec.CommandContext(t.Context(), "./envtest.sh")
			script.Env = append([]string{
				"PATH=" + strings.Join(c.path, ":"), "HOME=" + folder, "XDG_DATA_HOME=" + folder,
				"GOTOOLCHAIN=local", "GOCACHE=" + filepath.Join(folder, "cache"), "GOMODCACHE=" + filepath.Join(folder, "modules"),
			}, c.variables...)
			output, err := script.CombinedOutput()
			if err == nil || !strings.Contains(string(output), c.says) || strings.Count(string(output), "\n") > 2 {
				t.Errorf("%v: it says\n%s", err, output)
			}
		})
	}
}

// full is a folder with a df that finds every disk full.
func full(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	content := "#!/usr/bin/env bash\necho Filesystem 1024-blocks Used Available\necho disk 100 90 10\n"
	if err := os.WriteFile(filepath.Join(folder, "df"), []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}
