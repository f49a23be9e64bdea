package main

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// neverLookedAt is told of an object without a status.
const neverLookedAt = "The operator has not looked at it yet: is it running?"

// installNewer is what to do where the CRD is newer than this plugin.
const installNewer = "install a newer kubectl spaces"

// tellUnknown says what this version cannot judge, because it does not know it.
func (t *tool) tellUnknown(credential *v1alpha1.SpacesCredential) {
	if unknown := credential.UnknownValues(); len(unknown) > 0 {
		fmt.Fprintf(t.Out, "\nThis version does not know %s: %s.\n", plain(strings.Join(unknown, ", ")), installNewer)
	}
}

// grantTypeOf names the grant type in a sentence.
func grantTypeOf(credential *v1alpha1.SpacesCredential) string {
	return "grant type " + string(credential.Spec.GrantType)
}

// conditionOf returns a condition, an empty one where the operator set none.
func conditionOf(credential *v1alpha1.SpacesCredential, kind string) metav1.Condition {
	if found := meta.FindStatusCondition(credential.Status.Conditions, kind); found != nil {
		return *found
	}
	return metav1.Condition{Type: kind}
}

// needsAttention tells of each condition that is not as wished.
func needsAttention(condition metav1.Condition) bool {
	switch condition.Type {
	case v1alpha1.ConditionReady:
		return condition.Status != metav1.ConditionTrue ||
			slices.Contains([]string{v1alpha1.ReasonRenewalFailing, v1alpha1.ReasonSuspended, v1alpha1.ReasonEnvironmentPaused, v1alpha1.ReasonExported}, condition.Reason)
	case v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled:
		return condition.Status == metav1.ConditionTrue
	case v1alpha1.ConditionGrantValid:
		return condition.Status != metav1.ConditionTrue
	}
	return false
}

// attention are the conditions that need it: what a person must mend first.
func attention(credential *v1alpha1.SpacesCredential) []metav1.Condition {
	var found []metav1.Condition
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionGrantValid} {
		if c := meta.FindStatusCondition(credential.Status.Conditions, kind); c != nil && needsAttention(*c) {
			found = append(found, *c)
		}
	}
	return found
}

// problem is what is wrong in the operator's words, empty when nothing is.
func problem(credential *v1alpha1.SpacesCredential) string {
	if len(credential.Status.Conditions) == 0 {
		return neverLookedAt
	}
	if found := attention(credential); len(found) > 0 {
		return plain(found[0].Message)
	}
	return ""
}

// conditionsSay repeats what is wrong, for the end of a wait that was in vain.
func conditionsSay(credential *v1alpha1.SpacesCredential) string {
	switch {
	case credential == nil:
		return "nothing is known of it"
	case len(credential.Status.Conditions) == 0:
		return "the operator has not looked at it yet, is it running?"
	}
	if found := attention(credential); len(found) > 0 {
		return found[0].Reason + ": " + plain(found[0].Message)
	}
	return "the conditions tell of no problem, is the operator running?"
}
