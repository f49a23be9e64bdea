package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// hostileUser begins the names of the users of hostile tenants.
	hostileUser = "mallory-"
	// hostilePause stands between two deeds of theirs.
	hostilePause = time.Second
	// hostileNames is how many names they use over and over.
	hostileNames = 12
	// large is nearly all that a Secret may hold.
	large = 900 << 10
)

// hostiles are tenants who mean harm, each in a namespace of its own, where it may write
// Secrets and SpacesCredentials as it likes: whatever they do is their loss alone. Chance has a
// source of its own for them, so that the deeds done to the honest stay those of the seed.
type hostiles struct {
	cluster *cluster
	service *service
	chance  *rand.Rand
	homes   []string
	// kept are states that were saved to be put back later, by namespace and name.
	kept   map[string][]byte
	counts map[string]int
	say    func(string, ...any)
}

func newHostiles(s *soak, number int) *hostiles {
	h := &hostiles{cluster: s.cluster, service: s.service, chance: rand.New(rand.NewPCG(s.seed, ^s.seed)), kept: map[string][]byte{}, counts: map[string]int{}, say: s.Say}
	for i := range number {
		h.homes = append(h.homes, fmt.Sprintf("hostile-%d", i+1))
	}
	return h
}

// settle gives each of them a namespace, a client and a login, as the honest have.
func (h *hostiles) settle(ctx context.Context) error {
	for _, home := range h.homes {
		user, password := hostileUser+home+"@example.test", "password-of-"+home
		h.service.AddUser(user, password)
		for _, object := range []client.Object{
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}},
			&corev1.Secret{ObjectMeta: in(home, "client"), StringData: map[string]string{"client_id": clientID, "client_secret": clientSecret}},
			&corev1.Secret{ObjectMeta: in(home, "login"), StringData: map[string]string{"username": user, "password": password}},
			&corev1.Secret{ObjectMeta: in(home, strange), StringData: map[string]string{"client_id": strangeClient, "client_secret": "no-secret-of-" + home}},
			&corev1.Secret{ObjectMeta: in(home, throttled), StringData: map[string]string{"username": throttledUser, "password": password}},
		} {
			if err := h.cluster.Create(ctx, object); err != nil {
				return err
			}
		}
	}
	return nil
}

func in(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// run does their deeds until ctx ends.
func (h *hostiles) run(ctx context.Context) {
	if len(h.homes) == 0 {
		return
	}
	deeds := []struct {
		name string
		do   func(ctx context.Context, home, name string) error
	}{
		{"signed in", h.signIn}, {"signed in", h.signIn}, {"deleted its credential", h.deleteCredential},
		{"forged a state", h.forge}, {"flooded a Secret", h.flood}, {"put our finalizer on a Secret and deleted it", h.stray},
		{"copied a state", h.copyState}, {"kept a state", h.keep}, {"kept a state", h.keep}, {"put an old state back", h.rollBack}, {"damaged a state", h.damage},
		{"called as a client that the service fails for", h.callStrangely}, {"called as a user who is told to wait", h.callThrottled},
		{"asked for guests that the service fails for", h.callAsGuests}, {"asked for every renewal at once", h.askForAll}, {"deleted everything", h.deleteAll},
		{"named a client that is not lent to it", h.borrow}, {"brought a seed of a client that is not lent to it", h.bringSeed},
		{"deleted a state", h.deleteState}, {"squatted on a name", h.squat}, {"asked for heavy templates", h.templates},
	}
	for wait(ctx, hostilePause) {
		if h.cluster.apiServer.away() {
			continue
		}
		deed := deeds[h.chance.IntN(len(deeds))]
		home, name := h.homes[h.chance.IntN(len(h.homes))], fmt.Sprintf("evil-%d", h.chance.IntN(hostileNames))
		if err := deed.do(ctx, home, name); err == nil {
			h.counts[deed.name]++
		}
	}
}

func (h *hostiles) signIn(ctx context.Context, home, name string) error {
	return h.cluster.Create(ctx, credentialOf(home, name))
}

// credentialOf is one that would work, were its neighbourhood not what it is.
func credentialOf(home, name string) *v1alpha1.SpacesCredential {
	return &v1alpha1.SpacesCredential{ObjectMeta: in(home, name), Spec: v1alpha1.SpacesCredentialSpec{
		Environment: environment, GrantType: v1alpha1.GrantTypePassword,
		ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
		Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "login"}},
	}}
}

