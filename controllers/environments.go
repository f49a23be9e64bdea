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
	return r.firstClient(func(e spacesauth.Environment) bool { return e.AccountsURL == accountsURL })
}

// firstClient returns the client of the first environment by name that fits, or nil.
func (r *Reconciler) firstClient(fits func(spacesauth.Environment) bool) *spacesauth.Client {
	for _, name := range slices.Sorted(maps.Keys(r.Environments)) {
		if client := r.Environments[name]; fits(client.Environment()) {
			return client
		}
	}
	return nil
}

// clientToRenew returns the client that may renew a grant with an application. A state
// Secret that somebody made by hand names whatever environment they like; it opens none to
// their namespace. Revocation asks no such thing: a namespace that lost an environment has
// grants to give back.
func (r *Reconciler) clientToRenew(p *pass, g *grant, clientID string) (*spacesauth.Client, *finding) {
	open := r.firstClient(func(e spacesauth.Environment) bool {
		return e.AccountsURL == g.AccountsURL && e.Allows(p.key.Namespace)
	})
	switch {
	case open == nil && r.clientForURL(g.AccountsURL) == nil:
		return nil, unlisted(g.Environment, g.AccountsURL)
	case open == nil:
		return nil, blocked(v1alpha1.ReasonUnknownEnvironment,
			"The grant was made in environment %q at %s, which may not be used in namespace %q. Have the namespace added to it in the operator's environments file.",
			g.Environment, g.AccountsURL, p.key.Namespace)
	case clientID != g.ClientID:
		// Inputs that changed are noticed before. Only the client that got a refresh token
		// may send it, and this one is no longer known.
		return nil, waiting(v1alpha1.ReasonClientRejected, "The grant belongs to another client than the Secret that spec.clientSecretRef names holds now.")
	}
	return open, nil
}

// unlisted is the finding about a grant whose environment went away. It is neither
// renewed nor published nor revoked until the environment returns.
func unlisted(environment, accountsURL string) *finding {
	return blocked(v1alpha1.ReasonUnknownEnvironment,
		"The grant was made in environment %q at %s, which is not in the operator's environments file any more. Have it put back.", environment, accountsURL)
}
