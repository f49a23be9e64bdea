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

// makeImage makes the image of the operators for linux, and tells its digest.
func makeImage(s settings, from source, built []binary) (digest string, err error) {
	var images []platformImage
	for _, b := range built {
		if b.program != operator || b.os != "linux" {
			continue
		}
		made, err := imageOf(b.path, b.platform, from)
		if err != nil {
			return "", err
		}
		images = append(images, made)
	}
	index, err := indexOf(images, from)
	if err != nil {
		return "", err
	}
	if err := writeLayout(filepath.Join(s.out, "image"), s.name, s.version, index); err != nil {
		return "", err
	}
	if err := writeArchive(filepath.Join(s.out, "image"), filepath.Join(s.out, "image.tar"), from.created); err != nil {
		return "", err
	}
	return tell(s.out, index, images)
}

// imageOf makes the image of a binary.
func imageOf(binary string, p platform, from source) (platformImage, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return platformImage{}, err
	}
	var layers []v1.Layer
	// The certificates change seldom, the program with each release.
	for _, content := range []file{{certificatesFile, 0o444, certificates()}, {operator.name, 0o555, program}} {
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
	config.OS, config.Architecture, config.Created = p.os, p.architecture, v1.Time{Time: from.created}
	config.Config = v1.Config{
		Entrypoint: []string{"/" + operator.name}, User: user, WorkingDir: "/", Labels: labels(from),
		Env: []string{"SSL_CERT_FILE=/" + certificatesFile},
	}
	made, err = mutate.ConfigFile(made, config)
	return platformImage{p, made}, err
}

// labels are those of the OCI image specification (annotations.md).
func labels(from source) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       operator.name,
		"org.opencontainers.image.description": "Keeps Avaya Spaces access tokens fresh in Kubernetes Secrets",
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
func indexOf(images []platformImage, from source) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, one := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: one.Image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: one.os, Architecture: one.architecture},
		}})
	}
	annotated, ok := mutate.Annotations(index, labels(from)).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("the index of %d images takes no annotations", len(images))
	}
	return annotated, nil
}

// tell says what was made, and what it weighs.
func tell(out string, index v1.ImageIndex, images []platformImage) (digest string, err error) {
	for _, one := range images {
		size, err := sizeOf(one)
		if err != nil {
			return "", err
		}
		say("the image for %s: %.1f MiB compressed", one.platform, float64(size)/(1<<20))
	}
	hash, err := index.Digest()
	if err != nil {
		return "", err
	}
	say("%s/image and %s/image.tar: %s", out, out, hash)
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
