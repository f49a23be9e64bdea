package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// endWait is how long an end is waited for, if the person says nothing else.
	endWait = 10 * time.Minute
	// longestDeadline is the most that spec.revocation.deadlineSeconds may be: nothing is given up
	// while somebody waits for it.
	longestDeadline = 86_400
	// namedLeft is how many of those that are left are named.
	namedLeft = 10
	// policyLinger is how long a policy that refuses may be one of a release that was just removed:
	// the API server looks once a second which policies there are.
	policyLinger = 10 * time.Second
)

// uninstallation is what uninstall was asked for.
type uninstallation struct {
	revoke, keepGrants bool
	timeout            time.Duration
}

func (t *tool) uninstallCommand() *cobra.Command {
	u := &uninstallation{}
	command := &cobra.Command{
		Use:   "uninstall",
		Short: "End all SpacesCredentials, so that the operator can be removed",
		Long: `End all SpacesCredentials, so that the operator can be removed and leaves
nothing behind. Without a choice it only counts what there is.

With --revoke the operator, which must be running, revokes each grant, and
nothing is given up while the command waits. With --keep-grants nothing is
revoked: a running operator lets go of everything, and what one that is gone
left behind is freed without it. Its states are sealed, so that nobody can
revoke what it kept.

--namespace restricts it to one namespace. Published Secrets whose spec says
Retain stay.`,
		Example: `  # How much is there?
  kubectl spaces uninstall

  # End every grant, and then remove the operator
  kubectl spaces uninstall --revoke
  helm --namespace spaces-credential-operator-system uninstall spaces-credential-operator

  # The operator is gone, and its objects cannot be deleted
  kubectl spaces uninstall --keep-grants`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, _ []string) error {
			return t.uninstall(command.Context(), u)
		},
	}
	command.Flags().BoolVar(&u.revoke, "revoke", false, "have the operator revoke all grants")
	command.Flags().BoolVar(&u.keepGrants, "keep-grants", false, "leave all grants at the service, where they end in their time")
	command.Flags().DurationVar(&u.timeout, "timeout", endWait, "how long to wait")
	command.MarkFlagsMutuallyExclusive("revoke", "keep-grants")
	return command
}

func (t *tool) uninstall(ctx context.Context, u *uninstallation) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	if *t.config.Namespace == "" {
		cluster.namespace = metav1.NamespaceAll
	}
	found, err := cluster.remains(ctx)
	if err != nil {
		return err
	}
	if found.isNothing() {
		fmt.Fprintln(t.Out, found.farewell())
		return nil
	}
	fmt.Fprintln(t.Out, found.counts())
	operators, err := cluster.operators(ctx)
	if err != nil && !apierrors.IsForbidden(err) {
		return fmt.Errorf("the API server did not list Leases: %w", err)
	}
	_, isThere := living(operators, t.clock.Now())
	isGone := err == nil && !isThere
	switch {
	case !u.revoke && !u.keepGrants:
		return usageErrorf("say what becomes of the grants: --revoke has the operator end them, --keep-grants leaves them at the service")
	case u.revoke && isGone:
		return fmt.Errorf("no operator is running%s, and nobody else can open the states: start it again and repeat this, or give --keep-grants and end the grants at the service. Nothing was changed", lastSeen(operators))
	case u.keepGrants && isGone:
		fmt.Fprintf(t.Out, "No operator is running%s: its objects are freed without it.\n", lastSeen(operators))
		err = cluster.free(ctx, found)
	default:
		err = cluster.end(ctx, found, u.revoke)
	}
	if err != nil {
		return err
	}
	left, err := t.waitForTheEnd(ctx, cluster, u)
	if err != nil {
		return err
	}
	if u.keepGrants && found.grants() > 0 {
		fmt.Fprintf(t.Out, "Left at the service, until its time is over or somebody ends it there: %s.\n", counted(found.grants(), "grant"))
	}
	fmt.Fprintln(t.Out, left.farewell())
	return nil
}

// end has the operator end every SpacesCredential: what becomes of its grants stands in its spec,
// which it reads once more.
func (c *cluster) end(ctx context.Context, found *remains, revoke bool) error {
	terms := map[string]any{"policy": v1alpha1.RevocationNever}
	if revoke {
		terms = map[string]any{"deadlineSeconds": longestDeadline}
	}
	return c.deleteAll(ctx, found, func(*v1alpha1.SpacesCredential) map[string]any {
		return map[string]any{"spec": map[string]any{"revocation": terms}}
	})
}