// borrow names the client that is lent to others, or guesses at one.
func (h *hostiles) borrow(ctx context.Context, home, name string) error {
	credential := credentialOf(home, name)
	credential.Spec.ClientSecretRef, credential.Spec.ClientRef = nil, &v1alpha1.ClientReference{Kind: v1alpha1.ClientKindCluster, Name: lentClient}
	if h.chance.IntN(2) == 0 {
		credential.Spec.ClientRef.Name += "-2"
	}
	return h.cluster.Create(ctx, credential)
}

// bringSeed has a refresh token of the client that is lent to others, and lacks its secret.
func (h *hostiles) bringSeed(ctx context.Context, home, name string) error {
	credential := credentialOf(home, name)
	spec := &credential.Spec
	spec.ClientSecretRef, spec.ClientRef = nil, &v1alpha1.ClientReference{Kind: v1alpha1.ClientKindCluster, Name: lentClient}
	spec.GrantType, spec.Password = v1alpha1.GrantTypeRefreshToken, nil
	spec.RefreshToken = &v1alpha1.RefreshTokenGrant{SecretRef: v1alpha1.SecretKeyReference{Name: "seed"}}
	if err := h.cluster.Create(ctx, credential); err != nil {
		return err
	}
	return h.cluster.put(ctx, &corev1.Secret{ObjectMeta: in(home, "seed"),
		StringData: map[string]string{"refresh_token": h.service.IssueGrant(lentClientID, hostileUser+home+"@example.test")}})
}

func (h *hostiles) deleteCredential(ctx context.Context, home, name string) error {
	return h.cluster.Delete(ctx, &v1alpha1.SpacesCredential{ObjectMeta: in(home, name)})
}

// templates has as many functions called as the schema lets through.
func (h *hostiles) templates(ctx context.Context, home, name string) error {
	credential := credentialOf(home, name)
	credential.Spec.SecretTemplate = &v1alpha1.SecretTemplate{}
	for i := range 32 {
		credential.Spec.SecretTemplate.Data = append(credential.Spec.SecretTemplate.Data,
			v1alpha1.SecretTemplateEntry{Key: fmt.Sprintf("%d.txt", i), Template: strings.Repeat("{{len 1}}", 900)})
	}
	return h.cluster.Create(ctx, credential)
}

// forge makes a state by hand: of a hundred thousand entries to revoke, or of plain noise.
func (h *hostiles) forge(ctx context.Context, home, name string) error {
	content := `{"version":1,"credentialUID":"x","revocation":{"deadlineSeconds":-1000000},"pending":[` + strings.Repeat("{},", large/3) + `{}]}`
	if h.chance.IntN(2) == 0 {
		content = `{"version":1,"key":"0123456789abcdef0123456789abcdef","namespace":"` + home + `","name":"` + name + `-grant","sealed":"` + strings.Repeat("A", 300<<10) + `"}`
	}
	return h.cluster.Create(ctx, &corev1.Secret{
		ObjectMeta: h.asState(home, name+v1alpha1.GrantSecretSuffix), Type: v1alpha1.SecretTypeGrantState,
		Data: map[string][]byte{v1alpha1.StateKey: []byte(content)},
	})
}

// asState is what the metadata of a state looks like.
func (h *hostiles) asState(home, name string) metav1.ObjectMeta {
	meta := in(home, name)
	meta.Finalizers = []string{v1alpha1.FinalizerGrant}
	meta.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelSecret: v1alpha1.SecretGrant}
	return meta
}

// flood writes as much as it may on a Secret, again and again.
func (h *hostiles) flood(ctx context.Context, home, name string) error {
	meta := h.asState(home, "flood-"+name)
	meta.Annotations = map[string]string{v1alpha1.AnnotationCredential: strings.Repeat("x", 200<<10)}
	for i := range 5000 {
		meta.Finalizers = append(meta.Finalizers, fmt.Sprintf("example.test/%d", i))
	}
	err := h.cluster.Create(ctx, &corev1.Secret{ObjectMeta: meta})
	if apierrors.IsAlreadyExists(err) {
		return h.cluster.change(ctx, &corev1.Secret{ObjectMeta: in(home, "flood-"+name)}, map[string]any{
			"metadata": map[string]any{"annotations": map[string]string{"again": fmt.Sprint(h.chance.Uint64())}},
		})
	}
	return err
}

