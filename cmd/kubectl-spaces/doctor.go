package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Outcomes of a look that doctor takes, beside those of explain.
const (
	wrong    outcome = "wrong"
	doubtful outcome = "look at it"
)

func isWrong(text, todo string) *verdict { return &verdict{outcome: wrong, text: text, todo: todo} }

func isDoubtful(text, todo string) *verdict {
	return &verdict{outcome: doubtful, text: text, todo: todo}
}

func (t *tool) doctorCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Look whether the operator is well installed and reaches the service",
		Long: `Look at an installation from end to end: the API server, the kind, the
operator's Deployment, its lease, its rights, the key of its states, its
environments, whether their hosts answer from this machine and what their
clocks say, the versions, and how the SpacesCredentials fare. Each line is ok,
wrong, worth a look, or was not looked at, and each that is wrong says what to
do. It looks as far as you may; a platform team may see all.

The exit code is 0 where nothing is wrong, else 1. Nothing is changed, and
nothing secret is printed.`,
		Example: `  kubectl spaces doctor

  # Where this machine does not reach the service
  kubectl spaces doctor --service=false`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	service := command.Flags().Bool("service", true, "call the hosts of the environments that are used, from this machine")
	network := addNetwork(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		return t.doctor(command.Context(), *service, network)
	}
	return command
}

// diagnosis is a look at an installation from end to end.
type diagnosis struct {
	*tool
	*cluster
	now time.Time
	// installations are the operators' Deployments, as far as they could be looked for.
	installations []installation
	// leases are those of operators, and environments the operators' own; neither is read twice.
	leases       []sighting
	environments spacesauth.Environments
	// credentials are all that the person may list.
	credentials []v1alpha1.SpacesCredential
	// network is the way to the service from here, nil where it is not to be called.
	network *network
	// dates are the times that hosts told.
	dates map[string]time.Duration
}

