package controllers

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/metrics"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
)

// publish makes the published Secret hold the newest token of the document that needs no
// more verification. It tells what is in the way. The service is never called, and nothing
// is needed but the document: the issuer of the token stands there.
func (r *Reconciler) publish(ctx context.Context, s *scope) (outcome, error) {
	if s.document.Revoked() {
		return outcome{}, r.emptyPublished(ctx, s)
	}
	current := s.document.Publishable()
	if current == nil || !r.Clock.Now().Before(current.Token.ExpirationTime) {
		return outcome{}, nil
	}
	// A token goes with the hosts of the environment that issued it, not with those
	// that spec has come to name.
	issuer, problem := r.issuer(s, current.Environment, current.AccountsURL)
	if issuer == nil {
		return problem, nil
	}
	if problem := firstTrouble(r.denied(s.credential), r.unworkable(s.credential)); problem.isTrouble() {
		return problem, nil
	}
	if err := r.noteContent(ctx, s); err != nil {
		return outcome{}, err
	}
	from := r.renderedFrom(s, current, issuer.Environment())
	if last := r.memory.of(s.key).rendering; last.from == from && s.published.whose == ours && s.published.digest == last.digest {
		s.isPublished = true
		return outcome{}, nil
	}
	want, problem := contentOf(s.credential, current, issuer.Environment())
	if problem.isTrouble() {
		return problem, nil
	}
	claim, err := r.claimOf(s, current.Answered)
	if err != nil {
		return outcome{}, err
	}
	if claim != "" {
		want.annotations[v1alpha1.AnnotationClaim] = claim
	}
	digest := want.digest()
	r.memory.change(s.key, func(known *recollection) {
		known.rendering = rendering{from: from, generation: s.credential.Generation, digest: digest}
	})
	known := r.memory.of(s.key).published
	switch {
	case s.published.whose == absent && known.resourceVersion == "":
		return r.createPublished(ctx, s, want)
	case s.published.whose != ours, s.published.digest == "" && !s.isToReplace(current):
		return r.repairPublished(ctx, s, want)
	case s.published.digest == digest:
		s.isPublished = true
		return outcome{}, nil
	}
	return r.patchPublished(ctx, s, s.published, want)
}

// isToReplace tells that there is nothing to compare in the published Secret that this process
// has not read yet: it is ours, owner and all, and holds another token than the state, which
// was read or written in this pass.
func (s *scope) isToReplace(current *grantstate.Publishable) bool {
	return s.state != s.remembered && s.areOwners(s.published.owners) && !s.published.holds(current)
}

// isAllPublished tells that the published Secret holds what this generation of spec asks for, and
// nothing else of ours, as this process wrote or read it.
func (r *Reconciler) isAllPublished(s *scope) bool {
	known := r.memory.of(s.key)
	return s.published.digest != "" && s.published.digest == known.rendering.digest && known.rendering.generation == s.credential.Generation
}

// noteContent records what is about to be published that was not before, so that it can
// be removed again, the terms of revocation, should the credential vanish, and which spec the
// token serves. A claim and its answer have usually done it already.
func (r *Reconciler) noteContent(ctx context.Context, s *scope) error {
	change := func(d *grantstate.Document) bool {
		isNew := d.Own(ownedBy(s.credential))
		isNew = d.Adopt(grantstate.TermsOf(s.credential)) || isNew
		return !s.inputsChanged() && d.Serves(s.credential.Generation) || isNew
	}
	if d := s.document.Clone(); !change(&d) {
		return nil
	}
	return r.update(ctx, s, func(d *grantstate.Document) { change(d) })
}

