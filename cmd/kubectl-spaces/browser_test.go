package main

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestTheBrowserIsThePersonsChoice(t *testing.T) {
	const address = "https://accounts.example.test/authorize?a=1&b=2"
	for sentence, c := range map[string]struct {
		system, command, variable string
		want                      [][]string
	}{
		"of the system, on Linux":      {"linux", "", "", [][]string{{"xdg-open", address}}},
		"of the system, on a Mac":      {"darwin", "", "", [][]string{{"open", address}}},
		"of the system, on Windows":    {"windows", "", "", [][]string{{"rundll32", "url.dll,FileProtocolHandler", address}}},
		"of the variable, in turn":     {"linux", "", "lynx: firefox -P work", [][]string{{"lynx", address}, {"firefox", "-P", "work", address}}},
		"of the flag before all":       {"linux", "chromium --app=%s", "lynx", [][]string{{"chromium", "--app=" + address}}},
		"none, when the flag is blank": {"linux", " ", "", [][]string{{"xdg-open", address}}},
	} {
		t.Run(sentence, func(t *testing.T) {
			NewWithT(t).Expect(browserCommands(c.system, c.command, c.variable, address)).To(Equal(c.want))
		})
	}
}

func TestABrowserThatCannotBeStartedIsAnError(t *testing.T) {
	NewWithT(t).Expect(openBrowser("/nonexistent/browser", "https://example.test")).To(MatchError(ContainSubstring("/nonexistent/browser")))
}
