package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// launcherText writes down the process ID, which envtest does not tell, and becomes the program.
const launcherText = "#!/bin/sh\necho $$ >'%s'\nexec '%s' \"$@\"\n"

// launcher stands in envtest's eyes for a program of the assets, and knows its process.
type launcher struct {
	// path is the program for envtest to start.
	path string
}

// newLauncher makes one of a program in the assets. Its files lie in folder.
func newLauncher(folder, assets, program string) (launcher, error) {
	l := launcher{path: filepath.Join(folder, program)}
	text := fmt.Sprintf(launcherText, l.processFile(), filepath.Join(assets, program))
	return l, os.WriteFile(l.path, []byte(text), 0o700)
}

// processFile holds the process ID.
func (l launcher) processFile() string { return l.path + ".pid" }

// process is the process ID of the last start.
func (l launcher) process() (int, error) {
	text, err := os.ReadFile(l.processFile())
	if err != nil {
		return 0, fmt.Errorf("finding the process of %s: %w", filepath.Base(l.path), err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
