package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// A release has all that it should, and whoever builds it elsewhere has the same. It is built for
// this machine's platform alone, and the second time from another folder. What the compiler made of
// packages comes from its cache both times: only without GOCACHE would it be made twice, which takes
// minutes. docs/release.md says how.
func TestTwoReleasesAreOne(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1767225600")
	own := runtime.GOOS + "/" + runtime.GOARCH
	first, second := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(first, "left.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for out, root := range map[string]string{first: "../..", second: copied(t)} {
		if err := run(t.Context(), settings{root: root, out: out, name: "example.test:5000/operator", version: testVersion, platforms: own}); err != nil {
			t.Fatal(err)
		}
	}
	sums := checksums(t, first)
	if others := checksums(t, second); !maps.Equal(sums, others) {
		for name, sum := range sums {
			if others[name] != sum {
				t.Errorf("%s is another when it is built again", name)
			}
		}
	}
	var names []string
	for name := range sums {
		if !strings.HasPrefix(name, "image/") && !strings.HasPrefix(name, "fakespaces-image/") {
			names = append(names, strings.ReplaceAll(name, runtime.GOOS+"_"+runtime.GOARCH, "OWN"))
		}
	}
	slices.Sort(names)
	want := []string{"fakespaces-image.tar", "fakespaces_OWN.cdx.json", "fakespaces_OWN.tar.gz", "image.tar", "install.yaml", "kubectl-spaces_OWN.cdx.json", "kubectl-spaces_OWN.tar.gz", "release-notes.md",
		"spaces-credential-operator-0.0.0-test.tgz", "spaces-credential-operator_OWN.cdx.json", "spaces-credential-operator_OWN.tar.gz", "spaces.yaml"}
	if !slices.Equal(names, want) {
		t.Errorf("it consists of %v", names)
	}

	image := "example.test:5000/operator:" + testVersion
	if text := string(read(t, filepath.Join(first, "install.yaml"))); !strings.Contains(text, "image: "+image+"\n") {
		t.Errorf("install.yaml does not name %s", image)
	}
	chart := untarred(t, filepath.Join(first, "spaces-credential-operator-0.0.0-test.tgz"))
	for file, says := range map[string]string{"Chart.yaml": "appVersion: " + testVersion + "\n", "values.yaml": "  repository: example.test:5000/operator\n"} {
		if !strings.Contains(string(chart["spaces-credential-operator/"+file]), says) {
			t.Errorf("%s of the chart does not say %q", file, says)
		}
	}
	title := "_" + runtime.GOOS + "_" + runtime.GOARCH
	for _, of := range []program{operator, plugin} {
		checkBOM(t, filepath.Join(first, of.name+title+".cdx.json"))
		files := untarred(t, filepath.Join(first, of.name+title+".tar.gz"))
		if len(files) != 2 || !bytes.Equal(files["LICENSE"], read(t, "../../LICENSE")) {
			t.Errorf("%s is packed as %v", of.name, slices.Sorted(maps.Keys(files)))
		}
		path := filepath.Join(t.TempDir(), of.name)
		if err := os.WriteFile(path, files[of.name], 0o700); err != nil {
			t.Fatal(err)
		}
		ask := map[program]string{operator: "--version", plugin: "version"}[of]
		if said := command(t, path, ask); !strings.Contains(said, testVersion) {
			t.Errorf("%s says that it is %s", of.name, said)
		}
	}
}

// copied is a copy of the sources as they are now, with the same history.
func copied(t *testing.T) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "elsewhere")
	if err := exec.Command("git", "-C", "../..", "rev-parse").Run(); err != nil {
		if err := os.CopyFS(copied, os.DirFS("../..")); err != nil {
			t.Fatal(err)
		}
		return copied
	}
	command(t, "git", "clone", "--quiet", "--shared", "../..", copied)
	from := os.DirFS("../..")
	for name := range strings.SplitSeq(strings.TrimSpace(command(t, "git", "-C", "../..", "ls-files", "-co", "--exclude-standard")), "\n") {
		content, err := fs.ReadFile(from, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(copied, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, name), content, 0o700) // the scripts among them are run
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

// checksums are those of a release, which must be right.
func checksums(t *testing.T, out string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(string(read(t, filepath.Join(out, "checksums.txt")))), "\n") {
		sum, name, _ := strings.Cut(line, "  ")
		if found, err := sumOf(filepath.Join(out, name)); err != nil || found != sum {
			t.Errorf("the checksum of %s is %s and not %s (%v)", name, found, sum, err)
		}
		sums[name] = sum
	}
	return sums
}

