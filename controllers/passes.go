package controllers

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// passes are those that are being made. The informer may show what a pass wrote before the API
// server's answer to it is here: what is shown of a Secret meanwhile is judged when the pass
// ends, or each write would cost one pass more that finds nothing to do.
type passes struct {
	mu           sync.Mutex
	byCredential map[types.NamespacedName]*pass
}

// pass is one of them: the versions of Secrets that it read or wrote, and those that it was shown.
type pass struct {
	known, shown []version
}

// version is one content of one object.
type version struct {
	uid             types.UID
	resourceVersion string
}

func (p *passes) begin(key types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byCredential == nil {
		p.byCredential = map[types.NamespacedName]*pass{}
	}
	p.byCredential[key] = &pass{}
}

// end tells whether the pass was shown anything that it did not know. One that has ended already
// knows nothing more.
func (p *passes) end(key types.NamespacedName) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ended := p.byCredential[key]
	delete(p.byCredential, key)
	return ended != nil && slices.ContainsFunc(ended.shown, func(v version) bool { return !slices.Contains(ended.known, v) })
}

// knows notes what a pass read or wrote.
func (p *passes) knows(key types.NamespacedName, v version) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.byCredential[key]; now != nil {
		now.known = append(now.known, v)
	}
}

// isShown notes what a pass was shown of a living Secret, and tells whether there is one to judge it.
func (p *passes) isShown(key types.NamespacedName, secret client.Object) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.byCredential[key]
	if now == nil || secret.GetDeletionTimestamp() != nil {
		return false
	}
	now.shown = append(now.shown, version{secret.GetUID(), secret.GetResourceVersion()})
	return true
}
