package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// fleet is what revoke --client was asked for: the end of all grants of a client that leaked.
type fleet struct {
	client string
	all    bool
	// since is the value of the requests. A run that was interrupted goes on under the value that it had.
	since   string
	yes     bool
	wait    bool
	timeout time.Duration
}

func (f *fleet) addFlags(command *cobra.Command) {
	command.Flags().StringVar(&f.client, "client", "", "revoke every grant of this ClusterSpacesClient, instead of those of one SpacesCredential")
	command.Flags().BoolVarP(&f.all, "all-namespaces", "A", false, "where a client is named: those of all namespaces")
	command.Flags().StringVar(&f.since, "since", "", "where a client is named: go on with the run that named this time, and ask for none a second time")
}

// arguments wants a name, or none where a client is named.
func (f *fleet) arguments(command *cobra.Command, arguments []string) error {
	switch {
	case f.client != "" && len(arguments) > 0:
		return usageErrorf("give the name of a SpacesCredential, or --client, not both")
	case f.client == "" && (f.all || f.since != ""):
		return usageErrorf("--all-namespaces and --since belong to --client")
	case f.client == "":
		return oneName(command, arguments)
	case f.since != "":
		if _, err := time.Parse(time.RFC3339, f.since); err != nil {
			return usageErrorf("--since %q is no time that a run named, such as 2026-11-23T12:00:00Z", f.since)
		}
	}
	return nil
}

// revokeFleet ends every grant of a client: it asks for each, waits, and says how each fares. The
// operator makes the calls at the pace of the environment.
func (t *tool) revokeFleet(ctx context.Context, f *fleet) error {
	if !f.yes && !t.terminal() {
		return errors.New("nobody is there to confirm it: give --yes to revoke without being asked")
	}
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	if f.all {
		cluster.namespace = metav1.NamespaceAll
	}
	found, err := f.find(ctx, cluster)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no SpacesCredential %s uses a ClusterSpacesClient %q. --client names no Secret: for a client that spec.clientSecretRef names, revoke each SpacesCredential that names it",
			f.where(cluster), f.client)
	}
	if f.since == "" {
		f.since = t.clock.Now().UTC().Format(time.RFC3339Nano)
	}
	if !f.yes {
		sure, err := t.confirm(ctx, fmt.Sprintf("Revoke every grant of %s in %s, because of the client %q?",
			counted(len(found), "SpacesCredential"), counted(namespacesOf(found), "namespace"), f.client))
		if err != nil {
			return err
		}
		if !sure {
			return errors.New("nothing was revoked")
		}
	}
	goOn := f.again(cluster)
	fmt.Fprintf(t.Out, "To go on with this run if it is interrupted: %s\n", goOn)
	r := &fleetRun{fleet: f, failed: map[client.ObjectKey]string{}, said: map[client.ObjectKey]string{}}
	if err := r.ask(ctx, cluster, found); err != nil {
		return err
	}
	if !f.wait {
		fmt.Fprintf(t.Out, "The revocation of %s is asked for.\n", counted(len(found)-len(r.failed), "SpacesCredential"))
		return r.complaint(goOn, r.failed)
	}
	left, err := t.awaitFleet(ctx, cluster, r, found)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "Revoked: the grants of %d of %s.\n", len(found)-len(left), counted(len(found), "SpacesCredential"))
	return r.complaint(goOn, left)
}

// find lists the SpacesCredentials that use the client, and those whose grant was made with it though
// their spec has come to name another.
func (f *fleet) find(ctx context.Context, c *cluster) ([]v1alpha1.SpacesCredential, error) {
	var all v1alpha1.SpacesCredentialList
	if err := c.List(ctx, &all, client.InNamespace(c.namespace)); err != nil {
		return nil, c.aboutCredential(err, "list", "")
	}
	var found []v1alpha1.SpacesCredential
	for _, credential := range all.Items {
		ref, grant := credential.Spec.ClientRef, credential.Status.Grant
		isNamed := ref != nil && ref.Kind == v1alpha1.ClientKindCluster && ref.Name == f.client
		if isNamed || grant != nil && grant.ClusterClient == f.client {
			found = append(found, credential)
		}
	}
	return found, nil
}

func (f *fleet) where(c *cluster) string {
	if f.all {
		return "in any namespace"
	}
	return fmt.Sprintf("in namespace %q (-A looks into all)", c.namespace)
}

// again is the command that goes on with this run.
func (f *fleet) again(c *cluster) string {
	words, namespace := "spaces revoke --client "+quoted(f.client)+" --since "+quoted(f.since), c.namespace
	if f.all {
		words, namespace = words+" --all-namespaces", ""
	}
	return c.paste(words, namespace)
}

func namespacesOf(credentials []v1alpha1.SpacesCredential) int {
	names := map[string]bool{}
	for i := range credentials {
		names[credentials[i].Namespace] = true
	}
	return len(names)
}