// stray leaves a deleted Secret that only our finalizer holds.
func (h *hostiles) stray(ctx context.Context, home, name string) error {
	stray := &corev1.Secret{ObjectMeta: h.asState(home, "stray-"+name), Data: map[string][]byte{"x": make([]byte, large)}}
	if err := h.cluster.Create(ctx, stray); err != nil {
		return err
	}
	return h.cluster.Delete(ctx, stray)
}

// state reads a state of its own.
func (h *hostiles) state(ctx context.Context, home, name string) (*corev1.Secret, error) {
	state := &corev1.Secret{}
	err := h.cluster.Get(ctx, client.ObjectKey{Namespace: home, Name: name + v1alpha1.GrantSecretSuffix}, state)
	return state, err
}

// copyState copies a state of its own to another name and to another tenant's namespace.
func (h *hostiles) copyState(ctx context.Context, home, name string) error {
	state, err := h.state(ctx, home, name)
	if err != nil {
		return err
	}
	other := h.homes[h.chance.IntN(len(h.homes))]
	copied := &corev1.Secret{ObjectMeta: h.asState(other, fmt.Sprintf("evil-%d-grant", h.chance.IntN(hostileNames))), Type: state.Type, Data: state.Data}
	return h.cluster.Create(ctx, copied)
}

// keep saves a state, and rollBack puts it back over what is there by then.
func (h *hostiles) keep(ctx context.Context, home, name string) error {
	state, err := h.state(ctx, home, name)
	if err == nil {
		h.kept[home+"/"+name] = state.Data[v1alpha1.StateKey]
	}
	return err
}

func (h *hostiles) rollBack(ctx context.Context, home, name string) error {
	old := h.kept[home+"/"+name]
	if old == nil {
		return fmt.Errorf("no state was kept")
	}
	return h.overwrite(ctx, home, name, old)
}

func (h *hostiles) damage(ctx context.Context, home, name string) error {
	return h.overwrite(ctx, home, name, []byte("damaged"))
}

func (h *hostiles) overwrite(ctx context.Context, home, name string, content []byte) error {
	return h.cluster.change(ctx, &corev1.Secret{ObjectMeta: in(home, name+v1alpha1.GrantSecretSuffix)}, map[string]any{
		"data": map[string][]byte{v1alpha1.StateKey: content},
	})
}

func (h *hostiles) deleteState(ctx context.Context, home, name string) error {
	return h.cluster.Delete(ctx, &corev1.Secret{ObjectMeta: in(home, name+v1alpha1.GrantSecretSuffix)})
}

// squat takes the name of a published Secret, or offers a Secret that is none.
func (h *hostiles) squat(ctx context.Context, home, name string) error {
	squatter := &corev1.Secret{ObjectMeta: in(home, name)}
	if h.chance.IntN(2) == 0 {
		squatter.Annotations = map[string]string{v1alpha1.AnnotationAdoptableBy: name}
		squatter.Immutable = ptr.To(true)
	}
	return h.cluster.Create(ctx, squatter)
}

// leave deletes their namespaces, and takes off what they put on themselves. It tells whether
// all is gone: what is left then, the operator holds.
func (h *hostiles) leave(ctx context.Context) (bool, error) {
	gone := true
	for _, home := range h.homes {
		err := h.cluster.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}})
		if apierrors.IsNotFound(err) {
			continue
		}
		gone = false
		if err != nil && !apierrors.IsConflict(err) {
			return false, err
		}
		var secrets metav1.PartialObjectMetadataList
		secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		if err := h.cluster.List(ctx, &secrets, client.InNamespace(home)); err != nil {
			return false, err
		}
		for i := range secrets.Items {
			if secret := &secrets.Items[i]; len(secret.Finalizers) > 1 {
				err := h.cluster.change(ctx, secret, map[string]any{"metadata": map[string]any{"finalizers": []string{v1alpha1.FinalizerGrant}}})
				if client.IgnoreNotFound(err) != nil {
					return false, err
				}
			}
		}
	}
	return gone, nil
}

// isHostile tells whose user this is.
func isHostile(user string) bool { return strings.HasPrefix(user, hostileUser) }

// deeds counts what they did.
func (h *hostiles) deeds() (count int) {
	for _, done := range h.counts {
		count += done
	}
	return count
}
