package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// neighbours is how many credentials share a namespace.
	neighbours = 25
	// foreign is how many Secrets of somebody else stand in the way of a credential.
	foreign = 5
	// foreignNamespace is never deleted before the end.
	foreignNamespace = "soak-foreign"
	// memory is for how long a deed explains that a token does not work: it may reach the
	// operator late, while both processes are frozen, the service is down, or a watch that
	// broke with the API server waits to be opened anew.
	memory = 200 * time.Second
)

// population are all credentials, those that are gone too.
type population struct {
	cluster *cluster
	service *service

	mutex     sync.Mutex
	residents []*resident
	byUser    map[string]*resident
	homes     []string           // namespaces
	leaving   map[string][]int   // those that are being deleted, with who is to live there again
	versions  map[string]string  // resourceVersion of foreign Secrets
	recovered map[*resident]bool // seen ready since the storm
	next      int                // index
	users     int
}

func newPopulation(cluster *cluster, service *service) *population {
	return &population{cluster: cluster, service: service, byUser: map[string]*resident{}, leaving: map[string][]int{},
		versions: map[string]string{}, recovered: map[*resident]bool{}}
}

// settle creates the first credentials, and those whose Secret is somebody else's.
func (p *population) settle(ctx context.Context, number int) error {
	for i := 0; i*neighbours < number; i++ {
		home := fmt.Sprintf("soak-%d", i+1)
		p.homes = append(p.homes, home)
		if err := p.createHome(ctx, home); err != nil {
			return err
		}
	}
	for range number {
		if _, err := p.create(ctx, p.homes[p.next/neighbours], p.unused()); err != nil {
			return err
		}
	}
	return p.settleRivals(ctx)
}

func (p *population) settleRivals(ctx context.Context) error {
	if err := p.createHome(ctx, foreignNamespace); err != nil {
		return err
	}
	for i := range foreign {
		rival := &resident{namespace: foreignNamespace, name: fmt.Sprintf("rival-%d", i), grant: v1alpha1.GrantTypePassword, rival: true}
		theirs := rival.secret(rival.secretName())
		theirs.StringData = map[string]string{"access_token": "somebody's own"}
		if err := p.cluster.Create(ctx, theirs); err != nil {
			return err
		}
		p.versions[theirs.Name] = theirs.ResourceVersion
		if err := p.admit(ctx, rival); err != nil {
			return err
		}
	}
	return nil
}

// createHome creates a namespace with the client's Secret in it, or what is missing of it.
func (p *population) createHome(ctx context.Context, name string) error {
	err := p.cluster.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{honestLabel: "true"}}})
	if client.IgnoreAlreadyExists(err) != nil {
		return err
	}
	return client.IgnoreAlreadyExists(p.cluster.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "client"},
		StringData: map[string]string{"client_id": clientID, "client_secret": clientSecret}}))
}

// create creates a credential; its index decides what kind it is of. One that was there
// before has the same name and another user. After an error it may be called again.
func (p *population) create(ctx context.Context, home string, index int) (*resident, error) {
	kinds := []v1alpha1.GrantType{
		v1alpha1.GrantTypePassword, v1alpha1.GrantTypePassword, v1alpha1.GrantTypeRefreshToken, v1alpha1.GrantTypeAuthorizationCode,
		v1alpha1.GrantTypePassword, v1alpha1.GrantTypePassword, v1alpha1.GrantTypeRefreshToken, v1alpha1.GrantTypeAuthorizationCode,
		v1alpha1.GrantTypePassword, v1alpha1.GrantTypeAnonymous,
	}
	born := &resident{index: index, namespace: home, name: fmt.Sprintf("bot-%03d", index), grant: kinds[index%len(kinds)], never: index%13 == 12}
	born.borrows = index%3 == 1 && born.grant != v1alpha1.GrantTypeAnonymous
	p.mutex.Lock()
	p.next = max(p.next, index+1)
	p.mutex.Unlock()
	err := p.admit(ctx, born)
	if err != nil {
		p.note(func() { born.left = true })
	}
	return born, err
}

