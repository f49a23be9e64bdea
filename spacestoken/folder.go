package spacestoken

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	// dataLink is the link that the kubelet renames when a volume changes.
	dataLink = "..data"
	// largest bounds what is read of a file; the operator publishes tokens of at most 16 KiB.
	largest = 64 << 10
	// patience is how often reading starts anew because the files were replaced meanwhile. The
	// kubelet replaces them at most every few seconds.
	patience = 100
	// failures is how often reading must fail without a sign that the files were replaced.
	failures = 5
)

// folder is where a Secret is mounted.
type folder string

// version names the content of a volume, or is empty where nothing but reading tells of a change. It
// is one system call.
func (f folder) version() string {
	target, err := os.Readlink(filepath.Join(string(f), dataLink))
	if err != nil {
		return ""
	}
	return target
}

// read reads all files as one set, and names the version that it read.
func (f folder) read() (*published, string, error) {
	unchanged := 0
	for range patience {
		version := f.version()
		place, err := f.place(version)
		var content map[string]string
		if err == nil {
			content, err = f.readFrom(place)
		}
		if err == nil {
			found, err := publishedOf(string(f), content)
			return found, version, err
		}
		// They may have been replaced while they were read.
		if now, _ := f.place(f.version()); now == place {
			if unchanged++; unchanged == failures {
				return nil, "", err
			}
		}
	}
	return nil, "", &Error{
		Path: string(f), Found: fmt.Sprintf("the files were replaced during each of %d readings", patience),
		Remedy: "find out what keeps writing there; the kubelet does not",
	}
}

// place is where the files of a version stand, with all links resolved. The kubelet never changes
// what stands there, it removes it: so no two files are of two tokens.
func (f folder) place(version string) (string, error) {
	place := string(f)
	if version != "" {
		if place = version; !filepath.IsAbs(version) {
			place = filepath.Join(string(f), version)
		}
	}
	// A folder inside of a volume is a link itself, through ..data.
	resolved, err := filepath.EvalSymlinks(place)
	if err != nil {
		return "", unreadable(string(f), err)
	}
	return resolved, nil
}

func (f folder) readFrom(place string) (map[string]string, error) {
	content := map[string]string{}
	for _, name := range []string{accessTokenFile, tokenTypeFile, expiresAtFile, apiURLFile} {
		text, err := readFile(filepath.Join(place, name))
		if err != nil {
			return nil, unreadable(filepath.Join(string(f), name), err)
		}
		content[name] = text
	}
	return content, nil
}

// readFile reads a small file. One newline at the end is an editor's.
func readFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(file, largest))
	return strings.TrimSuffix(string(content), "\n"), err
}
