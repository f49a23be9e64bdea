package controllers

import (
	"bytes"
	"context"
	"encoding/base64"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
)

// usedName is what the annotation is sealed for: no Secret can have that name, so that nobody
// can put a state document of before there.
func usedName(credential types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: credential.Namespace, Name: credential.Name + "/used-inputs"}
}

// noteUsed puts the document that is to follow a state on the credential, sealed, before the
// state is released: no crash in between makes a used seed look unused.
func (r *Reconciler) noteUsed(ctx context.Context, s *scope, next grantstate.Document) error {
	r.memory.change(s.key, func(known *recollection) { known.successor = &next })
	content, err := next.Bytes()
	if err != nil {
		return err
	}
	if noted := r.openUsed(ctx, s); noted != nil && bytes.Equal(noted, content) {
		return nil
	}
	sealed, err := r.sealed(usedName(s.key), next)
	if err != nil {
		return err
	}
	return r.annotateUsed(ctx, s, base64.StdEncoding.EncodeToString(sealed))
}

// forgetUsed takes it away again when the document is written.
func (r *Reconciler) forgetUsed(ctx context.Context, s *scope) error {
	if s.credential.Annotations[v1alpha1.AnnotationUsedInputs] == "" {
		return nil
	}
	return r.annotateUsed(ctx, s, "")
}

// notedUsed is the document that the credential remembers for its next state, or nil. What
// somebody else put there does not open.
func (r *Reconciler) notedUsed(ctx context.Context, s *scope) *grantstate.Document {
	content := r.openUsed(ctx, s)
	if content == nil {
		return nil
	}
	next, err := grantstate.Read(content)
	if err != nil || next.CredentialUID() != s.credential.UID {
		return nil
	}
	return &next
}

// openUsed opens the annotation.
func (r *Reconciler) openUsed(ctx context.Context, s *scope) []byte {
	sealed, err := base64.StdEncoding.DecodeString(s.credential.Annotations[v1alpha1.AnnotationUsedInputs])
	if err != nil || len(sealed) == 0 {
		return nil
	}
	content, err := r.Keys.Open(ctx, usedName(s.key), sealed)
	if err != nil {
		return nil
	}
	return content
}

// annotateUsed writes the annotation, unless the object changed meanwhile.
func (r *Reconciler) annotateUsed(ctx context.Context, s *scope, value string) error {
	before := s.credential.ObjectMeta.DeepCopy()
	if value == "" {
		delete(s.credential.Annotations, v1alpha1.AnnotationUsedInputs)
	} else {
		if s.credential.Annotations == nil {
			s.credential.Annotations = map[string]string{}
		}
		s.credential.Annotations[v1alpha1.AnnotationUsedInputs] = value
	}
	return r.writeMetadata(ctx, s, before)
}