// admit makes a resident known at the service and creates its objects.
func (p *population) admit(ctx context.Context, born *resident) error {
	p.mutex.Lock()
	p.users++
	born.user = fmt.Sprintf("user-%d@example.test", p.users)
	born.password = fmt.Sprintf("password-of-%d-0123456789", p.users)
	p.residents = append(p.residents, born)
	p.byUser[born.user] = born
	p.mutex.Unlock()
	p.service.AddUser(born.user, born.password)

	var input *corev1.Secret
	credential := born.object()
	credential.Labels = map[string]string{v1alpha1.LabelShard: fmt.Sprint(born.index % operators)}
	credential.Spec = v1alpha1.SpacesCredentialSpec{
		Environment: environment, GrantType: born.grant, SecretName: born.secretName(),
		ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
	}
	spec := &credential.Spec
	switch born.grant {
	case v1alpha1.GrantTypePassword:
		input = born.login()
		spec.Password = &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: input.Name}}
		if born.index%7 == 0 {
			spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo, v1alpha1.VerificationUserProfile}
		}
	case v1alpha1.GrantTypeRefreshToken:
		input = born.secret(born.name + "-seed")
		input.StringData = map[string]string{"refresh_token": p.service.IssueGrant(born.client(), born.user)}
		spec.RefreshToken = &v1alpha1.RefreshTokenGrant{SecretRef: v1alpha1.SecretKeyReference{Name: input.Name}}
	case v1alpha1.GrantTypeAuthorizationCode:
		spec.AuthorizationCode = &v1alpha1.AuthorizationCodeGrant{RedirectURI: redirectURI,
			SecretRef: v1alpha1.AuthorizationCodeSecretReference{Name: born.name + "-code"}}
	case v1alpha1.GrantTypeAnonymous:
		spec.ClientSecretRef = nil
		spec.Anonymous = &v1alpha1.AnonymousGrant{DisplayName: born.name}
	}
	if born.borrows {
		spec.ClientSecretRef, spec.ClientRef = nil, &v1alpha1.ClientReference{Kind: v1alpha1.ClientKindCluster, Name: lentClient}
	}
	born.vary(spec)
	if input != nil {
		if err := p.cluster.put(ctx, input); err != nil {
			return err
		}
	}
	// It is there already where the API server ended before it could say so; it then finds
	// the new user in its input.
	return client.IgnoreAlreadyExists(p.cluster.Create(ctx, credential))
}

// pick picks one of those that live, by chance; nil where there is none of the wanted.
func (p *population) pick(chance *rand.Rand, wanted func(*resident) bool) *resident {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var fitting []*resident
	for _, r := range p.residents {
		if !r.left && !r.rival && !r.busy && wanted(r) {
			fitting = append(fitting, r)
		}
	}
	if len(fitting) == 0 {
		return nil
	}
	return fitting[chance.IntN(len(fitting))]
}

// hurtBorrowers remembers that a deed may end the tokens of all who use the lent client.
func (p *population) hurtBorrowers() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, r := range p.residents {
		if r.borrows {
			r.hurt = time.Now()
		}
	}
}

// note changes what is remembered of a resident.
func (p *population) note(change func()) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	change()
}

// living are the residents that have not left, by namespace and name.
func (p *population) living() map[types.NamespacedName]*resident {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	found := map[types.NamespacedName]*resident{}
	for _, r := range p.residents {
		if !r.left {
			found[types.NamespacedName{Namespace: r.namespace, Name: r.name}] = r
		}
	}
	return found
}

// credentials lists those of the cluster that are a living resident's.
func (p *population) credentials(ctx context.Context) (map[*resident]*v1alpha1.SpacesCredential, error) {
	known := p.living()
	var all v1alpha1.SpacesCredentialList
	if err := p.cluster.List(ctx, &all); err != nil {
		return nil, err
	}
	found := map[*resident]*v1alpha1.SpacesCredential{}
	for i := range all.Items {
		credential := &all.Items[i]
		if r := known[client.ObjectKeyFromObject(credential)]; r != nil && credential.DeletionTimestamp == nil {
			found[r] = credential
		}
	}
	return found, nil
}

// ready counts those that are ready, of those that can be.
func (p *population) ready(ctx context.Context) (ready, total int, err error) {
	all, err := p.credentials(ctx)
	if err != nil {
		return 0, 0, err
	}
	for r, credential := range all {
		if r.rival {
			continue
		}
		total++
		if meta.IsStatusConditionTrue(credential.Status.Conditions, v1alpha1.ConditionReady) {
			ready++
		}
	}
	return ready, total, nil
}

