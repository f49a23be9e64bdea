package controllers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// afterConflict is when a pass that met somebody else's write begins anew.
const afterConflict = time.Second

// Reconciler keeps one SpacesCredential at a time as its spec wants it. All its
// fields are set before the first pass.
type Reconciler struct {
	// Client reads SpacesCredentials and the metadata of Secrets, from a cache.
	Client client.Client
	// Live reads Secrets and writes everything, past any cache. It must outlive the
	// manager, see [Reconciler.Drain].
	Live client.Client
	// Environments are the clients of the known environments by name.
	Environments map[string]*spacesauth.Client
	// DenySecretMetadata are prefixes of labels and annotations that no published
	// Secret may carry, beside those the CRD reserves.
	DenySecretMetadata []string
	// Clock and Random are the only sources of time and randomness.
	Clock  clock.WithTicker
	Random io.Reader
	// Holder names this life of this process in claims; no two lives share one.
	Holder  string
	Events  events.EventRecorder
	Metrics *Metrics
	Log     logr.Logger

	memory   memory
	gates    gates
	inFlight sync.WaitGroup
}

// pass is one look at one credential.
type pass struct {
	key        types.NamespacedName
	credential *v1alpha1.SpacesCredential
	now        time.Time
	// client is nil while the environment is not usable.
	client *spacesauth.Client
	// state is nil before the first claim.
	state             *state
	revocationProblem *finding
	// signedIn tells that this pass made a new grant that can be made again at will.
	signedIn bool
	// publishedSince is when the newest token was published; zero while it is not.
	publishedSince time.Time
	// clientID is the client ID of the inputs, where it may be told.
	clientID string
}

// Reconcile makes one pass. Its errors are the Kubernetes API's alone: with an error
// the queue retries within milliseconds, which the service must never see. Every
// pass of a living credential returns when to look again.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	p := &pass{key: request.NamespacedName, credential: &v1alpha1.SpacesCredential{}, now: r.Clock.Now()}
	err := r.Client.Get(ctx, p.key, p.credential)
	if apierrors.IsNotFound(err) {
		f, err := r.bury(ctx, p.key)
		if errors.Is(err, errConflict) {
			return ctrl.Result{RequeueAfter: afterConflict}, nil
		}
		return r.later(p.now, f), err
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the SpacesCredential %s: %w", p.key, err)
	}
	// An answer in memory is the only copy of a grant: it is saved before anything
	// else is looked at.
	if err := r.saveAnswers(ctx, p.key); err != nil {
		return ctrl.Result{}, err
	}
	if r.lags(p) {
		return ctrl.Result{RequeueAfter: afterConflict}, nil
	}
	wake, err := r.attend(ctx, p)
	if errors.Is(err, errConflict) {
		return ctrl.Result{RequeueAfter: afterConflict}, nil
	}
	return ctrl.Result{RequeueAfter: wake}, err
}

// attend does what the credential needs, tells it in the status, and says when to look
// again.
func (r *Reconciler) attend(ctx context.Context, p *pass) (wake time.Duration, err error) {
	before := p.credential.DeepCopy()
	remembered := r.memory.of(p.key).state
	living := p.credential.DeletionTimestamp.IsZero()
	if living {
		wake, err = r.keep(ctx, p)
	} else {
		wake, err = r.end(ctx, p)
	}
	if err != nil || equality.Semantic.DeepEqual(before.Status, p.credential.Status) {
		return wake, err
	}
	if living && p.state != nil && p.state == remembered {
		// The news rest on memory and the informer alone, which are old in a process that was
		// stopped. A renewal never comes here: it has written the state. Without the right to
		// read it, that is the news.
		if err := r.stillNewest(ctx, p); err != nil && !apierrors.IsForbidden(err) {
			return 0, err
		}
	}
	if err := r.writeStatus(ctx, before, p.credential); err != nil {
		return 0, err
	}
	r.announce(before, p.credential)
	return wake, nil
}

// keep looks after a living credential and says when to look again.
func (r *Reconciler) keep(ctx context.Context, p *pass) (time.Duration, error) {
	c, err := r.realise(ctx, p)
	if f := r.forbidden(p, err); f != nil {
		c, err = conclusion{finding: f, blind: p.state == nil}, nil
	}
	if err != nil {
		return 0, err
	}
	c.revocation = p.revocationProblem
	p.now = r.Clock.Now()
	p.conclude(c)
	return p.wake(c), nil
}

