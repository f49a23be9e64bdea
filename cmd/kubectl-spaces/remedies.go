package main

import (
	"fmt"
	"strings"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// remedy says what a person can do about a reason; docs/conditions.md has the same in a table.
func (c *cluster) remedy(reason string, credential *v1alpha1.SpacesCredential) string {
	switch reason {
	case v1alpha1.ReasonDeleting:
		return "nothing: grants that are to be revoked come first, for at most " + credential.EffectiveRevocationDeadline().String() +
			"; if it stays, see whether the operator runs"
	case v1alpha1.ReasonSuspended:
		return c.pasteSpaces("resume", credential)
	case v1alpha1.ReasonStateUnreadable:
		return fmt.Sprintf("run the newer operator that wrote it, or delete Secret %q to begin anew; its grant then cannot be revoked", credential.GrantSecretName())
	case v1alpha1.ReasonUnknownEnvironment:
		return "correct spec.environment, or ask whoever runs the operator to admit it for this namespace"
	case v1alpha1.ReasonEnvironmentPaused:
		return "nothing: the operator goes on by itself when the environment is resumed; ask whoever runs it how long that takes"
	case v1alpha1.ReasonClientForbidden:
		return "correct spec.clientRef, or ask whoever looks after the ClusterSpacesClients to admit this namespace, environment, grant type and scopes"
	case v1alpha1.ReasonSecretForbidden:
		return "read the message; look at quota, admission webhooks, policies, the labels and annotations in spec.secretTemplate, spec.stateLabels and the operator's rights"
	case v1alpha1.ReasonTemplateInvalid:
		return "correct the template that the message names in spec.secretTemplate.data"
	case v1alpha1.ReasonSecretConflict:
		return fmt.Sprintf("delete that Secret, create a SpacesCredential with another secretName, or, if it is yours, offer it: %s",
			c.paste(fmt.Sprintf("annotate secret %s %s=%s", credential.EffectiveSecretName(), v1alpha1.AnnotationAdoptableBy, credential.Name), credential.Namespace))
	case v1alpha1.ReasonSecretImmutable:
		return c.paste("delete secret "+credential.EffectiveSecretName(), credential.Namespace) + "; it is published again at once"
	case v1alpha1.ReasonWaitingForInput:
		return "create the Secret, or the key, that is missing; the operator notices at once"
	case v1alpha1.ReasonInputInvalid:
		return "correct the Secret: it must be of type Opaque or kubernetes.io/basic-auth, and its values must not be empty"
	case v1alpha1.ReasonVerificationFailed:
		return "read the message, which names the check; the token before it stays published"
	case v1alpha1.ReasonRevocationFailing, v1alpha1.ReasonRevocationAbandoned:
		return "nothing, if the operator still tries; revoke the grant at the service by hand if it gave up and that matters"
	}
	return c.serviceRemedy(reason, credential)
}

// serviceRemedy is a remedy for what the service said.
func (c *cluster) serviceRemedy(reason string, credential *v1alpha1.SpacesCredential) string {
	switch reason {
	case v1alpha1.ReasonAuthorizationPending:
		if credential.Spec.GrantType.IsKnown() {
			return c.pasteSpaces("login", credential)
		}
		return c.signInAnew(credential)
	case v1alpha1.ReasonGrantRejected:
		if credential.Spec.GrantType.IsKnown() && credential.Spec.Password != nil {
			return c.signInAnew(credential) + "; an account with single sign-on or a second factor cannot sign in by password and needs grant type AuthorizationCode"
		}
		return c.signInAnew(credential)
	case v1alpha1.ReasonReauthorizationRequired:
		return c.signInAnew(credential)
	case v1alpha1.ReasonNoRefreshToken:
		return "have the client allowed the grant type refresh_token, or ask for the scope that stands for it, often offline_access, in spec.scopes"
	case v1alpha1.ReasonExported:
		return "when the other cluster has imported it: " + c.paste("delete spcred "+credential.Name, credential.Namespace) + ", which revokes nothing; to have a grant of its own here: " + c.grantOfItsOwn(credential)
	case v1alpha1.ReasonGrantRevoked:
		return strings.Join([]string{c.signInAnew(credential), "or " + c.pasteSpaces("renew", credential)}, ", ")
	case v1alpha1.ReasonClientRejected:
		atTheService := "have the client admitted by the service and run " + c.pasteSpaces("renew", credential)
		if ref := credential.Spec.ClientRef; ref != nil {
			return fmt.Sprintf("ask whoever looks after the %s %q to correct its Secret, or %s", ref.Kind, ref.Name, atTheService)
		}
		return "correct the Secret that spec.clientSecretRef names, or " + atTheService
	case v1alpha1.ReasonRequestRejected:
		return "correct spec.scopes, or have the client admitted for them and run " + c.pasteSpaces("renew", credential)
	case v1alpha1.ReasonResponseUnclear:
		return "look at the login and the client and change the Secret to have it tried again, or " + c.pasteSpaces("renew", credential)
	case v1alpha1.ReasonThrottled:
		return "nothing: the operator waits as long as the service asked for; if it lasts, use fewer credentials in one environment"
	case v1alpha1.ReasonServiceUnavailable:
		return "nothing: the operator tries again; if it lasts, look at the service, the network and the proxy"
	case v1alpha1.ReasonAmbiguousResult:
		return "nothing: the operator asks again until it has an answer"
	case v1alpha1.ReasonRenewalFailing, v1alpha1.ReasonExpired:
		return "read the message and mend what it names; to have it tried at once: " + c.pasteSpaces("renew", credential)
	}
	return ""
}

// grantOfItsOwn is how a credential whose grant was exported gets another one.
func (c *cluster) grantOfItsOwn(credential *v1alpha1.SpacesCredential) string {
	if credential.Spec.GrantType.IsKnown() && credential.Spec.Password != nil {
		return c.pasteSpaces("renew", credential)
	}
	return c.signInAnew(credential)
}

// signInAnew is how a credential of this grant type gets a new grant.
func (c *cluster) signInAnew(credential *v1alpha1.SpacesCredential) string {
	switch spec := &credential.Spec; {
	case !spec.GrantType.IsKnown():
		return fmt.Sprintf("do what the message says; this version does not know %s, nor how to sign in for it", grantTypeOf(credential))
	case spec.AuthorizationCode != nil:
		return "sign in again: " + c.pasteSpaces("login", credential)
	case spec.RefreshToken != nil:
		return fmt.Sprintf("sign in elsewhere and put the new refresh token into key %q of Secret %q", spec.RefreshToken.SecretRef.Key, spec.RefreshToken.SecretRef.Name)
	case spec.Password != nil:
		return fmt.Sprintf("correct the user name or password in Secret %q; to have the same tried once more: %s",
			spec.Password.SecretRef.Name, c.pasteSpaces("renew", credential))
	}
	return c.pasteSpaces("renew", credential)
}