// unready tells of those that were not seen ready since it was first asked, and of
// namespaces that were not made anew.
func (p *population) unready(ctx context.Context) []string {
	all, err := p.credentials(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	var waiting []string
	for home := range p.departed() {
		waiting = append(waiting, home+": the namespace is not gone, or not made anew")
	}
	for r, credential := range all {
		condition := meta.FindStatusCondition(credential.Status.Conditions, v1alpha1.ConditionReady)
		if condition != nil && condition.Status == metav1.ConditionTrue {
			p.recovered[r] = true
		}
		if r.rival || p.recovered[r] {
			continue
		}
		said := cmp.Or(condition, &metav1.Condition{Reason: "none", Message: "it has no condition Ready"})
		waiting = append(waiting, fmt.Sprintf("%s (%s): %s: %s; failed attempts %d, next attempt %s", r, r.grant, said.Reason, said.Message,
			credential.Status.FailedAttempts, credential.Status.NextAttemptTime))
	}
	slices.Sort(waiting)
	return waiting
}

// deleteCredentials deletes every credential, and tells of those that are left.
func (p *population) deleteCredentials(ctx context.Context) (left []string, err error) {
	p.note(func() {
		for _, r := range p.residents {
			r.hurt = time.Now()
		}
	})
	var all v1alpha1.SpacesCredentialList
	if err := p.cluster.List(ctx, &all); err != nil {
		return nil, err
	}
	for i := range all.Items {
		credential := &all.Items[i]
		left = append(left, credential.Namespace+"/"+credential.Name)
		if credential.DeletionTimestamp == nil {
			err := client.IgnoreNotFound(p.cluster.Delete(ctx, credential))
			if err != nil {
				return left, err
			}
		}
	}
	return left, nil
}

// foreignChanged counts the Secrets of somebody else that are not as they were.
func (p *population) foreignChanged(ctx context.Context, say func(string, ...any)) (changed int) {
	for name, version := range p.versions {
		theirs := &corev1.Secret{}
		err := p.cluster.Get(ctx, types.NamespacedName{Namespace: foreignNamespace, Name: name}, theirs)
		if err != nil || theirs.ResourceVersion != version {
			changed++
			say("somebody else's Secret %s was changed from %s to %s (%v)", name, version, theirs.ResourceVersion, err)
		}
	}
	return changed
}

// deleteNamespaces deletes every namespace of the soak, and tells whether all are gone.
func (p *population) deleteNamespaces(ctx context.Context) (gone bool, err error) {
	gone = true
	for _, name := range append([]string{foreignNamespace}, p.homes...) {
		home := &corev1.Namespace{}
		err := p.cluster.Get(ctx, types.NamespacedName{Name: name}, home)
		if apierrors.IsNotFound(err) {
			continue
		}
		gone = false
		if err == nil && home.DeletionTimestamp == nil {
			err = client.IgnoreNotFound(p.cluster.Delete(ctx, home))
		}
		if err != nil {
			return false, err
		}
	}
	return gone, nil
}

// unused is an index that nobody had.
func (p *population) unused() (index int) {
	p.note(func() { index = p.next })
	return index
}

// hold keeps other deeds away from a resident until release.
func (p *population) hold(r *resident) { p.note(func() { r.busy = true }) }

func (p *population) release(r *resident) { p.note(func() { r.busy, r.calm = false, time.Now() }) }

// gone tells whether a resident has left.
func (p *population) gone(r *resident) (left bool) {
	p.note(func() { left = r.left })
	return left
}

// home picks a namespace that is not being deleted.
func (p *population) home(chance *rand.Rand) string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	home := p.homes[chance.IntN(len(p.homes))]
	if _, leaving := p.leaving[home]; leaving {
		return ""
	}
	return home
}

// abandon remembers that a namespace is being deleted, and who lived there.
func (p *population) abandon(home string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	indexes := []int{}
	for _, r := range p.residents {
		if r.namespace == home && !r.left {
			r.left, r.hurt = true, time.Now()
			indexes = append(indexes, r.index)
		}
	}
	p.leaving[home] = indexes
}
