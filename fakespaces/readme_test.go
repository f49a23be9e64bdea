package fakespaces_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheReadmeListsEveryFault(t *testing.T) {
	text := readme(t)
	for _, fault := range fakespaces.Faults() {
		work := map[bool]string{true: "yes", false: "no"}[fault.DoesWork()]
		row := fmt.Sprintf("| `%s` | %s | %s |\n", fault, fault.Meaning(), work)
		if !strings.Contains(text, row) {
			t.Errorf("README.md lacks the row %q", row)
		}
	}
}

func TestTheReadmeNamesEveryOperationAndSwitch(t *testing.T) {
	paragraphs := strings.Split(readme(t), "\n\n")
	lists := func(beginning, name string) {
		for _, paragraph := range paragraphs {
			if strings.HasPrefix(paragraph, beginning) && strings.Contains(paragraph, "`"+name+"`") {
				return
			}
		}
		t.Errorf("README.md lacks %q after %q", name, beginning)
	}
	for _, op := range fakespaces.Operations() {
		lists("Operations are ", string(op))
	}
	switches := reflect.TypeFor[fakespaces.Switches]()
	for i := range switches.NumField() {
		name, _, _ := strings.Cut(switches.Field(i).Tag.Get("json"), ",")
		lists("The switches are ", name)
	}
}

// Redirect URIs are compared letter by letter: one that differs from the sample's by a slash costs whoever
// pastes both an hour.
func TestTheReadmeRegistersTheRedirectURIOfTheSample(t *testing.T) {
	sample, err := os.ReadFile("../config/samples/spacescredential_authorization_code.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, uri, _ := strings.Cut(string(sample), "redirectURI: ")
	uri, _, _ = strings.Cut(uri, "\n")
	if flag := "`--redirect-uri my-app=" + uri + "`"; uri == "" || !strings.Contains(readme(t), flag) {
		t.Errorf("README.md lacks %s", flag)
	}
}
