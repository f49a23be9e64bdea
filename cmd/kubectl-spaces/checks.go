package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// check is one of the things that the operator looks at. Where it stops, the
// conditions carry one of the reasons.
type check struct {
	reasons []string
	// look finds out without the operator. It returns nil to leave it to the
	// operator's word.
	look func(context.Context, *examination) *verdict
	// well is what is so when the operator got past.
	well string
}

// checks are in the operator's order.
func checks() []check {
	return []check{
		{[]string{v1alpha1.ReasonDeleting}, lookAtDeletion, ""},
		{[]string{v1alpha1.ReasonSuspended}, lookAtSuspension, ""},
		{nil, lookAtGeneration, ""},
		{[]string{v1alpha1.ReasonStateUnreadable}, nil, "The operator can read what it keeps of the grant."},
		{[]string{v1alpha1.ReasonClientForbidden, v1alpha1.ReasonUnknownEnvironment, v1alpha1.ReasonEnvironmentPaused}, lookAtEnvironment, ""},
		{[]string{v1alpha1.ReasonSecretForbidden, v1alpha1.ReasonTemplateInvalid}, nil, "The Secret may be written, and its templates can be rendered."},
		{[]string{v1alpha1.ReasonSecretConflict, v1alpha1.ReasonSecretImmutable}, lookForRivals, ""},
		{[]string{v1alpha1.ReasonWaitingForInput, v1alpha1.ReasonInputInvalid}, lookAtInputs, ""},
		{[]string{v1alpha1.ReasonAuthorizationPending}, lookForSignIn, ""},
		{[]string{
			v1alpha1.ReasonGrantRejected, v1alpha1.ReasonClientRejected, v1alpha1.ReasonRequestRejected, v1alpha1.ReasonResponseUnclear,
			v1alpha1.ReasonReauthorizationRequired, v1alpha1.ReasonNoRefreshToken, v1alpha1.ReasonExported, v1alpha1.ReasonGrantRevoked, v1alpha1.ReasonThrottled, v1alpha1.ReasonServiceUnavailable,
			v1alpha1.ReasonAmbiguousResult, v1alpha1.ReasonRenewalFailing, v1alpha1.ReasonExpired,
		}, lookAtGrant, acceptsGrant},
		{[]string{v1alpha1.ReasonVerificationFailed}, lookAtVerification, ""},
		{nil, lookAtPublished, ""},
		{[]string{v1alpha1.ReasonRevocationFailing, v1alpha1.ReasonRevocationAbandoned}, lookAtRevocations, ""},
	}
}

func lookAtDeletion(_ context.Context, e *examination) *verdict {
	if e.credential.DeletionTimestamp == nil {
		return isFine("It exists and is not being deleted.")
	}
	ready := conditionOf(e.credential, v1alpha1.ConditionReady)
	if ready.Reason != v1alpha1.ReasonDeleting { // what it says is from before
		ready.Message = "The operator has not looked at that yet."
	}
	return holdsUp("It is being deleted. "+ready.Message, e.cluster.remedy(v1alpha1.ReasonDeleting, e.credential))
}

// acceptsGrant is what is so when the operator got past the service.
const acceptsGrant = "The service accepts client and grant."

// lookAtGrant repeats what the operator says of a service that ends old tokens, of others who sign in as
// the same user, and of when the grant ends, and leaves the rest to its word.
func lookAtGrant(_ context.Context, e *examination) *verdict {
	said := conditionOf(e.credential, v1alpha1.ConditionGrantValid)
	_, more, _ := strings.Cut(said.Message, ". ")
	grant := e.credential.Status.Grant
	switch {
	case said.Status != metav1.ConditionTrue:
	case strings.HasPrefix(more, v1alpha1.EndsOldTokens), strings.Contains(more, v1alpha1.OthersSignIn):
		return isFine("%s %s", acceptsGrant, plain(more))
	case grant != nil && grant.ExpirationTime != nil && e.held == 0:
		return isFine("%s The grant ends %s.", acceptsGrant, relative(grant.ExpirationTime, e.now))
	}
	return nil
}

func lookAtSuspension(_ context.Context, e *examination) *verdict {
	if !e.credential.Spec.Suspend {
		return isFine("It is not suspended.")
	}
	return holdsUp("It is suspended: nothing is renewed or published.", e.cluster.remedy(v1alpha1.ReasonSuspended, e.credential))
}

func lookAtGeneration(ctx context.Context, e *examination) *verdict {
	running := "see whether the operator runs and looks after this namespace: " + e.cluster.paste("get pods", "spaces-credential-operator-system")
	status := &e.credential.Status
	switch {
	case len(status.Conditions) == 0 || status.ObservedGeneration == 0:
		return holdsUp("The operator has never looked at it.", running)
	case status.ObservedGeneration < e.credential.Generation:
		return holdsUp("The operator has not looked at the newest spec yet.", "wait a moment; if it stays so, "+running)
	}
	if late := overdue(e.credential, e.now); late != "" {
		return holdsUp(late+": "+e.cluster.presence(ctx, e.now)+".", running)
	}
	return isFine("The operator has looked at this version of the spec.")
}