// deleteAll deletes every SpacesCredential, changed before. One that is gone meanwhile needs neither.
func (c *cluster) deleteAll(ctx context.Context, found *remains, change func(*v1alpha1.SpacesCredential) map[string]any) error {
	for i := range found.credentials {
		credential := &found.credentials[i]
		in := c.in(credential.Namespace)
		err := in.patchCredential(ctx, credential, change(credential))
		if err == nil {
			err = in.aboutCredential(in.Delete(ctx, credential, client.Preconditions{UID: &credential.UID}), "delete", credential.Name)
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// free takes the operator's finalizers from everything, and deletes what it made. Only where there
// is no operator: one that sees a state without its SpacesCredential revokes.
func (c *cluster) free(ctx context.Context, found *remains) error {
	err := c.deleteAll(ctx, found, func(credential *v1alpha1.SpacesCredential) map[string]any {
		return without(credential, v1alpha1.FinalizerRevoke)
	})
	if err != nil {
		return err
	}
	for i := range found.held {
		secret := &found.held[i]
		err := c.freeSecretPastPolicy(ctx, secret)
		if isRefusedByPolicy(err) {
			return fmt.Errorf("an admission policy keeps the operator's finalizer on Secret %q in namespace %q: remove that policy, with the release if it is the chart's, and repeat this: %w",
				secret.Name, secret.Namespace, err)
		}
		if err != nil {
			return c.in(secret.Namespace).aboutSecret(err, "free", secret.Name)
		}
	}
	for i := range found.published {
		secret := &found.published[i]
		err := client.IgnoreNotFound(c.Delete(ctx, secret, client.Preconditions{UID: &secret.UID}))
		if err != nil {
			return c.in(secret.Namespace).aboutSecret(err, "delete", secret.Name)
		}
	}
	return nil
}

// freeSecretPastPolicy frees a Secret, and waits for the end of a policy that was just removed.
func (c *cluster) freeSecretPastPolicy(ctx context.Context, secret *metav1.PartialObjectMetadata) error {
	began := c.clock.Now()
	for {
		err := c.freeSecret(ctx, secret)
		if !isRefusedByPolicy(err) || c.clock.Since(began) >= policyLinger {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-c.clock.After(lookAgain):
		}
	}
}

// isRefusedByPolicy tells that an admission policy, and no missing right, refused a change.
func isRefusedByPolicy(err error) bool {
	return err != nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy")
}

// freeSecret takes our finalizer from a Secret, and deletes it if it was a state.
func (c *cluster) freeSecret(ctx context.Context, secret *metav1.PartialObjectMetadata) error {
	change, err := mergePatch(without(secret, v1alpha1.FinalizerGrant))
	if err != nil {
		return err
	}
	err = c.Patch(ctx, secret, change, client.FieldOwner(fieldManager))
	if err == nil && isState(secret) {
		err = c.Delete(ctx, secret, client.Preconditions{UID: &secret.UID})
	}
	return client.IgnoreNotFound(err)
}

// without is a change that takes a finalizer from an object, if that is what was seen.
func without(object client.Object, finalizer string) map[string]any {
	left := slices.DeleteFunc(slices.Clone(object.GetFinalizers()), func(f string) bool { return f == finalizer })
	return map[string]any{"metadata": map[string]any{"finalizers": left, "resourceVersion": object.GetResourceVersion()}}
}

// waitForTheEnd returns when nothing is left, and says meanwhile who is.
func (t *tool) waitForTheEnd(ctx context.Context, c *cluster, u *uninstallation) (*remains, error) {
	began, said := t.clock.Now(), ""
	for {
		left, err := c.remains(ctx)
		passed := t.clock.Since(began)
		switch {
		case err != nil && isFinal(err):
			return nil, err
		case err != nil: // the API server may be back the next time
		case left.isNothing():
			return left, nil
		case passed >= u.timeout:
			return nil, left.complaint(u)
		case left.tellsOfProgress() != said:
			said = left.tellsOfProgress()
			fmt.Fprintf(t.Out, "%5s  %s\n", passed.Round(time.Second), said)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.clock.After(lookAgain):
		}
	}
}

// complaint says who is left when the time is over.
func (r *remains) complaint(u *uninstallation) error {
	advice := "look at them with kubectl spaces explain and repeat this, or give --keep-grants to leave their grants at the service"
	if u.keepGrants {
		advice = "look whether an operator runs and may reach them: one that is scaled to none for a minute is not waited for"
	}
	return errors.New(strings.Join(append([]string{
		fmt.Sprintf("after %s not all is ended, so remove nothing yet: %s", u.timeout, advice)}, r.named()...), "; "))
}
