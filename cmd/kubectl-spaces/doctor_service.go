package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// knock bounds a call of a host.
	knock = 10 * time.Second
	// tolerable is by how much two clocks may differ: tokens are judged by one and expire by another.
	tolerable = time.Minute
	// namedTroubles is how many SpacesCredentials that are not well are named.
	namedTroubles = 10
)

// readEnvironments reads the environments of all operators together.
func (d *diagnosis) readEnvironments(ctx context.Context) error {
	all := spacesauth.Environments{}
	for i := range d.installations {
		environments, err := d.installations[i].environments(ctx)
		if err != nil {
			return err
		}
		maps.Copy(all, environments)
	}
	d.environments = all
	return nil
}

// used are the environments that SpacesCredentials name, in order.
func (d *diagnosis) used() (names []string) {
	for i := range d.credentials {
		names = append(names, d.credentials[i].EffectiveEnvironment())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lookAtEnvironments looks whether every environment that is named is one of an operator's, and
// admits the namespace.
func (d *diagnosis) lookAtEnvironments(ctx context.Context) []verdict {
	if len(d.installations) == 0 {
		return nil
	}
	if err := d.readEnvironments(ctx); err != nil {
		return []verdict{*d.unknownEnvironments(err)}
	}
	known := d.environments
	var strange []string
	for i := range d.credentials {
		credential := &d.credentials[i]
		if environment, is := known[credential.EffectiveEnvironment()]; !is || !environment.Allows(credential.Namespace) {
			strange = append(strange, fmt.Sprintf("%s/%s (%s)", credential.Namespace, credential.Name, credential.EffectiveEnvironment()))
		}
	}
	if len(strange) > 0 {
		return []verdict{*isWrong("These name an environment that the operator does not know, or does not admit for their namespace: "+someOf(strange)+".",
			"correct spec.environment, or add the environment or the namespace to the operator's file of environments; it knows "+strings.Join(known.Names(), ", "))}
	}
	verdicts := []verdict{*isFine("Every environment that is named is one of the operator's: %s.", strings.Join(known.Names(), ", "))}
	for _, name := range d.used() {
		if known[name].Paused {
			verdicts = append(verdicts, *isDoubtful(fmt.Sprintf("Environment %q is paused: nothing is sent there, and its tokens end in their time.", name),
				"take paused out of the operator's file of environments when it is to go on"))
		}
	}
	return verdicts
}

// unknownEnvironments is the verdict where the operator's environments cannot be read. A file that
// does not parse is wrong: the operator goes on with the one before it, and a new one does not start.
func (d *diagnosis) unknownEnvironments(err error) *verdict {
	if strings.HasPrefix(err.Error(), "its file ") && !strings.HasSuffix(err.Error(), "is mounted from no ConfigMap") {
		return isWrong(fmt.Sprintf("The operator cannot use its environments: %v.", err), "correct the file, in the values of the chart or the ConfigMap; a running operator goes on with what it read before")
	}
	return notLookedAt("The operator's environments: %v.", err)
}

// lookAtHosts calls the accounts host of each environment that is used. Any answer is a good one.
func (d *diagnosis) lookAtHosts(ctx context.Context) []verdict {
	if d.network == nil {
		return nil
	}
	var verdicts []verdict
	for _, name := range d.used() {
		if environment, is := d.environments[name]; is && !environment.Paused {
			verdicts = append(verdicts, *d.lookAtHost(ctx, environment))
		}
	}
	return verdicts
}

func (d *diagnosis) lookAtHost(ctx context.Context, environment spacesauth.Environment) *verdict {
	network := *d.network
	network.authorities = authoritiesOf(ctx, d.installations, environment.Name)
	client, err := network.client(d.http)
	if err != nil {
		return notLookedAt("%s", upperFirst(err.Error())+".")
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, knock)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, environment.AccountsURL, nil)
	if err != nil {
		return notLookedAt("%s", upperFirst(err.Error())+".")
	}
	request.Header.Set("User-Agent", "kubectl-spaces/"+d.version)
	sent := d.tool.clock.Now()
	answer, err := client.Do(request)
	failing := d.failingIn(environment.Name)
	if err != nil {
		said := fmt.Sprintf("%s of environment %q does not answer this machine: %v%s.", environment.AccountsURL, environment.Name, withoutURL(err), network.hint(err))
		if failing == 0 {
			return isDoubtful(said, "nothing, if only the operator's network reaches it: no SpacesCredential of this environment says that it does not")
		}
		return isWrong(said+" "+upperFirst(toTheOperator(failing))+".", "look at the service, at DNS, at the proxy and at the NetworkPolicy of the operator's namespace; --ca-file and --proxy-url are for this machine")
	}
	_ = answer.Body.Close() // a HEAD has none
	if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		d.dates[environment.Name] = date.Sub(sent)
	}
	said := fmt.Sprintf("%s of environment %q answers this machine.", environment.AccountsURL, environment.Name)
	if failing > 0 {
		return isWrong(said+" "+upperFirst(toTheOperator(failing))+".", "the operator's own way to it is in doubt: look at its proxy, at NO_PROXY, at DNS and at the NetworkPolicy of its namespace")
	}
	return isFine("%s", said)
}

