package controllers

import (
	"maps"
	"slices"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// clientFor returns the client of the environment that a credential names.
func (r *Reconciler) clientFor(credential *v1alpha1.SpacesCredential) (*spacesauth.Client, outcome) {
	name := credential.EffectiveEnvironment()
	client := r.Environments[name]
	if client == nil || !client.Environment().Allows(credential.Namespace) {
		return nil, unknownEnvironment(name, credential.Namespace, r.openTo(credential.Namespace))
	}
	return client, outcome{}
}

// openTo lists the environments that a namespace may use.
func (r *Reconciler) openTo(namespace string) []string {
	var open []string
	for _, name := range slices.Sorted(maps.Keys(r.Environments)) {
		if r.Environments[name].Environment().Allows(namespace) {
			open = append(open, name)
		}
	}
	return open
}

// clientForURL returns the client of the environment that a grant was made in, or
// nil when it is not listed any more.
func (r *Reconciler) clientForURL(accountsURL string) *spacesauth.Client {
	return r.firstClient(func(e spacesauth.Environment) bool { return e.AccountsURL == accountsURL })
}

// openClient returns the client of the environment that a grant was made in, if a namespace
// may use it, or nil.
func (r *Reconciler) openClient(accountsURL, namespace string) *spacesauth.Client {
	return r.firstClient(func(e spacesauth.Environment) bool { return e.AccountsURL == accountsURL && e.Allows(namespace) })
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
func (r *Reconciler) clientToRenew(namespace string, spend grantstate.Spend, clientID string) (*spacesauth.Client, outcome) {
	open := r.openClient(spend.AccountsURL(), namespace)
	switch {
	case open == nil && r.clientForURL(spend.AccountsURL()) == nil:
		return nil, unlisted(spend.Environment(), spend.AccountsURL())
	case open == nil:
		return nil, closedIssuer(spend.Environment(), spend.AccountsURL(), namespace)
	case clientID != spend.ClientID():
		// Inputs that changed are noticed before. Only the client that got a refresh token
		// may send it, and this one is no longer known.
		return nil, anotherClient()
	}
	return open, outcome{}
}
