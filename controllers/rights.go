package controllers

import (
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// forbiddenRecheck is how often a forbidden request is tried again: no watch tells that a
// right came back.
const forbiddenRecheck = time.Minute

// forbidden is the finding about a request that the API server forbids the operator: its
// rights were taken away, or a webhook is in the way. It is nil for every other error, and
// while an answer of the service waits in memory: that is written as soon as the queue can.
func (r *Reconciler) forbidden(p *pass, err error) *finding {
	if !apierrors.IsForbidden(err) || len(r.memory.of(p.key).unsaved) > 0 {
		return nil
	}
	return blocked(v1alpha1.ReasonSecretForbidden,
		"The API server forbids the operator to go on: %s is not allowed. Look at the rights of its service account, and at the quota and the admission webhooks of the namespace.",
		what(err)).at(r.Clock.Now().Add(forbiddenRecheck))
}

// what is what an error of the API server was about, in words of ours. The text behind the
// colon is the API server's, which may repeat what was sent.
func what(err error) string {
	ours, _, _ := strings.Cut(err.Error(), ": ")
	return ours
}
