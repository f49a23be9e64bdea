package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// browserVariable names the browsers of a person's choice, with colons between them.
const browserVariable = "BROWSER"

// openBrowser shows an address in the browser of the command, of $BROWSER, or of the
// system: the first of them that starts and does not fail.
func openBrowser(command, address string) error {
	err := errors.New("no browser is known")
	for _, words := range browserCommands(runtime.GOOS, command, os.Getenv(browserVariable), address) {
		// It may have to outlive this program, and no shell reads the address.
		if err = exec.Command(words[0], words[1:]...).Run(); err == nil {
			return nil
		}
		err = fmt.Errorf("%s: %w", words[0], err)
	}
	return err
}

// browserCommands are the commands that may show an address, best first.
func browserCommands(system, command, variable, address string) [][]string {
	switch {
	case strings.TrimSpace(command) != "":
		return [][]string{withAddress(strings.Fields(command), address)}
	case strings.TrimSpace(variable) != "":
		var commands [][]string
		for one := range strings.SplitSeq(variable, ":") {
			if words := strings.Fields(one); len(words) > 0 {
				commands = append(commands, withAddress(words, address))
			}
		}
		return commands
	}
	switch system {
	case "darwin":
		return [][]string{{"open", address}}
	case "windows":
		return [][]string{{"rundll32", "url.dll,FileProtocolHandler", address}}
	}
	return [][]string{{"xdg-open", address}}
}

// withAddress puts the address where the command says %s, or else at its end.
func withAddress(words []string, address string) []string {
	placed := false
	for i, word := range words {
		if strings.Contains(word, "%s") {
			words[i], placed = strings.ReplaceAll(word, "%s", address), true
		}
	}
	if placed {
		return words
	}
	return append(words, address)
}
