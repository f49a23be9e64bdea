// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// People look up what they see in the README. Its tables name exactly what the
// operator can show, in the order in which the code documents it.
func TestTheReadmeExplainsEveryConditionAndReason(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())

	for heading, want := range map[string][]string{
		"## Conditions": v1alpha1.ConditionTypes(),
		"### Reasons":   v1alpha1.Reasons(),
	} {
		t.Run(strings.TrimLeft(heading, "# "), func(t *testing.T) {
			NewWithT(t).Expect(firstColumn(string(text), heading)).To(Equal(want))
		})
	}
}

// row is a row of a Markdown table that begins with a word of code.
var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")

// firstColumn returns the words in the first column of the tables between heading
// and the next one.
func firstColumn(text, heading string) []string {
	_, section, _ := strings.Cut(text, "\n"+heading+"\n")
	section, _, _ = strings.Cut(section, "\n#")
	var words []string
	for _, match := range row.FindAllStringSubmatch(section, -1) {
		words = append(words, match[1])
	}
	return words
}
