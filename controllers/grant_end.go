package controllers

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// warnOfEnd tells once that a grant ends soon which only a person can replace. That it is told stands in
// the state before it is told: no restart tells it again.
func (r *Reconciler) warnOfEnd(ctx context.Context, s *scope) error {
	if s.state == nil || !grantstate.OnceOnly(s.credential) || !s.document.EndsSoon(r.Clock.Now()) {
		return nil
	}
	if err := r.update(ctx, s, (*grantstate.Document).WarnedOfEnd); err != nil {
		return err
	}
	r.Events.Eventf(s.credential, nil, corev1.EventTypeWarning, v1alpha1.ReasonReauthorizationRequired, "Reconcile",
		"The grant ends at %s. Until then its token is renewed. %s", s.document.Grant().End.Time.Format(time.RFC3339), signInAgain(s.credential))
	return nil
}

// endOf tells of the end of a grant in a sentence, empty where it is not known.
func (v view) endOf(g *grantstate.Grant) string {
	end := g.End.Time
	switch {
	case end.IsZero():
		return ""
	case v.now.Before(end):
		return " It ends at " + end.Format(time.RFC3339) + "."
	}
	return " It was to end at " + end.Format(time.RFC3339) + ", and is renewed for as long as the service does that."
}

// endTime is the end of a grant for the status, nil where it is not known.
func endTime(g *grantstate.Grant) *metav1.Time {
	if g.End.Time.IsZero() {
		return nil
	}
	return atSecond(g.End.Time)
}
