// Package statekey keeps the keys that seal state documents: in one Secret beside the lease,
// which every replica and shard shares, and in the memory of each process.
package statekey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/periodic"
	"github.com/spaces-operator/spaces-credential-operator/internal/seal"
	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
)

const (
	// interval is how often the Secret is read again: so long after a key was added every
	// process knows it, and it may be made the current one.
	interval = time.Minute
	// pause is the least time between two reads for the sake of unknown keys, which anybody
	// can name who may write a Secret.
	pause = time.Second
)

// Keys are the keys of one operator. All fields are set before the first use.
type Keys struct {
	// Live reads and makes the Secret, past any cache.
	Live client.Client
	// Name is that of the Secret.
	Name types.NamespacedName
	// Clock and Random are the only sources of time and randomness.
	Clock  clock.WithTicker
	Random io.Reader

	mu     sync.Mutex
	ring   seal.Keyring
	looked time.Time
}

// Load reads the Secret, or makes it with a new key where there is none and mayMake has
// nothing against it. Of two processes that begin at once one makes it. It is an error if a
// Secret of that name is none of ours, or holds something else than keys.
func (k *Keys) Load(ctx context.Context, mayMake func(context.Context) error) error {
	for range 2 {
		ring, err := k.read(ctx)
		switch {
		case err == nil:
			k.take(ring)
			return nil
		case !apierrors.IsNotFound(err):
			return err
		}
		if err := mayMake(ctx); err != nil {
			return err
		}
		key, err := seal.NewKey(k.Random)
		if err != nil {
			return err
		}
		ring = seal.NewKeyring(key)
		if err = k.create(ctx, ring); err == nil {
			k.take(ring)
			return nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("making the Secret %s for the key that seals state documents: %w; where a policy or a quota is in the way exempt it, or make it by hand (docs/backup.md)", k.Name, secretio.Quiet(err))
		}
	}
	return fmt.Errorf("the Secret %s of the keys that seal state documents comes and goes", k.Name)
}

// notKeysError says that the Secret was read and does not hold keys.
type notKeysError struct{ error }

// read returns what the Secret holds.
func (k *Keys) read(ctx context.Context) (seal.Keyring, error) {
	var secret corev1.Secret
	if err := k.Live.Get(ctx, k.Name, &secret); err != nil {
		return seal.Keyring{}, fmt.Errorf("reading the Secret %s of the keys that seal state documents: %w", k.Name, err)
	}
	if secret.Type != v1alpha1.SecretTypeStateKey {
		return seal.Keyring{}, notKeysError{fmt.Errorf("the Secret %s is of type %q, not %q: it is somebody else's; name another one by --state-key-secret", k.Name, secret.Type, v1alpha1.SecretTypeStateKey)}
	}
	ring, err := seal.ParseKeyring(secret.Data)
	if err != nil {
		return seal.Keyring{}, notKeysError{fmt.Errorf("the Secret %s of the keys that seal state documents: %w", k.Name, err)}
	}
	return ring, nil
}

// create makes the Secret. Nobody owns it: what is deleted with its owner does not come back.
func (k *Keys) create(ctx context.Context, ring seal.Keyring) error {
	return k.Live.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: k.Name.Namespace, Name: k.Name.Name,
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue},
		},
		Type: v1alpha1.SecretTypeStateKey,
		Data: ring.Data(),
	}, client.FieldOwner(v1alpha1.FieldManager))
}

func (k *Keys) take(ring seal.Keyring) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ring = ring
}

// known returns the keys that this process knows.
func (k *Keys) known() seal.Keyring {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ring
}

// Refresh reads the Secret again, and puts back what this process knows where it is gone.
// After an error what was known stays known.
func (k *Keys) Refresh(ctx context.Context) error {
	k.mu.Lock()
	k.looked = k.Clock.Now()
	k.mu.Unlock()
	ring, err := k.read(ctx)
	switch {
	case err == nil:
		k.take(ring)
		return nil
	case !apierrors.IsNotFound(err):
		return err
	}
	if err := k.create(ctx, k.known()); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("putting the Secret %s of the keys that seal state documents back: %w", k.Name, secretio.Quiet(err))
	}
	log.FromContext(ctx).Info("The Secret of the keys that seal state documents was gone, and was put back as it was known", "secret", k.Name.String())
	return nil
}

// Start implements manager.Runnable: it reads the Secret again each minute, so that a key that
// was added is known, and one that is gone comes back.
func (k *Keys) Start(ctx context.Context) error {
	return periodic.Run(ctx, k.Clock, interval, func(ctx context.Context) {
		if err := k.Refresh(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "The keys that seal state documents could not be read again; those that are known stay in use")
		}
	})
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: a replica that waits must know
// the keys, too.
func (k *Keys) NeedLeaderElection() bool { return false }

// Seal closes a document with the current key. Its errors are those of [seal.Keyring.Seal].
func (k *Keys) Seal(place seal.Place, document []byte) ([]byte, error) {
	return k.known().Seal(place, document)
}

// Open opens what a Secret holds. Before a key counts as unknown the Secret of the keys is
// read once more. Its errors are those of [seal.Keyring.Open], and those of that read.
func (k *Keys) Open(ctx context.Context, secret types.NamespacedName, sealed []byte) ([]byte, error) {
	document, _, err := k.known().Open(secret.Namespace, secret.Name, sealed)
	if unknown := (*seal.UnknownKeyError)(nil); !errors.As(err, &unknown) || !k.mayLook() {
		return document, err
	}
	if failed := k.Refresh(ctx); errors.As(failed, new(notKeysError)) {
		return nil, err // those that are known stay in use, and this one is none of them
	} else if failed != nil {
		return nil, failed
	}
	document, _, err = k.known().Open(secret.Namespace, secret.Name, sealed)
	return document, err
}

// mayLook tells whether the Secret may be read for the sake of an unknown key.
func (k *Keys) mayLook() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	since := k.Clock.Now().Sub(k.looked)
	return since < 0 || since >= pause
}

// CurrentID names the key that seals.
func (k *Keys) CurrentID() string { return k.known().CurrentID() }

// MAC and Verifies are those of [seal.Keyring].
func (k *Keys) MAC(use, credential string, parts ...string) (id, code string, err error) {
	return k.known().MAC(use, credential, parts...)
}

// Verifies tells whether a code is what MAC made, see [seal.Keyring.Verifies].
func (k *Keys) Verifies(id, code, use, credential string, parts ...string) bool {
	return k.known().Verifies(id, code, use, credential, parts...)
}
