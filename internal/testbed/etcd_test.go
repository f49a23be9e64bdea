package testbed_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// TestAClusterGoesBackToItsBackup tells what a restore brings back, and that clients of before
// see it. A backup can be restored twice.
func TestAClusterGoesBackToItsBackup(t *testing.T) {
	if os.Getenv("PROCESSES") == "" {
		t.Skip("it starts an API server three times: make test-processes")
	}
	plane, err := testbed.StartControlPlane()
	must(t, err)
	t.Cleanup(func() { must(t, plane.Stop()) })
	kube, err := kubernetes.NewForConfig(plane.Config)
	must(t, err)
	secrets := kube.CoreV1().Secrets(namespace)
	create := func(name string) *corev1.Secret {
		t.Helper()
		made, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		must(t, err)
		return made
	}

	before := create("before")
	backup := filepath.Join(t.TempDir(), "backup")
	began := time.Now()
	must(t, plane.BackUp(backup))
	t.Logf("a backup takes %s", time.Since(began))
	for range 2 {
		create("after")
		began = time.Now()
		must(t, plane.Restore(backup))
		t.Logf("a restore takes %s", time.Since(began))
		kept, err := secrets.Get(t.Context(), "before", metav1.GetOptions{})
		must(t, err)
		if kept.UID != before.UID || kept.ResourceVersion != before.ResourceVersion {
			t.Errorf("the Secret of before is another one: %v", kept.ObjectMeta)
		}
		if _, err := secrets.Get(t.Context(), "after", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("what was made after the backup is still there: %v", err)
		}
	}
}
