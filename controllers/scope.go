package controllers

import (
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// callPause is the least time between two calls of one credential, whatever asks for them.
	callPause = time.Second
	// afterConflict is when a pass that met somebody else's write begins anew.
	afterConflict = time.Second
)

// scope is what one pass carries from step to step.
type scope struct {
	key types.NamespacedName
	// credential is as the informer showed it; its status is what the pass writes. It has
	// no UID when it is gone.
	credential *v1alpha1.SpacesCredential
	// observation is set by observe, once. The steps that change what it saw of the
	// published Secret, publish and what empties it, say so there.
	observation
	// state is the state Secret, and document what is in it: a new one while there is no
	// state. Both are set by observe, and follow what update, the save of an answer and the
	// deletion of the state leave there.
	state    *state
	document grantstate.Document
	// isKnown tells that the state could be read, and is one to work with: the document
	// tells what there is. Set by observe.
	isKnown bool
	// remembered is the state that this process had in memory when the pass began.
	remembered *state

	// queued is what a credential waits for in the queue: one without a state, before its inputs
	// are read; one whose token works, before anything else is looked at. Set by observe and
	// realise.
	queued outcome
	// isTaken tells that the name of the published Secret turned out to be somebody else's,
	// after all that was observed; set by publish.
	isTaken bool
	// isPublished tells that the published Secret holds all that is wanted; set by publish.
	isPublished bool
	// revocation is what holds listed grants up; set by revokeListed.
	revocation outcome
	// exportNote is what is told of a request for an export that is not answered, and unanswered
	// what keeps the answer to one from being written; set by export and realise.
	exportNote string
	unanswered outcome
	// exportWaits tells that the answer of the service may be what an export waits for.
	exportWaits bool
	// signedIn tells that this pass made a new grant that can be made again at will; set
	// by obtain.
	signedIn bool
}

// isGone tells that there is no such credential.
func (s *scope) isGone() bool { return s.credential.UID == "" }

// isBlind tells that nothing is known of the state but that it may be there: what stands in
// the published Secret is all there is to tell of.
func (s *scope) isBlind() bool {
	return !s.isKnown && (s.state == nil || s.state.problem == stateUnreadable || s.state.problem == stateNobodys)
}

// observation is everything that a pass judges, read once at its beginning.
type observation struct {
	// now is when the pass looked. What is decided, is decided of this moment.
	now time.Time
	// environment is the client of the environment that spec names. It is nil where that is
	// not known or not for this namespace, and environmentProblem says so.
	environment        *spacesauth.Client
	environmentProblem outcome
	// pause is told while that environment is paused: nothing is sent there.
	pause outcome
	// published is the Secret that workloads mount.
	published published
	// obstacle is what would keep a new token from being published: a rival, somebody
	// else's Secret, denied metadata, a template. While there is one nothing is spent.
	obstacle outcome
	// consent is what the ClusterSpacesClient says that spec names, if it names one.
	consent consent
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
	// rejected is the fingerprint of the token that a workload says it was refused with.
	rejected string
	// owners are its owners; isShown tells that an informer showed them, which keeps but the
	// controller: no list is ever written like that.
	owners  []metav1.OwnerReference
	isShown bool
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

// publishedAs is what the metadata of a Secret of ours tells.
func publishedAs(seen metav1.Object) published {
	p := published{
		whose: ours, uid: seen.GetUID(), resourceVersion: seen.GetResourceVersion(),
		fingerprint: seen.GetAnnotations()[v1alpha1.AnnotationFingerprint], owners: seen.GetOwnerReferences(),
	}
	p.rejected = seen.GetAnnotations()[v1alpha1.AnnotationRejected]
	// What cannot be read as a time has passed.
	p.expires, _ = time.Parse(time.RFC3339, seen.GetAnnotations()[v1alpha1.AnnotationExpiresAt])
	return p
}

// shownAs is a published Secret as the informer shows it.
func shownAs(seen *metav1.PartialObjectMetadata) published {
	p := publishedAs(seen)
	p.isShown = true
	return p
}

// decide asks the document what is to be done next.
func (s *scope) decide(now grantstate.Seen) grantstate.Verdict {
	return grantstate.Decide(s.judged(now))
}

// judged is what decide looks at, with the inputs as they were seen and the secret of the client
// whose turn it is.
func (s *scope) judged(inputs grantstate.Seen) grantstate.Observation {
	return grantstate.Observation{
		Credential: s.credential, Document: s.document, Inputs: s.document.InTurn(inputs), Now: s.now,
		Rejected: s.published.rejectedFingerprint(), IsPaused: s.pause.isTrouble(),
	}
}

// publishedName is the Secret that workloads mount.
func (s *scope) publishedName() types.NamespacedName {
	return types.NamespacedName{Namespace: s.key.Namespace, Name: s.credential.EffectiveSecretName()}
}

// publishedOwners adds our owner reference to others, or takes it away: with policy
// Retain the garbage collector must not undo the policy.
func (s *scope) publishedOwners(others []metav1.OwnerReference) []metav1.OwnerReference {
	owners := slices.DeleteFunc(slices.Clone(others), func(o metav1.OwnerReference) bool { return o.UID == s.credential.UID })
	if !isRetained(s.credential) {
		owners = append(owners, ownerReference(s.credential))
	}
	return owners
}

// areOwners tells that a published Secret with these owners has those that it is to have.
func (s *scope) areOwners(owners []metav1.OwnerReference) bool {
	return slices.EqualFunc(owners, s.publishedOwners(owners), func(a, b metav1.OwnerReference) bool { return a.UID == b.UID })
}

// isPublishedBy tells whether a Secret is ours: it carries the UID of the living
// credential.
func isPublishedBy(secret metav1.Object, credential *v1alpha1.SpacesCredential) bool {
	return secret.GetAnnotations()[v1alpha1.AnnotationCredentialUID] == string(credential.UID) &&
		secret.GetLabels()[v1alpha1.LabelSecret] != v1alpha1.SecretGrant && secret.GetLabels()[v1alpha1.LabelSecret] != v1alpha1.SecretExport
}

// ownerReference makes credential the controller of a Secret.
func ownerReference(credential *v1alpha1.SpacesCredential) metav1.OwnerReference {
	return *metav1.NewControllerRef(credential, v1alpha1.GroupVersion.WithKind("SpacesCredential"))
}

// inputsChanged tells that the inputs that spec names are not those that the living grant
// was made with.
func (s *scope) inputsChanged() bool {
	return s.environmentProblem.isTrouble() || s.lenderChanged() || s.document.ChangedSince(s.inputs.seen)
}

// reference names a credential that may be gone. With its UID, kubectl describe shows what
// is told of it.
func reference(key types.NamespacedName, uid types.UID) *v1alpha1.SpacesCredential {
	return &v1alpha1.SpacesCredential{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "SpacesCredential"},
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: uid},
	}
}

