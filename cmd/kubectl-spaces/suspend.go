package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (t *tool) suspendCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "suspend NAME",
		Short: "Pause the operator for a SpacesCredential",
		Long: `Pause the operator for a SpacesCredential: it calls nothing and publishes
nothing, and the published token expires in its time. Deletion works all the
same.`,
		Example:           "  kubectl spaces suspend meeting-bot",
		Args:              oneName,
		ValidArgsFunction: t.names(),
		RunE: func(command *cobra.Command, arguments []string) error {
			return t.suspend(command.Context(), arguments[0], true)
		},
	}
}

func (t *tool) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "resume NAME",
		Short:             "Let the operator go on with a suspended SpacesCredential",
		Example:           "  kubectl spaces resume meeting-bot",
		Args:              oneName,
		ValidArgsFunction: t.names(),
		RunE: func(command *cobra.Command, arguments []string) error {
			return t.suspend(command.Context(), arguments[0], false)
		},
	}
}

func (t *tool) suspend(ctx context.Context, name string, wanted bool) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	credential, err := cluster.credential(ctx, name)
	if err != nil {
		return err
	}
	word := " is "
	if credential.Spec.Suspend == wanted {
		word = " was already "
	} else if err := cluster.patchCredential(ctx, credential, map[string]any{"spec": map[string]any{"suspend": wanted}}); err != nil {
		return err
	}
	if !wanted {
		fmt.Fprintf(t.Out, "%s%sresumed: the operator renews and publishes, and acts on requests that waited.\n", name, word)
		return nil
	}
	fmt.Fprintf(t.Out, "%s%ssuspended: nothing is renewed or published, and requests wait.\n", name, word)
	if token := credential.Status.Token; token != nil && token.ExpirationTime != nil {
		fmt.Fprintf(t.Out, "Its token expires %s.\n", relative(token.ExpirationTime, t.clock.Now()))
	}
	fmt.Fprintf(t.Out, "To go on: %s\n", cluster.pasteSpaces("resume", credential))
	return nil
}
