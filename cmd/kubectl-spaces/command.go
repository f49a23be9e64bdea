package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// tool is what the commands work with. Everything from outside comes in here, so that
// tests put in their own.
type tool struct {
	genericiooptions.IOStreams
	// config holds the usual flags of kubectl: kubeconfig, context, namespace.
	config *genericclioptions.ConfigFlags
	clock  clock.Clock
	// random is where the state of a sign-in comes from.
	random io.Reader
	// openBrowser shows an address in a browser: in that of the command, if one is
	// given. It may return at once or when the browser ends.
	openBrowser func(command, address string) error
	// listenOn listens at an address of this machine.
	listenOn func(network, address string) (net.Listener, error)
	// http calls the Spaces API. It must not follow redirects.
	http *http.Client
	// terminal tells whether a person sits at standard input.
	terminal func() bool
	// width is how many characters a line of standard output has; 0 is no end, as in a pipe.
	width   func() int
	version string
}

// usageError is a command line that cannot be meant.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usageErrorf(format string, values ...any) error {
	return usageError{message: fmt.Sprintf(format, values...)}
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, arguments []string, t *tool) int {
	root := t.rootCommand()
	root.SetArgs(arguments)
	root.SetIn(t.In)
	root.SetOut(t.Out)
	root.SetErr(t.ErrOut)
	command, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(t.ErrOut, "error: %s\nSee '%s --help'.\n", plain(err.Error()), command.CommandPath())
		return exitUsage
	case ctx.Err() != nil:
		fmt.Fprintln(t.ErrOut, "error: interrupted")
		return exitFailed
	}
	fmt.Fprintf(t.ErrOut, "error: %s\n", plain(err.Error()))
	return exitFailed
}

func (t *tool) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-spaces",
		Short: "Look after the Avaya Spaces credentials of a cluster",
		Long: `Look after the Avaya Spaces credentials of a cluster.

A SpacesCredential says how the operator signs in to Avaya Spaces; the operator
keeps a short-lived token in a Secret. This plugin tells how that goes and what
to do.`,
		Example: `  # How do the credentials of this namespace fare?
  kubectl spaces list

  # Why does meeting-bot have no token?
  kubectl spaces explain meeting-bot

  # Sign in by browser
  kubectl spaces login meeting-bot`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl spaces"},
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{message: err.Error()} })
	t.config.CacheDir = nil // nothing is discovered, so nothing is cached
	t.config.AddFlags(root.PersistentFlags())
	root.AddCommand(
		t.listCommand(),
		t.statusCommand(),
		t.explainCommand(),
		t.eventsCommand(),
		t.clientsCommand(),
		t.doctorCommand(),
		t.renewCommand(),
		t.revokeCommand(),
		t.suspendCommand(),
		t.resumeCommand(),
		t.loginCommand(),
		t.exportCommand(),
		t.importCommand(),
		t.whoamiCommand(),
		t.tokenCommand(),
		t.uninstallCommand(),
		t.versionCommand(),
	)
	return root
}

// knownCommand refuses what is no command. It stands at the root alone.
func knownCommand(command *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	hint := ""
	if near := command.SuggestionsFor(arguments[0]); len(near) > 0 {
		hint = fmt.Sprintf(", did you mean %s?", strings.Join(near, " or "))
	}
	return usageErrorf("there is no command %q%s", arguments[0], hint)
}

// oneName wants the name of one SpacesCredential, which may stand behind its kind, as kubectl
// prints it.
func oneName(_ *cobra.Command, arguments []string) error {
	if len(arguments) != 1 {
		return usageErrorf("give the name of one SpacesCredential, not %d arguments", len(arguments))
	}
	kind, name, isPair := strings.Cut(arguments[0], "/")
	if !isPair {
		return nil
	}
	if !slices.Contains(kinds, strings.ToLower(kind)) || name == "" {
		return usageErrorf("%q names no SpacesCredential: give its name alone, or behind %s/", arguments[0], kinds[0])
	}
	arguments[0] = name
	return nil
}

// kinds are what kubectl calls the kind.
var kinds = []string{"spcred", "spacescredential", "spacescredentials", "spacescredential." + v1alpha1.GroupName, "spacescredentials." + v1alpha1.GroupName}

// noArguments wants flags only.
func noArguments(_ *cobra.Command, arguments []string) error {
	if len(arguments) != 0 {
		return usageErrorf("%q is one argument too many", arguments[0])
	}
	return nil
}

func (t *tool) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Print the version of this plugin",
		Example:           "  kubectl spaces version",
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(t.Out, "kubectl-spaces", t.version)
			return nil
		},
	}
}
