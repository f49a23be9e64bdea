package controllers

import (
	"context"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/metrics"
	"github.com/spaces-operator/spaces-credential-operator/internal/statekey"
)

// Reconciler keeps one SpacesCredential at a time as its spec wants it. All its
// fields are set before the first pass.
type Reconciler struct {
	// Client reads SpacesCredentials and the metadata of Secrets, from a cache.
	Client client.Client
	// Live reads Secrets and writes everything, past any cache. It must outlive the
	// manager, see [Reconciler.Drain].
	Live client.Client
	// IsShard tells that Client shows only some of the SpacesCredentials: one that it does not
	// show may live and be somebody else's to look after.
	IsShard bool
	// Serves tells whether Client shows what is in a namespace: one may be left to others while the
	// process runs. It may be nil, where all namespaces are served.
	Serves func(namespace string) bool
	// ClientNamespace is where the Secrets of ClusterSpacesClients are. It is empty where there are
	// no such clients to look after.
	ClientNamespace string
	// Keys seal and open state documents.
	Keys *statekey.Keys
	// Environments are the clients of the known environments, and Gates stand before their hosts.
	Environments *Environments
	Gates        *gate.Gates
	// DenySecretMetadata are prefixes of labels and annotations that no published
	// Secret may carry, beside those the CRD reserves.
	DenySecretMetadata []string
	// AllowExport lets grants be given to other clusters, when a person asks for it.
	AllowExport bool
	// Clock and Random are the only sources of time and randomness.
	Clock  clock.WithTickerAndDelayedExecution
	Random io.Reader
	// Holder names this life of this process in claims; no two lives share one.
	Holder string
	// Drained tells that a holder ended after every answer of its claims was saved. It may be nil,
	// where nobody says so.
	Drained func(ctx context.Context, holder string) bool
	Events  events.EventRecorder
	Metrics *metrics.Metrics

	memory   memory
	passes   passes
	readings readings
	flights  flights
	logins   logins
	// rotations is what is known of the services' rotations.
	rotations rotations
	// namespaces watches the labels of namespaces, where a client asks for them; nil where Client
	// shows them as they are.
	namespaces *namespaceWatch
	// enqueue has a credential looked at; nil before the loop runs.
	enqueue atomic.Pointer[func(types.NamespacedName)]
	// recount has a ClusterSpacesClient told of anew, in a while; nil before that loop runs.
	recount atomic.Pointer[func(name string)]
}

// memory is what one process knows beyond the API server: answers not saved yet,
// and what it last read or wrote, so that a pass need not read it again. Losing it
// costs reads; only unsaved answers are irreplaceable, and [Reconciler.Drain] keeps
// the process alive for them.
type memory struct {
	mu           sync.Mutex
	byCredential map[types.NamespacedName]*recollection
}

// recollection is the memory of one credential.
type recollection struct {
	// credentialVersion is the resourceVersion of the credential as last written.
	credentialVersion string
	// credentialBehind and publishedBehind are since when the informer shows an older version
	// than is remembered; zero while it does not.
	credentialBehind, publishedBehind time.Time

	state *state
	// newest is the state of the highest claim that was read or written: after the API server or
	// a Secret went back in time it knows more than what is there.
	newest *state
	// successor is the document that follows one that is released while its credential
	// lives, until it is written.
	successor *grantstate.Document
	watching  watchedClaim
	published published
	// publishedSince is when this process first saw the published token there.
	publishedSince time.Time
	inputs         *knownInputs
	// tried is what the templates of spec are good for, and rendering what they were
	// rendered from last.
	tried     tried
	rendering rendering
	// realised is the newest generation of the spec that was realised once.
	realised int64
	// isHeldUp tells that the last pass found something in the way.
	isHeldUp bool
	// lastCall is when the last call of the service was begun.
	lastCall time.Time

	unsaved []grantstate.Answer
	// unkept are grants that no state can keep, on their way to be revoked.
	unkept []grantstate.Listed
}

// watchedClaim is somebody else's open claim and since when this process sees it,
// by its own monotonic clock.
type watchedClaim struct {
	holder string
	number int64
	since  time.Time
}

// beginAnew forgets the versions that were written or read: there are older ones now.
func (known *recollection) beginAnew() {
	known.credentialVersion, known.credentialBehind, known.publishedBehind = "", time.Time{}, time.Time{}
	known.state, known.published, known.inputs = nil, published{}, nil
}

// of returns a copy of what is known of key.
func (m *memory) of(key types.NamespacedName) recollection {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.byCredential[key]; known != nil {
		return *known
	}
	return recollection{}
}

// change runs f on what is known of key.
func (m *memory) change(key types.NamespacedName, f func(*recollection)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byCredential == nil {
		m.byCredential = map[types.NamespacedName]*recollection{}
	}
	known := m.byCredential[key]
	if known == nil {
		known = &recollection{}
		m.byCredential[key] = known
	}
	f(known)
}

// forget drops all that can be read again.
func (m *memory) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.byCredential[key]
	if known == nil {
		return
	}
	if len(known.unsaved)+len(known.unkept) == 0 {
		delete(m.byCredential, key)
		return
	}
	*known = recollection{unsaved: known.unsaved, unkept: known.unkept, lastCall: known.lastCall}
}

// keep remembers an answer until it is saved.
func (m *memory) keep(key types.NamespacedName, a grantstate.Answer) {
	m.change(key, func(known *recollection) { known.unsaved = append(slices.Clone(known.unsaved), a) })
}

// saved drops an answer.
func (m *memory) saved(key types.NamespacedName, a grantstate.Answer) {
	m.change(key, func(known *recollection) {
		known.unsaved = slices.DeleteFunc(slices.Clone(known.unsaved), a.IsOf)
		if len(known.unsaved) == 0 { // which would keep the room of an answer
			known.unsaved = nil
		}
	})
}

// unkeep drops an answer that no state can keep, and lists what there is to revoke of it.
func (m *memory) unkeep(key types.NamespacedName, a grantstate.Answer, now time.Time) {
	m.saved(key, a)
	m.list(key, a.Unkept(now))
}

// list has a grant revoked that no state can keep; nil is none.
func (m *memory) list(key types.NamespacedName, entry *grantstate.Listed) {
	if entry != nil {
		m.change(key, func(known *recollection) { known.unkept = append(slices.Clone(known.unkept), *entry) })
	}
}

// withAnswers lists the credentials that have an answer, or a grant that no state can keep,
// in memory.
func (m *memory) withAnswers() []types.NamespacedName {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []types.NamespacedName
	for key, known := range m.byCredential {
		if len(known.unsaved)+len(known.unkept) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// keys are the credentials that there is a memory of; some may be gone.
func (m *memory) keys() []types.NamespacedName {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.byCredential))
}

// publishedSince is when workloads could first see the newest token, as far as this
// process knows; zero while they cannot.
func (r *Reconciler) publishedSince(s *scope) time.Time {
	token := s.document.Token()
	if token == nil || s.published.digest == "" || s.published.fingerprint != token.AccessToken.Fingerprint() {
		return time.Time{}
	}
	return r.memory.of(s.key).publishedSince
}

// wroteCredential remembers the version that was written.
func (r *Reconciler) wroteCredential(s *scope) {
	r.memory.change(s.key, func(known *recollection) { known.credentialVersion = s.credential.ResourceVersion })
}
