package secrettemplate

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode/utf8"
)

const (
	// MaxText is how many characters a template has at most; the CRD says so too.
	MaxText = 8 << 10
	// MaxKey is how many bytes come out of one template at most.
	MaxKey = 64 << 10
	// MaxTotal is how many bytes come out of all templates together at most: a Secret
	// holds 1 MiB, and the operator's own keys and formats need their part.
	MaxTotal = 512 << 10
	// MaxCalls is how many calls of functions stand in all templates together at most. Nothing
	// repeats them, so it bounds the time of a rendering as the bytes bound its memory.
	MaxCalls = 2000
)

// Identity is the user behind a token, as far as it is known.
type Identity struct {
	Username string
	UserID   string
}

// Fields are what a template may use. A refresh token, a client secret and a password
// are not among them and never will be.
type Fields struct {
	AccessToken   string
	TokenType     string
	Authorization string
	// ExpiresAt is an RFC 3339 time.
	ExpiresAt string
	Scope     string
	APIURL    string
	SocketURL string
	IDToken   string
	Identity  Identity
}

// Template is one parsed template.
type Template struct {
	key  string
	tree *parse.Tree
	// functions are the names of those it calls: only these are bound for a rendering.
	functions []string
	// calls counts those calls.
	calls int
}

// Parse reads the template of a key and refuses what it may not contain. It renders
// nothing; see [Check].
func Parse(key, text string) (*Template, error) {
	if utf8.RuneCountInString(text) > MaxText {
		return nil, &Error{Key: key, Problem: fmt.Sprintf("it is longer than %d characters", MaxText)}
	}
	// A definition of the very name that is being parsed would not stand out in the set
	// of trees. A name longer than the whole text cannot be written in it.
	tree, set := parse.New(strings.Repeat("x", len(text)+1)), map[string]*parse.Tree{}
	if _, err := tree.Parse(text, "", "", set, allowed); err != nil {
		return nil, parseError(key, err)
	}
	look := inspection{tree: tree}
	look.definitions(set)
	look.visit(tree.Root, false)
	if look.problem != nil {
		look.problem.Key = key
		return nil, look.problem
	}
	// Errors of the execution repeat these names.
	tree.Name, tree.ParseName = innerName, innerName
	return &Template{key: key, tree: tree, functions: look.functions, calls: look.calls}, nil
}

// Render fills the template. Its errors tell nothing of the fields' values.
func (t *Template) Render(fields Fields) ([]byte, error) { return t.render(fields, false) }

// render fills the template. Only with made-up values may its errors be detailed.
func (t *Template) render(fields Fields, madeUp bool) (text []byte, err error) {
	defer func() {
		// text/template passes on what is neither its own nor a function's fault.
		if recover() != nil {
			text, err = nil, &Error{Key: t.key, Problem: "it cannot be rendered"}
		}
	}()
	executable, err := template.New(innerName).Option("missingkey=error").
		Funcs((&meter{left: maxWork}).bind(t.functions)).AddParseTree(innerName, t.tree)
	if err != nil {
		return nil, &Error{Key: t.key, Problem: "it cannot be rendered"}
	}
	var out limited
	if err := executable.Execute(&out, fields); err != nil {
		return nil, executionError(t.key, err, madeUp)
	}
	return out.Bytes(), nil
}

// Set is every template of one Secret.
type Set []*Template

// Entry is a key and the text of its template.
type Entry struct{ Key, Text string }

// ParseSet parses every entry.
func ParseSet(entries []Entry) (Set, error) {
	set, calls := make(Set, 0, len(entries)), 0
	for _, entry := range entries {
		t, err := Parse(entry.Key, entry.Text)
		if err != nil {
			return nil, err
		}
		if calls += t.calls; calls > MaxCalls {
			return nil, &Error{Key: t.key, Problem: fmt.Sprintf("with it, the templates call functions more than %d times in all", MaxCalls)}
		}
		set = append(set, t)
	}
	return set, nil
}

// Render fills every template.
func (s Set) Render(fields Fields) (map[string][]byte, error) { return s.render(fields, false) }

func (s Set) render(fields Fields, madeUp bool) (map[string][]byte, error) {
	data, total := make(map[string][]byte, len(s)), 0
	for _, t := range s {
		text, err := t.render(fields, madeUp)
		if err != nil {
			return nil, err
		}
		if total += len(text); total > MaxTotal {
			return nil, &Error{Key: t.key, Problem: fmt.Sprintf("with it, what comes out of all templates together is larger than %d KiB", MaxTotal>>10)}
		}
		data[t.key] = text
	}
	return data, nil
}

// limited is a buffer that takes no more than MaxKey bytes.
type limited struct{ bytes.Buffer }

var errTooLong = errors.New("what comes out of a template is too long")

func (b *limited) Write(p []byte) (int, error) {
	if b.Len()+len(p) > MaxKey {
		return 0, errTooLong
	}
	return b.Buffer.Write(p)
}
