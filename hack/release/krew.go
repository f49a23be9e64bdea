package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
)

// krewManifest is what krew reads of a plugin (krew.sigs.k8s.io, Writing Krew plugin manifests).
var krewManifest = template.Must(template.New("spaces.yaml").Parse(`apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: spaces
spec:
  version: {{ .Version }}
  homepage: {{ .Home }}
  shortDescription: Look after Avaya Spaces credentials
  description: |
    Tells in words how the SpacesCredentials of a cluster fare and what to do, asks the operator for a
    renewal or a revocation, and signs a person in by browser.
  caveats: |
    The cluster needs the SpacesCredential operator: {{ .Home }}
  platforms:
{{- range .Platforms }}
  - selector:
      matchLabels:
        os: {{ .OS }}
        arch: {{ .Architecture }}
    uri: {{ $.Home }}/releases/download/{{ $.Version }}/{{ .File }}
    sha256: {{ .Sum }}
    bin: {{ .Executable }}
{{- end }}
`))

// krewPlatform is one platform of the manifest.
type krewPlatform struct{ OS, Architecture, File, Sum, Executable string }

// writeKrewManifest writes spaces.yaml, and has krew itself install the plugin from it and from the
// archive of each platform.
func writeKrewManifest(ctx context.Context, s settings, plugins []archive) error {
	say("spaces.yaml, for krew")
	krew, err := tool(ctx, s.root, "krew")
	if err != nil {
		return err
	}
	var platforms []krewPlatform
	for _, a := range plugins {
		sum, err := sumOf(a.path)
		if err != nil {
			return err
		}
		platforms = append(platforms, krewPlatform{a.os, a.architecture, filepath.Base(a.path), sum, a.executable(plugin)})
	}
	manifest := filepath.Join(s.out, "spaces.yaml")
	err = writeFile(manifest, func(into io.Writer) error {
		return krewManifest.Execute(into, map[string]any{"Version": s.version, "Home": sourceURL, "Platforms": platforms})
	})
	if err != nil {
		return err
	}
	for _, a := range plugins {
		if err := tryKrew(ctx, krew, manifest, a); err != nil {
			return fmt.Errorf("krew does not install kubectl-spaces for %s: %w", a.platform, err)
		}
	}
	return nil
}

// tryKrew installs the plugin into a folder that goes again, as on its platform.
func tryKrew(ctx context.Context, krew, manifest string, a archive) error {
	home, err := os.MkdirTemp("", "krew-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(home) }()
	install := exec.CommandContext(ctx, krew, "install", "--manifest", manifest, "--archive", a.path)
	install.Env = append(os.Environ(), "KREW_ROOT="+home, "KREW_OS="+a.os, "KREW_ARCH="+a.architecture, "KREW_NO_UPGRADE_CHECK=1")
	if _, err := output(install); err != nil {
		return err
	}
	installed, err := filepath.Glob(filepath.Join(home, "store", "spaces", "*", "LICENSE"))
	if err == nil && len(installed) != 1 {
		err = fmt.Errorf("the license is not installed with it")
	}
	return err
}

// sumOf is the SHA-256 of a file, in hexadecimal digits.
func sumOf(path string) (string, error) {
	content, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = content.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}
