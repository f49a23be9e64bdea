package controllers

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// useClaim is what the code of the claim annotation is good for.
const useClaim = "claim"

// claimOf is the claim annotation of a published Secret: the number of the claim that brought
// its token, the key, and a code over credential, state Secret and number. It is the one thing
// that outlives both a state Secret that was put back and the process that wrote the newer one.
func (r *Reconciler) claimOf(s *scope, answered int64) (string, error) {
	if answered == 0 || s.state == nil {
		return "", nil // of an earlier build
	}
	if e := s.document.Exported(); e != nil && e.Number == answered {
		return r.witnessOf(s, *e)
	}
	number := strconv.FormatInt(answered, 10)
	key, code, err := r.Keys.MAC(useClaim, string(s.credential.UID), string(s.state.uid), number)
	if err != nil {
		return "", fmt.Errorf("naming the claim of the token of SpacesCredential %s: %w", s.key, err)
	}
	return strings.Join([]string{number, key, code}, "."), nil
}

// answeredBy is the number of a claim annotation; 0 where there is none, or none of ours for
// this state that the document is behind. Numbers are compared first: a code takes time.
func (r *Reconciler) answeredBy(s *scope, annotation string) int64 {
	parts := strings.Split(annotation, ".")
	if len(parts) != 3 {
		return 0
	}
	number, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || !s.document.IsBehind(number) ||
		!r.Keys.Verifies(parts[1], parts[2], useClaim, string(s.credential.UID), string(s.state.uid), parts[0]) {
		return 0
	}
	return number
}

// observeBehind notices a state document that went back in time, by a snapshot or an old file:
// what is published was brought by a claim that it does not know. Nothing of it is spent.
func (r *Reconciler) observeBehind(ctx context.Context, s *scope, seen *metav1.PartialObjectMetadata) error {
	if s.published.whose != ours || s.state == nil {
		return nil
	}
	answered := r.answeredBy(s, seen.Annotations[v1alpha1.AnnotationClaim])
	if answered == 0 {
		return nil
	}
	err := r.update(ctx, s, func(d *grantstate.Document) { d.FellBehind(answered, s.published.expires, s.now) })
	if err == nil {
		r.stateFellBehind(ctx, s.credential)
	}
	return err
}
