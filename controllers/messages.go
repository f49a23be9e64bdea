package controllers

import (
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// What people read, by reason. Every message says what was found, on which object, and
// what to do; none repeats a value of a Secret or a text of the service or of the API server.

// forbiddenRecheck is how soon a forbidden request is tried again: no watch tells that a right came
// back, or that a quota was raised.
const forbiddenRecheck = time.Minute

// recheckForbidden is when a write that the API server refused is tried again. What has been refused
// for long is tried less often: thousands that a policy refuses must not keep the API server busy.
func (r *Reconciler) recheckForbidden(s *scope) time.Time {
	now, wait := r.Clock.Now(), forbiddenRecheck
	stalled := meta.FindStatusCondition(s.credential.Status.Conditions, v1alpha1.ConditionStalled)
	if stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.Reason == v1alpha1.ReasonSecretForbidden {
		wait = min(max(wait, now.Sub(stalled.LastTransitionTime.Time)/10), slowRecheck)
	}
	return now.Add(wait)
}

// held tells what is in the way of what is wanted.
func (s *scope) held(verdict grantstate.Verdict) outcome {
	switch verdict.Hold {
	case grantstate.Free:
		if verdict.Action != grantstate.Nothing {
			return pacedUntil(s.now.Add(callPause))
		}
		return firstTrouble(s.environmentProblem, s.pause)
	case grantstate.EnvironmentPaused:
		return s.pause
	case grantstate.InputMissing:
		return firstTrouble(s.environmentProblem, s.inputs.clientProblem, s.inputs.grantProblem)
	case grantstate.RefusedBefore:
		return refused(verdict.Refusal, s.credential)
	case grantstate.InBackoff:
		return failedBefore(verdict.Failure, s.credential)
	case grantstate.Ended:
		if g := s.document.Grant(); g != nil && g.RefreshToken.Empty() {
			return noRefreshToken(s.credential)
		}
		return reauthorize(s.credential)
	case grantstate.OtherInputs:
		return otherInputs(s.credential)
	case grantstate.OthersSignIn:
		return othersSignIn().at(verdict.Until)
	case grantstate.ListFull:
		return listFull(len(s.document.Pending()))
	case grantstate.TooSoon:
		return pacedUntil(verdict.Until)
	case grantstate.GivenAway:
		return exported(s.document.Exported(), s.credential)
	case grantstate.UnknownGrantType:
		return unknownValues(s.credential)
	}
	return outcome{}
}

// Suspended

func suspended() outcome {
	return waitingFor(v1alpha1.ReasonSuspended, "spec.suspend is true: nothing is renewed or published.")
}

// WaitingForInput, AuthorizationPending, InputInvalid

func inputMissing(name string) outcome {
	return waitingFor(v1alpha1.ReasonWaitingForInput, "Secret %q does not exist in this namespace. Create it; the operator goes on by itself.", name)
}

func keyMissing(name, key string) outcome {
	return waitingFor(v1alpha1.ReasonWaitingForInput, "Secret %q has no key %q. Add it; the operator goes on by itself.", name, key)
}

// authorizationPending says of a missing code what a person can do about it.
func authorizationPending(credential *v1alpha1.SpacesCredential, problem outcome) outcome {
	if problem.reason != v1alpha1.ReasonWaitingForInput {
		return problem
	}
	return waitingFor(v1alpha1.ReasonAuthorizationPending, "A person has to sign in with a browser. Run %s; the operator goes on by itself.", loginCommand(credential))
}

func keyEmpty(name, key string) outcome {
	return blockedBy(v1alpha1.ReasonInputInvalid, "Key %q of Secret %q is empty. Give it a value.", key, name)
}

func keyTooLong(name, key string, most int) outcome {
	return blockedBy(v1alpha1.ReasonInputInvalid, "Key %q of Secret %q holds more than %d KiB. That is no such value; look for a file that was put there by mistake.", key, name, most>>10)
}

func keyUnprintable(name, key string) outcome {
	return blockedBy(v1alpha1.ReasonInputInvalid, "Key %q of Secret %q holds control characters or binary data. Store it again as plain text; it may have been encoded twice.", key, name)
}

func otherRedirectURI(name string) outcome {
	return blockedBy(v1alpha1.ReasonInputInvalid, "Key %q of Secret %q holds an address that is neither spec.authorizationCode.redirectURI nor one of redirectURIs, so the code is not sent. Add it to redirectURIs, or sign in again.",
		v1alpha1.KeyRedirectURI, name)
}

func noInputType(name string) outcome {
	return blockedBy(v1alpha1.ReasonInputInvalid, "Secret %q has a type that is no input. Use type Opaque or kubernetes.io/basic-auth.", name)
}

// unknownValues tells of values that a newer CRD has and this operator does not know. What
// they would have it do is not guessed.
func unknownValues(credential *v1alpha1.SpacesCredential) outcome {
	unknown := credential.UnknownValues()
	if len(unknown) == 0 {
		return outcome{}
	}
	return blockedBy(v1alpha1.ReasonInputInvalid, "This operator does not know %s, and sends nothing. Run the operator version that the CRD belongs to.", strings.Join(unknown, ", "))
}

// ClientForbidden

// clientForbidden says the same of a client that is not there, that is for others, and that may not
// be used in this way: who tries names, environments or scopes learns nothing.
func clientForbidden(name string) outcome {
	return blockedBy(v1alpha1.ReasonClientForbidden,
		"There is no ClusterSpacesClient %q that this SpacesCredential may use. Ask whoever looks after these clients whether that is its name, "+
			"and whether it allows this namespace, environment, grant type and these scopes. The operator goes on by itself.", name)
}

func noClusterClients() outcome {
	return blockedBy(v1alpha1.ReasonClientForbidden,
		"This operator looks after no ClusterSpacesClients (--cluster-clients). Name a Secret in spec.clientSecretRef instead, or ask whoever runs the operator.")
}

// lentUnusable says no more than that: who uses a client sees neither its Secret nor what is wrong
// with it.
func lentUnusable(name string) outcome {
	return waitingFor(v1alpha1.ReasonWaitingForInput,
		"The ClusterSpacesClient %q cannot be used now. Its status tells whoever looks after it why. The operator goes on by itself.", name)
}

// UnknownEnvironment

// unknownEnvironment says the same of an environment that is not there and of one that is for
// others, and names only those that are for this namespace: what other teams have is theirs.
func unknownEnvironment(name, namespace string, open []string) outcome {
	known := "none"
	if len(open) > 0 {
		known = strings.Join(open, ", ")
	}
	return blockedBy(v1alpha1.ReasonUnknownEnvironment,
		"There is no environment %q for namespace %q. There are: %s. Correct spec.environment, or have the namespace or the environment added in the operator's environments file.",
		name, namespace, known)
}

func closedIssuer(name, accountsURL, namespace string) outcome {
	return blockedBy(v1alpha1.ReasonUnknownEnvironment,
		"The grant was made in environment %q at %s, which may not be used in namespace %q. Have the namespace added to it in the operator's environments file.",
		name, accountsURL, namespace)
}

// unlisted tells of a grant whose environment went away. It is neither renewed nor
// published nor revoked until the environment returns.
func unlisted(environment, accountsURL string) outcome {
	return blockedBy(v1alpha1.ReasonUnknownEnvironment,
		"The grant was made in environment %q at %s, which is not in the operator's environments file any more. Have it put back.", environment, accountsURL)
}

func unrevocable(entry grantstate.Listed) outcome {
	return waitingFor(v1alpha1.ReasonUnknownEnvironment,
		"A grant of environment %q cannot be revoked: %s is not in the operator's environments file.", entry.Environment, entry.AccountsURL)
}

// EnvironmentPaused

func environmentPaused(name string) outcome {
	return waitingFor(v1alpha1.ReasonEnvironmentPaused,
		"Whoever runs the operator has paused environment %q: nothing is sent there, no sign-in, no renewal and no revocation. The operator goes on by itself when it is resumed.", name)
}

// pauseOf tells of the environment of a client that is paused.
func pauseOf(client *spacesauth.Client) outcome {
	if client == nil || !client.Environment().Paused {
		return outcome{}
	}
	return environmentPaused(client.Environment().Name)
}

// ReauthorizationRequired

// noRefreshToken tells of a grant that nobody can renew. What there is to ask for is not the
// same everywhere.
func noRefreshToken(credential *v1alpha1.SpacesCredential) outcome {
	if credential.Spec.Password != nil {
		return waitingFor(v1alpha1.ReasonNoRefreshToken, "The service gave no refresh token, so each renewal is a new sign-in. %s", askForRefreshToken)
	}
	return blockedBy(v1alpha1.ReasonNoRefreshToken, "The service gave no refresh token, so the token cannot be renewed. %s %s", askForRefreshToken, signInAgain(credential))
}

// askForRefreshToken is what a service may want before it gives a refresh token.
const askForRefreshToken = "Have the client allowed the grant type refresh_token, or ask for the scope that stands for it, often offline_access, in spec.scopes."

func reauthorize(credential *v1alpha1.SpacesCredential) outcome {
	return blockedBy(v1alpha1.ReasonReauthorizationRequired, "The grant has ended at the service. %s", signInAgain(credential))
}

func otherInputs(credential *v1alpha1.SpacesCredential) outcome {
	return blockedBy(v1alpha1.ReasonReauthorizationRequired,
		"The client, the environment or the scopes changed, and the grant belongs to the old ones. %s", signInAgain(credential))
}

// signInAgain says how a person makes a new grant possible.
func signInAgain(credential *v1alpha1.SpacesCredential) string {
	if credential.Spec.RefreshToken == nil {
		return "Sign in again: run " + loginCommand(credential) + "."
	}
	ref := credential.Spec.RefreshToken.SecretRef
	return fmt.Sprintf("Sign in again and put the new refresh token into key %q of Secret %q.", ref.Key, ref.Name)
}

// loginCommand is what a person types to sign in.
func loginCommand(credential *v1alpha1.SpacesCredential) string {
	return fmt.Sprintf("`kubectl spaces login %s -n %s`", credential.Name, credential.Namespace)
}

// Exported

// exported tells of a grant that was given away.
func exported(e *grantstate.Export, credential *v1alpha1.SpacesCredential) outcome {
	own := signInAgain(credential)
	if credential.Spec.Password != nil {
		own = "Run " + renewCommand(credential) + "."
	}
	return blockedBy(v1alpha1.ReasonExported,
		"The grant was exported at %s to the key %s. It belongs to the cluster that imports it, and is neither renewed nor revoked here. "+
			"Delete this object when that is done, or give it a grant of its own. %s", e.Time.UTC().Format(time.RFC3339), e.Key, own)
}

// renewCommand is what a person types to ask for a new token.
func renewCommand(credential *v1alpha1.SpacesCredential) string {
	return fmt.Sprintf("`kubectl spaces renew %s -n %s`", credential.Name, credential.Namespace)
}

// SecretConflict, SecretImmutable

func stateTaken(name string) outcome {
	return blockedBy(v1alpha1.ReasonSecretConflict,
		"Secret %q exists and is no state Secret of this operator. Rename or delete it: the name is needed for the grant.", name)
}

func heldState(name, finalizer string) outcome {
	return blockedBy(v1alpha1.ReasonSecretConflict,
		"The state Secret %q was deleted and its grants are revoked, but the finalizer %q holds it. Have that removed: the name is needed for the next grant.", name, finalizer)
}

func heldPublished(name string) outcome {
	return blockedBy(v1alpha1.ReasonSecretConflict, "Secret %q is being deleted and somebody's finalizer holds it. Have that removed; it is published again once it is gone.", name)
}

func publishedTaken(name string) outcome {
	return blockedBy(v1alpha1.ReasonSecretConflict,
		"Secret %q exists and was not made by this SpacesCredential. Delete it, or choose another secretName for a new SpacesCredential.", name)
}

func rivalPublishes(holder string, credential *v1alpha1.SpacesCredential) outcome {
	return blockedBy(v1alpha1.ReasonSecretConflict,
		"SpacesCredential %q publishes into Secret %q. Choose another secretName for one of the two, or delete one.", holder, credential.EffectiveSecretName())
}

func adoptionImmutable(name string) outcome {
	return blockedBy(v1alpha1.ReasonSecretImmutable, "Secret %q may be adopted, but it is immutable. Delete it; it is published at once.", name)
}

func adoptionControlled(name string, controller *metav1.OwnerReference) outcome {
	return blockedBy(v1alpha1.ReasonSecretConflict, "Secret %q may be adopted, but its controller is %s %q. Remove that owner reference, or the annotation adoptable-by.", name, controller.Kind, controller.Name)
}

func adoptionOfType(secret *corev1.Secret, wanted string) outcome {
	return blockedBy(v1alpha1.ReasonSecretConflict, "Secret %q may be adopted, but its type is %q and spec wants %q. A type cannot be changed: delete the Secret, or the annotation adoptable-by.",
		secret.Name, secret.Type, wanted)
}

func publishImmutable(name string) outcome {
	return blockedBy(v1alpha1.ReasonSecretImmutable, "Secret %q cannot be changed: it is immutable or of another type. Delete it; it is published again at once.", name)
}

// SecretForbidden

func inputForbidden(name string) outcome {
	return blockedBy(v1alpha1.ReasonSecretForbidden, "The operator may not read Secret %q. Grant its service account get on Secrets in this namespace.", name)
}

// refusedWrite tells whether the API server refuses to keep a state Secret: a
// quota, a terminating namespace, a missing right. It is no error, because trying again at
// once cannot help.
func (r *Reconciler) refusedWrite(s *scope, err error) outcome {
	if errors.Is(err, errConflict) || !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
		return outcome{}
	}
	return stateRefused(secretio.Reason(err)).at(r.recheckForbidden(s))
}