func (t *tool) doctor(ctx context.Context, service bool, network *network) error {
	cluster, err := t.cluster()
	if err != nil {
		return err
	}
	d := &diagnosis{tool: t, cluster: cluster, now: t.clock.Now(), dates: map[string]time.Duration{}}
	if service {
		d.network = network
	}
	verdicts, err := d.walk(ctx)
	if err != nil {
		return err
	}
	printVerdicts(t.Out, verdicts, t.width())
	bad := 0
	for i, v := range verdicts {
		if v.todo != "" {
			fmt.Fprintf(t.Out, "\n%s\n", wrapped(fmt.Sprintf("What to do about %d: %s", i+1, plain(v.todo)), t.width(), 0))
		}
		if v.outcome == wrong {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %s found something wrong", bad, counted(len(verdicts), "look"))
	}
	unlooked := slices.ContainsFunc(verdicts, func(v verdict) bool { return v.outcome == unseen })
	if unlooked {
		fmt.Fprintln(t.Out, "\nNothing is wrong, as far as could be looked.")
		return nil
	}
	fmt.Fprintln(t.Out, "\nNothing is wrong.")
	return nil
}

// walk takes all looks. Where the API server does not answer, or does not know the kind, there is
// nothing else to look at.
func (d *diagnosis) walk(ctx context.Context) ([]verdict, error) {
	verdicts := []verdict{*d.lookAtKind(ctx)}
	if verdicts[0].outcome == wrong {
		return verdicts, ctx.Err()
	}
	for _, look := range []func(context.Context) []verdict{
		d.lookAtInstallations, d.lookAtLeases, d.lookAtRights, d.lookAtKeys, d.lookAtEnvironments, d.lookAtHosts, d.lookAtClocks, d.lookAtVersions, d.lookAtCredentials,
	} {
		verdicts = append(verdicts, look(ctx)...)
	}
	return verdicts, ctx.Err()
}

// lookAtKind lists all SpacesCredentials, or those of the namespace where all may not be listed.
func (d *diagnosis) lookAtKind(ctx context.Context) *verdict {
	var found v1alpha1.SpacesCredentialList
	err := d.List(ctx, &found)
	where := "in all namespaces"
	if apierrors.IsForbidden(err) {
		where = fmt.Sprintf("in namespace %q, the only one looked at", d.namespace)
		err = d.List(ctx, &found, client.InNamespace(d.namespace))
	}
	d.credentials = found.Items
	switch {
	case err == nil:
		return isFine("The API server answers and knows SpacesCredentials: %d %s.", len(found.Items), where)
	case isUnknownKind(err):
		return isWrong("The API server answers and does not know SpacesCredentials.", "install the operator with its CRDs: docs/install.md")
	case apierrors.IsForbidden(err):
		return isWrong("You may not list SpacesCredentials.", "have somebody bind the cluster's role view to you")
	case apierrors.IsUnauthorized(err):
		return isWrong("The API server does not know you.", "sign in to the cluster again")
	}
	return isWrong("The API server did not answer: "+err.Error(), "see whether the kubeconfig names the right cluster, and whether that is reached from here")
}

func (d *diagnosis) lookAtInstallations(ctx context.Context) []verdict {
	found, err := d.cluster.installations(ctx)
	d.installations = found
	switch {
	case err != nil:
		return []verdict{*notLookedAt("%s", lookedInVain(err, "Deployments in all namespaces"))}
	case len(found) == 0:
		return []verdict{*isDoubtful("There is no Deployment with the labels of an operator.", "if the operator is to run in this cluster, and not on a machine of its own, install it: docs/install.md")}
	}
	var verdicts []verdict
	for i := range found {
		verdicts = append(verdicts, *d.lookAtReplicas(&found[i]))
	}
	return verdicts
}

func (d *diagnosis) lookAtReplicas(i *installation) *verdict {
	status, wanted := &i.Status, int32(1)
	if i.Spec.Replicas != nil {
		wanted = *i.Spec.Replicas
	}
	said := fmt.Sprintf("Deployment %s has %d of %d replicas ready, of image %s.", i, status.ReadyReplicas, wanted, i.container().Image)
	describe := d.paste("describe deployment,pods "+labelsOf(i), i.Namespace)
	switch {
	case wanted == 0:
		return isWrong(said, "it is scaled to none: "+d.paste("scale deployment "+i.Name+" --replicas=1", i.Namespace))
	case status.ReadyReplicas == 0:
		return isWrong(said, "see why: "+describe)
	case status.ReadyReplicas < wanted || status.UpdatedReplicas < wanted:
		return isDoubtful(said, "if it stays so, see why: "+describe)
	}
	return isFine("%s", said)
}

// labelsOf are the words by which kubectl picks what belongs to an operator.
func labelsOf(i *installation) string {
	return "-l " + quoted(metav1.FormatLabelSelector(i.Spec.Selector))
}

// lookAtLeases looks whether each lease of an operator is held by one that lives.
func (d *diagnosis) lookAtLeases(ctx context.Context) []verdict {
	seen, err := d.operators(ctx)
	d.leases = seen
	switch {
	case err != nil:
		return []verdict{*notLookedAt("%s", lookedInVain(err, "Leases in all namespaces"))}
	case len(seen) == 0 && len(d.installations) == 0:
		return []verdict{*isDoubtful("No operator has ever held a lease here.", "nothing, if one runs without --leader-elect; else see why none starts, in its log")}
	case len(seen) == 0:
		return []verdict{*isWrong("No operator has ever held a lease here.", "see why none starts: "+d.paste("logs deployment/"+d.installations[0].Name, d.installations[0].Namespace))}
	}
	var verdicts []verdict
	for _, s := range seen {
		said := fmt.Sprintf("Lease %s was renewed %s.", s.lease, away(s.renewed, d.now))
		switch {
		case s.isAlive(d.now):
			verdicts = append(verdicts, *isFine("%s", said))
		case s.holder == "":
			verdicts = append(verdicts, *isWrong("Lease "+s.lease.String()+" is held by nobody.", "see why no operator takes it: "+d.paste("get pods", s.lease.Namespace)+
				"; if it is of an operator that was removed for good: "+d.paste("delete lease "+s.lease.Name, s.lease.Namespace)))
		default:
			verdicts = append(verdicts, *isWrong(said, "see whether its holder runs: "+d.paste("get pods", s.lease.Namespace)+
				"; if it is of an operator that was removed for good: "+d.paste("delete lease "+s.lease.Name, s.lease.Namespace)))
		}
	}
	return verdicts
}

// lookedInVain says why something could not be looked at.
func lookedInVain(err error, what string) string {
	if apierrors.IsForbidden(err) {
		return "You may not look at " + what + "."
	}
	var said *sentence
	if errors.As(err, &said) {
		return upperFirst(said.Error()) + "."
	}
	return fmt.Sprintf("The API server did not show %s: %v.", what, err)
}