// end looks after a deleted credential.
func (r *Reconciler) end(ctx context.Context, p *pass) (time.Duration, error) {
	f, err := r.finalize(ctx, p)
	if forbidden := r.forbidden(p, err); forbidden != nil {
		f, err = forbidden, nil
	}
	if err != nil {
		return 0, err
	}
	if f == nil {
		r.memory.forget(p.key)
		return 0, nil
	}
	p.concludeDeletion(f)
	return r.later(p.now, f).RequeueAfter, nil
}

// realise makes the cluster and the service as spec wants them: observe, decide,
// obtain, save, publish.
func (r *Reconciler) realise(ctx context.Context, p *pass) (conclusion, error) {
	found, err := r.observeState(ctx, p.key, p.credential.UID)
	if err != nil {
		return conclusion{}, err
	}
	if found != nil && (found.problem != stateUsable || !found.deletion.IsZero()) {
		return r.mendState(ctx, p, found)
	}
	p.state = found
	held, err := r.renew(ctx, p)
	if err != nil {
		return conclusion{}, err
	}
	var again time.Time
	if held != nil && held.reason == "" {
		// Only the rate of calls is in the way: that is no trouble to tell of.
		held, again = nil, held.wake
	}
	if p.credential.Spec.Suspend {
		return conclusion{finding: held}, nil
	}
	unverified, err := r.verify(ctx, p)
	if err != nil {
		return conclusion{}, err
	}
	if unverified != nil && unverified.reason == "" {
		unverified, again = nil, unverified.wake
	}
	held = firstFinding(held, unverified)
	published, refused, err := r.publish(ctx, p)
	if err != nil {
		return conclusion{}, err
	}
	if refused != nil {
		held = refused
		if p.signedIn && refused.reason == v1alpha1.ReasonSecretConflict {
			if err := r.undoSignIn(ctx, p); err != nil {
				return conclusion{}, err
			}
		}
	}
	p.publishedSince = r.publishedSince(p, published)
	err = r.revokeSuperseded(ctx, p)
	forbidden := r.forbidden(p, err)
	switch {
	case errors.Is(err, errConflict):
		// What was published is told all the same. The next pass revokes once more, which
		// the service takes for done.
		again = p.now.Add(afterConflict)
	case forbidden != nil:
		p.revocationProblem = forbidden
	case err != nil:
		return conclusion{}, err
	}
	return conclusion{finding: held, published: published, current: published && !r.inputsChanged(p), again: again}, nil
}

// writeStatus sends the status, unless somebody wrote the object since it was read: a
// process that was stopped must not put its old view over the newer one, which would stand
// until the next renewal.
func (r *Reconciler) writeStatus(ctx context.Context, before, after *v1alpha1.SpacesCredential) error {
	base := after.DeepCopy()
	base.Status = before.Status
	patch := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
	err := r.Live.Status().Patch(ctx, after, patch, client.FieldOwner(v1alpha1.FieldManagerStatus))
	if apierrors.IsConflict(err) {
		return errConflict
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of SpacesCredential %s: %w", client.ObjectKeyFromObject(after), err)
	}
	r.wroteCredential(after)
	return nil
}

// lags tells that the informer does not show our own last write of the credential
// yet. A pass on the older status would write and announce the same once more.
func (r *Reconciler) lags(p *pass) bool {
	written := r.memory.of(p.key).credentialVersion
	return written != "" && !notNewer(written, p.credential.ResourceVersion)
}

func (r *Reconciler) wroteCredential(credential *v1alpha1.SpacesCredential) {
	r.memory.change(client.ObjectKeyFromObject(credential), func(known *recollection) {
		known.credentialVersion = credential.ResourceVersion
	})
}

// patchFinalizers writes changed finalizers, unless the object changed meanwhile.
func (r *Reconciler) patchFinalizers(ctx context.Context, credential, before *v1alpha1.SpacesCredential) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := r.Live.Patch(ctx, credential, patch, client.FieldOwner(v1alpha1.FieldManager))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return errConflict
	}
	if err != nil {
		return fmt.Errorf("writing the finalizers of SpacesCredential %s: %w", client.ObjectKeyFromObject(credential), err)
	}
	r.wroteCredential(credential)
	return nil
}

// later turns what a pass waits for into its result.
func (r *Reconciler) later(now time.Time, f *finding) ctrl.Result {
	if f == nil {
		return ctrl.Result{}
	}
	wait := slowRecheck
	if !f.wake.IsZero() {
		wait = min(max(f.wake.Sub(now), time.Second), slowRecheck)
	}
	return ctrl.Result{RequeueAfter: wait}
}
