package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// archive is a binary that was packed.
type archive struct {
	binary
	path string
}

// packBinary packs a binary and the license, as krew and people expect it of the platform.
func packBinary(s settings, from source, b binary) (archive, error) {
	content, err := os.ReadFile(b.path)
	if err != nil {
		return archive{}, err
	}
	license, err := os.ReadFile(filepath.Join(s.root, "LICENSE"))
	if err != nil {
		return archive{}, err
	}
	files := []file{{b.executable(b.program), 0o755, content}, {"LICENSE", 0o644, license}}
	path, pack := filepath.Join(s.out, b.title()+".tar.gz"), packTar
	if b.os == "windows" {
		path, pack = filepath.Join(s.out, b.title()+".zip"), packZip
	}
	return archive{b, path}, writeFile(path, func(into io.Writer) error { return pack(into, files, from.created) })
}

func packTar(into io.Writer, files []file, at time.Time) error {
	compressed := gzip.NewWriter(into)
	packed := tar.NewWriter(compressed)
	for _, f := range files {
		if err := packed.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), ModTime: at}); err != nil {
			return err
		}
		if _, err := packed.Write(f.content); err != nil {
			return err
		}
	}
	return errors.Join(packed.Close(), compressed.Close())
}

func packZip(into io.Writer, files []file, at time.Time) error {
	packed := zip.NewWriter(into)
	for _, f := range files {
		entry, err := packed.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at})
		if err != nil {
			return err
		}
		if _, err := entry.Write(f.content); err != nil {
			return err
		}
	}
	return packed.Close()
}
