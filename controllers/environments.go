package controllers

import (
	"maps"
	"slices"
	"strings"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// clientFor returns the client of the environment that a credential names.
func (r *Reconciler) clientFor(credential *v1alpha1.SpacesCredential) (*spacesauth.Client, *finding) {
	name := credential.EffectiveEnvironment()
	client := r.Environments[name]
	if client == nil {
		known := strings.Join(slices.Sorted(maps.Keys(r.Environments)), ", ")
		return nil, blocked(v1alpha1.ReasonUnknownEnvironment,
			"Environment %q is not known to the operator. Known are: %s. Correct spec.environment, or have it added to the operator's environments file.", name, known)
	}
	if !client.Environment().Allows(credential.Namespace) {
		return nil, blocked(v1alpha1.ReasonUnknownEnvironment,
			"Environment %q may not be used in namespace %q. Have the namespace added to it in the operator's environments file.", name, credential.Namespace)
	}
	return client, nil
}

// clientForURL returns the client of the environment that a grant was made in, or
// nil when it is not listed any more.
func (r *Reconciler) clientForURL(accountsURL string) *spacesauth.Client {
	for _, name := range slices.Sorted(maps.Keys(r.Environments)) {
		if client := r.Environments[name]; client.Environment().AccountsURL == accountsURL {
			return client
		}
	}
	return nil
}

// clientToRenew returns the client that may renew a grant in a namespace. A state Secret
// that somebody made by hand names whatever environment they like; it opens none to them.
// Revocation asks no such thing: a namespace that lost an environment has grants to give back.
func (r *Reconciler) clientToRenew(g *grant, namespace string) (*spacesauth.Client, *finding) {
	listed := false
	for _, name := range slices.Sorted(maps.Keys(r.Environments)) {
		client := r.Environments[name]
		if client.Environment().AccountsURL != g.AccountsURL {
			continue
		}
		if client.Environment().Allows(namespace) {
			return client, nil
		}
		listed = true
	}
	if !listed {
		return nil, unlisted(g.Environment, g.AccountsURL)
	}
	return nil, blocked(v1alpha1.ReasonUnknownEnvironment,
		"The grant was made in environment %q at %s, which may not be used in namespace %q. Have the namespace added to it in the operator's environments file.",
		g.Environment, g.AccountsURL, namespace)
}

// unlisted is the finding about a grant whose environment went away. It is neither
// renewed nor published nor revoked until the environment returns.
func unlisted(environment, accountsURL string) *finding {
	return blocked(v1alpha1.ReasonUnknownEnvironment,
		"The grant was made in environment %q at %s, which is not in the operator's environments file any more. Have it put back.", environment, accountsURL)
}
