package main

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/credentialio"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// bareLoop makes requests for a number of credentials, [atATime] at a time, and nothing else: it
// decides nothing, watches nothing, seals nothing. What it sends is what an operator was seen to
// send.
type bareLoop struct {
	cluster *cluster
	service *spacesauth.Client
	samples *samples
	app     spacesauth.Application
	bots    []*bot
}

// bot is what the loop keeps of one credential.
type bot struct {
	credential *v1alpha1.SpacesCredential
	// state and published are its Secrets as they were read or written last.
	state     *corev1.Secret
	published secretio.Judged
	answer    spacesauth.Answer
	sample    int // the one that was written last
	writes    int
}

// newBareLoop makes one for credentials that are there.
func (b *bench) newBareLoop(credentials []*v1alpha1.SpacesCredential) (*bareLoop, error) {
	environment := b.service.Environment(fastEnvironment)
	environment.TimeoutSeconds = spacesauth.DefaultTimeoutSeconds
	service, err := spacesauth.New(environment)
	if err != nil {
		return nil, err
	}
	l := &bareLoop{
		cluster: b.cluster, service: service, samples: b.samples,
		app: spacesauth.Application{ID: clientID, Secret: spacesauth.NewSecret(clientSecret)},
	}
	for _, credential := range credentials {
		l.bots = append(l.bots, &bot{credential: credential})
	}
	return l, nil
}

// run makes requests for each credential.
func (l *bareLoop) run(ctx context.Context, steps ...step) error {
	return together(ctx, len(l.bots), func(ctx context.Context, i int) error {
		at := l.bots[i]
		for _, s := range steps {
			if err := s.make(l, ctx, at); err != nil {
				return fmt.Errorf("the bare loop, %s of %s: %w", s.name, at.credential.Name, err)
			}
		}
		return nil
	})
}

// mark differs from write to write, so that each is a change.
func (b *bot) mark() string {
	b.writes++
	return fmt.Sprintf("%.8s-%06d", b.credential.UID, b.writes)
}

func (b *bot) in(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: b.credential.Namespace, Name: name}
}

func (l *bareLoop) getLogin(ctx context.Context, b *bot) error {
	return l.cluster.Get(ctx, b.in(loginName), &corev1.Secret{})
}

func (l *bareLoop) getState(ctx context.Context, b *bot) error {
	name := client.ObjectKeyFromObject(b.state)
	b.state = &corev1.Secret{}
	return l.cluster.Get(ctx, name, b.state)
}

func (l *bareLoop) addFinalizer(ctx context.Context, b *bot) error {
	before := b.credential.ObjectMeta.DeepCopy()
	controllerutil.AddFinalizer(b.credential, v1alpha1.FinalizerRevoke)
	return credentialio.PatchMetadata(ctx, l.cluster, b.credential, before)
}

func (l *bareLoop) toggleFinalizer(ctx context.Context, b *bot) error {
	before := b.credential.ObjectMeta.DeepCopy()
	if !controllerutil.AddFinalizer(b.credential, v1alpha1.FinalizerRevoke) {
		controllerutil.RemoveFinalizer(b.credential, v1alpha1.FinalizerRevoke)
	}
	return credentialio.PatchMetadata(ctx, l.cluster, b.credential, before)
}

// owners are those of a Secret of the samples, for another credential.
func owners(of *corev1.Secret, credential *v1alpha1.SpacesCredential) []metav1.OwnerReference {
	var all []metav1.OwnerReference
	for _, owner := range of.OwnerReferences {
		owner.Name, owner.UID = credential.Name, credential.UID
		all = append(all, owner)
	}
	return all
}

func (l *bareLoop) createState(ctx context.Context, b *bot) error {
	like := l.samples.after[0].state
	b.state = &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: b.credential.Namespace, Name: b.credential.GrantSecretName(),
			Labels: like.Labels, Annotations: annotated(like, b.credential, ""), OwnerReferences: owners(like, b.credential), Finalizers: like.Finalizers,
		},
		Type: like.Type,
		Data: map[string][]byte{v1alpha1.StateKey: marked(like.Data[v1alpha1.StateKey], b.mark())},
	}
	return l.cluster.Create(ctx, b.state, client.FieldOwner(v1alpha1.FieldManager))
}

func judged(secret client.Object) secretio.Judged {
	return secretio.Judged{Name: client.ObjectKeyFromObject(secret), UID: secret.GetUID(), ResourceVersion: secret.GetResourceVersion()}
}

// writeState is a claim or a save: of the claim only the length of the document is another one.
func (l *bareLoop) writeState(ctx context.Context, b *bot) error {
	b.state.Data[v1alpha1.StateKey] = marked(l.samples.after[b.sample].state.Data[v1alpha1.StateKey], b.mark())
	b.state.ManagedFields = []metav1.ManagedFieldsEntry{{}}
	return l.cluster.Update(ctx, b.state, client.FieldOwner(v1alpha1.FieldManager))
}

