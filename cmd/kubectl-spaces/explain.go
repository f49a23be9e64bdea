package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

func (t *tool) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain NAME",
		Short: "Walk through what the operator checks, and say what to do",
		Long: `Walk through what the operator checks, in its order. Each line is ok, holds it
up, or was not looked at; for the first that holds it up this says what to do.
Secrets are looked at as far as you may read them; no value and no key of
theirs is shown.`,
		Example:           "  kubectl spaces explain meeting-bot",
		Args:              oneName,
		ValidArgsFunction: t.names(),
		RunE: func(command *cobra.Command, arguments []string) error {
			return t.explain(command.Context(), arguments[0])
		},
	}
}

func (t *tool) explain(ctx context.Context, name string) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	credential, err := cluster.credential(ctx, name)
	if err != nil {
		return err
	}
	e := examine(cluster, credential, t.clock.Now())
	verdicts, err := e.walk(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "SpacesCredential %s/%s\n\n", credential.Namespace, credential.Name)
	printVerdicts(t.Out, verdicts, t.width())
	t.advise(e, verdicts)
	t.tellClock(ctx, e)
	t.tellUnknown(credential)
	return nil
}

// tellClock says that the clock of the service is apart from the operator's, as far as the person may
// see the operator's lease.
func (t *tool) tellClock(ctx context.Context, e *examination) {
	seen, err := e.cluster.operators(ctx)
	if err != nil {
		return
	}
	if apart := clockApart(seen, e.credential.EffectiveEnvironment(), e.now); apart != "" {
		fmt.Fprintf(t.Out, "\n%s Tokens seem to live longer or shorter than they do: look at the clock of the operator's node first.\n", plain(apart))
	}
}

// advise says what to do about the first line that holds the credential up.
func (t *tool) advise(e *examination, verdicts []verdict) {
	unknown := slices.ContainsFunc(verdicts, func(v verdict) bool { return v.outcome == unseen })
	switch {
	case e.held > 0:
		fmt.Fprintf(t.Out, "\n%s\n", wrapped(fmt.Sprintf("What to do about %d: %s", e.held, plain(verdicts[e.held-1].todo)), t.width(), 0))
	case unknown:
		fmt.Fprint(t.Out, "\nNothing that could be looked at holds it up.\n")
	default:
		fmt.Fprint(t.Out, "\nNothing holds it up.\n")
	}
}

// outcome is what a line of the walk says.
type outcome string

const (
	fine    outcome = "ok"
	holding outcome = "holds it up"
	unseen  outcome = "not looked at"
)

// verdict is one line, with what to do where it holds the credential up.
type verdict struct {
	outcome    outcome
	text, todo string
}

func isFine(format string, values ...any) *verdict {
	return &verdict{outcome: fine, text: fmt.Sprintf(format, values...)}
}

func holdsUp(text, todo string) *verdict {
	return &verdict{outcome: holding, text: text, todo: todo}
}

// notKnown is the verdict about what a newer CRD allows and this version cannot judge.
func notKnown(what string) *verdict {
	return notLookedAt("This version does not know %s.", what)
}

func notLookedAt(format string, values ...any) *verdict {
	return &verdict{outcome: unseen, text: fmt.Sprintf(format, values...)}
}

// examination is a walk through the checks.
type examination struct {
	cluster    *cluster
	credential *v1alpha1.SpacesCredential
	now        time.Time
	// reason and message are what the operator says of this generation; empty when it
	// says that all is well, or nothing.
	reason, message string
	// held is the number of the first check that holds the credential up, or 0.
	held int
	// secrets are those that were read, so that each is read once.
	secrets map[string]secretReading
}

// secretReading is a Secret, or why there is none to look at.
type secretReading struct {
	secret *corev1.Secret
	err    error
}

func examine(cluster *cluster, credential *v1alpha1.SpacesCredential, now time.Time) *examination {
	e := &examination{cluster: cluster, credential: credential, now: now, secrets: map[string]secretReading{}}
	if credential.Status.ObservedGeneration == credential.Generation {
		e.reason, e.message = operatorSays(credential)
	}
	return e
}

// operatorSays is what holds a credential up in the operator's words. Stalled comes
// first: it names what a person must mend, also while the token lives. Expired and
// RenewalFailing come late, because another condition may say more.
func operatorSays(credential *v1alpha1.SpacesCredential) (reason, message string) {
	ready, stalled := conditionOf(credential, v1alpha1.ConditionReady), conditionOf(credential, v1alpha1.ConditionStalled)
	grant := conditionOf(credential, v1alpha1.ConditionGrantValid)
	vague := ready.Reason == v1alpha1.ReasonExpired || ready.Reason == v1alpha1.ReasonRenewalFailing
	switch {
	case stalled.Status == metav1.ConditionTrue:
		return stalled.Reason, stalled.Message
	case ready.Status == metav1.ConditionFalse && !vague, ready.Reason == v1alpha1.ReasonSuspended, ready.Reason == v1alpha1.ReasonEnvironmentPaused:
		return ready.Reason, ready.Message
	case grant.Status == metav1.ConditionUnknown && grant.Reason == v1alpha1.ReasonAmbiguousResult:
		return grant.Reason, grant.Message
	case vague:
		return ready.Reason, ready.Message
	case grant.Status == metav1.ConditionFalse:
		return grant.Reason, grant.Message
	}
	return "", ""
}

// walk goes through all checks. Its error is the API server's, when it does not
// answer; what the person may not read is a line of its own.
func (e *examination) walk(ctx context.Context) ([]verdict, error) {
	var verdicts []verdict
	for i, c := range checks() {
		v := e.judge(ctx, c)
		if v.outcome == holding && e.held == 0 {
			e.held = i + 1
		}
		verdicts = append(verdicts, *v)
	}
	for name, reading := range e.secrets {
		if reading.err != nil && !apierrors.IsNotFound(reading.err) && !apierrors.IsForbidden(reading.err) {
			return nil, e.cluster.aboutSecret(reading.err, "get", name)
		}
	}
	return verdicts, ctx.Err()
}

func (e *examination) judge(ctx context.Context, c check) *verdict {
	if e.credential.DeletionTimestamp != nil && !slices.Contains(c.reasons, v1alpha1.ReasonDeleting) {
		return notLookedAt("It is being deleted.")
	}
	if e.reason != "" && slices.Contains(c.reasons, e.reason) {
		return holdsUp(e.message+e.nextAttempt(), e.cluster.remedy(e.reason, e.credential))
	}
	if c.look != nil {
		if v := c.look(ctx, e); v != nil {
			return v
		}
	}
	if e.held > 0 {
		return notLookedAt("The operator stops at %d.", e.held)
	}
	return isFine("%s", c.well)
}

// nextAttempt says when the operator tries again, if it does.
func (e *examination) nextAttempt() string {
	next := e.credential.Status.NextAttemptTime
	if next == nil || !e.now.Before(next.Time) {
		return ""
	}
	return " The next attempt is " + relative(next, e.now) + "."
}

// secret reads a Secret once.
func (e *examination) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	reading, known := e.secrets[name]
	if !known {
		reading.secret, reading.err = e.cluster.secret(ctx, name)
		e.secrets[name] = reading
	}
	return reading.secret, reading.err
}

// cannotRead is the line of a check that needs a Secret.
func (e *examination) cannotRead(err error) *verdict {
	if apierrors.IsForbidden(err) {
		return notLookedAt("You may not read Secrets in namespace %q.", e.cluster.namespace)
	}
	return notLookedAt("The API server did not answer.")
}
