package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/credentialio"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

const (
	// slowRecheck is how often something that holds a credential up is looked at
	// without any other cause: a watch event can be lost.
	slowRecheck = 10 * time.Minute
	// longSleep bounds the sleep of a healthy credential; its sweeper watches too.
	longSleep = 24 * time.Hour
)

// conclude tells the pass of a living credential in its status, and says when to look again.
func (r *Reconciler) conclude(ctx context.Context, s *scope, held outcome) (time.Duration, error) {
	if !s.isKnown {
		s.document = grantstate.Document{}
	}
	v := view{scope: s, held: held, now: r.Clock.Now()}
	if g := s.document.Grant(); g != nil {
		v.endsOldTokens = r.rotations.ends(g.Environment)
	}
	v.realised = r.isRealised(v)
	r.memory.change(s.key, func(known *recollection) {
		known.isHeldUp = held.isTrouble()
		if v.realised && !v.isBlind() {
			known.realised = s.credential.Generation
		}
	})
	before := s.credential.Status.DeepCopy()
	v.tell(&s.credential.Status)
	return r.wake(v), r.writeStatus(ctx, s, before, held)
}

// concludeDeletion tells what the deletion of a credential waits for.
func (r *Reconciler) concludeDeletion(ctx context.Context, s *scope, held outcome) (time.Duration, error) {
	before := s.credential.Status.DeepCopy()
	view{scope: s, held: held, now: r.Clock.Now()}.tellDeletion(&s.credential.Status)
	return r.later(held), r.writeStatus(ctx, s, before, held)
}

// isRealised tells that this generation is realised, or was once: as this process remembers,
// or as it is there to see in the published Secret.
func (r *Reconciler) isRealised(v view) bool {
	if r.memory.of(v.key).realised == v.credential.Generation {
		return true
	}
	if v.isBlind() {
		return v.published.works(v.now)
	}
	if v.document.ShowsOnlyWhatIsPublished() {
		token := v.document.Token()
		return token != nil && token.Generation == v.credential.Generation && v.published.works(v.now)
	}
	current := v.document.Publishable()
	serves := current != nil && v.published.holds(current) && current.Token.Generation == v.credential.Generation
	// A token that has expired is not published again.
	return serves && (v.isPublished || !v.published.works(v.now))
}

// writeStatus sends the status if it changed, unless somebody wrote the object since it was
// read: a process that was stopped must not put its old view over the newer one, which would
// stand until the next renewal.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope, before *v1alpha1.SpacesCredentialStatus, held outcome) error {
	if equality.Semantic.DeepEqual(*before, s.credential.Status) {
		return nil
	}
	living := s.credential.DeletionTimestamp.IsZero()
	if living && s.state != nil && s.state == s.remembered && s.state.isUsable() {
		// The news rest on memory and the informer alone, which are old in a process that was
		// stopped. A renewal never comes here: it has written the state. Without the right to
		// read it, that is the news.
		if err := r.stillNewest(ctx, s); err != nil && !apierrors.IsForbidden(err) {
			return err
		}
	}
	err := credentialio.PatchStatus(ctx, r.Live, s.credential, before)
	switch {
	case apierrors.IsConflict(err):
		return errConflict
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("writing the status of SpacesCredential %s: %w", s.key, err)
	}
	r.wroteCredential(s)
	if held.standing != paced { // a turn that comes soon is no news
		r.announce(before, s.credential)
	}
	return nil
}

// wake is when a living credential is looked at again, from stored times alone.
func (r *Reconciler) wake(v view) time.Duration {
	next := v.now.Add(longSleep)
	sooner := func(at time.Time) {
		if !at.IsZero() && at.After(v.now) && at.Before(next) {
			next = at
		}
	}
	for _, at := range v.document.Wakes(v.now) {
		sooner(at)
	}
	sooner(v.published.expires)
	if behind := r.memory.of(v.key).publishedBehind; !behind.IsZero() {
		sooner(behind.Add(lagPatience)) // no event comes of what went back before this pass
	}
	if v.held.isTrouble() {
		sooner(v.now.Add(slowRecheck))
	}
	sooner(v.held.wake)
	sooner(v.revocation.wake)
	sooner(v.judged(v.inputs.seen).RejectionHeardAt())
	sooner(v.unanswered.wake)
	if len(v.document.Pending()) > 0 {
		if since := r.publishedSince(v.scope); !since.IsZero() {
			sooner(since.Add(grantstate.Changeover))
		}
	}
	return max(next.Sub(v.now), time.Second)
}

// later is when to look again at what waits, without a living credential to ask.
func (r *Reconciler) later(held outcome) time.Duration {
	if held.wake.IsZero() {
		return slowRecheck
	}
	return min(max(held.wake.Sub(r.Clock.Now()), time.Second), slowRecheck)
}

// sooner is the sooner of a wait and a time; a zero one is never.
func (r *Reconciler) sooner(wait time.Duration, at time.Time) time.Duration {
	if at.IsZero() {
		return wait
	}
	other := max(at.Sub(r.Clock.Now()), time.Second)
	if wait == 0 {
		return other
	}
	return min(wait, other)
}