// lookAtEnvironment repeats the operator's word on the environment, and on a client that is not this
// namespace's own: who asks may read neither.
func lookAtEnvironment(_ context.Context, e *examination) *verdict {
	ref := e.credential.Spec.ClientRef
	switch {
	case ref != nil && !ref.Kind.IsKnown():
		return notKnown("the kind of client " + string(ref.Kind))
	case e.held > 0:
		return nil
	case ref != nil:
		return isFine("It may use the %s %q, and its environment %q is known to the operator.", ref.Kind, ref.Name, e.credential.EffectiveEnvironment())
	}
	return isFine("The environment %q is known to the operator.", e.credential.EffectiveEnvironment())
}

// lookForRivals looks whether the name of the published Secret is free for us.
func lookForRivals(ctx context.Context, e *examination) *verdict {
	name := e.credential.EffectiveSecretName()
	secret, err := e.secret(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		return isFine("Nobody else has a Secret %q.", name)
	case err != nil:
		return e.cannotRead(err)
	}
	if secret.Immutable != nil && *secret.Immutable {
		return holdsUp(fmt.Sprintf("Secret %q is immutable.", name), e.cluster.remedy(v1alpha1.ReasonSecretImmutable, e.credential))
	}
	if whose := someoneElses(secret, e.credential); whose != "" {
		return holdsUp(fmt.Sprintf("Secret %q %s.", name, whose), e.cluster.remedy(v1alpha1.ReasonSecretConflict, e.credential))
	}
	return isFine("Nobody else publishes into Secret %q.", name)
}

// someoneElses says whose a Secret is, if the credential may not publish into it.
func someoneElses(secret *corev1.Secret, credential *v1alpha1.SpacesCredential) string {
	owner := secret.Annotations[v1alpha1.AnnotationCredentialUID]
	switch {
	case owner == string(credential.UID):
		return ""
	case owner != "":
		return fmt.Sprintf("belongs to another SpacesCredential, called %q", secret.Annotations[v1alpha1.AnnotationCredential])
	case secret.Annotations[v1alpha1.AnnotationAdoptableBy] != credential.Name:
		return "was made by somebody else, who has not offered it"
	case metav1.GetControllerOf(secret) != nil:
		return "is offered, but another controller looks after it"
	case string(secret.Type) != credential.EffectiveSecretType():
		return fmt.Sprintf("is offered, but its type is not %q", credential.EffectiveSecretType())
	}
	return ""
}

// input is a Secret that a sign-in or a renewal needs, with the keys that spec names.
type input struct {
	name string
	keys []string
}

// neededInputs are the inputs that matter now. A login or a seed is needed for a first
// grant; from then on the operator keeps what it renews with. A code has a check of
// its own, and a client may have no secret.
func neededInputs(credential *v1alpha1.SpacesCredential) []input {
	var needed []input
	spec, granted := &credential.Spec, credential.Status.Grant != nil && credential.Status.Grant.Present
	if ref := spec.ClientSecretRef; ref != nil {
		needed = append(needed, input{ref.Name, []string{ref.ClientIDKey}})
	}
	if spec.Password != nil && !granted {
		ref := spec.Password.SecretRef
		needed = append(needed, input{ref.Name, []string{ref.UsernameKey, ref.PasswordKey}})
	}
	if spec.RefreshToken != nil && !granted {
		needed = append(needed, input{spec.RefreshToken.SecretRef.Name, []string{spec.RefreshToken.SecretRef.Key}})
	}
	return needed
}

func lookAtInputs(ctx context.Context, e *examination) *verdict {
	needed := neededInputs(e.credential)
	for _, in := range needed {
		secret, err := e.secret(ctx, in.name)
		switch {
		case apierrors.IsNotFound(err):
			return holdsUp(fmt.Sprintf("Secret %q does not exist.", in.name), e.cluster.remedy(v1alpha1.ReasonWaitingForInput, e.credential))
		case err != nil:
			return e.cannotRead(err)
		}
		if v := in.judge(secret, e); v != nil {
			return v
		}
	}
	switch {
	case !e.credential.Spec.GrantType.IsKnown():
		return notKnown("the inputs of " + grantTypeOf(e.credential))
	case len(needed) == 0:
		return isFine("No input is needed.")
	case e.clientIsPublic(ctx):
		ref := e.credential.Spec.ClientSecretRef
		return isFine("The inputs are there. Secret %q has no client secret as key %q: the client is taken for a public one.", ref.Name, ref.ClientSecretKey)
	}
	return isFine("The inputs are there.")
}

// clientIsPublic tells whether the client's Secret, which is there, holds no secret of it.
func (e *examination) clientIsPublic(ctx context.Context) bool {
	ref := e.credential.Spec.ClientSecretRef
	if ref == nil {
		return false
	}
	secret, err := e.secret(ctx, ref.Name)
	return err == nil && isEmpty(secret.Data[ref.ClientSecretKey])
}

