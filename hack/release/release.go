package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// versions are those of a release: semver.org, with a v before it as Go and git have it, and
// without a plus, which a tag of an image cannot have.
var versions = regexp.MustCompile(`^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

func checkVersion(version string) error {
	if !versions.MatchString(version) {
		return fmt.Errorf("VERSION must be a semantic version with a v before it, such as v0.1.0 or v0.1.0-rc.1, not %q", version)
	}
	return nil
}

// makeRelease leaves in a folder, and nothing else there, what a release consists of.
func makeRelease(ctx context.Context, s settings, from source, platforms []platform) error {
	if err := os.RemoveAll(s.out); err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()

	built, err := buildAll(ctx, s, work, platforms, operator, plugin, fakespaces)
	if err != nil {
		return err
	}
	var plugins []archive
	for _, b := range built {
		packed, err := packBinary(s, from, b)
		if err != nil {
			return err
		}
		if b.program == plugin {
			plugins = append(plugins, packed)
		}
	}
	digest, err := makeImage(s, from, operatorImage, built)
	if err != nil {
		return err
	}
	if _, err := makeImage(s, from, fakespacesImage, built); err != nil {
		return err
	}
	if err := writeInstallation(ctx, s); err != nil {
		return err
	}
	if err := packChart(ctx, s, from, work); err != nil {
		return err
	}
	if err := writeKrewManifest(ctx, s, plugins); err != nil {
		return err
	}
	if err := writeNotes(s, digest); err != nil {
		return err
	}
	return writeChecksums(s.out)
}

// tool builds a program that a module under hack/tools pins, or finds it built, and says where.
func tool(ctx context.Context, root, name string) (string, error) {
	path, err := output(exec.CommandContext(ctx, "go", "-C", filepath.Join(root, "hack", "tools", name), "tool", "-n", name))
	return strings.TrimSpace(path), err
}

// output runs a command for what it prints. The error of one that fails tells what it complained of.
func output(command *exec.Cmd) (string, error) {
	var complaint strings.Builder
	command.Stderr = &complaint
	printed, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return string(printed), nil
}
