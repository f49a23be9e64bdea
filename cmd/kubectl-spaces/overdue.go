package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// leastPatience is how long after its time a renewal or an attempt counts as overdue at the
// soonest. A tenth of the token's life is longer where many wait for their turn.
const leastPatience = 2 * time.Minute

// overdue says what should have happened meanwhile, empty where nothing should. A status is as
// old as the operator's last look: with an operator that is gone it stays as it is for ever.
func overdue(credential *v1alpha1.SpacesCredential, now time.Time) string {
	status := &credential.Status
	token, ready := status.Token, conditionOf(credential, v1alpha1.ConditionReady)
	if credential.DeletionTimestamp != nil || token == nil || token.ExpirationTime == nil {
		return ""
	}
	patience := leastPatience
	if token.IssueTime != nil {
		patience = max(patience, token.ExpirationTime.Sub(token.IssueTime.Time)/10)
	}
	isLate := func(then *metav1.Time) bool { return then != nil && now.Sub(then.Time) > patience }
	isTold := ready.Reason == v1alpha1.ReasonRenewalFailing || conditionOf(credential, v1alpha1.ConditionStalled).Status == metav1.ConditionTrue
	switch {
	case ready.Status == metav1.ConditionTrue && !now.Before(token.ExpirationTime.Time):
		return fmt.Sprintf("The token expired %s, and nobody has said so", relative(token.ExpirationTime, now))
	case credential.Spec.Suspend, ready.Reason == v1alpha1.ReasonEnvironmentPaused:
		return ""
	case isLate(status.NextAttemptTime):
		return fmt.Sprintf("The next attempt was due %s, and has not come", relative(status.NextAttemptTime, now))
	case ready.Status == metav1.ConditionTrue && !isTold && isLate(token.RenewalTime):
		return fmt.Sprintf("The renewal was due %s, and has not come", relative(token.RenewalTime, now))
	}
	return ""
}

// brought is a status as it has to be read now: never Ready with a token that has expired, and
// with what is overdue told in the words of the conditions.
func brought(credential *v1alpha1.SpacesCredential, now time.Time, presence string) *v1alpha1.SpacesCredential {
	late := overdue(credential, now)
	if late == "" {
		return credential
	}
	upToDate := credential.DeepCopy()
	ready := conditionOf(upToDate, v1alpha1.ConditionReady)
	if !now.Before(upToDate.Status.Token.ExpirationTime.Time) {
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonExpired
	} else if ready.Status == metav1.ConditionTrue {
		ready.Reason = v1alpha1.ReasonRenewalFailing
	}
	ready.Message = late + ": " + presence + "."
	meta.SetStatusCondition(&upToDate.Status.Conditions, ready)
	return upToDate
}

// broughtUpToDate reads several statuses as they have to be read now.
func (t *tool) broughtUpToDate(ctx context.Context, c *cluster, credentials ...v1alpha1.SpacesCredential) []v1alpha1.SpacesCredential {
	now := t.clock.Now()
	isLate := func(credential v1alpha1.SpacesCredential) bool { return overdue(&credential, now) != "" }
	if !slices.ContainsFunc(credentials, isLate) {
		return credentials
	}
	presence := c.presence(ctx, now)
	upToDate := make([]v1alpha1.SpacesCredential, len(credentials))
	for i := range credentials {
		upToDate[i] = *brought(&credentials[i], now, presence)
	}
	return upToDate
}

// presence says whether an operator is there, as far as the person may know.
func (c *cluster) presence(ctx context.Context, now time.Time) string {
	seen, err := c.operators(ctx)
	if err != nil {
		return "is the operator running?"
	}
	if there, is := living(seen, now); is {
		return fmt.Sprintf("the operator that holds the lease %s has not acted, see its log", there.lease)
	}
	return "no operator is running" + lastSeen(seen)
}