// errConflict ends a pass: somebody else wrote the object that was judged.
var errConflict = errors.New("the object changed while it was judged")

// standing is how far a step has come.
type standing int

const (
	// settled: all is as wished.
	settled standing = iota
	// paced: only the pace of calls is in the way, which is nobody's trouble.
	paced
	// waiting: something is in the way that ends by itself, or when an object appears.
	waiting
	// blocked: only a person can end what is in the way.
	blocked
	// startOver: what was judged is not what is there any more. The next pass begins anew.
	startOver
)

// outcome is what a step of a pass found. Its zero value is that all is as wished.
type outcome struct {
	standing standing
	// reason and message tell what is in the way: a reason of the closed list, and what
	// was found and what to do. A message has no relative times, so that it stays the
	// same while the problem does.
	reason, message string
	// wake is when the operator looks again by itself; zero for the slow recheck.
	wake time.Time
	// isQueued tells that it is the gate that says when to go on: wake is no time of a next try.
	isQueued bool
	// isBrief tells that it will be over before anybody can read of it.
	isBrief bool
}

// again ends a pass whose work is done or was overtaken.
var again = outcome{standing: startOver}

// waitingFor is an outcome that ends by itself or when an object appears.
func waitingFor(reason, format string, args ...any) outcome {
	return outcome{standing: waiting, reason: reason, message: fmt.Sprintf(format, args...)}
}

// blockedBy is an outcome that only a person can end.
func blockedBy(reason, format string, args ...any) outcome {
	return outcome{standing: blocked, reason: reason, message: fmt.Sprintf(format, args...)}
}

// pacedUntil is an outcome that ends when a call may be made.
func pacedUntil(wake time.Time) outcome { return outcome{standing: paced, wake: wake} }

// at returns the outcome with its own time to look again.
func (o outcome) at(wake time.Time) outcome {
	o.wake = wake
	return o
}

// inQueue returns the outcome of who is woken when its turn has come, and looks again by itself
// only then.
func (o outcome) inQueue(wake time.Time) outcome {
	o.wake, o.isQueued = wake, true
	return o
}

// orSooner returns the outcome with the sooner of two times to look again.
func (o outcome) orSooner(wake time.Time) outcome {
	if o.wake.IsZero() || !wake.IsZero() && wake.Before(o.wake) {
		o.wake = wake
	}
	return o
}

// isTrouble tells an outcome that people are told of.
func (o outcome) isTrouble() bool { return o.standing == waiting || o.standing == blocked }

// firstTrouble returns the first outcome that people are told of, else one that waits for its
// turn, else a settled one; with the soonest time to look again of all.
func firstTrouble(outcomes ...outcome) outcome {
	var told outcome
	for _, o := range outcomes {
		switch {
		case o.standing == settled:
		case told.standing == settled, o.isTrouble() && !told.isTrouble():
			told = o.orSooner(told.wake)
		default:
			told = told.orSooner(o.wake)
		}
	}
	return told
}
