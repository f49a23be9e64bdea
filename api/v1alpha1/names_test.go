// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// The list that tools read is the one that is documented: every constant of
// conditions.go is in it, named as its value says, and has words of its own.
func TestReasonsAndConditionTypesAreComplete(t *testing.T) {
	g := NewWithT(t)
	file, err := parser.ParseFile(token.NewFileSet(), "conditions.go", nil, parser.ParseComments)
	g.Expect(err).NotTo(HaveOccurred())

	var reasons, types []string
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, s := range group.Specs {
			constant := s.(*ast.ValueSpec)
			name := constant.Names[0].Name
			value, err := strconv.Unquote(constant.Values[0].(*ast.BasicLit).Value)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(constant.Doc.Text()).To(HavePrefix(name), "%s is documented", name)
			if reason, ok := strings.CutPrefix(name, "Reason"); ok {
				g.Expect(value).To(Equal(reason))
				reasons = append(reasons, value)
			}
			if conditionType, ok := strings.CutPrefix(name, "Condition"); ok {
				g.Expect(value).To(Equal(conditionType))
				types = append(types, value)
			}
		}
	}
	g.Expect(v1alpha1.Reasons()).To(Equal(reasons))
	g.Expect(v1alpha1.ConditionTypes()).To(Equal(types))

	camelCase := regexp.MustCompile(`^[A-Z][A-Za-z]+$`)
	for _, name := range append(reasons, types...) {
		g.Expect(name).To(MatchRegexp(camelCase.String()))
	}
}
