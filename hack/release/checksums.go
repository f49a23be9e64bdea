package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// writeChecksums writes checksums.txt, the SHA-256 of each file in a folder and below, as sha256sum
// reads it.
func writeChecksums(folder string) error {
	var lines strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		sum, err := sumOf(path)
		lines.WriteString(sum + "  " + filepath.ToSlash(name) + "\n")
		return err
	})
	if err != nil {
		return err
	}
	say("checksums.txt of %d files", strings.Count(lines.String(), "\n"))
	return os.WriteFile(filepath.Join(folder, "checksums.txt"), []byte(lines.String()), 0o644)
}
