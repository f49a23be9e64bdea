package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

const (
	// latecomers are credentials with logins of their own, each of which is changed once, and whose
	// published Secrets are deleted once.
	latecomers          = 20
	latecomersNamespace = "bench-latecomers"
)

func latecomer(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: latecomersNamespace, Name: fmt.Sprintf("late-%02d", i)}
}

func loginOf(i int) string { return fmt.Sprintf("login-%02d", i) }

func (b *bench) createLatecomers(ctx context.Context) error {
	if err := b.cluster.createNamespace(ctx, latecomersNamespace); err != nil {
		return err
	}
	for i := range latecomers {
		if err := b.cluster.createLogin(ctx, latecomersNamespace, loginOf(i)); err != nil {
			return err
		}
		if err := b.cluster.Create(ctx, credentialOf(latecomer(i), fastEnvironment, loginOf(i))); err != nil {
			return err
		}
	}
	return nil
}

// measureLatecomers changes logins and deletes published Secrets, one after another, and tells how
// long each took, in milliseconds.
func (b *bench) measureLatecomers(ctx context.Context, o *operator) (changed, deleted []float64, err error) {
	b.Say("  changing logins and deleting published Secrets, %d each", latecomers)
	for i := range latecomers {
		took, err := b.cluster.untilAnother(ctx, latecomer(i), func() error {
			login := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: latecomersNamespace, Name: loginOf(i)}}
			return b.cluster.Patch(ctx, login, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"stringData":{"username":%q}}`, otherUsername)))
		})
		if err != nil {
			return nil, nil, fmt.Errorf("from a changed login to the new token: %w; see %s", err, b.Path(operatorLog))
		}
		changed = append(changed, took)
	}
	for i := range latecomers {
		took, err := b.cluster.untilAnother(ctx, latecomer(i), func() error {
			return b.cluster.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: latecomersNamespace, Name: latecomer(i).Name}})
		})
		if err != nil {
			return nil, nil, fmt.Errorf("from a deleted published Secret to its return: %w; see %s", err, b.Path(operatorLog))
		}
		deleted = append(deleted, took)
	}
	return changed, deleted, o.Failure()
}

// lateLimit is far above what either takes.
const lateLimit = time.Minute

// untilAnother does something, and tells in how many milliseconds the published Secret is another
// one, or holds another token.
func (c *cluster) untilAnother(ctx context.Context, name types.NamespacedName, do func() error) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, lateLimit)
	defer cancel()
	var before corev1.Secret
	if err := c.Get(ctx, name, &before); err != nil {
		return 0, err
	}
	watch, err := c.Watch(ctx, &corev1.SecretList{}, client.InNamespace(name.Namespace), client.MatchingFields{"metadata.name": name.Name})
	if err != nil {
		return 0, err
	}
	defer watch.Stop()
	began := time.Now()
	if err := do(); err != nil {
		return 0, err
	}
	for event := range watch.ResultChan() {
		now, ok := event.Object.(*corev1.Secret)
		if ok && (now.UID != before.UID || now.Annotations[v1alpha1.AnnotationFingerprint] != before.Annotations[v1alpha1.AnnotationFingerprint]) {
			return float64(time.Since(began).Microseconds()) / 1000, nil
		}
	}
	return 0, fmt.Errorf("the Secret %s stays as it is: %w", name, ctx.Err())
}
