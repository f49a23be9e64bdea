package controllers

import (
	"context"
	"sync"

	"golang.org/x/sync/singleflight"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"

	"github.com/spaces-operator/spaces-credential-operator/internal/secretio"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// keptReading bounds what is kept of an input, in bytes. Clients and logins are shorter.
	keptReading = 1 << 10
	// keptReadings bounds how many are kept.
	keptReadings = 10000
	// longestValue is more than any value may have, with the newline that is dropped.
	longestValue = maxInput + len("\r\n") + 1
)

// reading is an input Secret as it was read live.
type reading struct {
	uid     types.UID
	version string
	kind    corev1.SecretType
	values  map[string]spacesauth.Secret
}

// readings are the inputs that were read last, by name. Many credentials may name one, and each
// renewal needs its client: a version of it is read once for all of them. They are good for as
// long as the informer shows the version that was read.
type readings struct {
	once sync.Once
	kept *lru.Cache
	// under are the reads under way.
	under singleflight.Group
}

// all are the readings that are kept.
func (r *readings) all() *lru.Cache {
	r.once.Do(func() { r.kept = lru.New(keptReadings) })
	return r.kept
}

// of is the reading of the version that the informer shows, or nil.
func (r *readings) of(name types.NamespacedName, uid types.UID, version string) *reading {
	if kept, found := r.all().Get(name); found {
		if known := kept.(*reading); known.uid == uid && known.version == version {
			return known
		}
	}
	return nil
}

// keep keeps what was read, unless it is long.
func (r *readings) keep(name types.NamespacedName, read *reading) {
	size := 0
	for key, value := range read.values {
		size += len(key) + len(value.Reveal())
	}
	if size <= keptReading {
		r.all().Add(name, read)
	}
}

// beginAnew forgets all: versions mean nothing any more.
func (r *readings) beginAnew() { r.all().Clear() }

// readLive reads an input from the API server.
func (r *Reconciler) readLive(ctx context.Context, name types.NamespacedName) (*reading, error) {
	var secret corev1.Secret
	if err := r.Live.Get(ctx, name, &secret); err != nil {
		return nil, err
	}
	read := &reading{uid: secret.UID, version: secret.ResourceVersion, kind: secret.Type, values: map[string]spacesauth.Secret{}}
	for key, value := range secret.Data {
		read.values[key] = spacesauth.NewSecret(string(value[:min(len(value), longestValue)]))
	}
	return read, nil
}

// readAndKeep reads an input for whoever asks for that version again.
func (r *Reconciler) readAndKeep(ctx context.Context, name types.NamespacedName) (*reading, error) {
	read, err := r.readLive(ctx, name)
	if err == nil {
		r.readings.keep(name, read)
	}
	return read, err
}

// readSecret is an input as wanted, and whether it was read earlier. A version that is not known
// yet is read once for all who ask for it meanwhile.
func (r *Reconciler) readSecret(ctx context.Context, name types.NamespacedName, as wanted) (found *reading, isOld bool, err error) {
	switch as {
	case once:
		found, err = r.readLive(ctx, name)
		return found, false, err
	case live:
		found, err = r.readAndKeep(ctx, name)
		return found, false, err
	case none, remembered:
	}
	seen, err := secretio.Metadata(ctx, r.Client, name)
	if err != nil {
		return nil, false, err
	}
	shown := ""
	if seen != nil {
		shown = seen.ResourceVersion
		if known := r.readings.of(name, seen.UID, shown); known != nil {
			return known, true, nil
		}
	}
	read, err, _ := r.readings.under.Do(name.String()+"/"+shown, func() (any, error) { return r.readAndKeep(ctx, name) })
	if err != nil {
		return nil, false, err
	}
	return read.(*reading), false, nil
}
