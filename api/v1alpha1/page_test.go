// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// People look up what they see in docs/conditions.md. Its tables name exactly what the
// operator can show, in the order in which the code documents it.
func TestThePageExplainsEveryConditionAndReason(t *testing.T) {
	text, err := os.ReadFile("../../docs/conditions.md")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())

	for heading, want := range map[string][]string{
		"## Conditions": v1alpha1.ConditionTypes(),
		"## Reasons":    v1alpha1.Reasons(),
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

// block is one of YAML in a page.
var block = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// People paste what stands in the pages: the API server takes every SpacesCredential, and every part of a
// spec put into a sample, without a field that it does not know.
func TestTheAPIServerTakesWhatThePagesShow(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	shown := 0
	for _, page := range append(pages, "../../README.md", "../../fakespaces/README.md") {
		text, err := os.ReadFile(page)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		for i, found := range block.FindAllStringSubmatch(string(text), -1) {
			for _, document := range strings.Split(found[1], "\n---\n") {
				var parsed map[string]any
				if yaml.Unmarshal([]byte(document), &parsed) != nil {
					t.Errorf("%s: block %d is no YAML:\n%s", page, i+1, document)
					continue
				}
				_, isPart := parsed["spec"]
				switch {
				case parsed["kind"] == "SpacesCredential":
				case isPart && len(parsed) == 1 && filepath.Base(page) != "gitops.md": // where it is Flux's
					whole := object(t, withPassword).Object
					into, part := whole["spec"].(map[string]any), parsed["spec"].(map[string]any)
					for field, instead := range map[string]string{"clientRef": "clientSecretRef", "grantType": "password"} {
						if _, is := part[field]; is {
							delete(into, instead)
						}
					}
					maps.Copy(into, part)
					parsed = whole
				default:
					continue
				}
				shown++
				t.Run(fmt.Sprintf("%s/%d", filepath.Base(page), i+1), func(t *testing.T) {
					shown := &unstructured.Unstructured{Object: parsed}
					shown.SetNamespace("default")
					NewWithT(t).Expect(cluster.Create(t.Context(), shown, client.DryRunAll, client.FieldValidation("Strict"))).To(Succeed())
				})
			}
		}
	}
	NewWithT(t).Expect(shown).To(BeNumerically(">", 8), "the pages show no objects")
}