func untarred(t *testing.T, path string) map[string][]byte {
	t.Helper()
	uncompressed, err := gzip.NewReader(bytes.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for header, content := range filesIn(t, uncompressed) {
		if header.Typeflag == tar.TypeReg {
			files[header.Name] = content
		}
	}
	return files
}

// krew installs what is packed for each platform, and nothing that is another than the manifest says.
// No program is in it: none is started.
func TestKrewInstallsThePluginOnEachPlatform(t *testing.T) {
	s := settings{root: "../..", out: t.TempDir(), version: testVersion}
	platforms, err := s.platformsOf()
	if err != nil {
		t.Fatal(err)
	}
	var plugins []archive
	for _, p := range platforms {
		b := binary{program: plugin, platform: p, path: filepath.Join(t.TempDir(), plugin.name)}
		if err := os.WriteFile(b.path, []byte(p.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		packed, err := packBinary(s, source{}, b)
		if err != nil {
			t.Fatal(err)
		}
		plugins = append(plugins, packed)
	}
	if len(plugins) != 6 {
		t.Errorf("there are %d platforms", len(plugins))
	}
	if err := writeKrewManifest(t.Context(), s, plugins); err != nil {
		t.Fatal(err)
	}
	opened, err := zip.OpenReader(filepath.Join(s.out, "kubectl-spaces_windows_amd64.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = opened.Close() }()
	if len(opened.File) != 2 || opened.File[0].Name != "kubectl-spaces.exe" {
		t.Errorf("the archive for Windows begins with %s", opened.File[0].Name)
	}

	krew, err := tool(t.Context(), s.root, "krew")
	if err != nil {
		t.Fatal(err)
	}
	other := plugins[0]
	other.path = plugins[1].path
	if err := tryKrew(t.Context(), krew, filepath.Join(s.out, "spaces.yaml"), other); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("krew says of another archive: %v", err)
	}
	wrong := strings.Replace(string(read(t, filepath.Join(s.out, "spaces.yaml"))), "version: v", "version: ", 1)
	if err := os.WriteFile(filepath.Join(s.out, "spaces.yaml"), []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tryKrew(t.Context(), krew, filepath.Join(s.out, "spaces.yaml"), plugins[0]); err == nil {
		t.Error("krew takes any version")
	}
}

func TestAVersionIsSemantic(t *testing.T) {
	for _, version := range []string{"v0.1.0", "v1.20.3-rc.1", testVersion} {
		if err := checkVersion(version); err != nil {
			t.Error(err)
		}
	}
	for _, version := range []string{"0.1.0", "v1", "v1.2", "v01.2.3", "v1.2.3+meta", "v1.2.3-", "61e3cae", "latest", "v1.2.3\n", "v1.2.3 "} {
		err := run(t.Context(), settings{version: version})
		if err == nil || !strings.HasPrefix(err.Error(), "VERSION must be a semantic version with a v before it") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestNotesAreCutFromTheChangelog(t *testing.T) {
	const link = "[pages](" + sourceURL + "/blob/v0.2.0/docs/a.md#b)"
	for sentence, c := range map[string]struct{ changelog, want string }{
		"a heading of its own":        {"# Changelog\n\n## Unreleased\n\n- new\n\n## v0.2.0\n\n- two\n\n## v0.1.0\n\n- one\n", "# v0.2.0\n\n- two\n"},
		"brackets and a date":         {"## [v0.2.0] - 2026-12-01\n\n### Added\n\n- two\n", "# v0.2.0\n\n### Added\n\n- two\n"},
		"links":                       {"## v0.2.0\n\n- [pages](docs/a.md#b), [web](https://example.test/a)\n", "# v0.2.0\n\n- " + link + ", [web](https://example.test/a)\n"},
		"no heading yet":              {"## Unreleased\n\n- new\n\n## v0.1.0\n\n- one\n", "# v0.2.0\n\nCHANGELOG.md has no heading for v0.2.0: these changes stand there under Unreleased.\n\n- new\n"},
		"neither":                     {"## v0.1.0\n\n- one\n", ""},
		"a heading of another, alike": {"## v0.2.0-rc.1\n\n- one\n", ""},
		"nothing under it":            {"## v0.2.0\n\n## v0.1.0\n\n- one\n", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			if notes, err := notesOf(c.changelog, "v0.2.0"); notes != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%v:\n%s", err, notes)
			}
		})
	}
}
