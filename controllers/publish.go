package controllers

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// publish makes the published Secret hold the newest token of the state that needs no
// more verification. It tells whether that is so, and if not, what is in the way. The
// service is never called.
func (r *Reconciler) publish(ctx context.Context, p *pass) (bool, *finding, error) {
	if p.state != nil && p.state.document.Revoked {
		return false, nil, r.emptyPublished(ctx, p)
	}
	if p.state == nil || p.client == nil {
		return false, nil, nil
	}
	current := p.state.document.publishable()
	if current == nil || !p.now.Before(current.Token.ExpirationTime) {
		return false, nil, nil
	}
	// A token goes with the hosts of the environment that issued it, not with those
	// that spec has come to name.
	issuer := r.clientForURL(current.AccountsURL)
	if issuer == nil {
		return false, unlisted(current.Environment, current.AccountsURL), nil
	}
	if problem := firstFinding(r.denied(p.credential), unworkable(p.credential)); problem != nil {
		return false, problem, nil
	}
	want, problem := contentOf(p.credential, current, issuer.Environment())
	if problem != nil {
		return false, problem, nil
	}
	if err := r.recordIntent(ctx, p); err != nil {
		return false, nil, err
	}
	seen, err := r.secretMetadata(ctx, p.publishedName())
	if err != nil {
		return false, nil, err
	}
	known := r.memory.of(p.key).published
	switch {
	case seen == nil && known.resourceVersion == "":
		return r.createPublished(ctx, p, want)
	case seen == nil:
		return r.repairPublished(ctx, p, want)
	case !isPublishedBy(seen, p.credential):
		return r.repairPublished(ctx, p, want)
	case seen.UID == known.uid && notNewer(seen.ResourceVersion, known.resourceVersion):
		if known.digest == want.digest() {
			return true, nil, nil
		}
		seen.ResourceVersion = known.resourceVersion
		return r.patchPublished(ctx, p, seen, want)
	}
	return r.repairPublished(ctx, p, want)
}

// recordIntent records new keys before they are published, so that they can be
// removed again, and the terms of revocation, should the credential vanish. A claim
// has usually done it already.
func (r *Reconciler) recordIntent(ctx context.Context, p *pass) error {
	d := p.state.document.clone()
	terms := termsOf(p.credential)
	if newKeys := d.announce(publishedKeys(p.credential)); !newKeys && d.Revocation == terms {
		return nil
	}
	d.Revocation = terms
	written, err := r.writeState(ctx, p.key, p.state, d)
	if err != nil {
		return err
	}
	p.state = written
	return nil
}

// announce adds keys to those that are ours, and tells whether any is new.
func (d *document) announce(keys []string) bool {
	before := len(d.PublishedKeys)
	d.PublishedKeys = slices.Compact(slices.Sorted(slices.Values(append(d.PublishedKeys, keys...))))
	return len(d.PublishedKeys) > before
}

// repairPublished reads the Secret and mends what differs.
func (r *Reconciler) repairPublished(ctx context.Context, p *pass, want content) (bool, *finding, error) {
	var secret corev1.Secret
	err := r.Live.Get(ctx, p.publishedName(), &secret)
	missing := apierrors.IsNotFound(err)
	switch {
	case missing:
	case err != nil:
		return false, nil, fmt.Errorf("reading the published Secret %s: %w", p.publishedName(), err)
	case !isPublishedBy(&secret, p.credential):
		return r.adopt(ctx, p, &secret, want)
	case secret.DeletionTimestamp != nil:
		return false, waiting(v1alpha1.ReasonSecretConflict, "Secret %q is being deleted and somebody's finalizer holds it. It is published again once it is gone.", secret.Name), nil
	case p.matches(&secret, want):
		r.rememberPublished(p, secret.UID, secret.ResourceVersion, want)
		return true, nil, nil
	}
	if err := r.stillNewest(ctx, p); err != nil {
		return false, nil, err
	}
	if missing {
		return r.createPublished(ctx, p, want)
	}
	return r.patchPublished(ctx, p, &metav1.PartialObjectMetadata{ObjectMeta: secret.ObjectMeta}, want)
}

// createPublished makes the Secret. It never writes over one it has not seen.
func (r *Reconciler) createPublished(ctx context.Context, p *pass, want content) (bool, *finding, error) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.key.Namespace, Name: p.credential.EffectiveSecretName(),
			Labels: want.labels, Annotations: want.annotations, OwnerReferences: p.publishedOwners(nil),
		},
		Type: corev1.SecretType(p.credential.EffectiveSecretType()),
		Data: want.data,
	}
	err := r.Live.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		return r.republish(ctx, p, want)
	}
	if f := refusedPublish(p, err); f != nil {
		return false, f, nil
	}
	if err != nil {
		return false, nil, fmt.Errorf("creating the published Secret %s: %w", p.publishedName(), quiet(err))
	}
	r.rememberPublished(p, secret.UID, secret.ResourceVersion, want)
	return true, nil, nil
}

// republish follows a creation that found a Secret the informer had not shown.
func (r *Reconciler) republish(ctx context.Context, p *pass, want content) (bool, *finding, error) {
	var secret corev1.Secret
	if err := r.Live.Get(ctx, p.publishedName(), &secret); err != nil {
		if apierrors.IsNotFound(err) {
			return false, nil, errConflict
		}
		return false, nil, fmt.Errorf("reading the published Secret %s: %w", p.publishedName(), err)
	}
	if !isPublishedBy(&secret, p.credential) {
		return r.adopt(ctx, p, &secret, want)
	}
	if err := r.stillNewest(ctx, p); err != nil {
		return false, nil, err
	}
	return r.patchPublished(ctx, p, &metav1.PartialObjectMetadata{ObjectMeta: secret.ObjectMeta}, want)
}

