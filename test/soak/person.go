package main

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// rounds is how often the person looks at everything.
	rounds = 3 * time.Second
	// patience is for how long the person waits for what was done to have an effect.
	patience = 10 * time.Second
)

// person does what the conditions ask a person to do: a new seed, a new sign-in. It
// also makes anew the namespaces that were deleted.
type person struct {
	cluster    *cluster
	service    *service
	population *population
	say        func(string, ...any)
	last       map[string]time.Time // by user

	working sync.Mutex
	resting bool
}

func (p *person) run(ctx context.Context) {
	for wait(ctx, rounds) {
		p.round(ctx)
	}
}

// rest keeps the person from doing anything more, and waits for what is being done.
func (p *person) rest() {
	p.working.Lock()
	defer p.working.Unlock()
	p.resting = true
}

func (p *person) round(ctx context.Context) {
	p.working.Lock()
	defer p.working.Unlock()
	if p.resting {
		return
	}
	p.rebuild(ctx)
	all, err := p.population.credentials(ctx)
	if err != nil {
		return
	}
	for r, credential := range all {
		if asksForSignIn(credential) && time.Since(p.last[r.user]) > patience {
			p.last[r.user] = time.Now()
			// What fails, in a namespace that goes or without an answer, is tried in the next round.
			_ = signInAnew(ctx, p.cluster, p.service, r, credential)
		}
	}
}

// asksForSignIn tells whether a credential waits for a new seed or sign-in.
func asksForSignIn(credential *v1alpha1.SpacesCredential) bool {
	for _, name := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReady} {
		condition := meta.FindStatusCondition(credential.Status.Conditions, name)
		if condition == nil {
			continue
		}
		switch condition.Reason {
		case v1alpha1.ReasonAuthorizationPending, v1alpha1.ReasonReauthorizationRequired, v1alpha1.ReasonGrantRejected:
			return credential.Spec.GrantType != v1alpha1.GrantTypePassword && !credential.Spec.Suspend
		}
	}
	return false
}

// signInAnew puts a new seed or a new code into the input of a credential.
func signInAnew(ctx context.Context, cluster *cluster, service *service, r *resident, credential *v1alpha1.SpacesCredential) error {
	if r.grant == v1alpha1.GrantTypeRefreshToken {
		return cluster.change(ctx, r.secret(r.name+"-seed"), map[string]any{
			"stringData": map[string]string{"refresh_token": service.IssueGrant(r.client(), r.user)}})
	}
	input, err := service.signIn(r.user, credential)
	if err != nil {
		return err
	}
	return cluster.put(ctx, input)
}

// rebuild makes deleted namespaces anew once they are gone, with the same names in them.
// What fails without an API server is gone on with in the next round.
func (p *person) rebuild(ctx context.Context) {
	for home, indexes := range p.population.departed() {
		there := &corev1.Namespace{}
		err := p.cluster.Get(ctx, types.NamespacedName{Name: home}, there)
		if client.IgnoreNotFound(err) != nil || there.DeletionTimestamp != nil {
			continue
		}
		if err := p.population.createHome(ctx, home); err != nil {
			p.say("namespace %s could not be made anew: %v", home, err)
			continue
		}
		back, err := 0, error(nil)
		for err == nil && back < len(indexes) {
			if _, err = p.population.create(ctx, home, indexes[back]); err == nil {
				back++
			}
		}
		p.population.welcome(home, indexes[back:])
		if err != nil {
			p.say("bot-%03d could not be made anew in %s: %v", indexes[back], home, err)
			continue
		}
		p.say("made namespace %s anew, with %d credentials", home, back)
	}
}

// departed are the namespaces that are being deleted, with who is to live there again.
func (p *population) departed() map[string][]int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return maps.Clone(p.leaving)
}

// welcome tells who is still to live in a namespace that was made anew.
func (p *population) welcome(home string, missing []int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.leaving[home] = missing; len(missing) == 0 {
		delete(p.leaving, home)
	}
}
