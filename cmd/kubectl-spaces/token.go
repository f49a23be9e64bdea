package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

func (t *tool) tokenCommand() *cobra.Command {
	var show, header bool
	command := &cobra.Command{
		Use:   "token NAME --show",
		Short: "Print the published token",
		Long: `Print the published token, alone on a line. Whoever has it acts as its user
until it expires, so it is printed with --show only. Mind the history of your
terminal and where the output goes.`,
		Example: `  kubectl spaces token meeting-bot --show

  # As a header, for curl
  kubectl spaces token meeting-bot --show --header | curl --header @- https://spacesapis.avayacloud.com/api/users/me`,
		Args:              oneName,
		ValidArgsFunction: t.names(),
		RunE: func(command *cobra.Command, arguments []string) error {
			if !show {
				return usageErrorf("a token on a screen is a token in a log: give --show if you mean it; workloads mount the Secret instead")
			}
			return t.token(command.Context(), arguments[0], header)
		},
	}
	command.Flags().BoolVar(&show, "show", false, "yes, print the token")
	command.Flags().BoolVar(&header, "header", false, "print the whole Authorization header")
	return command
}

func (t *tool) token(ctx context.Context, name string, header bool) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	credential, err := cluster.credential(ctx, name)
	if err != nil {
		return err
	}
	secret, err := cluster.publishedSecret(ctx, credential)
	if err != nil {
		return err
	}
	text := string(secret.Data[v1alpha1.KeyAccessToken])
	if header {
		text = "Authorization: " + string(secret.Data[v1alpha1.KeyAuthorization])
	}
	fmt.Fprintln(t.Out, text)
	return nil
}