// inputTypes are the types that the operator takes inputs from.
var inputTypes = []corev1.SecretType{"", corev1.SecretTypeOpaque, corev1.SecretTypeBasicAuth, v1alpha1.SecretTypeAuthorizationCode}

// judge says what is wrong with an input, naming only what spec names.
func (in input) judge(secret *corev1.Secret, e *examination) *verdict {
	if !slices.Contains(inputTypes, secret.Type) {
		return holdsUp(fmt.Sprintf("Secret %q has a type that is not for inputs.", in.name), e.cluster.remedy(v1alpha1.ReasonInputInvalid, e.credential))
	}
	for _, key := range in.keys {
		value, there := secret.Data[key]
		switch {
		case !there:
			return holdsUp(fmt.Sprintf("Secret %q has no key %q.", in.name, key), e.cluster.remedy(v1alpha1.ReasonWaitingForInput, e.credential))
		case isEmpty(value):
			return holdsUp(fmt.Sprintf("The key %q of Secret %q is empty.", key, in.name), e.cluster.remedy(v1alpha1.ReasonInputInvalid, e.credential))
		}
	}
	return nil
}

// isEmpty judges a value as the operator does: one newline at its end does not count.
func isEmpty(value []byte) bool {
	return len(bytes.TrimSuffix(bytes.TrimSuffix(value, []byte("\n")), []byte("\r"))) == 0
}

func lookForSignIn(_ context.Context, e *examination) *verdict {
	grant := e.credential.Status.Grant
	switch {
	case !e.credential.Spec.GrantType.IsKnown():
		return notKnown(grantTypeOf(e.credential))
	case e.credential.Spec.GrantType != v1alpha1.GrantTypeAuthorizationCode:
		return isFine("Grant type %s needs nobody at a browser.", e.credential.Spec.GrantType)
	case grant != nil && grant.StartTime != nil:
		return isFine("Somebody has signed in.")
	case e.held > 0:
		return nil
	}
	return holdsUp("Nobody has signed in yet.", e.cluster.remedy(v1alpha1.ReasonAuthorizationPending, e.credential))
}

func lookAtVerification(_ context.Context, e *examination) *verdict {
	wanted := e.credential.Spec.Verification
	switch {
	case len(wanted) == 0:
		return isFine("No check of new tokens is asked for.")
	case e.held > 0:
		return nil
	}
	names := make([]string, len(wanted))
	for i, one := range wanted {
		if !one.IsKnown() {
			return notKnown("the check " + string(one))
		}
		names[i] = string(one)
	}
	return isFine("New tokens pass %s.", strings.Join(names, " and "))
}

// lookAtPublished compares the published Secret with what status tells of it.
func lookAtPublished(ctx context.Context, e *examination) *verdict {
	const again = "nothing: the operator publishes the token again at once; if it does not, see whether it runs"
	name, token := e.credential.EffectiveSecretName(), e.credential.Status.Token
	switch {
	case token == nil || token.ExpirationTime == nil:
		return holdsUp("No token has been published.", again)
	case !e.now.Before(token.ExpirationTime.Time):
		return holdsUp(fmt.Sprintf("The token expired %s.", relative(token.ExpirationTime, e.now)), e.cluster.remedy(v1alpha1.ReasonExpired, e.credential))
	}
	secret, err := e.secret(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		return holdsUp(fmt.Sprintf("Secret %q does not exist.", name), again)
	case err != nil:
		return e.cannotRead(err)
	case !ownedBy(secret, e.credential):
		return holdsUp(fmt.Sprintf("Secret %q was not published for this SpacesCredential.", name), e.cluster.remedy(v1alpha1.ReasonSecretConflict, e.credential))
	case secret.Annotations[v1alpha1.AnnotationFingerprint] != token.Fingerprint:
		return holdsUp(fmt.Sprintf("Secret %q holds another token than status tells of.", name), again)
	}
	more := ""
	if secret.Annotations[v1alpha1.AnnotationRejected] == token.Fingerprint {
		more = " A workload says that it was refused with it."
	}
	return isFine("Secret %q holds the token %s, which expires %s.%s", name, token.Fingerprint, relative(token.ExpirationTime, e.now), more)
}

// lookAtRevocations tells of replaced grants. They hold nothing up.
func lookAtRevocations(_ context.Context, e *examination) *verdict {
	n := e.credential.Status.PendingRevocations
	if n == 0 {
		return isFine("No grant waits to be revoked.")
	}
	// What the operator says of the grant that took their place is no news here.
	_, why, _ := strings.Cut(conditionOf(e.credential, v1alpha1.ConditionGrantValid).Message, v1alpha1.OlderGrantUnrevoked)
	return isFine("%s to be revoked.%s", strings.Replace(counted(n, "replaced grant")+" wait", "grant wait", "grant waits", 1), why)
}