// toTheOperator says how many find the service unavailable.
func toTheOperator(failing int) string {
	return counted(failing, "SpacesCredential") + " of it cannot reach it from the operator, or were told that it is unavailable"
}

// failingIn counts those of an environment for which the operator finds the service unavailable.
func (d *diagnosis) failingIn(environment string) (failing int) {
	for i := range d.credentials {
		reason, _ := operatorSays(&d.credentials[i])
		grant := conditionOf(&d.credentials[i], v1alpha1.ConditionGrantValid).Reason
		if d.credentials[i].EffectiveEnvironment() == environment && slices.Contains([]string{reason, grant}, v1alpha1.ReasonServiceUnavailable) {
			failing++
		}
	}
	return failing
}

// lookAtClocks compares what the hosts said with this machine's clock, and repeats what the operator says
// on its lease of its own.
func (d *diagnosis) lookAtClocks(context.Context) []verdict {
	var verdicts []verdict
	for _, name := range slices.Sorted(maps.Keys(d.dates)) {
		skew := d.dates[name].Round(time.Second)
		if skew.Abs() > tolerable {
			verdicts = append(verdicts, *isDoubtful(fmt.Sprintf("The clock of environment %q differs from this machine's by %s.", name, skew.Abs()),
				"see which of the two is wrong"))
			continue
		}
		verdicts = append(verdicts, *isFine("The clock of environment %q agrees with this machine's.", name))
	}
	for _, name := range d.used() {
		if apart := clockApart(d.leases, name, d.now); apart != "" {
			verdicts = append(verdicts, *isDoubtful(apart, "look at the clock of the operator's node first"))
		}
	}
	return verdicts
}

// lookAtCredentials says how all fare.
func (d *diagnosis) lookAtCredentials(ctx context.Context) []verdict {
	if len(d.credentials) == 0 {
		return nil
	}
	var troubles, waiting, explain []string
	for _, credential := range d.broughtUpToDate(ctx, d.cluster, d.credentials...) {
		ready := conditionOf(&credential, v1alpha1.ConditionReady)
		stalled := conditionOf(&credential, v1alpha1.ConditionStalled).Status == metav1.ConditionTrue
		named := fmt.Sprintf("%s/%s (%s)", credential.Namespace, credential.Name, orNone(ready.Reason))
		switch {
		case credential.DeletionTimestamp != nil || credential.Spec.Suspend:
		case stalled, ready.Status != metav1.ConditionTrue && !d.isNew(&credential):
			troubles, explain = append(troubles, named), append([]string{d.pasteSpaces("explain", &credential)}, explain...)
		case needsAttention(ready):
			waiting, explain = append(waiting, named), append(explain, d.pasteSpaces("explain", &credential))
		}
	}
	switch well := len(d.credentials) - len(troubles) - len(waiting); {
	case len(troubles) > 0:
		return []verdict{*isWrong(fmt.Sprintf("%d of %s are well. These are not: %s.", well, counted(len(d.credentials), "SpacesCredential"), someOf(slices.Concat(troubles, waiting))),
			"look at each as at the first: "+explain[0])}
	case len(waiting) > 0:
		return []verdict{*isDoubtful(fmt.Sprintf("%d of %s are well. These are worth a look: %s.", well, counted(len(d.credentials), "SpacesCredential"), someOf(waiting)), "look at each as at the first: "+explain[0])}
	}
	return []verdict{*isFine("%s: none needs attention.", counted(len(d.credentials), "SpacesCredential"))}
}

// isNew tells whether a credential was made so lately that the operator may still be at it.
func (d *diagnosis) isNew(credential *v1alpha1.SpacesCredential) bool {
	return d.now.Sub(credential.CreationTimestamp.Time) < leastPatience
}

// someOf are the first of some names, in a sentence.
func someOf(names []string) string { return strings.Join(firstOf(names, namedTroubles), ", ") }
