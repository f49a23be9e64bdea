package main

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// writeLayout writes an OCI layout (image-layout.md) of one image, under the name and the tag that
// it is to be known by where it is loaded.
func writeLayout(folder, name, tag string, index v1.ImageIndex) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	written, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	return written.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": tag,
		"io.containerd.image.name":          name + ":" + tag, // what containerd and Docker look for
	}))
}

// writeArchive packs a layout into a tar, in the order of names and at one time.
func writeArchive(folder, path string, at time.Time) error {
	return writeFile(path, func(into io.Writer) error {
		archive := tar.NewWriter(into)
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || path == folder {
				return err
			}
			name, err := filepath.Rel(folder, path)
			if err != nil {
				return err
			}
			if entry.IsDir() {
				return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: at})
			}
			return pack(archive, path, name, at)
		})
		return errors.Join(err, archive.Close())
	})
}

// writeFile makes a file of what write writes.
func writeFile(path string, write func(io.Writer) error) error {
	into, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(into), into.Close())
}

func pack(archive *tar.Writer, path, name string, at time.Time) error {
	content, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	info, err := content.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: info.Size(), ModTime: at}); err != nil {
		return err
	}
	_, err = io.Copy(archive, content)
	return err
}