// createSecret creates one more Secret like the published one.
func (l *bareLoop) createSecret(ctx context.Context, b *bot) error {
	secret := l.publishedSecret(b)
	secret.Name = b.mark()
	return l.cluster.Create(ctx, secret, client.FieldOwner(v1alpha1.FieldManager))
}

func (l *bareLoop) signIn(ctx context.Context, b *bot) (err error) {
	b.answer, err = l.service.Token(ctx, l.app, spacesauth.PasswordGrant{Username: username, Password: spacesauth.NewSecret(password)}, nil)
	return err
}

func (l *bareLoop) refresh(ctx context.Context, b *bot) (err error) {
	b.answer, err = l.service.Token(ctx, l.app, spacesauth.RefreshTokenGrant{RefreshToken: b.answer.RefreshToken}, nil)
	return err
}

// publishedSecret is the published Secret of a credential, with its token.
func (l *bareLoop) publishedSecret(b *bot) *corev1.Secret {
	like := l.samples.after[b.sample].published
	data := maps.Clone(like.Data)
	data[v1alpha1.KeyAccessToken] = []byte(b.answer.AccessToken.Reveal())
	data[v1alpha1.KeyAuthorization] = []byte("Bearer " + b.answer.AccessToken.Reveal())
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: b.credential.Namespace, Name: b.credential.EffectiveSecretName(), Labels: like.Labels,
			Annotations: annotated(like, b.credential, b.answer.AccessToken.Fingerprint()), OwnerReferences: owners(like, b.credential),
		},
		Type: like.Type,
		Data: data,
	}
}

func (l *bareLoop) createPublished(ctx context.Context, b *bot) error {
	secret := l.publishedSecret(b)
	err := l.cluster.Create(ctx, secret, client.FieldOwner(v1alpha1.FieldManager))
	b.published = judged(secret)
	return err
}

func (l *bareLoop) patchPublished(ctx context.Context, b *bot) error {
	return l.patchSecret(ctx, b, l.publishedSecret(b))
}

// patchAgain publishes a token that is another one each time.
func (l *bareLoop) patchAgain(ctx context.Context, b *bot) error {
	want := l.publishedSecret(b)
	want.Data[v1alpha1.KeyAccessToken] = marked(want.Data[v1alpha1.KeyAccessToken], b.mark())
	return l.patchSecret(ctx, b, want)
}

func (l *bareLoop) patchSecret(ctx context.Context, b *bot, want *corev1.Secret) error {
	written, err := secretio.Patch(ctx, l.cluster, b.published, map[string]any{
		"metadata": map[string]any{"labels": want.Labels, "annotations": want.Annotations, "ownerReferences": want.OwnerReferences},
		"data":     want.Data,
	})
	if err != nil {
		return err
	}
	b.published = judged(written)
	return nil
}

// changeStatus makes the status that of the next sample, and returns that of before.
func (l *bareLoop) changeStatus(b *bot) (before *v1alpha1.SpacesCredentialStatus) {
	before = b.credential.Status.DeepCopy()
	if before.Token != nil { // else it is the first
		b.sample = l.samples.nextTo(b.sample)
	}
	l.samples.after[b.sample].status.DeepCopyInto(&b.credential.Status)
	b.credential.Status.Token.Fingerprint = b.answer.AccessToken.Fingerprint()
	return before
}

func (l *bareLoop) patchStatus(ctx context.Context, b *bot) error {
	before := l.changeStatus(b)
	return credentialio.PatchStatus(ctx, l.cluster, b.credential, before)
}

func (l *bareLoop) putStatus(ctx context.Context, b *bot) error {
	l.changeStatus(b)
	return l.cluster.Status().Update(ctx, b.credential, client.FieldOwner(v1alpha1.FieldManagerStatus))
}

func (l *bareLoop) createEvent(ctx context.Context, b *bot) error {
	event := l.samples.event.DeepCopy()
	event.ObjectMeta = metav1.ObjectMeta{Namespace: b.credential.Namespace, Name: b.mark()}
	event.Regarding = corev1.ObjectReference{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "SpacesCredential", Namespace: b.credential.Namespace, Name: b.credential.Name,
		UID: b.credential.UID, ResourceVersion: b.credential.ResourceVersion,
	}
	event.Series = nil
	event.DeprecatedCount, event.DeprecatedFirstTimestamp, event.DeprecatedLastTimestamp = 0, metav1.Time{}, metav1.Time{}
	return l.cluster.Create(ctx, event)
}
