package operator

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// modulePath is the module of the operator.
	modulePath = "github.com/spaces-operator/spaces-credential-operator"
	// BinaryVariable names the environment variable with the path of a binary that is there already,
	// such as that of a release: [Installed.Binary] builds none then.
	BinaryVariable = "SPACES_OPERATOR_BINARY"
)

// Installed is the operator's module, as the module under test requires it.
type Installed struct {
	// Module is the folder of its sources, which may be in the module cache: nothing is written there.
	Module string
	// CRDs is the folder with its CustomResourceDefinitions, for envtest's CRDDirectoryPaths.
	CRDs string
}

// Find asks the go command where the operator's module is, in the version that the module of the current
// folder requires or replaces. Tests run in the folder of their package, so that is theirs.
func Find(ctx context.Context) (*Installed, error) {
	folder, err := list(ctx)
	if err == nil && folder == "" { // required, but not there: a module that is vendored keeps no CRD
		if _, err = run(exec.CommandContext(ctx, "go", "mod", "download", modulePath)); err == nil {
			folder, err = list(ctx)
		}
	}
	if err == nil && folder == "" {
		err = fmt.Errorf("the go command does not say where %s is", modulePath)
	}
	if err != nil {
		return nil, fmt.Errorf("finding the operator: %w: go.mod must require %s", err, modulePath)
	}
	found := &Installed{Module: folder, CRDs: filepath.Join(folder, "config", "crd", "bases")}
	if _, err := os.Stat(found.CRDs); err != nil {
		return nil, fmt.Errorf("finding the operator's CRD: %w", err)
	}
	return found, nil
}

// list tells where the module is. A vendor folder, which holds Go packages alone, is looked past.
func list(ctx context.Context) (string, error) {
	return run(exec.CommandContext(ctx, "go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", modulePath))
}

// Binary gives the operator's binary: the one that [BinaryVariable] names, else one that it builds into a
// folder, from the sources and with the dependencies that the operator's own go.mod names. The first
// build takes minutes, later ones seconds.
func (i *Installed) Binary(ctx context.Context, folder string) (string, error) {
	if given := os.Getenv(BinaryVariable); given != "" {
		if _, err := os.Stat(given); err != nil {
			return "", fmt.Errorf("%s: %w", BinaryVariable, err)
		}
		return filepath.Abs(given)
	}
	path, err := filepath.Abs(filepath.Join(folder, "spaces-credential-operator"))
	if err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-mod=readonly", "-o", path, ".")
	build.Dir = i.Module
	// A workspace, flags or a target of the module under test are not for this one. All else is as it was
	// when its tests were built, so that what they share is in the build cache.
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOOS=", "GOARCH=")
	if _, err := run(build); err != nil {
		return "", fmt.Errorf("building the operator: %w", err)
	}
	return path, nil
}

// run runs a command for the line that it prints. The error of one that fails has what it complained of.
func run(command *exec.Cmd) (string, error) {
	var complaint strings.Builder
	command.Stderr = &complaint
	printed, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimSpace(string(printed)), nil
}
