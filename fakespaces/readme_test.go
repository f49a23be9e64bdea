package fakespaces_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func TestTheReadmeListsEveryFault(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range fakespaces.Faults() {
		work := map[bool]string{true: "yes", false: "no"}[fault.DoesWork()]
		row := fmt.Sprintf("| `%s` | %s | %s |\n", fault, fault.Meaning(), work)
		if !strings.Contains(string(text), row) {
			t.Errorf("README.md lacks the row %q", row)
		}
	}
}
