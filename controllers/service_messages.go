package controllers

import (
	"fmt"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// What people read of the service's answers: GrantRejected, ClientRejected, RequestRejected,
// ResponseUnclear, Throttled, ServiceUnavailable, AmbiguousResult. The rest is in messages.go.

// failedBefore tells of a call that failed and is not due again.
func failedBefore(f *grantstate.Failure, credential *v1alpha1.SpacesCredential) outcome {
	what := "Refreshing the grant"
	if f.SignIn {
		what = "Signing in"
	}
	if f.IsLasting() {
		why := "It worked before"
		if f.SignIn {
			why = "The client is given with two secrets, of which one may come to be accepted"
		}
		return blockedBy(reasonOf(f.Kind), "%s fails: %s. %s, and the operator asks again each hour. %s", what, f.Detail, why, remedyOf(f.Kind, f.SignIn, credential)).at(f.NextAttemptTime)
	}
	return waitingFor(reasonOf(f.Kind), "%s failed: %s. The operator tries again by itself.", what, f.Detail).at(f.NextAttemptTime)
}

// loginHeld tells of a sign-in that waits because another with the same user name and password
// had an answer that says nothing.
func loginHeld() outcome {
	return waitingFor(v1alpha1.ReasonResponseUnclear,
		"A sign-in with the same user name and password got an answer that neither accepts nor refuses them. It is sent again at that one's time only, so that no account is locked.")
}

// othersSignIn tells of a sign-in that waits because each one seems to end somebody else's grant, and the
// other way round.
func othersSignIn() outcome {
	return waitingFor(v1alpha1.ReasonGrantRejected, "%s %s", rivalTold, "The operator signs in at most once in 15 minutes; a request to renew asks once before.")
}

// rivalTold says what it looks like, and what to do.
const rivalTold = v1alpha1.OthersSignIn + ": the service ended two grants in a row, or more, before they were renewed once. " +
	"Where it limits the grants of a user, give each client, also other SpacesCredentials with this login, a user of its own."

// refused tells of a refusal that stands.
func refused(r *grantstate.Refusal, credential *v1alpha1.SpacesCredential) outcome {
	if r.OtherUser {
		return blockedBy(v1alpha1.ReasonGrantRejected,
			"Not the expected user signed in, or the service did not say who did. The grant is revoked, and nothing of it is published. %s", signInAgain(credential))
	}
	if r.Import {
		return importRefused(r, credential)
	}
	what := "refresh"
	switch {
	case r.SignIn && credential.Spec.RefreshToken != nil:
		what = "refresh token that was put in"
	case r.SignIn && credential.Spec.AuthorizationCode != nil:
		what = "code of the sign-in"
	case r.SignIn:
		what = "sign-in"
	}
	until := "an input changes"
	if r.Kind == spacesauth.KindRejectedClient || r.Kind == spacesauth.KindRejectedRequest { // mended at the service, nothing here changes
		until += ", or somebody runs " + renewCommand(credential)
	}
	return blockedBy(reasonOf(r.Kind), "The service refused the %s: %s. It is not asked again until %s. %s", what, r.Detail, until, remedyOf(r.Kind, r.SignIn, credential))
}

// importRefused tells of an import that the service does not want.
func importRefused(r *grantstate.Refusal, credential *v1alpha1.SpacesCredential) outcome {
	return blockedBy(reasonOf(r.Kind),
		"The service refused the grant that was imported by Secret %q: %s. It has ended, or was imported elsewhere. It is not asked again until an input changes. Delete that Secret to go on without it.",
		credential.ImportSecretName(), r.Detail)
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
		if ref := credential.Spec.ClientRef; ref != nil {
			return fmt.Sprintf("Have whoever looks after the ClusterSpacesClient %q correct its ID and secret, or have the client allowed this grant type.", ref.Name)
		}
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
	return waitingFor(v1alpha1.ReasonClientRejected, "The grant belongs to another client than the one that spec names now.")
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
