package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// leastText is how many characters a wrapped text has at least, however narrow the terminal.
const leastText = 20

// printVerdicts prints one numbered line each. At a terminal of a width a longer text goes on below
// its own beginning; 0 is no end.
func printVerdicts(out io.Writer, verdicts []verdict, width int) {
	widest := 0
	for _, v := range verdicts {
		widest = max(widest, len(v.outcome))
	}
	for i, v := range verdicts {
		head := fmt.Sprintf("%2d%s%-*s%s", i+1, between, widest, v.outcome, between)
		fmt.Fprintln(out, head+wrapped(plain(v.text), width, len(head)))
	}
}

// words are those of a text. A command in quotes is one: a line break in it would be pasted, too.
func words(text string) (found []string) {
	isOpen := false
	for _, word := range strings.Fields(text) {
		if isOpen {
			found[len(found)-1] += " " + word
		} else {
			found = append(found, word)
		}
		if strings.Count(word, "`")%2 == 1 {
			isOpen = !isOpen
		}
	}
	return found
}

// wrapped is a text that begins at a column, in lines that end before a width.
func wrapped(text string, width, column int) string {
	if width == 0 {
		return text
	}
	most := max(width-column, leastText)
	var lines []string
	line := ""
	for _, word := range words(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= most:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return strings.Join(append(lines, line), "\n"+strings.Repeat(" ", column))
}
