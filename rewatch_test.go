package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// A watch from a version that is yet to come is what an informer asks for after the API server
// went back. The API server takes it and is silent; who asks must hear that the version expired.
func TestNoWatchIsTakenUpAtAVersionThatIsYetToCome(t *testing.T) {
	g := NewWithT(t)
	plane := sharedPlane(t)
	bare, err := testbed.NewClient(plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	guarded := func(config *rest.Config) client.WithWatch {
		kubernetes, err := testbed.NewClient(rewatching(config, logr.Discard()))
		g.Expect(err).NotTo(HaveOccurred())
		return kubernetes
	}
	begin := func(kubernetes client.WithWatch, version string) (watch.Interface, error) {
		watching, err := kubernetes.Watch(t.Context(), &corev1.SecretList{}, client.InNamespace("default"),
			&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true}})
		if err == nil {
			t.Cleanup(watching.Stop)
		}
		return watching, err
	}
	var now corev1.SecretList
	g.Expect(bare.List(t.Context(), &now, client.InNamespace("default"))).To(Succeed())

	const yetToCome = "999999999999"
	_, err = begin(bare, yetToCome)
	g.Expect(err).NotTo(HaveOccurred(), "the API server compares versions itself by now: rewatch may go")
	_, err = begin(guarded(plane.Config), yetToCome)
	g.Expect(apierrors.IsResourceExpired(err)).To(BeTrue(), "it was taken up: %v", err)

	// One from what is there tells what comes, and one from nowhere what there is.
	for i, version := range []string{now.ResourceVersion, "0", ""} {
		watching, err := begin(guarded(plane.Config), version)
		g.Expect(err).NotTo(HaveOccurred())
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("watched-%d", i)}}
		g.Expect(bare.Create(t.Context(), secret)).To(Succeed())
		g.Eventually(watching.ResultChan()).WithTimeout(10 * time.Second).Should(Receive(HaveField("Object.Name", secret.Name)))
		g.Expect(bare.Delete(t.Context(), secret)).To(Succeed())
	}

	// Who may not list is told so.
	_, err = begin(guarded(newSubject(t, bare, plane.Config, "nobody").config), now.ResourceVersion)
	g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "it was told %v", err)
}
