package testbed_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func TestBuildTellsWhatIsWrong(t *testing.T) {
	output := filepath.Join(t.TempDir(), "program")
	expectError(t, testbed.Build(t.Context(), output, "./no-such-command"), "no-such-command")
	if _, err := os.Stat(output); err == nil {
		t.Error("something was built")
	}
	t.Chdir(t.TempDir())
	expectError(t, testbed.Build(t.Context(), output, "."), "is not in the repository")
}
