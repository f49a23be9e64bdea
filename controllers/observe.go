package controllers

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
)

// observe reads all that the pass judges.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	s.now = r.Clock.Now()
	s.environment, s.environmentProblem = r.clientFor(s.credential)
	s.pause = pauseOf(s.environment)
	seen, err := r.observePublished(ctx, s)
	if err != nil {
		return err
	}
	if err := r.observeState(ctx, s); err != nil || !s.state.isUsable() {
		return err
	}
	if err := r.observeUnmarked(ctx, s, seen); err != nil {
		return err
	}
	if err := r.observeBehind(ctx, s, seen); err != nil {
		return err
	}
	s.isKnown = true
	if s.state != nil { // and knows what the annotation was kept for
		if err := r.forgetUsed(ctx, s); err != nil {
			return err
		}
	}
	if s.consent, err = r.observeConsent(ctx, s); err != nil {
		return err
	}
	if !s.credential.Spec.Suspend {
		if s.obstacle, err = r.observeObstacle(ctx, s, seen); err != nil {
			return err
		}
	}
	if s.queued, err = r.joinQueue(ctx, s); err != nil || s.queued.standing != settled {
		return err
	}
	s.inputs, err = r.observeInputs(ctx, s)
	return err
}

// joinQueue has a credential wait for its turn that has no state yet: nothing is read of its
// inputs before it has come, since nothing is remembered of them and thousands may wait.
func (r *Reconciler) joinQueue(ctx context.Context, s *scope) (outcome, error) {
	switch {
	case s.state != nil, s.environment == nil, s.consent.problem.isTrouble(), s.obstacle.isTrouble(), s.credential.Spec.Suspend, s.pause.isTrouble():
		return outcome{}, nil
	case r.pace(s, s.now).standing != settled:
		return outcome{}, nil
	}
	for _, name := range s.credential.InputSecretNames() {
		if seen, err := secretio.Metadata(ctx, r.Client, types.NamespacedName{Namespace: s.key.Namespace, Name: name}); err != nil || seen == nil {
			return outcome{}, err
		}
	}
	if lent, err := r.lentNow(ctx, s); err != nil || s.consent.client != nil && lent.secret == "" {
		return outcome{}, err
	}
	_, refused := r.turn(s, s.spending(s.environment, grantstate.SignIn))
	return refused.outcome, nil
}

// observePublished sets what is published, and returns what the informer shows of it.
func (r *Reconciler) observePublished(ctx context.Context, s *scope) (*metav1.PartialObjectMetadata, error) {
	seen, err := secretio.Metadata(ctx, r.Client, s.publishedName())
	if err != nil {
		return nil, err
	}
	switch {
	case seen == nil:
		s.published = published{whose: absent}
		return nil, nil
	case !isPublishedBy(seen, s.credential):
		s.published = published{whose: foreign, uid: seen.UID, resourceVersion: seen.ResourceVersion}
		return seen, nil
	}
	known := r.memory.of(s.key).published
	newer := seen.UID != known.uid || !secretio.NotNewer(seen.ResourceVersion, known.resourceVersion)
	behind := !newer && !secretio.NotNewer(known.resourceVersion, seen.ResourceVersion)
	late := func(known *recollection) *time.Time { return &known.publishedBehind }
	if r.wentBack(s.key, behind, late) || newer {
		s.published = shownAs(seen)
	} else {
		s.published = known
	}
	return seen, nil
}

// observeObstacle finds what would keep a new token from being published.
func (r *Reconciler) observeObstacle(ctx context.Context, s *scope, seen *metav1.PartialObjectMetadata) (outcome, error) {
	if problem := firstTrouble(unknownValues(s.credential), r.denied(s.credential), r.unworkable(s.credential)); problem.isTrouble() {
		return problem, nil
	}
	if s.published.whose == ours && seen.DeletionTimestamp != nil {
		return heldPublished(seen.Name), nil
	}
	return r.rival(ctx, s, seen)
}

// lags tells that the informer does not show our own last write of the credential
// yet. A pass on the older status would write and announce the same once more.
func (r *Reconciler) lags(s *scope) bool {
	written := r.memory.of(s.key).credentialVersion
	behind := written != "" && !secretio.NotNewer(written, s.credential.ResourceVersion)
	return !r.wentBack(s.key, behind, func(known *recollection) *time.Time { return &known.credentialBehind }) && behind
}

// lagPatience is how long an informer may show older versions than were written. After
// that it is no informer that is late: the API server was restored from a backup.
const lagPatience = 30 * time.Second

// wentBack tells whether what is remembered is newer than what there is for too long, and
// then begins anew with what there is.
func (r *Reconciler) wentBack(key types.NamespacedName, behind bool, of func(*recollection) *time.Time) bool {
	now, over := r.Clock.Now(), false
	r.memory.change(key, func(known *recollection) {
		switch since := of(known); {
		case !behind:
			*since = time.Time{}
		case since.IsZero() || since.After(now):
			*since = now
		case r.Clock.Since(*since) >= lagPatience:
			over = true
			known.beginAnew()
		}
	})
	if over {
		r.readings.beginAnew()
	}
	return over
}
