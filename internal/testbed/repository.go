package testbed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// CRDs is the folder with our CRD.
const CRDs = "config/crd/bases"

// root finds the root of the repository: the nearest folder that holds [CRDs], from the
// working directory upwards. A go.mod would not tell, for there are several.
func root() (string, error) {
	from, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for folder := from; ; folder = filepath.Dir(folder) {
		if info, err := os.Stat(filepath.Join(folder, CRDs)); err == nil && info.IsDir() {
			return folder, nil
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("%s is not in the repository: no folder from there upwards holds %s", from, CRDs)
		}
	}
}

// Build builds commands of the repository, such as "." for the operator, as make build
// does, so that neither throws away the other's cache. The output is a file, or for
// several a folder that exists. The error of a failed build tells what the compiler said.
func Build(ctx context.Context, output string, packages ...string) error {
	return BuildTagged(ctx, output, "", packages...)
}

// BuildTagged is [Build] with build tags, which are separated by commas.
func BuildTagged(ctx context.Context, output, tags string, packages ...string) error {
	at, err := root()
	if err != nil {
		return err
	}
	if output, err = filepath.Abs(output); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-tags=" + tags, "-o", output}, packages...)...)
	build.Dir, build.Env = at, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