// repairPublished reads the Secret and mends what differs.
func (r *Reconciler) repairPublished(ctx context.Context, s *scope, want content) (outcome, error) {
	var secret corev1.Secret
	err := r.Live.Get(ctx, s.publishedName(), &secret)
	missing := apierrors.IsNotFound(err)
	switch {
	case missing:
	case err != nil:
		return outcome{}, fmt.Errorf("reading the published Secret %s: %w", s.publishedName(), err)
	case !isPublishedBy(&secret, s.credential):
		return r.adopt(ctx, s, &secret, want)
	case secret.DeletionTimestamp != nil:
		return heldPublished(secret.Name), nil
	case s.matches(&secret, want):
		r.rememberPublished(s, &secret, want)
		return outcome{}, nil
	}
	if err := r.stillNewest(ctx, s); err != nil {
		return outcome{}, err
	}
	if missing {
		s.published = published{whose: absent}
		return r.createPublished(ctx, s, want)
	}
	return r.patchPublished(ctx, s, publishedAs(&secret), want)
}

// createPublished makes the Secret. It never writes over one it has not seen.
func (r *Reconciler) createPublished(ctx context.Context, s *scope, want content) (outcome, error) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.key.Namespace, Name: s.credential.EffectiveSecretName(),
			Labels: want.labels, Annotations: want.annotations, OwnerReferences: s.publishedOwners(nil),
		},
		Type: corev1.SecretType(s.credential.EffectiveSecretType()),
		Data: want.data,
	}
	err := r.Live.Create(ctx, secret, client.FieldOwner(v1alpha1.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		return r.republish(ctx, s, want)
	}
	return r.afterPublish(s, secret, want, err)
}

// republish follows a creation that found a Secret the informer had not shown.
func (r *Reconciler) republish(ctx context.Context, s *scope, want content) (outcome, error) {
	var secret corev1.Secret
	if err := r.Live.Get(ctx, s.publishedName(), &secret); err != nil {
		if apierrors.IsNotFound(err) {
			return outcome{}, errConflict
		}
		return outcome{}, fmt.Errorf("reading the published Secret %s: %w", s.publishedName(), err)
	}
	if !isPublishedBy(&secret, s.credential) {
		return r.adopt(ctx, s, &secret, want)
	}
	if err := r.stillNewest(ctx, s); err != nil {
		return outcome{}, err
	}
	return r.patchPublished(ctx, s, publishedAs(&secret), want)
}

// adopt takes over somebody else's Secret, if its owner allows it, or what an earlier
// credential of this name left.
func (r *Reconciler) adopt(ctx context.Context, s *scope, secret *corev1.Secret, want content) (outcome, error) {
	owners, problem, err := r.adoption(ctx, s, secret)
	if err != nil {
		return outcome{}, err
	}
	if problem.isTrouble() {
		s.published, s.isTaken = published{whose: foreign}, true
		return problem, nil
	}
	judged := publishedAs(secret)
	judged.owners = owners
	return r.patchPublished(ctx, s, judged, want)
}

// patchPublished sets what is ours, removes what we published before and no longer do,
// and leaves everything else alone.
func (r *Reconciler) patchPublished(ctx context.Context, s *scope, judged published, want content) (outcome, error) {
	before := s.document.Owned()
	annotations := secretio.Replacing(before.Annotations, want.annotations)
	annotations[v1alpha1.AnnotationAdoptableBy] = nil // an offer that was taken has ended
	metadata := map[string]any{"labels": secretio.Replacing(before.Labels, want.labels), "annotations": annotations}
	if !judged.isShown {
		metadata["ownerReferences"] = s.publishedOwners(judged.owners)
	}
	object, err := secretio.Patch(ctx, r.Live, secretio.Judged{Name: s.publishedName(), UID: judged.uid, ResourceVersion: judged.resourceVersion},
		map[string]any{"metadata": metadata, "data": secretio.Replacing(before.Keys, want.data)})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		r.memory.change(s.key, func(known *recollection) { known.published = published{} })
		return outcome{}, errConflict
	}
	return r.afterPublish(s, object, want, err)
}

