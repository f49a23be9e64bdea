package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// sample is what an operator left after one token.
type sample struct {
	status           v1alpha1.SpacesCredentialStatus
	state, published *corev1.Secret
}

// samples are what an operator wrote for one credential: after its first token and after two
// renewals. The bare loop writes the same, so that it follows every change of what is written.
type samples struct {
	after [3]sample
	event *eventsv1.Event
}

const (
	sampleNamespace = "bench-sample"
	sampleLifetime  = 6 * time.Second
)

// takeSamples has an operator make three tokens.
func (b *bench) takeSamples(ctx context.Context) (*samples, error) {
	if err := b.cluster.createNamespace(ctx, sampleNamespace); err != nil {
		return nil, err
	}
	b.service.SetTokenLifetime(sampleLifetime)
	credential := credentialOf(types.NamespacedName{Namespace: sampleNamespace, Name: "bot-00000"}, fastEnvironment, loginName)
	if err := b.cluster.Create(ctx, credential); err != nil {
		return nil, err
	}
	o, err := b.startOperator()
	if err != nil {
		return nil, err
	}
	taken, before := &samples{}, ""
	for i := range taken.after {
		err := b.await(ctx, o, time.Minute, "an operator has made a token", func(ctx context.Context) (bool, string, error) {
			taken.after[i], err = b.cluster.sampleOf(ctx, credential, before)
			return taken.after[i].published != nil, fmt.Sprintf("%d tokens", i), err
		})
		if err != nil {
			return nil, err
		}
		before = taken.after[i].status.Token.Fingerprint
	}
	var events eventsv1.EventList
	if err := b.cluster.List(ctx, &events, client.InNamespace(sampleNamespace)); err != nil {
		return nil, err
	}
	if len(events.Items) == 0 {
		return nil, errors.New("the operator tells a first token by no event: leave it out of the requests of the bare loop")
	}
	taken.event = &events.Items[0]
	return taken, errors.Join(o.Stop(), b.cluster.clean(ctx))
}

// sampleOf is a sample of another token than before, or an empty one as long as there is none.
func (c *cluster) sampleOf(ctx context.Context, credential *v1alpha1.SpacesCredential, before string) (sample, error) {
	if err := c.Get(ctx, client.ObjectKeyFromObject(credential), credential); err != nil {
		return sample{}, err
	}
	if !isReady(credential) || credential.Status.Token.Fingerprint == before {
		return sample{}, nil
	}
	s := sample{status: *credential.Status.DeepCopy(), state: &corev1.Secret{}, published: &corev1.Secret{}}
	err := c.Get(ctx, types.NamespacedName{Namespace: credential.Namespace, Name: credential.GrantSecretName()}, s.state)
	if err == nil {
		err = c.Get(ctx, types.NamespacedName{Namespace: credential.Namespace, Name: credential.EffectiveSecretName()}, s.published)
	}
	if apierrors.IsNotFound(err) || s.published.Annotations[v1alpha1.AnnotationFingerprint] != credential.Status.Token.Fingerprint {
		return sample{}, nil
	}
	return s, err
}

// nextTo is the sample that follows one: after the last there are only more renewals.
func (s *samples) nextTo(i int) int { return max(1, (i+1)%len(s.after)) }

// marked is a text that differs by its end from every other one, and not in length.
func marked(text []byte, mark string) []byte {
	copied := append([]byte(nil), text...)
	copy(copied[max(0, len(copied)-len(mark)):], mark)
	return copied
}

// annotated are the annotations of a Secret of the samples, for another credential.
func annotated(of *corev1.Secret, credential *v1alpha1.SpacesCredential, fingerprint string) map[string]string {
	annotations := maps.Clone(of.Annotations)
	annotations[v1alpha1.AnnotationCredential], annotations[v1alpha1.AnnotationCredentialUID] = credential.Name, string(credential.UID)
	if fingerprint != "" {
		annotations[v1alpha1.AnnotationFingerprint] = fingerprint
	}
	return annotations
}
