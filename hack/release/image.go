package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// user is nobody in particular: the image needs no user database, and any other UID
	// runs it as well.
	user = "65532:65532"
	// sourceURL is where the project lives.
	sourceURL = "https://github.com/spaces-operator/spaces-credential-operator"
)

// shipped is a program that has an image.
type shipped struct {
	program
	// output is what its layout and, with .tar, its archive are called.
	output string
	// description is that of its labels.
	description string
	// arguments come after the program, before those of whoever runs it.
	arguments []string
	// calling tells that it calls other hosts, and has to trust somebody.
	calling bool
}

var (
	operatorImage = shipped{program: operator, output: "image", description: "Keeps Avaya Spaces access tokens fresh in Kubernetes Secrets", calling: true}
	// In a container nobody reaches loopback; who runs it there chooses who may come.
	fakespacesImage = shipped{
		program: fakespaces, output: "fakespaces-image", description: "An Avaya Spaces that runs in memory, for tests",
		arguments: []string{"--any-address", "--listen=0.0.0.0:8085"},
	}
)

// named is what an image is called, without its tag: the operator's as the flag has it, others beside that.
func (i shipped) named(s settings) string {
	if i.program == operator {
		return s.name
	}
	return path.Join(path.Dir(s.name), i.name)
}

// platformImage is the image of one platform.
type platformImage struct {
	platform
	v1.Image
}

// file is one file of a layer or an archive.
type file struct {
	name    string
	mode    int64
	content []byte
}

// makeImage makes the image of a program's binaries for linux, and tells its digest.
func makeImage(s settings, from source, of shipped, built []binary) (digest string, err error) {
	var images []platformImage
	for _, b := range built {
		if b.program != of.program || b.os != "linux" {
			continue
		}
		made, err := imageOf(of, b, from)
		if err != nil {
			return "", err
		}
		images = append(images, made)
	}
	index, err := indexOf(of, images, from)
	if err != nil {
		return "", err
	}
	layout := filepath.Join(s.out, of.output)
	if err := writeLayout(layout, of.named(s), s.version, index); err != nil {
		return "", err
	}
	if err := writeArchive(layout, layout+".tar", from.created); err != nil {
		return "", err
	}
	return tell(layout, index, images)
}

// imageOf makes the image of a binary.
func imageOf(of shipped, b binary, from source) (platformImage, error) {
	program, err := os.ReadFile(b.path)
	if err != nil {
		return platformImage{}, err
	}
	files := []file{{of.name, 0o555, program}}
	var env []string
	if of.calling {
		// The certificates change seldom, the program with each release.
		files = append([]file{{certificatesFile, 0o444, certificates()}}, files...)
		env = []string{"SSL_CERT_FILE=/" + certificatesFile}
	}
	var layers []v1.Layer
	for _, content := range files {
		layer, err := layerOf(content, from.created)
		if err != nil {
			return platformImage{}, err
		}
		layers = append(layers, layer)
	}
	made, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layers...)
	if err != nil {
		return platformImage{}, err
	}
	config, err := made.ConfigFile()
	if err != nil {
		return platformImage{}, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = b.os, b.architecture, v1.Time{Time: from.created}
	config.Config = v1.Config{
		Entrypoint: append([]string{"/" + of.name}, of.arguments...), User: user, WorkingDir: "/", Labels: labels(of, from), Env: env,
	}
	made, err = mutate.ConfigFile(made, config)
	return platformImage{b.platform, made}, err
}

// labels are those of the OCI image specification (annotations.md).
func labels(of shipped, from source) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       of.name,
		"org.opencontainers.image.description": of.description,
		"org.opencontainers.image.source":      sourceURL,
		"org.opencontainers.image.url":         sourceURL,
		"org.opencontainers.image.version":     from.version,
		"org.opencontainers.image.revision":    from.revision,
		"org.opencontainers.image.created":     from.created.Format(time.RFC3339),
		"org.opencontainers.image.licenses":    "Apache-2.0",
	}
}

// layerOf is a layer of one file and the folders above it.
func layerOf(f file, at time.Time) (v1.Layer, error) {
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	for _, folder := range foldersOf(f.name) {
		if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755, ModTime: at}); err != nil {
			return nil, err
		}
	}
	if err := archive.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), ModTime: at}); err != nil {
		return nil, err
	}
	if _, err := archive.Write(f.content); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// foldersOf are the folders above a file, the outermost first.
func foldersOf(name string) []string {
	folder := path.Dir(name)
	if folder == "." {
		return nil
	}
	return append(foldersOf(folder), folder)
}

// indexOf is the image of all platforms.
func indexOf(of shipped, images []platformImage, from source) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, one := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: one.Image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: one.os, Architecture: one.architecture},
		}})
	}
	annotated, ok := mutate.Annotations(index, labels(of, from)).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("the index of %d images takes no annotations", len(images))
	}
	return annotated, nil
}

// tell says what was made, and what it weighs.
func tell(layout string, index v1.ImageIndex, images []platformImage) (digest string, err error) {
	for _, one := range images {
		size, err := sizeOf(one)
		if err != nil {
			return "", err
		}
		say("%s for %s: %.1f MiB compressed", layout, one.platform, float64(size)/(1<<20))
	}
	hash, err := index.Digest()
	if err != nil {
		return "", err
	}
	say("%s and %[1]s.tar: %s", layout, hash)
	return hash.String(), nil
}

// sizeOf is how much of an image is pulled.
func sizeOf(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	size := manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size, nil
}
