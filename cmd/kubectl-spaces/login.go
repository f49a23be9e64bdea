package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// browserWait is how long a person may take to sign in.
	browserWait = 5 * time.Minute
	// exchangeWait is how long the operator may take to exchange the code.
	exchangeWait = 2 * time.Minute
	// writingWait bounds the writing of the code, and its removal.
	writingWait = 10 * time.Second
	// stateBytes make a state that nobody guesses.
	stateBytes = 32
)

// login is what a login was asked for.
type login struct {
	name         string
	clientID     string
	browser      string
	expectedUser string
	noBrowser    bool
	timeout      time.Duration
}

func (t *tool) loginCommand() *cobra.Command {
	l := &login{}
	command := &cobra.Command{
		Use:   "login NAME",
		Short: "Sign in by browser for a SpacesCredential of grant type AuthorizationCode",
		Long: `Sign in by browser for a SpacesCredential of grant type AuthorizationCode. The
browser opens the service's own pages and comes back to
spec.authorizationCode.redirectURI, where this command listens, or to the next
of redirectURIs where another program does. The code goes into the Secret that
the object names; the operator exchanges it, and the Secret is removed. Neither
the client secret nor a refresh token is ever on this machine.`,
		Example: `  kubectl spaces login meeting-bot

  # On a machine without a browser, or for a redirect URI with https
  kubectl spaces login meeting-bot --no-browser

  # Whoever else signs in by mistake is refused
  kubectl spaces login meeting-bot --expected-user bot@example.com`,
		Args:              oneName,
		ValidArgsFunction: t.names(v1alpha1.GrantTypeAuthorizationCode),
		RunE: func(command *cobra.Command, arguments []string) error {
			l.name = arguments[0]
			return t.login(command.Context(), l)
		},
	}
	command.Flags().StringVar(&l.clientID, "client-id", "", "client to sign in for, instead of status.clientID")
	command.Flags().StringVar(&l.browser, "browser", "", "command that opens an address, instead of $BROWSER and the system's browser")
	command.Flags().StringVar(&l.expectedUser, "expected-user", "", "user name or user ID of whoever signs in; the operator revokes the grant of anybody else")
	command.Flags().BoolVar(&l.noBrowser, "no-browser", false, "print the address, and read the one that the browser ends at from standard input")
	command.Flags().DurationVar(&l.timeout, "timeout", browserWait, "how long to wait for the sign-in; the operator then has "+exchangeWait.String())
	return command
}

// login signs a person in: look, rehearse, ask the browser, hand over, wait, clean up.
func (t *tool) login(ctx context.Context, l *login) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	credential, err := cluster.credential(ctx, l.name)
	if err != nil {
		return err
	}
	if err := l.canBegin(cluster, credential); err != nil {
		return err
	}
	attempt, err := t.newSignIn(credential, orDefault(l.clientID, credential.Status.ClientID))
	if err != nil {
		return err
	}
	if !l.noBrowser && len(attempt.heard()) == 0 {
		return fmt.Errorf("nobody can listen at %s on this machine: sign in with --no-browser", attempt.redirect)
	}
	secret, err := cluster.codeSecretOf(ctx, credential, l.expectedUser)
	if err != nil {
		return err
	}
	if err := secret.rehearse(ctx); err != nil {
		return err
	}
	code, err := t.askPerson(ctx, l, attempt)
	if err != nil {
		return err
	}
	before, err := cluster.unchanged(ctx, credential)
	if err != nil {
		return err
	}
	if attempt.redirect != attempt.redirects[0] {
		secret.redirectURI = attempt.request.RedirectURL
	}
	defer t.cleanUp(ctx, secret)
	if err := handOver(ctx, secret, code, attempt.verifier); err != nil {
		return err
	}
	return t.awaitGrant(ctx, cluster, before)
}

