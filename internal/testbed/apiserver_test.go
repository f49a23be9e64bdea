package testbed_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const namespace = metav1.NamespaceDefault

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// TestAPIServerComesBack tells what outlives an API server, and what does not: the
// controllers do, so deletion works on afterwards. In the end the plane is stopped whose API
// server is gone.
func TestAPIServerComesBack(t *testing.T) {
	plane, err := testbed.StartControlPlane()
	must(t, err)
	t.Cleanup(func() { must(t, plane.Stop()) })
	must(t, plane.StartControllers(io.Discard))
	kubeconfig, err := testbed.WriteKubeconfig(t.TempDir(), plane.Config)
	must(t, err)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	must(t, err)
	config.Timeout = time.Minute
	kube, err := kubernetes.NewForConfig(config)
	must(t, err)

	written, err := kube.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "written"}}, metav1.CreateOptions{})
	must(t, err)
	_, err = kube.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "workload"}}, metav1.CreateOptions{})
	must(t, err)
	token, err := kube.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), "workload", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	must(t, err)

	expectGoes(t, kube, "before")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		watch, err := kube.CoreV1().Secrets(namespace).Watch(t.Context(), metav1.ListOptions{})
		must(t, err)
		must(t, plane.StopAPIServer(signal))
		if !ends(watch.ResultChan()) {
			t.Errorf("%s: the watch is still open", signal)
		}
		if _, err := kube.CoreV1().Secrets(namespace).Get(t.Context(), "written", metav1.GetOptions{}); err == nil {
			t.Errorf("%s: an API server answers that should be gone", signal)
		}
		if err := plane.StopAPIServer(signal); err == nil {
			t.Errorf("%s: one that does not run was stopped", signal)
		}

		must(t, plane.StartAPIServer())
		kept, err := kube.CoreV1().Secrets(namespace).Get(t.Context(), "written", metav1.GetOptions{})
		must(t, err)
		if kept.UID != written.UID || kept.ResourceVersion != written.ResourceVersion {
			t.Errorf("%s: the Secret is another one: %v", signal, kept.ObjectMeta)
		}
		out, err := exec.CommandContext(t.Context(), filepath.Join(plane.Assets, "kubectl"), "--kubeconfig", kubeconfig, "get", "secret", "written").CombinedOutput()
		if err != nil {
			t.Errorf("%s: the kubeconfig of before is not good any more: %v\n%s", signal, err, out)
		}
		review, err := kube.AuthenticationV1().TokenReviews().Create(t.Context(), &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token}}, metav1.CreateOptions{})
		must(t, err)
		if !review.Status.Authenticated {
			t.Errorf("%s: a service-account token of before is not good any more: %s", signal, review.Status.Error)
		}
	}
	expectGoes(t, kube, "after")
	must(t, plane.StopAPIServer(syscall.SIGKILL))
}

// ends waits until a channel is closed.
func ends[event any](events <-chan event) bool {
	for limit := time.After(10 * time.Second); ; {
		select {
		case _, open := <-events:
			if !open {
				return true
			}
		case <-limit:
			return false
		}
	}
}

// expectGoes creates and deletes a namespace, and waits until it is gone.
func expectGoes(t *testing.T, kube kubernetes.Interface, name string) {
	t.Helper()
	_, err := kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	must(t, err)
	must(t, kube.CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{}))
	// A watch that broke is opened anew after a pause that doubles, up to half a minute.
	for limit := time.After(2 * time.Minute); ; {
		if _, err = kube.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{}); apierrors.IsNotFound(err) {
			return
		}
		select {
		case <-limit:
			t.Fatalf("the namespace %s is still there (%v)", name, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
