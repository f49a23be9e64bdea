package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// requestWait is how long a request is waited for, if the person says nothing else.
const requestWait = time.Minute

// request is something that a person asks the operator for by annotation. Each new
// value acts once; status repeats it when it was acted on.
type request struct {
	name       string
	annotation string
	// what is asked for, as a noun.
	what    string
	handled func(*v1alpha1.SpacesCredentialStatus) string
	// before is the fingerprint of the token that is to be replaced.
	before  string
	wait    bool
	timeout time.Duration
}

func (r *request) addFlags(command *cobra.Command) {
	command.Flags().BoolVar(&r.wait, "wait", true, "wait until the operator has acted")
	command.Flags().DurationVar(&r.timeout, "timeout", requestWait, "how long to wait")
}

func (t *tool) renewCommand() *cobra.Command {
	r := &request{annotation: v1alpha1.AnnotationRenewRequestedAt, what: "renewal",
		handled: func(status *v1alpha1.SpacesCredentialStatus) string { return status.LastHandledRenewRequest }}
	command := &cobra.Command{
		Use:   "renew NAME",
		Short: "Ask the operator for one new token now",
		Long: `Ask the operator for one new token now. It goes before a backoff, and a refusal
of the service is tried once more.`,
		Example: `  kubectl spaces renew meeting-bot

  # Only ask, do not wait
  kubectl spaces renew meeting-bot --wait=false`,
		Args:              oneName,
		ValidArgsFunction: t.names(),
		RunE: func(command *cobra.Command, arguments []string) error {
			r.name = arguments[0]
			return t.renew(command.Context(), r)
		},
	}
	r.addFlags(command)
	return command
}

func (t *tool) renew(ctx context.Context, r *request) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	credential, err := cluster.credential(ctx, r.name)
	if err != nil {
		return err
	}
	acted, err := t.ask(ctx, cluster, credential, r)
	if err != nil || acted == nil {
		return err
	}
	now := t.clock.Now()
	if !r.hasNewToken(acted) {
		return fmt.Errorf("the operator acted, but %s has no new token: %s", r.name, conditionsSay(acted))
	}
	fmt.Fprintf(t.Out, "%s has the new token %s; it expires %s.\n", r.name,
		plain(acted.Status.Token.Fingerprint), relative(acted.Status.Token.ExpirationTime, now))
	return nil
}

func (t *tool) revokeCommand() *cobra.Command {
	r := &request{annotation: v1alpha1.AnnotationRevokeRequestedAt, what: "revocation",
		handled: func(status *v1alpha1.SpacesCredentialStatus) string { return status.LastHandledRevokeRequest }}
	yes, f := false, &fleet{}
	command := &cobra.Command{
		Use:   "revoke NAME | --client CLIENT",
		Short: "Ask the operator to revoke every grant of a SpacesCredential now",
		Long: `Ask the operator to revoke every grant of a SpacesCredential now, whatever its
revocation policy says. Password then signs in anew and Anonymous makes a new
guest; RefreshToken needs a new refresh token, AuthorizationCode a new sign-in.

With --client it asks for all whose grants were made with a
ClusterSpacesClient, and says how each fares until its grants are revoked.
Change the secret that leaked before.`,
		Example: `  kubectl spaces revoke meeting-bot

  # In a script, where nobody can be asked
  kubectl spaces revoke meeting-bot --yes

  # The secret of the ClusterSpacesClient corporate leaked
  kubectl spaces revoke --client corporate --all-namespaces`,
		Args:              f.arguments,
		ValidArgsFunction: t.names(),
		RunE: func(command *cobra.Command, arguments []string) error {
			if f.client == "" {
				r.name = arguments[0]
				return t.revoke(command.Context(), r, yes)
			}
			f.yes, f.wait, f.timeout = yes, r.wait, r.timeout
			if !command.Flags().Changed("timeout") {
				f.timeout = endWait
			}
			return t.revokeFleet(command.Context(), f)
		},
	}
	r.addFlags(command)
	f.addFlags(command)
	command.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return command
}

func (t *tool) revoke(ctx context.Context, r *request, yes bool) error {
	if !yes && !t.terminal() {
		return errors.New("nobody is there to confirm it: give --yes to revoke without being asked")
	}
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	credential, err := cluster.credential(ctx, r.name)
	if err != nil {
		return err
	}
	if !yes {
		sure, err := t.confirm(ctx, fmt.Sprintf("Revoke every grant of %s?", r.name))
		if err != nil {
			return err
		}
		if !sure {
			return errors.New("nothing was revoked")
		}
	}
	acted, err := t.ask(ctx, cluster, credential, r)
	if err != nil || acted == nil {
		return err
	}
	return t.tellRevoked(acted, r)
}