// canBegin says what keeps a login from making sense.
func (l *login) canBegin(c *cluster, credential *v1alpha1.SpacesCredential) error {
	switch {
	case !credential.Spec.GrantType.IsKnown():
		return fmt.Errorf("this version does not know %s: %s", grantTypeOf(credential), installNewer)
	case credential.Spec.GrantType != v1alpha1.GrantTypeAuthorizationCode || credential.Spec.AuthorizationCode == nil:
		return fmt.Errorf("%s has %s: nobody signs in by browser for it", l.name, grantTypeOf(credential))
	case credential.DeletionTimestamp != nil:
		return fmt.Errorf("%s is being deleted", l.name)
	case credential.Spec.Suspend:
		return fmt.Errorf("%s is suspended, so the operator would leave the sign-in alone: %s first", l.name, c.pasteSpaces("resume", credential))
	case credential.Status.AuthorizationEndpoint == "":
		return fmt.Errorf("status.authorizationEndpoint of %s is empty, as it is while an environment is unknown or paused: %s", l.name, conditionsSay(credential))
	case l.clientID == "" && credential.Status.ClientID == "":
		return fmt.Errorf("status.clientID of %s is empty: give the client's ID with --client-id", l.name)
	}
	return nil
}

// newState draws what ties an answer to this sign-in.
func (t *tool) newState() (string, error) {
	state := make([]byte, stateBytes)
	if _, err := io.ReadFull(t.random, state); err != nil {
		return "", errors.New("the system gave no random numbers")
	}
	return base64.RawURLEncoding.EncodeToString(state), nil
}

// askPerson has a person sign in, and returns the code.
func (t *tool) askPerson(ctx context.Context, l *login, attempt *signIn) (string, error) {
	over := t.clock.NewTimer(l.timeout)
	defer over.Stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	way := t.byBrowser
	if l.noBrowser {
		way = t.byPasting
	}
	given, err := way(ctx, l, attempt, over.C())
	if err != nil {
		return "", err
	}
	return given.code, given.problem
}

// noSignIn is the end of a wait for a person.
func (l *login) noSignIn() error {
	return fmt.Errorf("nobody signed in within %s", l.timeout)
}

