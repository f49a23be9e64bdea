package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
	"github.com/spaces-operator/spaces-credential-operator/internal/transfer"
)

// export acts on a request to give the grant to another cluster: it is refused, it waits, or the
// grant is marked. The mark is written before anything is given away, and stands under the same
// resourceVersion as claims do: from then on nobody spends the grant or revokes it. The answer is
// written later, by answerExport. What is told of a request that is not answered is noted.
func (r *Reconciler) export(ctx context.Context, s *scope) error {
	o := s.judged(s.inputs.seen)
	request := o.ExportRequest()
	switch {
	case s.state == nil && o.AsksForExport(): // the document that is made will count it as handled
		s.exportNote = refusedExport("there is no grant.")
		return nil
	case request == "":
		s.exportNote = refusedExport(s.document.ExportRefusal())
		return nil
	case o.RevokeRequest() != "": // goes first
		return nil
	}
	s.exportWaits = false
	to, refusal, wait, err := r.judgeExport(ctx, s)
	switch {
	case err != nil:
		return err
	case refusal != "":
		s.exportNote = refusedExport(refusal)
		log.FromContext(ctx).Info("Refused to export a grant", "spacescredential", s.key.String(), "why", refusal)
		return r.update(ctx, s, func(d *grantstate.Document) { d.RefuseExport(request, refusal) })
	case wait != "":
		s.exportNote, s.exportWaits = v1alpha1.ExportWaits+" "+wait, true
		return nil
	}
	s.exportNote = ""
	if err := r.update(ctx, s, func(d *grantstate.Document) { d.Export(request, to.ID(), r.Clock.Now()) }); err != nil {
		return err
	}
	r.auditExport(ctx, s)
	return nil
}

// judgeExport says why a request is refused, what it has to wait for, or to which key the grant is to
// be sealed.
func (r *Reconciler) judgeExport(ctx context.Context, s *scope) (to transfer.PublicKey, refusal, wait string, err error) {
	d, grant := s.document, s.document.Grant()
	switch {
	case !r.AllowExport:
		return to, "this operator does not allow it. Ask whoever runs it for --allow-export.", "", nil
	case s.credential.Spec.GrantType == v1alpha1.GrantTypeAnonymous:
		return to, "a guest belongs to nobody. Make a SpacesCredential of grantType Anonymous in the other cluster.", "", nil
	}
	to, err = transfer.ParsePublicKey(s.credential.Annotations[v1alpha1.AnnotationExportTo])
	if err != nil {
		return to, fmt.Sprintf("of the annotation %s: %s.", v1alpha1.AnnotationExportTo, err), "", nil
	}
	switch before := d.Exported(); {
	case before == nil && grant == nil && d.OpenClaim() == nil && d.FirstUse() == nil:
		return to, "there is no grant.", "", nil
	case before != nil && grant.Condition != grantstate.Valid:
		return to, "the state was put back from a backup since the grant was exported, and its refresh token is an older one.", "", nil
	case before != nil && before.Key != to.ID() && s.credential.Annotations[v1alpha1.AnnotationExportLost] != before.Key:
		return to, fmt.Sprintf("the grant was exported to the key %s before, and two clusters with one grant end it. If that export was never imported "+
			"and never will be, because the key is lost, say so: annotate %s with the ID of that key.", before.Key, v1alpha1.AnnotationExportLost), "", nil
	case before != nil:
	case grant != nil && grant.Condition == grantstate.Refused:
		return to, "the service refused the grant.", "", nil
	case grant != nil && grant.RefreshToken.Empty():
		return to, "the service gave no refresh token.", "", nil
	case s.consent.problem.isTrouble():
		return to, "", "the ClusterSpacesClient does not allow the use of its client now.", nil
	case !d.IsSettled():
		return to, "", "the service has to answer the last call for the grant first.", nil
	case s.decide(s.inputs.seen).Action == grantstate.SignIn:
		return to, "", "another grant takes the place of this one first.", nil
	}
	refusal, err = r.takenForExport(ctx, s)
	return to, refusal, "", err
}

// takenForExport says why an answer would have no place: better before the mark than after.
func (r *Reconciler) takenForExport(ctx context.Context, s *scope) (string, error) {
	seen, err := secretio.Metadata(ctx, r.Client, s.exportName())
	if err == nil && (s.publishedName() == s.exportName() || seen != nil && !s.isExportOf(seen)) {
		return exportTaken(s.exportName().Name), nil
	}
	return "", err
}

// exportName is the Secret that answers a request for an export.
func (s *scope) exportName() client.ObjectKey {
	return client.ObjectKey{Namespace: s.key.Namespace, Name: s.credential.ExportSecretName()}
}

// isExportOf tells that a Secret is an answer that was made for this very credential.
func (s *scope) isExportOf(secret metav1.Object) bool {
	return secret.GetLabels()[v1alpha1.LabelSecret] == v1alpha1.SecretExport &&
		secret.GetAnnotations()[v1alpha1.AnnotationCredentialUID] == string(s.credential.UID)
}

// refusedExport is what is told of a request that was refused.
func refusedExport(why string) string {
	if why == "" {
		return ""
	}
	return v1alpha1.ExportRefused + " " + why
}

func exportTaken(name string) string {
	return fmt.Sprintf("Secret %q exists and is no answer that was made for this object. Rename or delete it: the name is needed for the answer.", name)
}

// auditExport leaves one line in the log for each grant that is given away.
func (r *Reconciler) auditExport(ctx context.Context, s *scope) {
	e := s.document.Exported()
	log.FromContext(ctx).Info("Audit: exported a grant", "spacescredential", s.key.String(), "credentialUID", s.document.CredentialUID(),
		"grant", e.GrantID, "claim", e.Number, "holder", r.Holder, "key", e.Key)
}
