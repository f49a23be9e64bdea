// Package docs looks at the pages of the repository: their links, their blocks of commands, and that the
// site has each of them.
package docs

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// page is one Markdown file.
type page struct {
	path    string // in the repository
	source  []byte
	root    ast.Node
	anchors []string
	links   []string
}

// pages reads all of them, as git has them.
func pages(t *testing.T) map[string]*page {
	t.Helper()
	listed, err := exec.Command("git", "-C", root, "ls-files", "-co", "--exclude-standard", "--", "*.md").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*page{}
	for _, path := range strings.Fields(string(listed)) {
		source, err := os.ReadFile(filepath.Join(root, path))
		if os.IsNotExist(err) { // deleted, and not committed yet
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all[path] = read(path, source)
	}
	if len(all) < 20 {
		t.Fatalf("there are %d pages", len(all))
	}
	return all
}

func read(path string, source []byte) *page {
	p := &page{path: path, source: source}
	p.root = goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	_ = ast.Walk(p.root, func(node ast.Node, entering bool) (ast.WalkStatus, error) { // the visitor fails never
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := node.(type) {
		case *ast.Heading:
			p.anchors = append(p.anchors, anchor(words(n, source), p.anchors))
		case *ast.Link:
			p.links = append(p.links, string(n.Destination))
		case *ast.Image:
			p.links = append(p.links, string(n.Destination))
		}
		return ast.WalkContinue, nil
	})
	return p
}

// words are the text of a heading without its marks.
func words(node ast.Node, source []byte) string {
	var said strings.Builder
	_ = ast.Walk(node, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the visitor fails never
		if part, is := n.(*ast.Text); is && entering {
			said.Write(part.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return said.String()
}

var punctuation = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchor is what a forge makes of a heading; a second one of the same words gets a number.
func anchor(heading string, before []string) string {
	first := strings.ReplaceAll(punctuation.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
	made := first
	for n := 1; slices.Contains(before, made); n++ {
		made = first + "-" + strconv.Itoa(n)
	}
	return made
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	all := pages(t)
	for _, p := range all {
		for _, link := range p.links {
			to, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: the link %s: %v", p.path, link, err)
				continue
			}
			if to.Scheme != "" { // no test needs the network
				continue
			}
			file := p.path
			if to.Path != "" {
				file = filepath.Join(filepath.Dir(p.path), to.Path)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: the link %s leads to no file", p.path, link)
				continue
			}
			if target := all[file]; to.Fragment != "" && (target == nil || !slices.Contains(target.anchors, to.Fragment)) {
				t.Errorf("%s: the link %s leads to no heading", p.path, link)
			}
		}
	}
}

// menu are the pages of the site, in order.
func menu(t *testing.T) (listed []string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "hack/site/hugo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var site struct {
		Params struct {
			Menu []struct{ Pages []string }
		}
	}
	if err := yaml.Unmarshal(content, &site); err != nil {
		t.Fatal(err)
	}
	for _, section := range site.Params.Menu {
		listed = append(listed, section.Pages...)
	}
	return listed
}

func TestTheSiteHasEveryPage(t *testing.T) {
	listed := menu(t)
	for path := range pages(t) {
		isPage := filepath.Dir(path) == "docs" || path == "fakespaces/README.md" || filepath.Dir(path) == "."
		if isPage && !slices.Contains(listed, path) {
			t.Errorf("the menu in hack/site/hugo.yaml lacks %s", path)
		}
	}
}

func TestPagesBeginWithAHeading(t *testing.T) {
	all := pages(t)
	for _, path := range menu(t) {
		p := all[path]
		if p == nil {
			t.Errorf("the menu names %s, which is no page", path)
			continue
		}
		if first, is := p.root.FirstChild().(*ast.Heading); !is || first.Level != 1 {
			t.Errorf("%s does not begin with its title: the site would have none", path)
		}
	}
}

func TestTheReadmeIsShort(t *testing.T) {
	if lines := strings.Count(string(pages(t)["README.md"].source), "\n"); lines > 180 {
		t.Errorf("README.md has %d lines; what is more than the first steps belongs on a page", lines)
	}
}

// marks are the words behind the language of a block that a test runs: those of docs/runbook.md, of
// test/runbook/walks_test.go, and of test/workloads.
var marks = []string{"look", "mend", "check", "run", "program"}

// elsewhere finds a command other than make, whose targets have a test of their own.
var elsewhere = regexp.MustCompile(`(?m)^[^m#]|^m[^a]`)

// Every block of commands is run by a test, or says before it why it is not; but one that shows what
// is printed.
func TestEveryBlockOfCommandsIsRunOrSaysWhyNot(t *testing.T) {
	all := pages(t)
	for _, path := range menu(t) {
		p := all[path]
		if p == nil || path == "CONTRIBUTING.md" { // told by TestPagesBeginWithAHeading; and a list of what there is
			continue
		}
		for node := p.root.FirstChild(); node != nil; node = node.NextSibling() {
			fence, is := node.(*ast.FencedCodeBlock)
			if !is || fence.Info == nil {
				continue
			}
			language, mark, _ := strings.Cut(string(fence.Info.Value(p.source)), " ")
			if !slices.Contains([]string{"sh", "bash", "console"}, language) || slices.Contains(marks, mark) {
				continue
			}
			commands := string(fence.Lines().Value(p.source))
			if strings.HasPrefix(commands, "$ ") || !elsewhere.MatchString(commands) {
				continue
			}
			before, is := node.PreviousSibling().(*ast.HTMLBlock)
			if !is || !strings.HasPrefix(string(before.Lines().Value(p.source)), "<!-- not run: ") {
				t.Errorf("%s: nothing says why this is not run:\n%s", path, fence.Lines().Value(p.source))
			}
		}
	}
}

var target = regexp.MustCompile(`\bmake ([a-z][a-z0-9-]*)`)

// Nobody is told to make what is not there.
func TestEveryTargetThatAPageNamesIsThere(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages(t) {
		_ = ast.Walk(p.root, func(node ast.Node, entering bool) (ast.WalkStatus, error) { // the visitor fails never
			var code []byte
			switch n := node.(type) {
			case *ast.FencedCodeBlock:
				code = n.Lines().Value(p.source)
			case *ast.CodeSpan:
				code = []byte(words(n, p.source))
			}
			if !entering {
				return ast.WalkContinue, nil
			}
			for _, named := range target.FindAllSubmatch(code, -1) {
				if !strings.Contains(string(makefile), "\n"+string(named[1])+":") {
					t.Errorf("%s: there is no make %s", p.path, named[1])
				}
			}
			return ast.WalkContinue, nil
		})
	}
}