// byBrowser listens, opens a browser and takes what it brings. The address is printed in any
// case: a browser that was started may show nothing, and does not say so.
func (t *tool) byBrowser(ctx context.Context, l *login, attempt *signIn, over <-chan time.Time) (answer, error) {
	listening, err := t.listen(attempt)
	if err != nil {
		return answer{}, err
	}
	defer listening.close()
	fmt.Fprintf(t.ErrOut, "Sign in with the browser that opens, or open this address in one on this machine:\n\n  %s\n\n", attempt.address)
	fmt.Fprintf(t.ErrOut, "Waiting for the sign-in to come back to %s (at most %s) ...\n", attempt.redirect, l.timeout)
	opened := make(chan error, 1)
	go func() { opened <- t.openBrowser(l.browser, listening.start()) }()
	strangers := listening.strangers
	for {
		select {
		case given := <-listening.answers:
			return given, nil
		case err := <-opened:
			if err != nil {
				fmt.Fprintln(t.ErrOut, "No browser could be opened: open the address above.")
			}
			opened = nil
		case <-strangers:
			fmt.Fprintln(t.ErrOut, "A browser brought what belongs to another sign-in. It was not used; the wait goes on.")
			strangers = nil // it is told once
		case <-over:
			return answer{}, l.noSignIn()
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
	}
}

// byPasting prints the address and reads the one at which the browser ends, as often as it
// takes.
func (t *tool) byPasting(ctx context.Context, l *login, attempt *signIn, over <-chan time.Time) (answer, error) {
	fmt.Fprintf(t.ErrOut, "Open this address in a browser and sign in (at most %s):\n\n  %s\n\n", l.timeout, attempt.address)
	fmt.Fprintf(t.ErrOut, "The browser then goes to %s, which may show an error. Paste the address it ends at here:\n", attempt.redirect)
	typed := lines(ctx, t.In)
	for {
		select {
		case line, open := <-typed:
			if !open {
				return answer{}, errors.New("no address of this sign-in was pasted")
			}
			given, err := attempt.pasted(line)
			if err == nil {
				return given, nil
			}
			fmt.Fprintf(t.ErrOut, "%s. Paste again:\n", upperFirst(plain(err.Error())))
		case <-over:
			return answer{}, l.noSignIn()
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
	}
}

// unchanged reads the credential again, just before the code is handed over. A code
// for what it was would be of no use to what it is.
func (c *cluster) unchanged(ctx context.Context, credential *v1alpha1.SpacesCredential) (*v1alpha1.SpacesCredential, error) {
	now, err := c.credential(ctx, credential.Name)
	if err != nil {
		return nil, err
	}
	if now.UID != credential.UID || now.Generation != credential.Generation || now.DeletionTimestamp != nil {
		return nil, fmt.Errorf("%s was changed during the sign-in: begin again", credential.Name)
	}
	return now, nil
}

// awaitGrant waits until the operator has made a token from the code, or has given up.
func (t *tool) awaitGrant(ctx context.Context, cluster *cluster, before *v1alpha1.SpacesCredential) error {
	fmt.Fprintf(t.ErrOut, "Signed in. Waiting for the operator to exchange the code (at most %s) ...\n", exchangeWait)
	after, err := cluster.await(ctx, before.Name, exchangeWait, func(seen *v1alpha1.SpacesCredential) (bool, error) {
		switch {
		case seen.UID != before.UID || seen.DeletionTimestamp != nil:
			return false, fmt.Errorf("%s was deleted meanwhile", before.Name)
		case grantedSince(before, seen):
			return true, nil
		}
		return false, refusedSince(before, seen)
	})
	if errors.Is(err, errOver) {
		return fmt.Errorf("%s is not Ready from the new sign-in after %s: %s", before.Name, exchangeWait, conditionsSay(after))
	}
	if err != nil {
		return err
	}
	who := ""
	if identity := after.Status.Identity; identity != nil && identity.Username != "" {
		who = " as " + plain(identity.Username)
	}
	fmt.Fprintf(t.Out, "%s is signed in%s.\n", before.Name, who)
	switch token := after.Status.Token; {
	case token == nil || token.ExpirationTime == nil:
	case conditionOf(after, v1alpha1.ConditionGrantValid).Reason == v1alpha1.ReasonNoRefreshToken:
		fmt.Fprintf(t.Out, "Its token expires %s, and cannot be renewed: %s\n", relative(token.ExpirationTime, t.clock.Now()), conditionOf(after, v1alpha1.ConditionGrantValid).Message)
	default:
		fmt.Fprintf(t.Out, "Its token expires %s, and the operator renews it before.\n", relative(token.ExpirationTime, t.clock.Now()))
	}
	return nil
}

// grantedSince tells that a token of a new grant is published.
func grantedSince(before, seen *v1alpha1.SpacesCredential) bool {
	return conditionOf(seen, v1alpha1.ConditionReady).Status == metav1.ConditionTrue && !startOf(seen).Equal(startOf(before))
}

// startOf is when the grant of a credential began, or nil.
func startOf(credential *v1alpha1.SpacesCredential) *metav1.Time {
	if credential.Status.Grant == nil {
		return nil
	}
	return credential.Status.Grant.StartTime
}

// refusedSince is what the operator says when the code came to nothing. What it said
// before the code was handed over does not count, nor that it waits for a code. The same
// words count again with another failure or another grant.
func refusedSince(before, seen *v1alpha1.SpacesCredential) error {
	triedAgain := seen.Status.FailedAttempts > before.Status.FailedAttempts || !startOf(seen).Equal(startOf(before))
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionGrantValid} {
		was, is := conditionOf(before, kind), conditionOf(seen, kind)
		isNew := triedAgain || was.Status != is.Status || was.Reason != is.Reason || was.Message != is.Message ||
			!was.LastTransitionTime.Equal(&is.LastTransitionTime)
		stalled := kind == v1alpha1.ConditionStalled && is.Status == metav1.ConditionTrue && is.Reason != v1alpha1.ReasonAuthorizationPending
		rejected := kind == v1alpha1.ConditionGrantValid && is.Status == metav1.ConditionFalse && is.Reason == v1alpha1.ReasonGrantRejected
		if isNew && (stalled || rejected) {
			return fmt.Errorf("the sign-in came to nothing: %s: %s", is.Reason, plain(is.Message))
		}
	}
	return nil
}

// handOver writes the code. Ctrl-C does not cut the request in the middle, so that it
// is known whether there is something to remove.
func handOver(ctx context.Context, secret *codeSecret, code, verifier string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writingWait)
	defer cancel()
	return secret.write(ctx, code, verifier)
}

// cleanUp removes the code, whatever came before, also when the person has pressed
// Ctrl-C.
func (t *tool) cleanUp(ctx context.Context, secret *codeSecret) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writingWait)
	defer cancel()
	if err := secret.remove(ctx); err != nil {
		fmt.Fprintf(t.ErrOut, "warning: the used code is left in Secret %q: %s\n", secret.name, plain(err.Error()))
	}
}
