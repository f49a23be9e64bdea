package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
	"github.com/spaces-operator/spaces-credential-operator/internal/transfer"
)

// importOf is the Secret by which a grant of another cluster is put in, as the informer shows it, or
// nil. It is made for one object: by its name, and by the UID, which no copy of the object has.
func (r *Reconciler) importOf(ctx context.Context, s *scope) (*metav1.PartialObjectMetadata, error) {
	if s.credential.Spec.GrantType == v1alpha1.GrantTypeAnonymous {
		return nil, nil
	}
	seen, err := secretio.Metadata(ctx, r.Client, s.importName())
	if err != nil || seen == nil || seen.DeletionTimestamp != nil || s.publishedName() == s.importName() ||
		seen.Annotations[v1alpha1.AnnotationCredential] != s.key.Name || seen.Annotations[v1alpha1.AnnotationCredentialUID] != string(s.credential.UID) {
		return nil, err
	}
	return seen, nil
}

// importName is the Secret by which a grant of another cluster is put in.
func (s *scope) importName() types.NamespacedName {
	return types.NamespacedName{Namespace: s.key.Namespace, Name: s.credential.ImportSecretName()}
}

// readImport reads the grant of another cluster, if one is put in. While it was not used it stands in
// place of what spec would sign in with; one that cannot be used keeps that from being sent, since a
// seed that moved with its object was used where it came from.
func (r *Reconciler) readImport(ctx context.Context, s *scope, in *inputs) error {
	seen, err := r.importOf(ctx, s)
	if err != nil || seen == nil {
		return err
	}
	name := s.importName().Name
	found, err := r.readLive(ctx, s.importName())
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err):
		in.grantProblem = inputForbidden(name).at(r.Clock.Now().Add(forbiddenRecheck))
		return nil
	case err != nil:
		return fmt.Errorf("reading the input Secret %s: %w", s.importName(), err)
	}
	in.note(name, found.version)
	if found.kind != v1alpha1.SecretTypeGrantImport || found.uid != seen.UID {
		return nil // somebody else's
	}
	given, err := transfer.ReadGrant([]byte(found.values[v1alpha1.ImportKey].Reveal()))
	if err != nil {
		in.grantProblem = importUnreadable(name, err)
		return nil
	}
	if s.document.WasImported(given.RefreshToken) {
		return nil
	}
	switch {
	case in.given.AccountsURL != "" && in.given.AccountsURL != given.AccountsURL:
		in.grantProblem = importOfAnother(name, "environment")
	case !in.clientProblem.isTrouble() && in.given.Application.ID != given.ClientID:
		in.grantProblem = importOfAnother(name, "client")
	case s.forbidsImport():
		in.grantProblem = clientForbidden(s.credential.Spec.ClientRef.Name)
	default:
		in.grantProblem = outcome{}
		in.given.Import = &grantstate.Imported{
			RefreshToken: given.RefreshToken,
			ImportedFrom: grantstate.ImportedFrom{
				ID: given.ID, StartTime: given.StartTime, Identity: grantstate.Identity{Username: given.Username, UserID: given.UserID},
			},
		}
	}
	return nil
}

// forbidsImport tells that the client is somebody else's who does not want a refresh token that a
// person put in to be sent with its secret.
func (s *scope) forbidsImport() bool {
	lender := s.consent.client
	return lender != nil && !lender.AllowsGrantType(v1alpha1.GrantTypeRefreshToken)
}

func importUnreadable(name string, err error) outcome {
	return blockedBy(v1alpha1.ReasonInputInvalid, "The import in Secret %q cannot be read: %s. Delete it, and run `kubectl spaces import` again.", name, err)
}

func importOfAnother(name, what string) outcome {
	return blockedBy(v1alpha1.ReasonInputInvalid,
		"The import in Secret %q belongs to another %s than this object signs in with, so it is not sent. Correct spec or the Secrets that it names, or delete the import.", name, what)
}
