package controllers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// liveSpecs is at least the number of specs below.
const liveSpecs = 10

// This is the one file with a live manager, and so the only one that waits. It
// proves the watches, and what only real controllers can show: the deletion of a
// namespace and the garbage collector.
var _ = Describe("A live manager", Ordered, func() {
	var (
		w    *world
		live *Reconciler
		stop context.CancelFunc
		done chan error
		// homes are the namespaces that the manager watches and no spec has used yet. It
		// sees no others: stories that were told before leave credentials behind, for which
		// it would sign in, too.
		homes []string
	)

	BeforeAll(func() {
		Expect(plane.StartControllers(GinkgoWriter)).To(Succeed())
		DeferCleanup(func() { Expect(plane.StopControllers()).To(Succeed()) })

		spaces := fakespaces.New(fakespaces.WithClient(clientID, clientSecret), fakespaces.WithUser(username, password))
		server := httptest.NewServer(spaces)
		w = &world{ctx: context.Background(), spaces: spaces, server: server, events: &eventLog{}, logs: &lockedBuffer{}, metrics: prometheus.NewRegistry()}

		watched := map[string]cache.Config{}
		for range liveSpecs {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "live-"}}
			Expect(admin.Create(w.ctx, namespace)).To(Succeed())
			homes = append(homes, namespace.Name)
			watched[namespace.Name] = cache.Config{}
		}
		secrets := &metav1.PartialObjectMetadata{}
		secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		log := zap.New(zap.WriteTo(w.logs), zap.UseDevMode(true))
		asOperator := serviceAccount(w.ctx)
		manager, err := ctrl.NewManager(asOperator, ctrl.Options{
			Scheme: scheme, Logger: log,
			Metrics:    metricsserver.Options{BindAddress: "0"},
			Cache:      cache.Options{DefaultNamespaces: watched, ByObject: map[client.Object]cache.ByObject{secrets: {Transform: StripSecretMetadata}}},
			Controller: config.Controller{SkipNameValidation: ptr.To(true)},
		})
		Expect(err).NotTo(HaveOccurred())
		service, err := spacesauth.New(spacesauth.Environment{
			Name: "staging", AccountsURL: server.URL, APIURL: server.URL, RequestsPerSecond: 20, Burst: 40, TimeoutSeconds: 15,
		})
		Expect(err).NotTo(HaveOccurred())
		direct, err := client.New(asOperator, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
		live = &Reconciler{
			Client: manager.GetClient(), Live: direct, Environments: map[string]*spacesauth.Client{"staging": service},
			Clock: clock.RealClock{}, Holder: "live", Events: bothEvents{manager.GetEventRecorder(v1alpha1.FieldManager), w.events},
			Metrics: NewMetrics(w.metrics), Log: log,
		}
		var ctx context.Context
		ctx, stop = context.WithCancel(w.ctx)
		Expect(live.SetupWithManager(ctx, manager, 4)).To(Succeed())
		done = make(chan error, 1)
		go func() { done <- manager.Start(ctx) }()
		DeferCleanup(func() {
			stop()
			Expect(<-done).To(Succeed())
			Expect(live.Drain(w.ctx)).To(Succeed())
			service.CloseIdleConnections()
			server.Close()
		})
	})

	BeforeEach(func() {
		Expect(homes).NotTo(BeEmpty(), "raise liveSpecs")
		w.namespace, homes = homes[0], homes[1:]
		DeferCleanup(w.expectNoLeak)
	})

	soon := func(what func(Gomega)) {
		GinkgoHelper()
		Eventually(what).WithTimeout(30 * time.Second).WithPolling(50 * time.Millisecond).Should(Succeed())
	}
	isReady := func(name string) func(Gomega) {
		return func(g Gomega) {
			ready := meta.FindStatusCondition(w.credential(name).Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Status).To(Equal(metav1.ConditionTrue), ready.Message)
			g.Expect(w.spaces.TokenWorks(w.token(name))).To(BeTrue())
		}
	}

	It("is woken by inputs that appear, one after the other", func() {
		w.apply(byPassword("bot"))
		soon(func(g Gomega) {
			g.Expect(w.credential("bot").Status.Conditions).To(ContainElement(HaveField("Reason", v1alpha1.ReasonWaitingForInput)))
		})
		w.apply(clientInput())
		w.apply(loginInput())
		soon(isReady("bot"))
	})

	It("is woken by a published Secret that is deleted or edited", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		soon(isReady("bot"))
		token := w.token("bot")
		w.delete(w.secret("bot"))
		soon(func(g Gomega) { g.Expect(w.token("bot")).To(Equal(token)) })
		edited := w.secret("bot")
		edited.Data[v1alpha1.KeyAccessToken] = []byte("wrong")
		Expect(admin.Update(w.ctx, edited)).To(Succeed())
		soon(func(g Gomega) { g.Expect(w.token("bot")).To(Equal(token)) })
	})

	It("is woken when the Secret in its way is deleted", func() {
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bot"}}
		w.apply(clientInput(), loginInput(), foreign, byPassword("bot"))
		soon(func(g Gomega) {
			g.Expect(w.credential("bot").Status.Conditions).To(ContainElement(HaveField("Reason", v1alpha1.ReasonSecretConflict)))
		})
		w.delete(foreign)
		soon(isReady("bot"))
	})

	It("is woken by a corrected password and a deleted state", func() {
		login := loginInput()
		login.StringData["password"] = "wrong-password-story"
		w.apply(clientInput(), login, byPassword("bot"))
		soon(func(g Gomega) {
			g.Expect(w.credential("bot").Status.Conditions).To(ContainElement(HaveField("Reason", v1alpha1.ReasonGrantRejected)))
		})
		corrected := w.secret("bot-login")
		corrected.Data["password"] = []byte(password)
		Expect(admin.Update(w.ctx, corrected)).To(Succeed())
		soon(isReady("bot"))
		token := w.token("bot")
		w.delete(w.secret("bot-grant"))
		soon(func(g Gomega) { g.Expect(w.token("bot")).NotTo(Equal(token)) })
		soon(isReady("bot"))
	})

	It("revokes and ends when a real namespace is deleted, its inputs first", func() {
		w.apply(clientInput(), loginInput(), w.seedInput(), byPassword("bot"), bySeed("seeded"))
		soon(isReady("bot"))
		soon(isReady("seeded"))
		live := w.spaces.Ledger().GrantsLive
		for _, input := range []string{"spaces-client", "bot-login", "seed"} {
			w.delete(w.secret(input))
		}
		w.delete(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
		soon(func(g Gomega) {
			err := admin.Get(w.ctx, types.NamespacedName{Name: w.namespace}, &corev1.Namespace{})
			g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "the namespace is still there")
		})
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(live - 2))
	})

	It("revokes and releases the state when the credential's finalizer is torn off", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		soon(isReady("bot"))
		live := w.spaces.Ledger().GrantsLive
		Eventually(func() error {
			credential := w.credential("bot")
			credential.Finalizers = nil
			return admin.Update(w.ctx, credential)
		}).Should(Succeed())
		w.delete(w.credential("bot"))
		soon(func(g Gomega) {
			g.Expect(w.exists("bot")).To(BeFalse())
			g.Expect(w.stateExists("bot")).To(BeFalse())
			g.Expect(w.secret("bot")).To(BeNil(), "the garbage collector left the published Secret")
		})
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(live - 1))
	})

	It("tells its events to the API server", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		soon(func(g Gomega) {
			var events eventsv1.EventList
			g.Expect(admin.List(w.ctx, &events, client.InNamespace(w.namespace))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(And(HaveField("Reason", v1alpha1.ReasonIssued), HaveField("Regarding.Name", "bot"))))
		})
	})

	It("comes to rest: a healthy credential costs no request at all", func() {
		w.apply(clientInput(), loginInput())
		for i := range 5 {
			w.apply(byPassword(fmt.Sprintf("bot-%d", i)))
		}
		for i := range 5 {
			soon(isReady(fmt.Sprintf("bot-%d", i)))
		}
		tokens := w.spaces.Ledger().TokensIssued
		Consistently(func() int { return w.spaces.Ledger().TokensIssued }).WithTimeout(2 * time.Second).Should(Equal(tokens))
	})
})

