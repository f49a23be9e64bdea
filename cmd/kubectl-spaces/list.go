package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// problemWidth is how much of a problem a table shows; status shows all of it.
const problemWidth = 60

// listing is what list was asked for.
type listing struct {
	all      bool
	selector string
	form     *form
}

func (t *tool) listCommand() *cobra.Command {
	l := &listing{}
	command := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List SpacesCredentials: time left, next renewal, last problem",
		Example: `  # Those of this namespace
  kubectl spaces list

  # Those of all namespaces, with environment, failures and Secret
  kubectl spaces list -A -o wide`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, _ []string) error {
			return t.list(command.Context(), l)
		},
	}
	command.Flags().BoolVarP(&l.all, "all-namespaces", "A", false, "list those of all namespaces")
	command.Flags().StringVarP(&l.selector, "selector", "l", "", "list those with these labels, such as team=a,tier!=test")
	l.form = addForm(command, formWide, formJSON, formYAML)
	return command
}

func (t *tool) list(ctx context.Context, l *listing) error {
	selector, err := labels.Parse(l.selector)
	if err != nil {
		return usageErrorf("--selector: %v", err)
	}
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	if l.all {
		cluster.namespace = metav1.NamespaceAll
	}
	found := &v1alpha1.SpacesCredentialList{}
	err = cluster.List(ctx, found, client.InNamespace(cluster.namespace), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		return cluster.aboutCredential(err, "list", "")
	}
	if l.form.structured() {
		found.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind + "List"))
		for i := range found.Items {
			withKind(&found.Items[i])
		}
		return l.form.printObject(found, t.Out)
	}
	if len(found.Items) == 0 {
		t.listedNone(l, cluster.namespace)
		return nil
	}
	return t.table(l, t.broughtUpToDate(ctx, cluster, found.Items...))
}

// listedNone says on standard error that there is nothing, as kubectl get does.
func (t *tool) listedNone(l *listing, namespace string) {
	where := fmt.Sprintf("in namespace %q", namespace)
	if l.all {
		where = "in any namespace"
	}
	fmt.Fprintln(t.ErrOut, "There is no such SpacesCredential", where+".")
}

func (t *tool) table(l *listing, credentials []v1alpha1.SpacesCredential) error {
	rows := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	now := t.clock.Now()
	fmt.Fprintln(rows, strings.Join(l.head(), "\t"))
	for i := range credentials {
		fmt.Fprintln(rows, strings.Join(l.row(&credentials[i], now), "\t"))
	}
	return rows.Flush()
}

func (l *listing) head() []string {
	var head []string
	if l.all {
		head = append(head, "NAMESPACE")
	}
	head = append(head, "NAME", "READY", "REASON", "GRANT", "LEFT", "RENEWS", "REVOKING")
	if l.form.value == formWide {
		head = append(head, "ENVIRONMENT", "FAILURES", "SECRET")
	}
	return append(head, "PROBLEM")
}

func (l *listing) row(credential *v1alpha1.SpacesCredential, now time.Time) []string {
	var row []string
	if l.all {
		row = append(row, credential.Namespace)
	}
	status := &credential.Status
	token := status.Token
	if token == nil {
		token = &v1alpha1.TokenStatus{}
	}
	ready, wrong := conditionOf(credential, v1alpha1.ConditionReady), problem(credential)
	row = append(row, credential.Name, orNone(string(ready.Status)), orNone(ready.Reason), string(credential.Spec.GrantType),
		timeLeft(token.ExpirationTime, now), timeLeft(token.RenewalTime, now), fmt.Sprint(status.PendingRevocations))
	if l.form.value == formWide {
		row = append(row, credential.EffectiveEnvironment(), fmt.Sprint(status.FailedAttempts), credential.EffectiveSecretName())
	} else {
		wrong = shortened(wrong, problemWidth)
	}
	return append(row, orNone(wrong))
}
