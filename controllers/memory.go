package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

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

	state     *state
	unsaved   []answer
	watching  watchedClaim
	published publishedMemory
	inputs    inputsMemory
}

// watchedClaim is somebody else's open claim and since when this process sees it,
// by its own monotonic clock.
type watchedClaim struct {
	holder string
	number int64
	since  time.Time
}

// publishedMemory is the published Secret as this process last wrote or checked it.
type publishedMemory struct {
	uid             types.UID
	resourceVersion string
	digest          string
	// fingerprint is the token's, and since is when this process first saw it published.
	fingerprint string
	since       time.Time
}

// inputsMemory is the inputs as this process last read them: the resourceVersions of
// their Secrets, the generation of the spec that named them, and the hashes that tell
// a change.
type inputsMemory struct {
	versions   map[string]string
	generation int64
	used       usedInputs
	// signInHash and refreshHash cover what would be sent; empty where an input is
	// missing.
	signInHash, refreshHash string
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

// change runs f on what is known of key, and forgets the key when nothing is left.
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
	if len(known.unsaved) == 0 {
		delete(m.byCredential, key)
		return
	}
	*known = recollection{unsaved: known.unsaved}
}

// keep remembers an answer until it is saved.
func (m *memory) keep(a answer) {
	m.change(a.credential, func(known *recollection) { known.unsaved = append(known.unsaved, a) })
}

// saved drops an answer.
func (m *memory) saved(a answer) {
	m.change(a.credential, func(known *recollection) {
		var left []answer
		for _, other := range known.unsaved {
			if other.claim != a.claim {
				left = append(left, other)
			}
		}
		known.unsaved = left
	})
}

// giveUpAt sets when the grant of an unsaved answer is given up.
func (m *memory) giveUpAt(a answer, when time.Time) {
	m.change(a.credential, func(known *recollection) {
		for i := range known.unsaved {
			if known.unsaved[i].claim == a.claim {
				known.unsaved[i].giveUpTime = when
			}
		}
	})
}

// withUnsaved lists the credentials that have an answer in memory.
func (m *memory) withUnsaved() []types.NamespacedName {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []types.NamespacedName
	for key, known := range m.byCredential {
		if len(known.unsaved) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}
