package controllers

import (
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// What people read, by reason. Every message says what was found, on which object, and
// what to do; none repeats a value of a Secret or a text of the service or of the API server.

// forbiddenRecheck is how often a forbidden request is tried again: no watch tells that a
// right came back.
const forbiddenRecheck = time.Minute

// held tells what is in the way of what is wanted.
func (s *scope) held(verdict grantstate.Verdict) outcome {
	switch verdict.Hold {
	case grantstate.Free:
		if verdict.Action != grantstate.Nothing {
			return pacedUntil(s.now.Add(callPause))
		}
		return s.environmentProblem
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
	case grantstate.ListFull:
		return listFull(len(s.document.Pending()))
	case grantstate.TooSoon:
		return pacedUntil(verdict.Until)
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

// GrantRejected, ClientRejected, RequestRejected, ResponseUnclear, Throttled,
// ServiceUnavailable, AmbiguousResult: what the service said

// failedBefore tells of a call that failed and is not due again.
func failedBefore(f *grantstate.Failure, credential *v1alpha1.SpacesCredential) outcome {
	what := "Refreshing the grant"
	if f.SignIn {
		what = "Signing in"
	}
	if f.IsLasting() {
		return blockedBy(reasonOf(f.Kind), "%s fails: %s. It worked before, and the operator asks again each hour. %s", what, f.Detail, remedyOf(f.Kind, f.SignIn, credential)).at(f.NextAttemptTime)
	}
	return waitingFor(reasonOf(f.Kind), "%s failed: %s. The operator tries again by itself.", what, f.Detail).at(f.NextAttemptTime)
}

// loginHeld tells of a sign-in that waits because another with the same user name and password
// had an answer that says nothing.
func loginHeld() outcome {
	return waitingFor(v1alpha1.ReasonResponseUnclear,
		"A sign-in with the same user name and password got an answer that neither accepts nor refuses them. It is sent again at that one's time only, so that no account is locked.")
}

// refused tells of a refusal that stands.
func refused(r *grantstate.Refusal, credential *v1alpha1.SpacesCredential) outcome {
	what := "refresh"
	switch {
	case r.SignIn && credential.Spec.RefreshToken != nil:
		what = "refresh token that was put in"
	case r.SignIn && credential.Spec.AuthorizationCode != nil:
		what = "code of the sign-in"
	case r.SignIn:
		what = "sign-in"
	}
	return blockedBy(reasonOf(r.Kind), "The service refused the %s: %s. It is not asked again until an input changes. %s", what, r.Detail, remedyOf(r.Kind, r.SignIn, credential))
}

// remedyOf says what a person can do about a refusal.
func remedyOf(kind spacesauth.Kind, isSignIn bool, credential *v1alpha1.SpacesCredential) string {
	switch kind {
	case spacesauth.KindRejectedGrant:
		if credential.Spec.Password == nil {
			return signInAgain(credential)
		}
		return "Correct user name and password in the Secret that spec.password names. An account with single sign-on or a second factor " +
			"cannot sign in by password: it needs a SpacesCredential of grantType AuthorizationCode."
	case spacesauth.KindRejectedClient:
		return "Correct client ID and secret in the Secret that spec.clientSecretRef names, where a missing secret means a public client, or have the client allowed this grant type."
	case spacesauth.KindRejectedRequest:
		if !isSignIn { // which names no scopes
			return "Have the client allowed the grant type refresh_token; if it is, ask whoever runs the service why."
		}
		return "Correct spec.scopes, or have the client allowed this grant type."
	case spacesauth.KindUnclear:
		if credential.Spec.AuthorizationCode != nil {
			return signInAgain(credential)
		}
	case spacesauth.KindThrottled, spacesauth.KindUnavailable, spacesauth.KindAmbiguous:
	}
	return "Change the inputs to try again."
}

// reasonOf names the condition reason of each kind of failure.
func reasonOf(kind spacesauth.Kind) string {
	switch kind {
	case spacesauth.KindRejectedGrant:
		return v1alpha1.ReasonGrantRejected
	case spacesauth.KindRejectedClient:
		return v1alpha1.ReasonClientRejected
	case spacesauth.KindRejectedRequest:
		return v1alpha1.ReasonRequestRejected
	case spacesauth.KindUnclear:
		return v1alpha1.ReasonResponseUnclear
	case spacesauth.KindThrottled:
		return v1alpha1.ReasonThrottled
	case spacesauth.KindUnavailable:
		return v1alpha1.ReasonServiceUnavailable
	case spacesauth.KindAmbiguous:
		return v1alpha1.ReasonAmbiguousResult
	}
	return v1alpha1.ReasonServiceUnavailable
}

func anotherClient() outcome {
	return waitingFor(v1alpha1.ReasonClientRejected, "The grant belongs to another client than the Secret that spec.clientSecretRef names holds now.")
}

// throttled tells of the patience that the service asked for, and of whom.
func throttled(whom gate.Whom) outcome {
	what := ""
	switch whom {
	case gate.TheCaller:
		what = "The service asked this SpacesCredential to wait. Nothing is sent for it until then, whatever is edited or requested."
	case gate.TheNamespace:
		what = "The service asked several SpacesCredentials of this namespace to wait, so that all of it waits. One that was not asked tries every ten seconds; when it gets through, all go on."
	case gate.TheHost:
		what = "The service asks its callers to wait, so that all of them wait. One that was not asked tries every ten seconds; when it gets through, all go on."
	}
	return waitingFor(v1alpha1.ReasonThrottled, "%s", what)
}

// unavailable tells of a host that gets no work done, and how the last call ended.
func unavailable(cause string) outcome {
	return waitingFor(v1alpha1.ReasonServiceUnavailable,
		"The service gets no work done; its last call ended so: %s. The operator tries it with one call at a time and goes on when it is back.", cause)
}

func claimedByAnother() outcome {
	return waitingFor(v1alpha1.ReasonAmbiguousResult,
		"Another operator process claimed this grant and may still be calling the service. It is left alone until it can no longer be at work.")
}

// VerificationFailed

func unverified(c grantstate.Check) outcome {
	const text = "A new token was obtained and is not published, because a check that spec.verification asks for failed. %s. "
	if c.Person {
		return blockedBy(v1alpha1.ReasonVerificationFailed, text+"Compare the client and the user with those you meant.", c.Detail).at(c.NextAttemptTime)
	}
	return waitingFor(v1alpha1.ReasonVerificationFailed, text+"The check is repeated.", c.Detail).at(c.NextAttemptTime)
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
func refusedWrite(err error) outcome {
	if errors.Is(err, errConflict) || !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
		return outcome{}
	}
	return stateRefused(secretio.Reason(err))
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
		what).at(r.Clock.Now().Add(forbiddenRecheck))
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