// tellRevoked says what became of the grants, and what is needed to go on.
func (t *tool) tellRevoked(acted *v1alpha1.SpacesCredential, r *request) error {
	outcome := "The grants of " + acted.Name + " are revoked."
	if n := acted.Status.PendingRevocations; n > 0 {
		outcome = fmt.Sprintf("The operator has given up the grants of %s and is revoking %s at the service.", acted.Name, counted(n, "grant"))
	}
	fmt.Fprintln(t.Out, outcome)
	switch {
	case r.hasNewToken(acted):
		fmt.Fprintln(t.Out, "It has a new token.")
	case r.isOver(acted):
		fmt.Fprintf(t.Out, "It has no token now. %s\n", conditionsSay(acted))
	default:
		return fmt.Errorf("it has no new token after %s: %s", r.timeout, conditionsSay(acted))
	}
	return nil
}

// hasNewToken tells that another token is published than there was.
func (r *request) hasNewToken(acted *v1alpha1.SpacesCredential) bool {
	token := acted.Status.Token
	return conditionOf(acted, v1alpha1.ConditionReady).Status == metav1.ConditionTrue && token != nil && token.Fingerprint != r.before
}

// isOver tells that nothing is to be waited for: a person has to act first.
func (r *request) isOver(acted *v1alpha1.SpacesCredential) bool {
	return conditionOf(acted, v1alpha1.ConditionStalled).Status == metav1.ConditionTrue
}

// confirm asks a question whose answer is no unless a person says yes.
func (t *tool) confirm(ctx context.Context, question string) (bool, error) {
	fmt.Fprintf(t.ErrOut, "%s [y/N] ", question)
	answer, err := readLine(ctx, t.In)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(answer) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// longestLine bounds what a person types or pastes.
const longestLine = 16 << 10

// readLine reads the first of the lines. It gives up when ctx ends; the reader then keeps what
// comes.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	select {
	case line := <-lines(ctx, in):
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// lines reads line by line, until the input or ctx ends. The channel is closed at the end of
// the input.
func lines(ctx context.Context, in io.Reader) <-chan string {
	read := make(chan string)
	go func() {
		defer close(read)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, longestLine)
		for scanner.Scan() {
			select {
			case read <- strings.TrimSpace(scanner.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	return read
}

// ask annotates a credential and waits for the echo. It returns the credential that
// carries the echo, or nil where nobody waits.
func (t *tool) ask(ctx context.Context, cluster *cluster, credential *v1alpha1.SpacesCredential, r *request) (*v1alpha1.SpacesCredential, error) {
	if credential.DeletionTimestamp != nil {
		return nil, fmt.Errorf("%s is being deleted, and its grants are revoked with it", r.name)
	}
	value := t.clock.Now().UTC().Format(time.RFC3339Nano)
	change := map[string]any{"metadata": map[string]any{"annotations": map[string]any{r.annotation: value}}}
	if err := cluster.patchCredential(ctx, credential, change); err != nil {
		return nil, err
	}
	switch {
	case credential.Spec.Suspend && r.wait:
		return nil, fmt.Errorf("%s is suspended: the %s is asked for and waits until %s", r.name, r.what, cluster.pasteSpaces("resume", credential))
	case credential.Spec.Suspend:
		fmt.Fprintf(t.Out, "The %s of %s is asked for. It is suspended: the request waits until %s.\n", r.what, r.name, cluster.pasteSpaces("resume", credential))
		return nil, nil
	case !r.wait:
		fmt.Fprintf(t.Out, "The %s of %s is asked for.\n", r.what, r.name)
		return nil, nil
	}
	fmt.Fprintf(t.ErrOut, "Waiting for the operator to act on the %s of %s (at most %s) ...\n", r.what, r.name, r.timeout)
	if credential.Status.Token != nil {
		r.before = credential.Status.Token.Fingerprint
	}
	hasActed := false
	acted, err := cluster.await(ctx, r.name, r.timeout, func(seen *v1alpha1.SpacesCredential) (bool, error) {
		if seen.UID != credential.UID || seen.DeletionTimestamp != nil {
			return false, fmt.Errorf("%s was deleted meanwhile", r.name)
		}
		// The token may have to pass a check, or wait for its turn, after the request was handled.
		hasActed = r.handled(&seen.Status) == value
		return hasActed && (r.hasNewToken(seen) || r.isOver(seen)), nil
	})
	if errors.Is(err, errOver) && hasActed {
		return acted, nil
	}
	if errors.Is(err, errOver) {
		return nil, fmt.Errorf("the operator has not acted on the %s within %s: %s", r.what, r.timeout, conditionsSay(acted))
	}
	return acted, err
}
