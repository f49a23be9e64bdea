package controllers

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Environments are the clients of the known environments by name. They may be replaced at any
// time: whoever has one goes on with it.
type Environments struct {
	clients atomic.Pointer[map[string]*spacesauth.Client]
}

// NewEnvironments makes them.
func NewEnvironments(clients map[string]*spacesauth.Client) *Environments {
	e := &Environments{}
	e.Replace(clients)
	return e
}

// Replace makes them the given ones.
func (e *Environments) Replace(clients map[string]*spacesauth.Client) {
	clients = maps.Clone(clients)
	e.clients.Store(&clients)
}

// Named returns the client of the environment of that name, or nil.
func (e *Environments) Named(name string) *spacesauth.Client { return (*e.clients.Load())[name] }

// All lists the clients by the names of their environments.
func (e *Environments) All() []*spacesauth.Client {
	clients := *e.clients.Load()
	all := make([]*spacesauth.Client, 0, len(clients))
	for _, name := range slices.Sorted(maps.Keys(clients)) {
		all = append(all, clients[name])
	}
	return all
}

// Known lists the environments by their names.
func (e *Environments) Known() []spacesauth.Environment {
	var known []spacesauth.Environment
	for _, client := range e.All() {
		known = append(known, client.Environment())
	}
	return known
}

// timeout is the longest that a call may take in any of them.
func (e *Environments) timeout() time.Duration {
	longest := spacesauth.DefaultTimeoutSeconds * time.Second
	for _, environment := range e.Known() {
		longest = max(longest, environment.Timeout())
	}
	return longest
}

// Reconfigure works with other environments from now on. Calls under way keep their client, and
// every credential looks what changes for it; so does what one that is gone left to be revoked.
func (r *Reconciler) Reconfigure(ctx context.Context, clients map[string]*spacesauth.Client) {
	r.Environments.Replace(clients)
	r.Gates.Configure(r.Environments.Known()...)
	r.recountAll(ctx)

	wake := r.enqueue.Load()
	if wake == nil {
		return // nothing was looked at yet
	}
	var all v1alpha1.SpacesCredentialList
	if err := r.Client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing the SpacesCredentials failed; they look at the changed environments when something else wakes them")
	}
	for _, credential := range all.Items {
		(*wake)(client.ObjectKeyFromObject(&credential))
	}
	for _, key := range r.memory.keys() {
		(*wake)(key)
	}
}

// clientFor returns the client of the environment that a credential names.
func (r *Reconciler) clientFor(credential *v1alpha1.SpacesCredential) (*spacesauth.Client, outcome) {
	name := credential.EffectiveEnvironment()
	client := r.Environments.Named(name)
	if client == nil || !client.Environment().Allows(credential.Namespace) {
		return nil, unknownEnvironment(name, credential.Namespace, r.openTo(credential.Namespace))
	}
	return client, outcome{}
}

// openTo lists the environments that a namespace may use.
func (r *Reconciler) openTo(namespace string) []string {
	var open []string
	for _, environment := range r.Environments.Known() {
		if environment.Allows(namespace) {
			open = append(open, environment.Name)
		}
	}
	return open
}

// issuer returns the client of the environment where a grant was made: the one that spec names,
// if it has the recorded URL, else the one with the recorded name and URL, if the namespace may
// use it. Another one with that URL has an API host, a proxy and authorities of its own.
func (r *Reconciler) issuer(s *scope, name, accountsURL string) (*spacesauth.Client, outcome) {
	if s.environment != nil && s.environment.Environment().AccountsURL == accountsURL {
		return s.environment, outcome{}
	}
	named := r.Environments.Named(name)
	switch {
	case named == nil || named.Environment().AccountsURL != accountsURL:
		return nil, unlisted(name, accountsURL)
	case !named.Environment().Allows(s.key.Namespace):
		return nil, closedIssuer(name, accountsURL, s.key.Namespace)
	}
	return named, outcome{}
}

// revoker returns the client that may revoke a listed grant, or nil. Whether the namespace may
// use the environment is not asked: one that lost it has grants to give back. Nor must the name
// be the same as long as the URL is: nothing but the grant itself is sent.
func (r *Reconciler) revoker(entry grantstate.Listed) *spacesauth.Client {
	if named := r.Environments.Named(entry.Environment); named != nil && named.Environment().AccountsURL == entry.AccountsURL {
		return named
	}
	for _, client := range r.Environments.All() {
		if client.Environment().AccountsURL == entry.AccountsURL {
			return client
		}
	}
	return nil
}

// clientToRenew returns the client that may renew a grant with the application that is given.
func (r *Reconciler) clientToRenew(s *scope, spend grantstate.Spend, given grantstate.Given) (*spacesauth.Client, outcome) {
	issuer, problem := r.issuer(s, spend.Environment(), spend.AccountsURL())
	isAnother := given.Application.ID != spend.ClientID() || spend.IsLent() != (given.Lender != nil)
	if issuer != nil && isAnother {
		// Inputs that changed are noticed before. Only the client that got a refresh token
		// may send it, and this one is no longer known.
		return nil, anotherClient()
	}
	return issuer, problem
}
