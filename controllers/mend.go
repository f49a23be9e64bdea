package controllers

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// hashKeySize is the size of the key that input hashes are taken with.
const hashKeySize = 32

// mendState deals with a state Secret that a living credential cannot work with.
func (r *Reconciler) mendState(ctx context.Context, p *pass, found *state) (conclusion, error) {
	switch found.problem {
	case stateForeign:
		return conclusion{finding: blocked(v1alpha1.ReasonSecretConflict,
			"Secret %q exists and is no state Secret of this operator. Rename or delete it: the name is needed for the grant.", found.name.Name)}, nil
	case stateUnreadable:
		if found.deletion.IsZero() {
			return conclusion{finding: unreadable(found), blind: true}, nil
		}
		f, err := r.awaitReader(ctx, p.key, found, termsOf(p.credential).deadline(found.deletion))
		c, err := endsPass(f, err)
		c.blind = true
		return c, err
	case stateCopied:
		if err := r.stillWanted(ctx, p); err != nil {
			return conclusion{}, err
		}
		if err := r.releaseCopy(ctx, p.key, found); err != nil {
			return conclusion{}, err
		}
		return r.succeed(ctx, p, found)
	case stateOrphaned:
		living, err := r.living(ctx, p.key)
		if err != nil {
			return conclusion{}, err
		}
		if living.UID == found.document.CredentialUID {
			return conclusion{}, errConflict // the informer lags behind
		}
		f, err := r.retireOrphan(ctx, p.key, found)
		return endsPass(f, err)
	case stateUsable: // and deleted: the emergency stop, below
	}
	return r.stop(ctx, p, found)
}

// stop is the emergency stop: somebody deleted the state Secret by hand. Nothing is
// spent from it any more and its grants are revoked, whatever the policy says.
func (r *Reconciler) stop(ctx context.Context, p *pass, found *state) (conclusion, error) {
	if err := r.stillWanted(ctx, p); err != nil {
		return conclusion{}, err
	}
	done, f, err := r.retire(ctx, p.key, found, retirement{always: true})
	if err != nil || !done {
		return conclusion{finding: f}, err
	}
	return r.succeed(ctx, p, found)
}

// succeed makes the state that follows one that was released. It takes over what
// was used and refused, so that a seed is not sent a second time.
func (r *Reconciler) succeed(ctx context.Context, p *pass, old *state) (conclusion, error) {
	next := document{
		Version:       documentVersion,
		CredentialUID: p.credential.UID,
		Claims:        old.document.Claims,
		Inputs:        old.document.Inputs,
		PublishedKeys: old.document.PublishedKeys,
		Revocation:    termsOf(p.credential),
	}
	next.Inputs.Used.use(old.document.FirstUse)
	next.answersRequests(p.credential)
	_, err := r.createState(ctx, p.credential, next)
	if err == nil {
		return conclusion{}, errConflict
	}
	if f := refusedWrite(err); f != nil {
		return conclusion{finding: f}, nil
	}
	return conclusion{}, err
}

// documentFor returns the document to claim in: the state's, or a new one.
func (r *Reconciler) documentFor(p *pass) (document, error) {
	if p.state != nil {
		return p.state.document, nil
	}
	random := r.Random
	if random == nil {
		random = rand.Reader
	}
	key := make([]byte, hashKeySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return document{}, fmt.Errorf("reading random bytes: %w", err)
	}
	return document{Version: documentVersion, CredentialUID: p.credential.UID, Inputs: inputMemory{Key: key}}, nil
}

// endsPass gives what a pass waits for, or ends it so that the next one begins with
// what is there now.
func endsPass(f *finding, err error) (conclusion, error) {
	if err == nil && f == nil {
		err = errConflict
	}
	return conclusion{finding: f}, err
}

// unreadable is the finding about a document that this operator cannot read.
func unreadable(found *state) *finding {
	return blocked(v1alpha1.ReasonStateUnreadable,
		"The state Secret %q cannot be read: %s. It is left as it is. Run the operator version that wrote it, or delete the Secret to give up its grant.", found.name.Name, found.detail)
}