func stateRefused(why string) outcome {
	return blockedBy(v1alpha1.ReasonSecretForbidden,
		"The state Secret cannot be written, so nothing was sent to the service: %s. Look at the quota of the namespace, at its policies (one that asks for a label is satisfied by spec.stateLabels) and the rights of the operator.", why)
}

func publishForbidden(name, why string) outcome {
	return blockedBy(v1alpha1.ReasonSecretForbidden, "Secret %q cannot be written: %s. Look at the quota of the namespace, its admission webhooks and the rights of the operator.", name, why)
}

func stateLabelDenied(key string) outcome {
	return blockedBy(v1alpha1.ReasonSecretForbidden, "The label %q of spec.stateLabels is not allowed by this operator's --deny-secret-metadata. Remove it.", key)
}

func metadataDenied(what, key string) outcome {
	return blockedBy(v1alpha1.ReasonSecretForbidden, "The %s %q of spec.secretTemplate is not allowed by this operator's --deny-secret-metadata. Remove it.", what, key)
}

// forbidden tells of a request that the API server forbids the operator: its rights were
// taken away, or a webhook is in the way. It is settled for every other error, and
// while an answer of the service waits in memory: that is written as soon as the queue can.
func (r *Reconciler) forbidden(s *scope, err error) outcome {
	if !apierrors.IsForbidden(err) || len(r.memory.of(s.key).unsaved) > 0 {
		return outcome{}
	}
	// The text behind the colon is the API server's, which may repeat what was sent.
	what, _, _ := strings.Cut(err.Error(), ": ")
	return blockedBy(v1alpha1.ReasonSecretForbidden,
		"The API server forbids the operator to go on: %s is not allowed. Look at the rights of its service account, and at the quota and the admission webhooks of the namespace.",
		what).at(r.recheckForbidden(s))
}

