package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// leastProblem is how much of a problem a terminal shows at least; other columns go for it.
const leastProblem = 20

// spared are the columns that go first on a narrow terminal.
var spared = []string{"REVOKING", "GRANT", "RENEWS", "REASON"}

// listing is what list was asked for.
type listing struct {
	all      bool
	selector string
	watch    bool
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

  # The same, and each that changes from then on
  kubectl spaces list -w

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
	command.Flags().BoolVarP(&l.watch, "watch", "w", false, "go on with each that changes")
	l.form = addForm(command, formWide, formName, formJSON, formYAML)
	return command
}

func (t *tool) list(ctx context.Context, l *listing) error {
	selector, err := labels.Parse(l.selector)
	if err != nil {
		return usageErrorf("--selector: %v", err)
	}
	if l.watch && l.form.structured() {
		return usageErrorf("--watch prints lines: leave -o away, or give -o wide or -o name")
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
	}
	if len(found.Items) == 0 && !l.watch {
		return nil
	}
	table := l.table(t.width())
	t.print(table, l, t.broughtUpToDate(ctx, cluster, found.Items...))
	if !l.watch {
		return nil
	}
	err = t.follow(ctx, cluster, l, table, found.ResourceVersion, selector)
	if ctx.Err() != nil {
		return nil // who has seen enough presses Ctrl-C
	}
	return err
}

// print adds credentials to a table.
func (t *tool) print(table *table, l *listing, credentials []v1alpha1.SpacesCredential) {
	now := t.clock.Now()
	rows := make([][]string, len(credentials))
	for i := range credentials {
		rows[i] = l.row(&credentials[i], now)
		if l.form.value == formName {
			fmt.Fprintf(t.Out, "spacescredential.%s/%s\n", v1alpha1.GroupName, credentials[i].Name)
		}
	}
	if l.form.value != formName {
		table.print(t.Out, rows)
	}
}

// follow adds each credential that changes, until a person has seen enough. The API server ends
// a watch from time to time; the next one begins where that ended.
func (t *tool) follow(ctx context.Context, c *cluster, l *listing, table *table, version string, selector labels.Selector) error {
	for {
		watching, err := c.Watch(ctx, &v1alpha1.SpacesCredentialList{}, client.InNamespace(c.namespace), client.MatchingLabelsSelector{Selector: selector},
			&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true}})
		if err != nil {
			return c.aboutCredential(err, "watch", "")
		}
		version, err = t.followOne(ctx, c, l, table, watching, version)
		watching.Stop()
		if err != nil {
			return err
		}
	}
}

// followOne goes on until one watch ends, and says where that was.
func (t *tool) followOne(ctx context.Context, c *cluster, l *listing, table *table, watching watch.Interface, version string) (string, error) {
	for {
		select {
		case <-ctx.Done():
			return version, ctx.Err()
		case event, isOpen := <-watching.ResultChan():
			changed, isCredential := event.Object.(*v1alpha1.SpacesCredential)
			switch {
			case !isOpen:
				return version, nil
			case !isCredential:
				return version, fmt.Errorf("the API server ended the watch, so some changes may be missing: %w", apierrors.FromObject(event.Object))
			}
			version = changed.ResourceVersion
			if event.Type == watch.Added || event.Type == watch.Modified {
				t.print(table, l, t.broughtUpToDate(ctx, c, *changed))
			}
		}
	}
}

// listedNone says on standard error that there is nothing, as kubectl get does, and of what.
func (t *tool) listedNone(l *listing, namespace string) {
	what, where := "", fmt.Sprintf("in namespace %q; -A lists those of all", namespace)
	if l.selector != "" {
		what = fmt.Sprintf(" with labels %q", l.selector)
	}
	if l.all {
		where = "in any namespace"
	}
	fmt.Fprintf(t.ErrOut, "There is no SpacesCredential%s %s.\n", what, where)
}

// table begins one for lines of a width. With -o wide and in a pipe nothing is left out.
func (l *listing) table(width int) *table {
	if l.form.value == formWide {
		width = 0
	}
	return &table{head: l.head(), most: width, spared: spared, leastLast: leastProblem}
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
	}
	return append(row, orNone(wrong))
}