// afterPublish tells how a write ended, and remembers what it left.
func (r *Reconciler) afterPublish(s *scope, written metav1.Object, want content, err error) (outcome, error) {
	name := s.credential.EffectiveSecretName()
	switch {
	case apierrors.IsForbidden(err):
		return publishForbidden(name, secretio.Reason(err)).at(r.recheckForbidden(s)), nil
	case apierrors.IsInvalid(err):
		return publishImmutable(name), nil
	case err != nil:
		return outcome{}, fmt.Errorf("writing the published Secret %s: %w", s.publishedName(), secretio.Quiet(err))
	}
	r.Metrics.Published(r.causeOf(s, want))
	r.rememberPublished(s, written, want)
	return outcome{}, nil
}

// causeOf says why a content was written, as far as this process knows what was there before.
func (r *Reconciler) causeOf(s *scope, want content) metrics.Cause {
	known, fingerprint := r.memory.of(s.key).published, want.annotations[v1alpha1.AnnotationFingerprint]
	switch {
	case known.digest == want.digest():
		return metrics.Repair
	case known.fingerprint == fingerprint, s.published.fingerprint == fingerprint:
		return metrics.Content
	}
	return metrics.Token
}

// rememberPublished keeps what was written, or read and compared.
func (r *Reconciler) rememberPublished(s *scope, secret metav1.Object, c content) {
	now := publishedAs(secret)
	now.digest = c.digest()
	r.passes.knows(s.key, version{now.uid, now.resourceVersion})
	r.memory.change(s.key, func(known *recollection) {
		if known.published.fingerprint != now.fingerprint {
			known.publishedSince = r.Clock.Now()
		}
		known.published = now
	})
	s.published, s.isPublished = now, true
}

// matches tells whether the Secret holds all that is wanted and nothing we stopped
// publishing.
func (s *scope) matches(secret *corev1.Secret, want content) bool {
	before := s.document.Owned()
	return holds(secret.Data, before.Keys, want.data, bytes.Equal) &&
		holds(secret.Labels, before.Labels, want.labels, equal) &&
		holds(secret.Annotations, before.Annotations, want.annotations, equal) &&
		s.areOwners(secret.OwnerReferences)
}

// holds tells whether a map has all that is wanted, and of what was ours before nothing else.
func holds[V any](have map[string]V, before []string, want map[string]V, equal func(a, b V) bool) bool {
	for key, value := range want {
		if is, there := have[key]; !there || !equal(is, value) {
			return false
		}
	}
	return !slices.ContainsFunc(before, func(key string) bool {
		_, there := have[key]
		_, wanted := want[key]
		return there && !wanted
	})
}

func equal(a, b string) bool { return a == b }

// emptyPublished empties the token in the published Secret: the grant was revoked on
// request and has no successor, so the token must not be tried any more.
func (r *Reconciler) emptyPublished(ctx context.Context, s *scope) error {
	seen, err := secretio.Metadata(ctx, r.Client, s.publishedName())
	if err != nil || seen == nil || !isPublishedBy(seen, s.credential) || seen.Annotations[v1alpha1.AnnotationFingerprint] == "" {
		return err
	}
	if err := r.stillNewest(ctx, s); err != nil {
		return err
	}
	data := map[string]any{}
	for _, key := range s.document.Owned().Keys {
		if !slices.Contains(withoutToken, key) {
			data[key] = []byte{}
		}
	}
	_, err = secretio.Patch(ctx, r.Live, secretio.Judged{Name: s.publishedName(), UID: seen.UID, ResourceVersion: seen.ResourceVersion}, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{v1alpha1.AnnotationFingerprint: "", v1alpha1.AnnotationExpiresAt: ""}},
		"data":     data,
	})
	r.memory.change(s.key, func(known *recollection) { known.published = published{} })
	s.published.fingerprint = ""
	if apierrors.IsConflict(err) {
		return errConflict
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("emptying the published Secret %s: %w", s.publishedName(), secretio.Quiet(err))
	}
	return nil
}

// withoutToken are the published keys that say nothing of the token.
var withoutToken = []string{
	v1alpha1.KeyAPIURL, v1alpha1.KeySocketURL, v1alpha1.KeySocketTokenType, v1alpha1.KeyTokenType, v1alpha1.KeyType, v1alpha1.KeyProvider,
}