// TemplateInvalid

// templateInvalid tells of a template. Its errors hold no value of a token.
func templateInvalid(err error) outcome {
	return blockedBy(v1alpha1.ReasonTemplateInvalid, "In spec.secretTemplate.data, %s.", err)
}

// StateUnreadable

func unreadable(name, detail string) outcome {
	return blockedBy(v1alpha1.ReasonStateUnreadable,
		"The state Secret %q cannot be read: %s. It is left as it is. Run the operator version that wrote it, or delete the Secret to give up its grant.", name, detail)
}

func stateFull(size int) outcome {
	return blockedBy(v1alpha1.ReasonInputInvalid,
		"The state of this object has %d KiB, and the next answer of the service might not fit into it. Nothing is sent. Name fewer keys, labels and annotations in spec.secretTemplate and spec.stateLabels.", size>>10)
}

func nobodys(name string) outcome {
	return blockedBy(v1alpha1.ReasonStateUnreadable,
		"The state Secret %q is not one that this operator made for this object, or it was damaged: it carries no seal that fits. "+
			"Nothing in it is used. Delete the Secret to begin anew.", name)
}

// RevocationFailing

// unrevoked says that a grant is not revoked yet, in words that stay the same from one
// try to the next.
func unrevoked(entry grantstate.Listed) outcome {
	why := "calls are sent at the pace of the environment"
	if entry.Detail != "" {
		why = "the last try failed: " + entry.Detail
	}
	return waitingFor(v1alpha1.ReasonRevocationFailing, "A grant is not revoked yet; %s. The operator tries until %s.",
		why, entry.GiveUpTime.UTC().Format(time.RFC3339))
}

func listFull(count int) outcome {
	return waitingFor(v1alpha1.ReasonRevocationFailing,
		"%d grants wait to be revoked, and no new one is asked for that could not be listed, too. Look at what GrantValid says of the revocations.", count)
}
