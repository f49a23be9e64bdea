package controllers

import (
	"context"
	"crypto/rand"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/statekey"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

var (
	plane  *testbed.ControlPlane
	scheme = runtime.NewScheme()
	// admin sees and changes everything, past any fault of a story.
	admin client.WithWatch
	// onlooker reads as admin does, through the mirror.
	onlooker client.WithWatch
	// keys seal the state documents of all stories but those about keys.
	keys *statekey.Keys
)

func TestControllers(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "controllers")
}

var _ = BeforeSuite(func() {
	log.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true))) // for what logs without one of a story
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	var err error
	plane, err = testbed.StartControlPlane(testbed.CRDs)
	Expect(err).NotTo(HaveOccurred())
	plane.Config.QPS, plane.Config.Burst = 1000, 1000
	server, err := client.NewWithWatch(plane.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	admin = mirrors.counting(server)
	onlooker = mirrors.reading(admin)
	keys = &statekey.Keys{
		Live: admin, Name: types.NamespacedName{Namespace: metav1.NamespaceDefault, Name: v1alpha1.StateKeySecretName},
		Clock: clock.RealClock{}, Random: rand.Reader,
	}
	Expect(keys.Load(context.Background(), func(context.Context) error { return nil })).To(Succeed())
})

var _ = AfterSuite(func() {
	if plane != nil {
		Expect(plane.Stop()).To(Succeed())
	}
})
