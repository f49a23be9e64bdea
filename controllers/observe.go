package controllers

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// observation is everything that a pass judges, read once at its beginning.
type observation struct {
	// now is when the pass looked. What is decided, is decided of this moment.
	now time.Time
	// environment is the client of the environment that spec names. It is nil where that is
	// not known or not for this namespace, and environmentProblem says so.
	environment        *spacesauth.Client
	environmentProblem outcome
	// published is the Secret that workloads mount.
	published published
	// obstacle is what would keep a new token from being published: a rival, somebody
	// else's Secret, denied metadata, a template. While there is one nothing is spent.
	obstacle outcome
	// inputs are what the Secrets that spec names hold.
	inputs inputs
}

// whose tells to whom the Secret of a published name belongs.
type whose string

const (
	absent  whose = "absent"
	foreign whose = "foreign"
	ours    whose = "ours"
)

// published is the Secret that workloads mount: as the informer shows it, or as this
// process left it, whichever is newer. A Secret that cannot be read ends the pass.
type published struct {
	whose whose
	// uid and resourceVersion are empty when it is absent.
	uid             types.UID
	resourceVersion string
	// fingerprint is that of its token, empty when it has none, and expires its end.
	fingerprint string
	expires     time.Time
	// owners are its owners. No list is ever written as an informer showed it: they are
	// used only where a write or a live read told them.
	owners []metav1.OwnerReference
	// digest is that of its whole content, where this process wrote or compared it.
	digest string
}

// works tells whether what is published may be used.
func (p published) works(now time.Time) bool {
	return p.whose == ours && p.fingerprint != "" && now.Before(p.expires)
}

// holds tells that it is ours and has this token.
func (p published) holds(token *grantstate.Publishable) bool {
	return p.whose == ours && p.fingerprint != "" && p.fingerprint == token.Token.AccessToken.Fingerprint()
}

// observe reads all that the pass judges.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	s.now = r.Clock.Now()
	s.environment, s.environmentProblem = r.clientFor(s.credential)
	seen, err := r.observePublished(ctx, s)
	if err != nil {
		return err
	}
	if err := r.observeState(ctx, s); err != nil || !s.state.isUsable() {
		return err
	}
	s.isKnown = true
	if !s.credential.Spec.Suspend {
		if s.obstacle, err = r.observeObstacle(ctx, s, seen); err != nil {
			return err
		}
	}
	s.inputs, err = r.observeInputs(ctx, s)
	return err
}

// observeState sets the state and its document.
func (r *Reconciler) observeState(ctx context.Context, s *scope) error {
	var err error
	if s.state, err = r.findState(ctx, s.key, s.credential.UID); err != nil {
		return err
	}
	if s.state != nil {
		s.document = s.state.document
		return nil
	}
	s.document, err = r.newDocument(s)
	return err
}

// newDocument begins a document: the successor of one that was released in this life of
// the process, or a new one.
func (r *Reconciler) newDocument(s *scope) (grantstate.Document, error) {
	if next := r.memory.of(s.key).successor; next != nil && next.CredentialUID() == s.credential.UID {
		return next.Clone(), nil
	}
	return grantstate.New(s.credential, r.Random)
}

// observePublished sets what is published, and returns what the informer shows of it.
func (r *Reconciler) observePublished(ctx context.Context, s *scope) (*metav1.PartialObjectMetadata, error) {
	seen, err := r.secretMetadata(ctx, s.publishedName())
	if err != nil {
		return nil, err
	}
	known := r.memory.of(s.key).published
	switch {
	case seen == nil:
		s.published = published{whose: absent}
		return nil, nil
	case !isPublishedBy(seen, s.credential):
		s.published = published{whose: foreign, uid: seen.UID, resourceVersion: seen.ResourceVersion}
		return seen, nil
	case seen.UID != known.uid:
	case notNewer(seen.ResourceVersion, known.resourceVersion):
		behind := !notNewer(known.resourceVersion, seen.ResourceVersion)
		if !r.wentBack(s.key, behind) {
			s.published = known
			return seen, nil
		}
	}
	s.published = publishedAs(seen)
	return seen, nil
}

// publishedAs is what the metadata of a Secret of ours tells.
func publishedAs(seen metav1.Object) published {
	p := published{
		whose: ours, uid: seen.GetUID(), resourceVersion: seen.GetResourceVersion(),
		fingerprint: seen.GetAnnotations()[v1alpha1.AnnotationFingerprint], owners: seen.GetOwnerReferences(),
	}
	// What cannot be read as a time has passed.
	p.expires, _ = time.Parse(time.RFC3339, seen.GetAnnotations()[v1alpha1.AnnotationExpiresAt])
	return p
}

// observeObstacle finds what would keep a new token from being published.
func (r *Reconciler) observeObstacle(ctx context.Context, s *scope, seen *metav1.PartialObjectMetadata) (outcome, error) {
	if problem := firstTrouble(unknownValues(s.credential), r.denied(s.credential), unworkable(s.credential)); problem.isTrouble() {
		return problem, nil
	}
	return r.rival(ctx, s, seen)
}

// decide asks the document what is to be done next.
func (s *scope) decide(now grantstate.Seen) grantstate.Verdict {
	return grantstate.Decide(s.judged(now))
}

// judged is what decide looks at, with the inputs as they were seen.
func (s *scope) judged(inputs grantstate.Seen) grantstate.Observation {
	return grantstate.Observation{Credential: s.credential, Document: s.document, Inputs: inputs, Now: s.now}
}
