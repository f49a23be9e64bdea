package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

func (t *tool) statusCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "status NAME",
		Short: "Tell how one SpacesCredential fares",
		Example: `  kubectl spaces status meeting-bot

  # The object itself
  kubectl spaces status meeting-bot -o yaml`,
		Args:              oneName,
		ValidArgsFunction: t.names(),
	}
	form := addForm(command, formWide, formJSON, formYAML)
	command.RunE = func(command *cobra.Command, arguments []string) error {
		return t.status(command.Context(), arguments[0], form)
	}
	return command
}

func (t *tool) status(ctx context.Context, name string, form *form) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	credential, err := cluster.credential(ctx, name)
	if err != nil {
		return err
	}
	if form.structured() {
		return form.printObject(withKind(credential), t.Out)
	}
	now := t.clock.Now()
	credential = &t.broughtUpToDate(ctx, cluster, *credential)[0]
	block := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	for _, line := range statusLines(credential, now, form.value == formWide) {
		fmt.Fprintf(block, "%s:\t%s\n", line[0], line[1])
	}
	if err := block.Flush(); err != nil {
		return err
	}
	t.tellAttention(credential)
	t.tellUnknown(credential)
	return nil
}

// statusLines are the facts in the order in which a person asks for them.
func statusLines(credential *v1alpha1.SpacesCredential, now time.Time, wide bool) [][2]string {
	status := &credential.Status
	ready := conditionOf(credential, v1alpha1.ConditionReady)
	identity := none
	if status.Identity != nil {
		identity = identityOf(status.Identity)
	}
	lines := [][2]string{
		{"Name", credential.Namespace + "/" + credential.Name},
		{"Ready", readiness(ready)},
		{"Grant type", string(credential.Spec.GrantType)},
		{"Environment", credential.EffectiveEnvironment()},
		{"Identity", identity},
		{"Secret", credential.EffectiveSecretName()},
	}
	lines = append(lines, tokenLines(status.Token, now)...)
	lines = append(lines,
		[2]string{"Grant", grantOf(status.Grant, now)},
		[2]string{"Failures", failuresOf(status, now)},
		[2]string{"Pending revocations", fmt.Sprint(status.PendingRevocations)})
	if wide {
		lines = append(lines,
			[2]string{"Client ID", orNone(status.ClientID)},
			[2]string{"Last renew request", orNone(status.LastHandledRenewRequest)},
			[2]string{"Last revoke request", orNone(status.LastHandledRevokeRequest)})
	}
	return lines
}

func readiness(ready metav1.Condition) string {
	if ready.Status == "" {
		return "Unknown"
	}
	return string(ready.Status) + " (" + plain(ready.Reason) + ")"
}

func identityOf(identity *v1alpha1.Identity) string {
	name := orNone(identity.Username)
	if identity.UserID == "" {
		return name
	}
	return fmt.Sprintf("%s (user ID %s)", name, plain(identity.UserID))
}

func tokenLines(token *v1alpha1.TokenStatus, now time.Time) [][2]string {
	if token == nil {
		return [][2]string{{"Token", none}}
	}
	return [][2]string{
		{"Token", fmt.Sprintf("%s, obtained by %s", orNone(token.Fingerprint), orNone(string(token.ObtainedBy)))},
		{"  Issued", relative(token.IssueTime, now)},
		{"  Renews", relative(token.RenewalTime, now)},
		{"  Expires", relative(token.ExpirationTime, now)},
	}
}

func grantOf(grant *v1alpha1.GrantStatus, now time.Time) string {
	if grant == nil || grant.StartTime == nil {
		return none
	}
	text := fmt.Sprintf("for %s (since %s), %s", duration.HumanDuration(now.Sub(grant.StartTime.Time)),
		grant.StartTime.UTC().Format(time.RFC3339), counted(grant.Rotations, "rotation"))
	if !grant.Present {
		text += ", gone"
	}
	if grant.ExpirationTime != nil {
		text += ", ends " + relative(grant.ExpirationTime, now)
	}
	return text
}

func failuresOf(status *v1alpha1.SpacesCredentialStatus, now time.Time) string {
	text := fmt.Sprint(status.FailedAttempts)
	if status.NextAttemptTime != nil {
		text += ", next attempt " + relative(status.NextAttemptTime, now)
	}
	return text
}

// counted is a number with its noun.
func counted[N int | int32 | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// tellAttention prints the conditions that need attention; those that say the same
// share a paragraph.
func (t *tool) tellAttention(credential *v1alpha1.SpacesCredential) {
	if len(credential.Status.Conditions) == 0 {
		fmt.Fprintf(t.Out, "\n%s\n", neverLookedAt)
		return
	}
	if credential.Status.ObservedGeneration < credential.Generation {
		fmt.Fprint(t.Out, "\nThe operator has not looked at the newest spec yet; this tells of an older one.\n")
	}
	found := attention(credential)
	if len(found) == 0 {
		return
	}
	fmt.Fprint(t.Out, "\nNeeds attention:\n")
	for i := 0; i < len(found); {
		same := i + 1
		kinds := []string{kindAndStatus(found[i])}
		for same < len(found) && found[same].Message == found[i].Message && found[same].Reason == found[i].Reason {
			kinds = append(kinds, kindAndStatus(found[same]))
			same++
		}
		fmt.Fprintf(t.Out, "  %s (%s)\n    %s\n", strings.Join(kinds, ", "), plain(found[i].Reason), plain(found[i].Message))
		i = same
	}
}

func kindAndStatus(condition metav1.Condition) string {
	return condition.Type + " " + string(condition.Status)
}
