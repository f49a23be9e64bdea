package controllers

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
	"github.com/spaces-operator/spaces-credential-operator/internal/transfer"
)

// answerExport writes the Secret with the exported grant, sealed to the key of the request, and
// writes it again when it is gone while the request stands: a process may have ended between mark and
// answer. It goes to the key that the mark names and to no other. It returns what is in the way.
func (r *Reconciler) answerExport(ctx context.Context, s *scope) (outcome, error) {
	e := s.document.Exported()
	if e == nil || !r.AllowExport || s.document.Grant().Condition != grantstate.Valid {
		return outcome{}, nil
	}
	to, err := transfer.ParsePublicKey(s.credential.Annotations[v1alpha1.AnnotationExportTo])
	if err != nil || to.ID() != e.Key || s.document.HandledExportRequest() != e.Request || s.judged(s.inputs.seen).ExportRequest() != "" {
		return outcome{}, nil // nobody asks for it any more
	}
	seen, err := secretio.Metadata(ctx, r.Client, s.exportName())
	if err != nil || seen != nil && s.isExportOf(seen) && numberIn(seen.Annotations[v1alpha1.AnnotationClaim]) == e.Number {
		return outcome{}, err
	}
	answer, err := r.exportSecret(s, *e, to)
	switch {
	case err != nil:
		return outcome{}, err
	case seen == nil:
		err = r.Live.Create(ctx, answer, client.FieldOwner(v1alpha1.FieldManager))
		if err == nil {
			r.passes.knows(s.key, version{answer.UID, answer.ResourceVersion})
		}
	case !s.isExportOf(seen):
		return exportHeld(exportTaken(answer.Name)), nil
	default:
		var written *metav1.PartialObjectMetadata
		judged := secretio.Judged{Name: s.exportName(), UID: seen.UID, ResourceVersion: seen.ResourceVersion}
		written, err = secretio.Patch(ctx, r.Live, judged, map[string]any{"metadata": map[string]any{"annotations": answer.Annotations}, "data": answer.Data})
		if err == nil {
			r.passes.knows(s.key, version{written.UID, written.ResourceVersion})
		}
	}
	switch {
	case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return outcome{}, errConflict // the informer is late
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		return exportHeld(fmt.Sprintf("Secret %q cannot be written: %s. Look at the quota of the namespace, its policies and the rights of the operator.",
			answer.Name, secretio.Reason(err))).at(r.recheckForbidden(s)), nil
	case err != nil:
		return outcome{}, fmt.Errorf("writing the Secret %s with an exported grant: %w", s.exportName(), secretio.Quiet(err))
	}
	return outcome{}, nil
}

// exportHeld tells of an answer that cannot be written. The grant is marked: nothing else is changed
// by it.
func exportHeld(why string) outcome {
	return waitingFor(v1alpha1.ReasonExported, "The answer is not written yet. %s", why)
}

// exportSecret is the answer to a request.
func (r *Reconciler) exportSecret(s *scope, e grantstate.Export, to transfer.PublicKey) (*corev1.Secret, error) {
	grant := s.document.Grant()
	given := transfer.Grant{
		Source: transfer.Source{Namespace: s.key.Namespace, Name: s.key.Name, CredentialUID: s.credential.UID, GrantType: grant.Type},
		ID:     grant.ID, Environment: grant.Environment, AccountsURL: grant.AccountsURL, ClientID: grant.ClientID,
		RefreshToken: grant.RefreshToken.Secret, Username: grant.Identity.Username, UserID: grant.Identity.UserID,
		StartTime: grant.StartTime, ExportTime: e.Time,
	}
	if token := grant.Token; token != nil {
		given.Scope, given.TokenExpirationTime = token.Scope, token.ExpirationTime
	}
	sealed, err := transfer.Seal(given, to, transfer.Address{
		Namespace: s.key.Namespace, Name: s.key.Name, CredentialUID: s.credential.UID, Request: e.Request,
	})
	if err != nil {
		return nil, fmt.Errorf("exporting the grant of SpacesCredential %s: %w", s.key, err)
	}
	witness, err := r.witnessOf(s, e)
	if err != nil {
		return nil, err
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.key.Namespace, Name: s.credential.ExportSecretName(), Labels: s.ownLabels(v1alpha1.SecretExport),
			Annotations: map[string]string{
				v1alpha1.AnnotationCredential: s.key.Name, v1alpha1.AnnotationCredentialUID: string(s.credential.UID), v1alpha1.AnnotationClaim: witness,
			},
			OwnerReferences: []metav1.OwnerReference{ownerReference(s.credential)},
		},
		Type: v1alpha1.SecretTypeGrantExport,
		Data: map[string][]byte{v1alpha1.ExportKey: sealed},
	}, nil
}

