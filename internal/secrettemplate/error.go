package secrettemplate

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template/parse"
	"unicode"
)

const (
	// innerName stands for the key inside text/template, whose errors repeat it: a key
	// must not be able to look like a part of a message.
	innerName = "template"
	// maxProblem bounds a message, and maxWords the words of the template in it.
	maxProblem = 240
	maxWords   = 60
)

// Error says what is wrong with one template, in one line.
type Error struct {
	Key string
	// Line counts from 1; 0 where the template as a whole is meant.
	Line    int
	Problem string
}

// Error implements error.
func (e *Error) Error() string {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf(", line %d", e.Line)
	}
	return fmt.Sprintf("the template of key %q%s: %s", e.Key, where, oneLine(e.Problem))
}

// useError is a function's complaint about its use. Its text is one of ours and holds
// no value, so it may be told whatever was rendered.
type useError string

func (e useError) Error() string { return string(e) }

// located takes apart what text/template says: where, at which words of the template,
// and what.
var located = regexp.MustCompile(`(?s)^template: \w+:(\d+):(?:\d+:)? (?:executing "\w+" at <(.*?)>: )?(.*)$`)

// notDefined is how the parser calls a function it was not given.
var notDefined = regexp.MustCompile(`^function "(\w+)" not defined$`)

// parseError puts a parser's error into our words. At that point there are no values.
func parseError(key string, err error) error {
	problem := &Error{Key: key, Problem: err.Error()}
	if parts := located.FindStringSubmatch(err.Error()); parts != nil {
		problem.Line, _ = strconv.Atoi(parts[1])
		problem.Problem = parts[3]
	}
	if name := notDefined.FindStringSubmatch(problem.Problem); name != nil {
		problem.Problem = fmt.Sprintf("there is no function %s for templates here", name[1])
	}
	return problem
}

// executionError puts an execution's error into our words. What text/template and the
// functions it calls have to say may repeat a value; it is told only of made-up ones.
func executionError(key string, err error, madeUp bool) error {
	if errors.Is(err, errTooLong) {
		return &Error{Key: key, Problem: fmt.Sprintf("what comes out of it is larger than %d KiB", MaxKey>>10)}
	}
	problem, at, what := &Error{Key: key}, "", "it does not work"
	if parts := located.FindStringSubmatch(err.Error()); parts != nil {
		problem.Line, _ = strconv.Atoi(parts[1])
		at, what = parts[2], parts[3]
	}
	var use useError
	switch {
	case errors.As(err, &use):
		what = string(use)
	case !madeUp:
		what = "it does not work with the values of this token"
	}
	problem.Problem = what
	if at != "" {
		problem.Problem = fmt.Sprintf("at <%s>: %s", cut(at, maxWords), what)
	}
	return problem
}

// oneLine makes a text fit for a condition, an event and a log.
func oneLine(text string) string {
	clean := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, text)), " ")
	return cut(strings.TrimRight(clean, "."), maxProblem)
}

func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// lineOf is where a node stands.
func lineOf(tree *parse.Tree, node parse.Node) int {
	location, _ := tree.ErrorContext(node)
	// The name that goes before has no colon.
	line, _ := strconv.Atoi(strings.Split(location, ":")[1])
	return line
}
