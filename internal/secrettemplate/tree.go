package secrettemplate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"
)

// inspection walks a parse tree once and keeps the first problem it meets. It also
// sees the branches that a trial does not take.
type inspection struct {
	tree      *parse.Tree
	functions []string
	calls     int
	problem   *Error
}

func (i *inspection) refuse(node parse.Node, format string, arguments ...any) {
	if i.problem == nil {
		i.problem = &Error{Line: lineOf(i.tree, node), Problem: fmt.Sprintf(format, arguments...)}
	}
}

// definitions refuses every tree but the first; it points to the first of them.
func (i *inspection) definitions(set map[string]*parse.Tree) {
	var first parse.Node
	for _, tree := range set {
		if tree != i.tree && (first == nil || tree.Root.Position() < first.Position()) {
			first = tree.Root
		}
	}
	if first != nil {
		i.refuse(first, "define and block are not allowed")
	}
}

// visit looks at a node. Under a `with` the dot is bound to what stands there; else it
// is all the fields.
//
// Nodes are listed one by one, so that a statement that a later Go adds is refused
// until somebody has thought about it.
func (i *inspection) visit(node parse.Node, bound bool) {
	switch n := node.(type) {
	case *parse.TextNode, *parse.StringNode, *parse.NumberNode, *parse.BoolNode, *parse.NilNode, *parse.CommentNode:
	case *parse.ListNode:
		for _, child := range n.Nodes {
			i.visit(child, bound)
		}
	case *parse.ActionNode:
		i.visit(n.Pipe, bound)
	case *parse.PipeNode:
		for _, command := range n.Cmds {
			i.visit(command, bound)
		}
	case *parse.CommandNode:
		for _, argument := range n.Args {
			i.visit(argument, bound)
		}
	case *parse.IfNode:
		i.branch(&n.BranchNode, bound, bound)
	case *parse.WithNode:
		i.branch(&n.BranchNode, bound, true)
	case *parse.IdentifierNode:
		i.calls++
		if !slices.Contains(i.functions, n.Ident) {
			i.functions = append(i.functions, n.Ident)
		}
	case *parse.DotNode:
		if !bound {
			i.wholeOf(n)
		}
	case *parse.FieldNode:
		i.path(n, bound, n.Ident)
	case *parse.VariableNode:
		i.variable(n)
	case *parse.ChainNode:
		i.visit(n.Node, bound)
		i.path(n, true, n.Field)
	case *parse.RangeNode, *parse.BreakNode, *parse.ContinueNode:
		i.refuse(n, "range is not allowed: a template that loops cannot be stopped")
	case *parse.TemplateNode:
		i.refuse(n, "template and block are not allowed")
	default:
		i.refuse(n, "%q is not allowed", n.String())
	}
}

func (i *inspection) branch(n *parse.BranchNode, bound, inside bool) {
	i.visit(n.Pipe, bound)
	i.visit(n.List, inside)
	if n.ElseList != nil {
		i.visit(n.ElseList, bound)
	}
}

// variable looks at $ (all the fields, wherever it stands) and at $name.
func (i *inspection) variable(n *parse.VariableNode) {
	switch {
	case n.Ident[0] != "$":
		i.path(n, true, n.Ident[1:])
	case len(n.Ident) == 1:
		i.wholeOf(n)
	default:
		i.path(n, false, n.Ident[1:])
	}
}

// wholeOf refuses the fields as one value: it would publish an ID token that nobody
// named, and change its form with every field that is added here.
func (i *inspection) wholeOf(n parse.Node) {
	i.refuse(n, "%s alone is not allowed: name a field, as in .AccessToken", n)
}

// path looks a chain of fields up. What is bound can only be the identity, or has no
// fields at all.
func (i *inspection) path(n parse.Node, bound bool, names []string) {
	kind := reflect.TypeFor[Fields]()
	if bound {
		kind = reflect.TypeFor[Identity]()
	}
	for count, name := range names {
		asked := "." + strings.Join(names[:count+1], ".")
		if kind.Kind() != reflect.Struct {
			i.refuse(n, "there is no field %s: what stands before .%s is a text", asked, name)
			return
		}
		field, found := kind.FieldByName(name)
		if !found {
			i.refuse(n, "there is no field %s, only %s", asked, fieldsOf(kind))
			return
		}
		kind = field.Type
	}
}

// fieldsOf lists the fields of a struct for a message.
func fieldsOf(kind reflect.Type) string {
	var names []string
	for _, field := range reflect.VisibleFields(kind) {
		names = append(names, "."+field.Name)
	}
	return strings.Join(names, ", ")
}
