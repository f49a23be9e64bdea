package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is a command that users run.
type program struct{ name, folder string }

var (
	operator   = program{"spaces-credential-operator", "."}
	plugin     = program{"kubectl-spaces", "./cmd/kubectl-spaces"}
	fakespaces = program{"fakespaces", "./fakespaces/cmd/fakespaces"}
)

// platform is an operating system and an architecture, as Go and OCI name them.
type platform struct{ os, architecture string }

func (p platform) String() string { return p.os + "/" + p.architecture }

// executable is how a program is called there.
func (p platform) executable(of program) string {
	if p.os == "windows" {
		return of.name + ".exe"
	}
	return of.name
}

// Those of an image, and those of a release.
const (
	imagePlatforms   = "linux/amd64,linux/arm64"
	releasePlatforms = imagePlatforms + ",darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"
)

// platformsOf reads the flag.
func (s settings) platformsOf() (platforms []platform, err error) {
	list := s.platforms
	switch {
	case list == "" && s.imageAlone:
		list = imagePlatforms
	case list == "":
		list = releasePlatforms
	}
	for text := range strings.SplitSeq(list, ",") {
		system, architecture, found := strings.Cut(text, "/")
		if !found || system == "" || architecture == "" {
			return nil, fmt.Errorf("%q is no platform: linux/amd64 is one", text)
		}
		if s.imageAlone && system != "linux" {
			return nil, fmt.Errorf("%q is no platform of an image: linux/amd64 is one", text)
		}
		platforms = append(platforms, platform{system, architecture})
	}
	return platforms, nil
}

// binary is a program that was built for a platform.
type binary struct {
	program
	platform
	path string
}

// title is what files are called that hold a binary or tell of it.
func (b binary) title() string {
	return fmt.Sprintf("%s_%s_%s", b.program.name, b.os, b.architecture)
}

// buildAll builds programs for each platform into a folder, and writes the list of what is in each.
func buildAll(ctx context.Context, s settings, folder string, platforms []platform, programs ...program) (built []binary, err error) {
	for _, p := range platforms {
		for _, of := range programs {
			b := binary{program: of, platform: p}
			say("building %s for %s", of.name, p)
			if b.path, err = build(ctx, s, folder, b); err != nil {
				return nil, err
			}
			if err := writeBOM(b, filepath.Join(s.out, b.title()+".cdx.json"), s.version); err != nil {
				return nil, err
			}
			built = append(built, b)
		}
	}
	return built, nil
}

// build makes a static binary that says nothing of the machine it was built on.
func build(ctx context.Context, s settings, folder string, b binary) (string, error) {
	name := b.title()
	if b.os == "windows" {
		name += ".exe"
	}
	path, err := filepath.Abs(filepath.Join(folder, name))
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version="+s.version, "-o", path, b.folder)
	command.Dir, command.Stdout, command.Stderr = s.root, os.Stderr, os.Stderr
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+b.os, "GOARCH="+b.architecture)
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("building %s for %s: %w", b.program.name, b.platform, err)
	}
	return path, nil
}
