package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// binaryName is that of the operator, in the image and in the folder of a release.
const binaryName = "spaces-credential-operator"

// platform is an operating system and an architecture, as Go and OCI name them.
type platform struct{ os, architecture string }

func (p platform) String() string { return p.os + "/" + p.architecture }

func parsePlatform(text string) (platform, error) {
	system, architecture, found := strings.Cut(text, "/")
	if !found || system != "linux" || architecture == "" {
		return platform{}, fmt.Errorf("%q is no platform of an image: linux/amd64 is one", text)
	}
	return platform{system, architecture}, nil
}

// build makes a static binary that says nothing of the machine it was built on.
func build(ctx context.Context, s settings, p platform) (string, error) {
	path, err := filepath.Abs(filepath.Join(s.out, fmt.Sprintf("%s_%s_%s", binaryName, p.os, p.architecture)))
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version="+s.version, "-o", path, ".")
	command.Dir, command.Stdout, command.Stderr = s.root, os.Stderr, os.Stderr
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.architecture)
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("building the operator for %s: %w", p, err)
	}
	return path, nil
}
