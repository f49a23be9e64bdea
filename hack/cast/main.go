// Command cast draws what a program says as a moving picture: it repeats its standard input line by
// line, and writes an SVG in which the lines come as they came, in a window like a terminal's. Long
// pauses are shortened.
//
//	bin/demo/demo --duration 60s | go run ./hack/cast -out docs/images/demo.svg -title 'make demo'
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"
)

func main() {
	out := flag.String("out", "", "the SVG to write")
	title := flag.String("title", "", "what was run, for the window's title")
	drop := flag.String("drop", "", "regular expression of lines to leave out, such as paths of this machine")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *out, *title, *drop); err != nil {
		fmt.Fprintln(os.Stderr, "cast:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, echo io.Writer, out, title, drop string) error {
	dropped, err := regexp.Compile(drop)
	if err != nil {
		return fmt.Errorf("-drop: %w", err)
	}
	recorded := recording{title: title}
	lines, began := bufio.NewScanner(in), time.Now()
	for lines.Scan() {
		if _, err := fmt.Fprintln(echo, lines.Text()); err != nil {
			return err
		}
		if drop == "" || !dropped.MatchString(lines.Text()) {
			recorded.lines = append(recorded.lines, line{after: time.Since(began), text: lines.Text()})
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if len(recorded.lines) == 0 {
		return fmt.Errorf("nothing was said: %s is left as it was", out)
	}
	return os.WriteFile(out, recorded.svg(), 0o644)
}