// fleetRun is one run.
type fleetRun struct {
	*fleet
	// failed says of which the revocation could not be asked for, and why; said what was told of each last.
	failed, said map[client.ObjectKey]string
}

// isAsked tells that the request of this very run stands, or was acted on.
func (r *fleetRun) isAsked(credential *v1alpha1.SpacesCredential) bool {
	return credential.Annotations[v1alpha1.AnnotationRevokeRequestedAt] == r.since || credential.Status.LastHandledRevokeRequest == r.since
}

// ask asks for each that was not asked for in this run. What cannot be asked for does not keep the
// others.
func (r *fleetRun) ask(ctx context.Context, c *cluster, found []v1alpha1.SpacesCredential) error {
	for i := range found {
		credential := &found[i]
		if credential.DeletionTimestamp != nil || r.isAsked(credential) {
			continue
		}
		change := map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1alpha1.AnnotationRevokeRequestedAt: r.since}}}
		if err := c.in(credential.Namespace).patchCredential(ctx, credential.DeepCopy(), change); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.failed[client.ObjectKeyFromObject(credential)] = err.Error()
		}
	}
	return nil
}

// standing says how one fares, and whether it needs nothing any more, or waits for a person.
func (r *fleetRun) standing(c *cluster, credential *v1alpha1.SpacesCredential) (text string, isOver, isHeld bool) {
	status := &credential.Status
	switch why := r.failed[client.ObjectKeyFromObject(credential)]; {
	case why != "":
		return why, false, true
	case credential.DeletionTimestamp != nil && credential.EffectiveRevocationPolicy() == v1alpha1.RevocationNever:
		return "it is being deleted, and its spec.revocation.policy is Never: its grant lives on at the service", false, true
	case credential.DeletionTimestamp != nil:
		return "it is being deleted, and its grants are revoked with it", false, false
	case status.LastHandledRevokeRequest != r.since && credential.Spec.Suspend:
		return "it is suspended: the request waits until " + c.pasteSpaces("resume", credential), false, true
	case status.LastHandledRevokeRequest != r.since:
		return "waits for the operator", false, false
	case status.PendingRevocations > 0:
		return fmt.Sprintf("given up, %s to be revoked at the service", counted(status.PendingRevocations, "grant")), false, false
	}
	return "revoked", true, false
}

// look says how each fares that fares otherwise than before. It returns why those are left that are, and
// how many of them wait for nothing but the operator and the service.
func (r *fleetRun) look(t *tool, c *cluster, passed time.Duration, found, now []v1alpha1.SpacesCredential) (left map[client.ObjectKey]string, moving int) {
	left = map[client.ObjectKey]string{}
	living := map[client.ObjectKey]*v1alpha1.SpacesCredential{}
	for i := range now {
		living[client.ObjectKeyFromObject(&now[i])] = &now[i]
	}
	for i := range found {
		key := client.ObjectKeyFromObject(&found[i])
		text, isOver, isHeld := "is gone, and its grants with it", true, false
		if credential := living[key]; credential != nil && credential.UID == found[i].UID {
			text, isOver, isHeld = r.standing(c, credential)
		}
		if !isOver {
			left[key] = text
		}
		if !isOver && !isHeld {
			moving++
		}
		if r.said[key] != text {
			r.said[key] = text
			fmt.Fprintf(t.Out, "%5s  %s  %s\n", passed.Round(time.Second), key, plain(text))
		}
	}
	return left, moving
}

// awaitFleet waits until nothing moves any more, and returns why those are left that are.
func (t *tool) awaitFleet(ctx context.Context, c *cluster, r *fleetRun, found []v1alpha1.SpacesCredential) (map[client.ObjectKey]string, error) {
	began := t.clock.Now()
	for {
		var now v1alpha1.SpacesCredentialList
		err := c.List(ctx, &now, client.InNamespace(c.namespace))
		passed := t.clock.Since(began)
		if err != nil && isFinal(err) {
			return nil, c.aboutCredential(err, "list", "")
		}
		if err == nil { // else the API server may be back the next time
			left, moving := r.look(t, c, passed, found, now.Items)
			if moving == 0 || passed >= r.timeout {
				return left, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.clock.After(lookAgain):
		}
	}
}

// complaint names those that are left; nil where none is.
func (r *fleetRun) complaint(goOn string, left map[client.ObjectKey]string) error {
	if len(left) == 0 {
		return nil
	}
	var names []string
	for key, why := range left {
		names = append(names, fmt.Sprintf("%s (%s)", key, why))
	}
	slices.Sort(names)
	names = firstOf(names, namedLeft)
	return fmt.Errorf("%d left: %s. To go on: %s", len(left), strings.Join(names, "; "), goOn)
}