// adopt takes over somebody else's Secret, if its owner allows it.
func (r *Reconciler) adopt(ctx context.Context, p *pass, secret *corev1.Secret, want content) (bool, *finding, error) {
	if problem := p.adoption(secret); problem != nil {
		return false, problem, nil
	}
	return r.patchPublished(ctx, p, &metav1.PartialObjectMetadata{ObjectMeta: secret.ObjectMeta}, want)
}

// patchPublished sets our keys, removes those we published before and no longer do,
// and leaves every other key alone.
func (r *Reconciler) patchPublished(ctx context.Context, p *pass, judged *metav1.PartialObjectMetadata, want content) (bool, *finding, error) {
	data := map[string]any{}
	for _, key := range p.state.document.PublishedKeys {
		data[key] = nil
	}
	for key, value := range want.data {
		data[key] = value
	}
	object, err := r.patchSecret(ctx, p.publishedName(), judged.UID, judged.ResourceVersion, map[string]any{
		"metadata": map[string]any{
			"labels": want.labels, "annotations": want.withoutAdoption(), "ownerReferences": p.publishedOwners(judged.OwnerReferences),
		},
		"data": data,
	})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		r.memory.change(p.key, func(known *recollection) { known.published = publishedMemory{} })
		return false, nil, errConflict
	}
	if f := refusedPublish(p, err); f != nil {
		return false, f, nil
	}
	if err != nil {
		return false, nil, fmt.Errorf("writing the published Secret %s: %w", p.publishedName(), quiet(err))
	}
	r.rememberPublished(p, object.UID, object.ResourceVersion, want)
	return true, nil, nil
}

// publishedName is the Secret that workloads mount.
func (p *pass) publishedName() types.NamespacedName {
	return types.NamespacedName{Namespace: p.key.Namespace, Name: p.credential.EffectiveSecretName()}
}

// publishedOwners adds our owner reference to others, or takes it away: with policy
// Retain the garbage collector must not undo the policy.
func (p *pass) publishedOwners(others []metav1.OwnerReference) []metav1.OwnerReference {
	owners := slices.DeleteFunc(slices.Clone(others), func(o metav1.OwnerReference) bool { return o.UID == p.credential.UID })
	if p.credential.Spec.SecretDeletionPolicy != v1alpha1.SecretDeletionRetain {
		owners = append(owners, ownerReference(p.credential))
	}
	return owners
}

// matches tells whether the Secret holds all that is wanted and nothing we stopped
// publishing.
func (p *pass) matches(secret *corev1.Secret, want content) bool {
	for key, value := range want.data {
		if !bytes.Equal(secret.Data[key], value) {
			return false
		}
	}
	for _, key := range p.state.document.PublishedKeys {
		_, there := secret.Data[key]
		if _, wanted := want.data[key]; there && !wanted {
			return false
		}
	}
	return contains(secret.Labels, want.labels) && contains(secret.Annotations, want.annotations) &&
		slices.EqualFunc(secret.OwnerReferences, p.publishedOwners(secret.OwnerReferences), func(a, b metav1.OwnerReference) bool { return a.UID == b.UID })
}

func contains(have, want map[string]string) bool {
	for key, value := range want {
		if have[key] != value {
			return false
		}
	}
	return true
}

func (r *Reconciler) rememberPublished(p *pass, uid types.UID, resourceVersion string, c content) {
	fingerprint := c.annotations[v1alpha1.AnnotationFingerprint]
	r.memory.change(p.key, func(known *recollection) {
		since := known.published.since
		if known.published.fingerprint != fingerprint {
			since = p.now
		}
		known.published = publishedMemory{uid: uid, resourceVersion: resourceVersion, digest: c.digest(), fingerprint: fingerprint, since: since}
	})
}

// publishedSince is when workloads could first see the newest token, as far as this
// process knows; zero while they cannot.
func (r *Reconciler) publishedSince(p *pass, published bool) time.Time {
	known := r.memory.of(p.key).published
	token := p.document().token()
	if !published || token == nil || known.fingerprint != token.AccessToken.Fingerprint() {
		return time.Time{}
	}
	return known.since
}

// isPublishedBy tells whether a Secret is ours: it carries the UID of the living
// credential.
func isPublishedBy(secret metav1.Object, credential *v1alpha1.SpacesCredential) bool {
	return secret.GetAnnotations()[v1alpha1.AnnotationCredentialUID] == string(credential.UID) &&
		secret.GetLabels()[v1alpha1.LabelSecret] != v1alpha1.SecretGrant
}

// conflict is the finding about a Secret that is not ours.
func conflict(p *pass) *finding {
	return blocked(v1alpha1.ReasonSecretConflict,
		"Secret %q exists and was not made by this SpacesCredential. Delete it, or choose another secretName for a new SpacesCredential.", p.credential.EffectiveSecretName())
}

// refusedPublish is the finding about a write the API server refuses for good.
func refusedPublish(p *pass, err error) *finding {
	switch {
	case apierrors.IsForbidden(err):
		return blocked(v1alpha1.ReasonSecretForbidden, "Secret %q cannot be written: %s. Look at the quota of the namespace, its admission webhooks and the rights of the operator.",
			p.credential.EffectiveSecretName(), statusReason(err))
	case apierrors.IsInvalid(err):
		return blocked(v1alpha1.ReasonSecretImmutable, "Secret %q cannot be changed: it is immutable or of another type. Delete it; it is published again at once.",
			p.credential.EffectiveSecretName())
	}
	return nil
}
