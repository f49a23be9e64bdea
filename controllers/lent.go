package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// lentVersion tells which client was read, and which version of its Secret.
type lentVersion struct {
	uid        types.UID
	generation int64
	secret     string
}

// lenderOf is what a grant has to know of a client that lends itself.
func lenderOf(shared *v1alpha1.ClusterSpacesClient) *grantstate.Lender {
	ref := shared.Spec.SecretRef
	return &grantstate.Lender{
		Name: shared.Name, UID: shared.UID, Secret: ref.Name,
		ClientIDKey: ref.ClientIDKey, ClientSecretKey: ref.ClientSecretKey, PreviousClientSecretKey: ref.PreviousClientSecretKey,
	}
}

// lentNow is which client there is to read, as the informer shows its Secret.
func (r *Reconciler) lentNow(ctx context.Context, s *scope) (lentVersion, error) {
	shared := s.consent.client
	if shared == nil {
		return lentVersion{}, nil
	}
	now := lentVersion{uid: shared.UID, generation: shared.Generation}
	seen, err := secretio.Metadata(ctx, r.Client, r.lentName(shared.Spec.SecretRef.Name))
	if seen != nil {
		now.secret = seen.ResourceVersion
	}
	return now, err
}

// lentName is the Secret of a client that namespaces share.
func (r *Reconciler) lentName(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: r.ClientNamespace, Name: name}
}

// readLent reads a client that somebody else holds. What is wrong with it, its users are not told:
// they could not mend it.
func (r *Reconciler) readLent(ctx context.Context, s *scope, in *inputs) error {
	shared := s.consent.client
	lender := lenderOf(shared)
	lent, err := r.readLender(ctx, lender)
	if err != nil {
		return err
	}
	in.lent = lentVersion{uid: shared.UID, generation: shared.Generation, secret: lent.version}
	in.given.Lender = lender
	in.given.Application, in.given.Previous = lent.application, lent.previous
	if lent.problem.isTrouble() {
		in.clientProblem = lentUnusable(shared.Name).at(lent.problem.wake)
		return nil
	}
	if lender.ClientIDKey == clientIDKey {
		in.clientID = lent.application.ID
	}
	return nil
}

// lentClient is a client as its Secret has it.
type lentClient struct {
	application spacesauth.Application
	// previous is its secret of before, while that is rotated.
	previous spacesauth.Secret
	version  string
	problem  outcome
}

// readLender reads the Secret of a client that namespaces share.
func (r *Reconciler) readLender(ctx context.Context, lender *grantstate.Lender) (lentClient, error) {
	reading, err := r.readInput(ctx, r.ClientNamespace, lender.Secret, remembered)
	if err != nil {
		return lentClient{}, err
	}
	lent := lentClient{version: reading.version}
	lent.application.ID = reading.value(lender.ClientIDKey).Reveal()
	lent.application.Secret = reading.optional(lender.ClientSecretKey)
	if lender.PreviousClientSecretKey != "" {
		lent.previous = reading.optional(lender.PreviousClientSecretKey)
	}
	lent.problem = reading.problem
	return lent, nil
}

// lentForRevocation adds the secret of a lent client to a revocation, where it can be had: the object
// may be gone, its Secret be another one by now. No consent is asked for. The service has one of two
// secrets while they are rotated, and gets them in turn.
func (r *Reconciler) lentForRevocation(ctx context.Context, entry grantstate.Listed) spacesauth.Secret {
	lenders := []*grantstate.Lender{entry.Lender}
	if now, err := findClusterClient(ctx, r.Client, entry.Lender.Name); err == nil && now != nil {
		lenders = []*grantstate.Lender{lenderOf(now), entry.Lender}
	}
	for _, lender := range lenders {
		lent, err := r.readLender(ctx, lender)
		switch {
		case err != nil, lent.problem.isTrouble(), lent.application.ID != entry.ClientID:
		case !lent.previous.Empty() && entry.Attempts%2 == 0:
			return lent.previous
		default:
			return lent.application.Secret
		}
	}
	return spacesauth.Secret{}
}

// lenderChanged tells that spec names another source of the client than the living grant has. Of one
// that does not consent nothing but its name can be compared.
func (s *scope) lenderChanged() bool {
	grant, ref := s.document.Grant(), s.credential.Spec.ClientRef
	switch {
	case grant == nil:
		return false
	case ref == nil || grant.Lender == nil:
		return (ref == nil) != (grant.Lender == nil)
	}
	return s.consent.problem.isTrouble() && grant.Lender.Name != ref.Name
}
