package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// Forms of output.
const (
	formText = ""
	formWide = "wide"
	formName = "name"
	formJSON = "json"
	formYAML = "yaml"
)

// form is the value of -o. It implements pflag.Value, so that a wrong one is wrong
// usage.
type form struct {
	value   string
	allowed []string
}

// addForm gives a command the flag -o with these values.
func addForm(command *cobra.Command, allowed ...string) *form {
	f := &form{allowed: allowed}
	command.Flags().VarP(f, "output", "o", "form of the output: "+strings.Join(allowed, ", "))
	// It fails only for a flag that does not exist.
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
	return f
}

// String returns the value, empty for plain text.
func (f *form) String() string { return f.value }

// Type is what --help calls the value.
func (f *form) Type() string { return "form" }

// Set takes one of the allowed values.
func (f *form) Set(value string) error {
	if !slices.Contains(f.allowed, value) {
		return fmt.Errorf("must be one of %s", strings.Join(f.allowed, ", "))
	}
	f.value = value
	return nil
}

// structured tells whether objects are wanted rather than words.
func (f *form) structured() bool { return f.value == formJSON || f.value == formYAML }

// printObject writes an object as the API server has it, without managed fields.
func (f *form) printObject(object runtime.Object, out io.Writer) error {
	var printer printers.ResourcePrinter = &printers.JSONPrinter{}
	if f.value == formYAML {
		printer = &printers.YAMLPrinter{}
	}
	return (&printers.OmitManagedFieldsPrinter{Delegate: printer}).PrintObj(object, out)
}

// withKind names the kind in an object that came out of a typed client without it.
func withKind(credential *v1alpha1.SpacesCredential) *v1alpha1.SpacesCredential {
	credential.SetGroupVersionKind(v1alpha1.GroupVersionKind)
	return credential
}
