package operator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces/operator"
)

func TestTheCRDIsFound(t *testing.T) {
	installed, err := operator.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(installed.CRDs, "auth.spaces-operator.io_spacescredentials.yaml")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(installed.Module, "main.go")); err != nil {
		t.Error(err)
	}
}

func TestAModuleThatDoesNotRequireTheOperatorIsTold(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("go.mod", []byte("module example.com/stranger\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOPROXY", "off")
	_, err := operator.Find(t.Context())
	if err == nil || !strings.Contains(err.Error(), "go.mod must require github.com/spaces-operator/spaces-credential-operator") {
		t.Errorf("error %v", err)
	}
}

// A module that is not there builds nothing: what the variable names must do.
func TestABinaryThatIsThereIsTaken(t *testing.T) {
	path := program(t, "exit 0")
	t.Setenv(operator.BinaryVariable, path)
	if got, err := (&operator.Installed{}).Binary(t.Context(), t.TempDir()); err != nil || got != path {
		t.Errorf("it takes %q, error %v", got, err)
	}
	t.Setenv(operator.BinaryVariable, path+"-not")
	if _, err := (&operator.Installed{}).Binary(t.Context(), t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), "SPACES_OPERATOR_BINARY: ") {
		t.Errorf("error %v", err)
	}
}

func TestAnOperatorThatEndsIsQuoted(t *testing.T) {
	folder := t.TempDir()
	_, err := operator.Start(t.Context(), operator.Settings{
		Binary: program(t, `echo "no good: $*"; exit 3`), Folder: folder, Kubeconfig: []byte("kube"), SpacesURL: "http://127.0.0.1:1", Arguments: []string{"--more"},
	})
	if err == nil || !strings.Contains(err.Error(), "the operator ended by itself (exit status 3)") || !strings.Contains(err.Error(), "no good: --kubeconfig="+folder) || !strings.Contains(err.Error(), " --more") {
		t.Errorf("error %v", err)
	}
	environments, err := os.ReadFile(filepath.Join(folder, "environments.yaml"))
	if want := "environments:\n- {name: \"local\", accountsURL: \"http://127.0.0.1:1\", apiURL: \"http://127.0.0.1:1\"}\n"; err != nil || string(environments) != want {
		t.Errorf("the environments are %q (%v)", environments, err)
	}
}

// program is a shell script.
func program(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