// serviceAccount applies config/default but for its Deployment, and returns the way
// to the API server that the operator has in a cluster: its rights and no more.
func serviceAccount(ctx context.Context) *rest.Config {
	GinkgoHelper()
	rendered, err := exec.Command(filepath.Join(plane.Assets, "kubectl"), "kustomize", filepath.Join("..", "config", "default")).Output()
	Expect(err).NotTo(HaveOccurred())
	as := rest.CopyConfig(plane.Config)
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(rendered), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(object)
		if errors.Is(err, io.EOF) {
			break
		}
		Expect(err).NotTo(HaveOccurred())
		switch object.GetKind() {
		case "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding":
			Expect(admin.Create(ctx, object)).To(Succeed())
		}
		if object.GetKind() == "ServiceAccount" {
			as.Impersonate.UserName = fmt.Sprintf("system:serviceaccount:%s:%s", object.GetNamespace(), object.GetName())
		}
	}
	Expect(as.Impersonate.UserName).NotTo(BeEmpty())
	return as
}

// bothEvents tells events to the API server and to the watcher.
type bothEvents [2]events.EventRecorder

// Eventf implements events.EventRecorder.
func (b bothEvents) Eventf(regarding, related runtime.Object, kind, reason, action, note string, arguments ...any) {
	for _, recorder := range b {
		recorder.Eventf(regarding, related, kind, reason, action, note, arguments...)
	}
}
