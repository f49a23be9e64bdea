package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// completionLimit bounds how long a shell waits for names.
const completionLimit = 3 * time.Second

// completion is what cobra asks for completions with.
type completion = func(command *cobra.Command, arguments []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective)

// names completes the names of SpacesCredentials of the given grant types, of all
// without one. Trouble completes nothing: a shell has no place for it.
func (t *tool) names(grantTypes ...v1alpha1.GrantType) completion {
	return func(command *cobra.Command, arguments []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(arguments) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		cluster, err := t.cluster()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(command.Context(), completionLimit)
		defer cancel()
		found := &v1alpha1.SpacesCredentialList{}
		if err := cluster.List(ctx, found, client.InNamespace(cluster.namespace)); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return begunWith(begun, found.Items, grantTypes), cobra.ShellCompDirectiveNoFileComp
	}
}

func begunWith(begun string, credentials []v1alpha1.SpacesCredential, grantTypes []v1alpha1.GrantType) []cobra.Completion {
	var names []cobra.Completion
	for i := range credentials {
		wanted := len(grantTypes) == 0
		for _, grantType := range grantTypes {
			wanted = wanted || credentials[i].Spec.GrantType == grantType
		}
		if wanted && strings.HasPrefix(credentials[i].Name, begun) {
			names = append(names, credentials[i].Name)
		}
	}
	return names
}
