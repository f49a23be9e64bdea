package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

func (t *tool) clientsCommand() *cobra.Command {
	all := false
	command := &cobra.Command{
		Use:   "clients",
		Short: "List OAuth clients and the SpacesCredentials that use them",
		Long: `List OAuth clients and the SpacesCredentials that use them: by the client ID
that the operator found, and by the Secret or the ClusterSpacesClient that spec
names.`,
		Example: `  # Who is concerned when a client's secret is changed, or has leaked?
  kubectl spaces clients -A

  # The same with every name, for a script
  kubectl spaces clients -A -o wide`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "look at those of all namespaces")
	form := addForm(command, formWide)
	command.RunE = func(command *cobra.Command, _ []string) error {
		return t.clients(command.Context(), all, form)
	}
	return command
}

// clientUse is who uses one client from one place.
type clientUse struct {
	// id is the client's, empty where nobody has found it yet.
	id, environment string
	// from is the object that it is taken from.
	from string
	// users are the SpacesCredentials that use it, ready counts those that are Ready.
	users []string
	ready int
}

func (t *tool) clients(ctx context.Context, all bool, form *form) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	if all {
		cluster.namespace = metav1.NamespaceAll
	}
	uses, err := cluster.clientUses(ctx)
	if err != nil {
		return err
	}
	if len(uses) == 0 {
		t.listedNone(&listing{all: all}, cluster.namespace)
		return nil
	}
	width := t.width()
	if form.value == formWide {
		width = 0
	}
	table := &table{head: []string{"CLIENT", "ENVIRONMENT", "FROM", "READY", "USED BY"}, most: width, spared: []string{"READY", "ENVIRONMENT"}, leastLast: leastProblem}
	rows := make([][]string, len(uses))
	for i, use := range uses {
		rows[i] = []string{orNone(use.id), use.environment, use.from, fmt.Sprintf("%d/%d", use.ready, len(use.users)), orNone(strings.Join(use.users, ", "))}
	}
	table.print(t.Out, rows)
	return nil
}

// clientUses are all uses of clients in a namespace or in all, in the order of clients. Guests have
// no client. A ClusterSpacesClient that nobody uses is among them, as far as the person may list them.
func (c *cluster) clientUses(ctx context.Context) ([]clientUse, error) {
	var credentials v1alpha1.SpacesCredentialList
	if err := c.List(ctx, &credentials, client.InNamespace(c.namespace)); err != nil {
		return nil, c.aboutCredential(err, "list", "")
	}
	found := map[[3]string]*clientUse{}
	at := func(id, environment, from string) *clientUse {
		key := [3]string{id, environment, from}
		if found[key] == nil {
			found[key] = &clientUse{id: id, environment: environment, from: from}
		}
		return found[key]
	}
	for i := range credentials.Items {
		credential := &credentials.Items[i]
		from := clientSource(credential)
		if from == "" {
			continue
		}
		use := at(credential.Status.ClientID, credential.EffectiveEnvironment(), from)
		use.users = append(use.users, credential.Namespace+"/"+credential.Name)
		if conditionOf(credential, v1alpha1.ConditionReady).Status == metav1.ConditionTrue {
			use.ready++
		}
	}
	if c.namespace == metav1.NamespaceAll {
		var lent v1alpha1.ClusterSpacesClientList
		err := c.List(ctx, &lent)
		if err != nil && !apierrors.IsForbidden(err) && !isUnknownKind(err) {
			return nil, fmt.Errorf("the API server did not list ClusterSpacesClients: %w", err)
		}
		for i := range lent.Items {
			at(lent.Items[i].Status.ClientID, lent.Items[i].EffectiveEnvironment(), clusterClient(lent.Items[i].Name))
		}
	}
	uses := make([]clientUse, 0, len(found))
	for _, use := range found {
		slices.Sort(use.users)
		uses = append(uses, *use)
	}
	slices.SortFunc(uses, func(a, b clientUse) int {
		return cmp.Or(strings.Compare(a.id, b.id), strings.Compare(a.environment, b.environment), strings.Compare(a.from, b.from))
	})
	return uses, nil
}

// clientSource names the object that a credential has its client from, empty where it has none.
func clientSource(credential *v1alpha1.SpacesCredential) string {
	switch spec := &credential.Spec; {
	case spec.ClientRef != nil && spec.ClientRef.Kind.IsKnown():
		return clusterClient(spec.ClientRef.Name)
	case spec.ClientRef != nil:
		return string(spec.ClientRef.Kind) + " " + spec.ClientRef.Name
	case spec.ClientSecretRef != nil:
		return "Secret " + credential.Namespace + "/" + spec.ClientSecretRef.Name
	}
	return ""
}

func clusterClient(name string) string { return v1alpha1.ClusterClientKind + " " + name }
