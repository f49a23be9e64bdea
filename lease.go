package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// renewDeadline is controller-runtime's own.
	renewDeadline = 10 * time.Second
	// drainedKept is how many holders the lease remembers as drained.
	drainedKept = 8
	// drainedPause is the least time between two looks at who has drained.
	drainedPause = time.Second
)

// lease is the one that the process works under. Its holder is the one that claims name. Whoever
// has saved every answer says so on the lease, so that whoever comes next need not wait until
// its claims are old.
type lease struct {
	live   client.Client
	clock  clock.PassiveClock
	log    logr.Logger
	key    client.ObjectKey
	holder string
	// watches says which SpacesCredentials the process looks after.
	watches string
	// skews are told on it.
	skews *skews

	mu      sync.Mutex
	looked  time.Time
	drained []string
	// uid is that of the lease as it was seen last; nil before that.
	uid atomic.Pointer[types.UID]
}

// warn tells people of something, by an event at the lease: kubectl describe lease shows it.
func (l *lease) warn(events events.EventRecorder, reason, text string) {
	events.Eventf(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: l.key.Namespace, Name: l.key.Name, UID: ptr.Deref(l.uid.Load(), "")}},
		nil, corev1.EventTypeWarning, reason, "Call", "%s", text)
}

// saw notes which lease there is.
func (l *lease) saw(lease *coordinationv1.Lease) { l.uid.Store(&lease.UID) }

// lock is what leader election holds. A request that hangs must not cost it.
func (l *lease) lock(kubernetes *rest.Config) (resourcelock.Interface, error) {
	config := rest.AddUserAgent(rest.CopyConfig(kubernetes), "leader-election")
	config.Timeout = renewDeadline / 2
	client, err := coordinationclient.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: l.key.Namespace, Name: l.key.Name},
		Client:     sharedLeases{client, l},
		LockConfig: resourcelock.ResourceLockConfig{Identity: l.holder},
	}, nil
}

// release says that the holder has drained, and lets the lease go if it is still its own.
func (l *lease) release(ctx context.Context) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		var lease coordinationv1.Lease
		if err := l.live.Get(ctx, l.key, &lease); err != nil {
			return client.IgnoreNotFound(err)
		}
		names := append(slices.DeleteFunc(drainedOf(&lease), func(name string) bool { return name == l.holder }), l.holder)
		if extra := len(names) - drainedKept; extra > 0 {
			names = names[extra:]
		}
		if lease.Annotations == nil {
			lease.Annotations = map[string]string{}
		}
		lease.Annotations[v1alpha1.AnnotationDrained] = strings.Join(names, ",")
		if ptr.Deref(lease.Spec.HolderIdentity, "") == l.holder {
			lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = ptr.To(""), ptr.To[int32](1)
		}
		return l.live.Update(ctx, &lease)
	})
	if err != nil {
		return fmt.Errorf("writing to the lease %s that this process has saved every answer: %w", l.key, err)
	}
	return nil
}

// isDrained tells that a holder has said so.
func (l *lease) isDrained(ctx context.Context, holder string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(l.drained, holder) {
		return true
	}
	if !l.looked.IsZero() && l.clock.Since(l.looked) < drainedPause {
		return false
	}
	l.looked = l.clock.Now()
	var lease coordinationv1.Lease
	if err := l.live.Get(ctx, l.key, &lease); err != nil {
		if !apierrors.IsNotFound(err) {
			l.log.Error(err, "Reading the lease failed; claims of earlier processes are waited for", "lease", l.key.String())
		}
		return false
	}
	l.drained = drainedOf(&lease)
	return slices.Contains(l.drained, holder)
}

// drainedOf are the holders that a lease remembers as drained, the last one last.
func drainedOf(lease *coordinationv1.Lease) []string {
	return list(lease.Annotations[v1alpha1.AnnotationDrained])
}
