package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const testVersion = "v0.0.0-test"

// made builds the images of platforms into a new folder.
func made(t *testing.T, platforms string) (out string) {
	t.Helper()
	out = t.TempDir()
	if err := run(t.Context(), settings{root: "../..", out: out, name: operator.name, version: testVersion, platforms: platforms, imageAlone: true, fakespaces: true}); err != nil {
		t.Fatal(err)
	}
	return out
}

// layoutOf reads the layout of an image, which is one.
func layoutOf(t *testing.T, out string, of shipped) (index v1.ImageIndex) {
	t.Helper()
	written, err := layout.ImageIndexFromPath(filepath.Join(out, of.output))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := written.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("the layout has %v (%v)", manifest, err)
	}
	if name := manifest.Manifests[0].Annotations["io.containerd.image.name"]; name != of.name+":"+testVersion {
		t.Errorf("it would be loaded as %q", name)
	}
	if index, err = written.ImageIndex(manifest.Manifests[0].Digest); err != nil {
		t.Fatal(err)
	}
	return index
}

func TestTheImages(t *testing.T) {
	out := made(t, "linux/amd64,linux/arm64")
	for _, of := range []shipped{operatorImage, fakespacesImage} {
		t.Run(of.name, func(t *testing.T) { checkIndex(t, out, of) })
	}
	checkBOM(t, filepath.Join(out, operator.name+"_linux_amd64.cdx.json"))
	if runtime.GOOS == "linux" {
		binary := func(of program) string { return filepath.Join(out, of.name+"_linux_"+runtime.GOARCH) }
		if tag := strings.TrimSpace(command(t, binary(operator), "--version")); tag != testVersion {
			t.Errorf("the binary says that it is %s", tag)
		}
		// What the image gives it is judged before the request for help.
		if said := command(t, binary(fakespaces), append(fakespacesImage.arguments, "--help")...); !strings.Contains(said, "-token-lifetime") {
			t.Errorf("it says of its arguments: %s", said)
		}
	}
}

func TestAnImageIsCalledAfterItsNeighbour(t *testing.T) {
	for name, want := range map[string]string{
		"spaces-credential-operator":                    "fakespaces",
		"registry.example.com:5000/you/spaces-operator": "registry.example.com:5000/you/fakespaces",
	} {
		s := settings{name: name}
		if own, beside := operatorImage.named(s), fakespacesImage.named(s); own != name || beside != want {
			t.Errorf("beside %s is %s", own, beside)
		}
	}
}

func checkIndex(t *testing.T, out string, of shipped) {
	index := layoutOf(t, out, of)
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, one := range manifest.Manifests {
		platforms = append(platforms, one.Platform.String())
		image, err := index.Image(one.Digest)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(one.Platform.String(), func(t *testing.T) { checkImage(t, of, image, one.Platform) })
	}
	if !slices.Equal(platforms, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("it is for %v", platforms)
	}
	checkArchive(t, filepath.Join(out, of.output+".tar"), filepath.Join(out, of.output))
}

func checkImage(t *testing.T, of shipped, image v1.Image, p *v1.Platform) {
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != p.OS || config.Architecture != p.Architecture {
		t.Errorf("the configuration is for %s/%s", config.OS, config.Architecture)
	}
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, append([]string{"/" + of.name}, of.arguments...)) {
		t.Errorf("it runs %v as %s", config.Config.Entrypoint, config.Config.User)
	}
	for label, value := range map[string]string{"title": of.name, "version": testVersion, "licenses": "Apache-2.0"} {
		if got := config.Config.Labels["org.opencontainers.image."+label]; got != value {
			t.Errorf("the label %s is %q", label, got)
		}
	}
	if size, err := sizeOf(image); err != nil || size > 30<<20 {
		t.Errorf("%d bytes are pulled (%v); a node pulls at most 30 MiB", size, err)
	}
	modes := map[string]string{}
	for header, content := range filesIn(t, mutate.Extract(image)) {
		modes[header.Name] = fs.FileMode(header.Mode).Perm().String()
		if header.Name == certificatesFile {
			if !x509.NewCertPool().AppendCertsFromPEM(content) || bytes.Count(content, []byte("BEGIN CERTIFICATE")) < 100 {
				t.Errorf("there are %d certificates", bytes.Count(content, []byte("BEGIN CERTIFICATE")))
			}
		}
	}
	want := map[string]string{of.name: "-r-xr-xr-x"}
	if of.calling {
		want[certificatesFile] = "-r--r--r--"
	}
	if !maps.Equal(modes, want) {
		t.Errorf("the files and their modes are %v", modes)
	}
}

// checkArchive compares the tar with the layout.
func checkArchive(t *testing.T, path, folder string) {
	files := 0
	for header, content := range filesIn(t, bytes.NewReader(read(t, path))) {
		files++
		if !bytes.Equal(content, read(t, filepath.Join(folder, header.Name))) {
			t.Errorf("%s is another than in the layout", header.Name)
		}
	}
	if files < 8 { // of two platforms: manifest, configuration and a layer each, and what names them
		t.Errorf("there are %d files in the archive", files)
	}
}

// filesIn are the files of a tar, without its folders.
func filesIn(t *testing.T, archived io.Reader) iter.Seq2[*tar.Header, []byte] {
	return func(yield func(*tar.Header, []byte) bool) {
		archive := tar.NewReader(archived)
		for {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if header.Typeflag == tar.TypeDir {
				continue
			}
			content, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(header, content) {
				return
			}
		}
	}
}

func checkBOM(t *testing.T, path string) {
	var bom struct {
		Format     string `json:"bomFormat"`
		Components []struct{ Name, Version, Purl string }
	}
	if err := json.Unmarshal(read(t, path), &bom); err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, component := range bom.Components {
		known[component.Name] = component.Purl
	}
	if bom.Format != "CycloneDX" || !strings.HasPrefix(known["k8s.io/client-go"], "pkg:golang/k8s.io/client-go@v0.") || known["std"] == "" {
		t.Errorf("it lists %v", known)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func command(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	output, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
	return string(output)
}
