package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// eventPage is how many events the API server is asked for at a time.
const eventPage = 500

// ofTheOperator picks the events that the operator wrote.
const ofTheOperator = "reportingController=" + v1alpha1.FieldManager

func (t *tool) eventsCommand() *cobra.Command {
	all, warnings := false, false
	command := &cobra.Command{
		Use:   "events [NAME]",
		Short: "List what the operator said of SpacesCredentials, the newest last",
		Long: `List the events of the operator: those of one SpacesCredential and of its
Secrets, of a namespace, or of all, the newest last. A cluster keeps events for
an hour, if nothing else was set.`,
		Example: `  # What happened to meeting-bot?
  kubectl spaces events meeting-bot

  # What went wrong anywhere?
  kubectl spaces events -A --warnings`,
		Args: func(command *cobra.Command, arguments []string) error {
			if len(arguments) == 0 {
				return nil
			}
			return oneName(command, arguments)
		},
		ValidArgsFunction: t.names(),
		RunE: func(command *cobra.Command, arguments []string) error {
			if all && len(arguments) > 0 {
				return usageErrorf("give a name or --all-namespaces, not both")
			}
			return t.events(command.Context(), strings.Join(arguments, ""), all, warnings)
		},
	}
	command.Flags().BoolVarP(&all, "all-namespaces", "A", false, "list those of all namespaces")
	command.Flags().BoolVar(&warnings, "warnings", false, "list warnings only")
	return command
}

func (t *tool) events(ctx context.Context, name string, all, warnings bool) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	if all {
		cluster.namespace = metav1.NamespaceAll
	}
	isWanted := func(eventsv1.Event) bool { return true }
	if name != "" {
		credential, err := cluster.credential(ctx, name)
		if err != nil {
			return err
		}
		isWanted = func(event eventsv1.Event) bool { return isAbout(event, credential) }
	}
	found, err := cluster.operatorEvents(ctx)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(event eventsv1.Event) bool {
		return !isWanted(event) || warnings && event.Type != corev1.EventTypeWarning
	})
	if len(found) == 0 {
		fmt.Fprintln(t.ErrOut, "There is no such event. A cluster keeps them for an hour, if nothing else was set.")
		return nil
	}
	t.printEvents(found, all)
	return nil
}

func (t *tool) printEvents(events []eventsv1.Event, all bool) {
	slices.SortStableFunc(events, func(a, b eventsv1.Event) int { return lastTime(a).Compare(lastTime(b)) })
	table := &table{head: []string{"LAST", "TYPE", "REASON", "ABOUT", "MESSAGE"}, most: t.width(), spared: []string{"TYPE", "REASON"}, leastLast: leastProblem}
	rows := make([][]string, len(events))
	for i, event := range events {
		about := event.Regarding.Kind + " " + event.Regarding.Name
		if all && event.Regarding.Namespace != "" {
			about = event.Regarding.Kind + " " + event.Regarding.Namespace + "/" + event.Regarding.Name
		}
		last := duration.HumanDuration(t.clock.Now().Sub(lastTime(event))) + " ago"
		if event.Series != nil {
			last += fmt.Sprintf(" (%d times)", event.Series.Count)
		}
		rows[i] = []string{last, event.Type, orNone(event.Reason), plain(about), orNone(event.Note)}
	}
	table.print(t.Out, rows)
}

// operatorEvents are the events that the operator wrote, in a namespace or in all. Those about what
// lies in no namespace are kept in the namespace default.
func (c *cluster) operatorEvents(ctx context.Context) ([]eventsv1.Event, error) {
	var found []eventsv1.Event
	var page eventsv1.EventList
	for {
		err := c.List(ctx, &page, client.InNamespace(c.namespace), client.Limit(eventPage), client.Continue(page.Continue),
			&client.ListOptions{Raw: &metav1.ListOptions{FieldSelector: ofTheOperator}})
		switch {
		case apierrors.IsForbidden(err) && c.namespace == metav1.NamespaceAll:
			return nil, because(err, "you may not list events in all namespaces")
		case apierrors.IsForbidden(err):
			return nil, because(err, "you may not list events in namespace %q", c.namespace)
		case err != nil:
			return nil, fmt.Errorf("the API server did not list events: %w", err)
		}
		found = append(found, page.Items...)
		if page.Continue == "" {
			return found, nil
		}
	}
}

// isAbout tells whether an event is about a SpacesCredential, whichever has its name now, or about
// one of its Secrets.
func isAbout(event eventsv1.Event, credential *v1alpha1.SpacesCredential) bool {
	switch event.Regarding.Kind {
	case v1alpha1.Kind:
		return event.Regarding.Name == credential.Name
	case "Secret":
		return event.Regarding.Name == credential.GrantSecretName() || event.Regarding.Name == credential.EffectiveSecretName()
	}
	return false
}

// lastTime is when an event was told last.
func lastTime(event eventsv1.Event) time.Time {
	switch {
	case event.Series != nil:
		return event.Series.LastObservedTime.Time
	case !event.EventTime.IsZero():
		return event.EventTime.Time
	}
	return event.CreationTimestamp.Time
}