// useExport is what a witness of an export is good for.
const useExport = "export"

// witnessOf is the claim annotation of the published Secret, and of the answer, of an exported grant:
// it names the mark, with a code that only the operator can make. A state that is put back to what it
// was before the mark must not count as one whose grant is its own.
func (r *Reconciler) witnessOf(s *scope, e grantstate.Export) (string, error) {
	number := strconv.FormatInt(e.Number, 10)
	key, code, err := r.Keys.MAC(useExport, string(s.credential.UID), string(s.state.uid), number, e.GrantID, e.Key)
	if err != nil {
		return "", fmt.Errorf("naming the export of the grant of SpacesCredential %s: %w", s.key, err)
	}
	return strings.Join([]string{number, key, code, e.GrantID, e.Key}, "."), nil
}

// witnessed is the export of a claim annotation that the document knows nothing of, or nil.
func (r *Reconciler) witnessed(s *scope, annotation string) *grantstate.Export {
	parts := strings.Split(annotation, ".")
	if len(parts) != 5 {
		return nil
	}
	number := numberIn(annotation)
	if number == 0 || !s.document.IsBehind(number) ||
		!r.Keys.Verifies(parts[1], parts[2], useExport, string(s.credential.UID), string(s.state.uid), parts[0], parts[3], parts[4]) {
		return nil
	}
	return &grantstate.Export{GrantID: parts[3], Number: number, Key: parts[4], Time: s.now.UTC()}
}

// numberIn is the number of a claim annotation, or 0.
func numberIn(annotation string) int64 {
	number, _, _ := strings.Cut(annotation, ".")
	parsed, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return parsed
}

// observeUnmarked notices a state that was put back to what it was before its grant was exported, by
// what the published Secret or the answer say.
func (r *Reconciler) observeUnmarked(ctx context.Context, s *scope, published *metav1.PartialObjectMetadata) error {
	if s.state == nil {
		return nil
	}
	answer, err := secretio.Metadata(ctx, r.Client, s.exportName())
	if err != nil {
		return err
	}
	for _, secret := range []*metav1.PartialObjectMetadata{answer, published} {
		if secret == nil || secret.Annotations[v1alpha1.AnnotationCredentialUID] != string(s.credential.UID) {
			continue
		}
		export := r.witnessed(s, secret.Annotations[v1alpha1.AnnotationClaim])
		if export == nil {
			continue
		}
		if err := r.update(ctx, s, func(d *grantstate.Document) { d.FellBehindExport(*export, s.published.expires, s.now) }); err != nil {
			return err
		}
		r.exportFellBehind(ctx, s.credential)
	}
	return nil
}

// deleteExport deletes the answer with its credential. Its owner would have it deleted, too, where
// there is a garbage collector.
func (r *Reconciler) deleteExport(ctx context.Context, s *scope) error {
	seen, err := secretio.Metadata(ctx, r.Client, s.exportName())
	if err != nil || seen == nil || !s.isExportOf(seen) {
		return err
	}
	err = secretio.Delete(ctx, r.Live, secretio.Judged{Name: s.exportName(), UID: seen.UID, ResourceVersion: seen.ResourceVersion})
	if apierrors.IsConflict(err) {
		return errConflict
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the Secret %s with an exported grant: %w", s.exportName(), err)
	}
	return nil
}
