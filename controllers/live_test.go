package controllers

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/metrics"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// managerRole is the ClusterRole of the operator in config/default.
const managerRole = "spaces-credential-operator-manager-role"

// liveSpecs is at least the number of specs below.
const liveSpecs = 14

// This is the one file that waits: for a live manager, or for the real controllers. It
// proves the watches, and what only real controllers can show: the deletion of a
// namespace and the garbage collector.
var _ = Describe("A live manager", Ordered, func() {
	var (
		w *world
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
		w.live(serviceAccount(w.ctx), clock.RealClock{}, watched, 4, 20)
	})

	BeforeEach(func() {
		Expect(homes).NotTo(BeEmpty(), "raise liveSpecs")
		w.namespace, homes = homes[0], homes[1:]
		DeferCleanup(w.expectNoLeak)
	})

	soon := func(what func(Gomega)) {
		GinkgoHelper()
		Eventually(what).WithTimeout(2 * time.Minute).WithPolling(50 * time.Millisecond).Should(Succeed())
	}
	isReady := func(name string) func(Gomega) {
		return func(g Gomega) {
			ready := meta.FindStatusCondition(w.credential(name).Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Status).To(Equal(metav1.ConditionTrue), ready.Message)
			g.Expect(w.spaces.TokenWorks(w.token(name))).To(BeTrue())
		}
	}

	It("a live manager is woken by inputs that appear, one after the other", func() {
		w.apply(byPassword("bot"))
		soon(func(g Gomega) {
			g.Expect(w.credential("bot").Status.Conditions).To(ContainElement(HaveField("Reason", v1alpha1.ReasonWaitingForInput)))
		})
		w.apply(clientInput())
		w.apply(loginInput())
		soon(isReady("bot"))
	})

	It("a live manager is woken by a published Secret that is deleted or edited", func() {
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

	It("a live manager is woken by a workload that says it was refused", func() {
		w.spaces.SetTokenLifetime(time.Minute)
		DeferCleanup(func() { w.spaces.SetTokenLifetime(time.Hour) })
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		soon(isReady("bot"))
		token := w.token("bot")
		w.rejects("bot")
		soon(func(g Gomega) {
			series, _ := w.scraped()
			g.Expect(series).To(HaveKeyWithValue("spaces_tokens_rejected_total{environment=staging}", 1.0))
			g.Expect(w.token("bot")).NotTo(Equal(token))
		})
		soon(isReady("bot"))
	})

	It("a deleted Secret that carries our finalizer and is no state is released, whatever it is called", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		soon(isReady("bot"))
		state := w.secret("bot-grant")
		copied := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "kept-for-later", Labels: state.Labels, Annotations: state.Annotations, Finalizers: state.Finalizers},
			Type:       state.Type, Data: state.Data,
		}
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "foreign", Finalizers: []string{v1alpha1.FinalizerGrant, "example.com/theirs"}}}
		w.apply(copied, foreign)
		w.delete(copied)
		w.delete(foreign)
		soon(func(g Gomega) {
			g.Expect(w.secret("kept-for-later")).To(BeNil())
			g.Expect(w.secret("foreign").Finalizers).To(Equal([]string{"example.com/theirs"}))
		})
		Expect(w.spaces.TokenWorks(w.token("bot"))).To(BeTrue())
		last := w.secret("foreign")
		last.Finalizers = nil
		Expect(admin.Update(w.ctx, last)).To(Succeed())
	})

	It("a live manager is woken when the Secret in its way is deleted", func() {
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bot"}}
		w.apply(clientInput(), loginInput(), foreign, byPassword("bot"))
		soon(func(g Gomega) {
			g.Expect(w.credential("bot").Status.Conditions).To(ContainElement(HaveField("Reason", v1alpha1.ReasonSecretConflict)))
		})
		w.delete(foreign)
		soon(isReady("bot"))
	})

	It("a live manager is woken by a corrected password and by a deleted state", func() {
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

	endsWithItsNamespace := func() {
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
	}

	It("the deletion of a namespace revokes its grants and ends, though its inputs go first", func() { endsWithItsNamespace() })

	It("under the policies the deletion of a namespace revokes its grants and ends, too", ofMatrix, func() {
		if !isWhole {
			Skip("it takes ten seconds, and its like without policies is told: MATRIX=1, or make chaos")
		}
		w.enforcePolicies()
		endsWithItsNamespace()
	})

	It("under the policies the garbage collector takes the owner from a state, and every deletion ends", func() {
		w.enforcePolicies()
		w.apply(clientInput(), loginInput(), w.seedInput(), byPassword("bot"), bySeed("seeded"))
		soon(isReady("bot"))
		soon(isReady("seeded"))
		live := w.spaces.Ledger().GrantsLive
		isGone := func(name string) func(Gomega) {
			return func(g Gomega) {
				g.Expect(w.exists(name)).To(BeFalse())
				g.Expect(w.stateExists(name)).To(BeFalse())
				g.Expect(w.secret(name)).To(BeNil())
			}
		}

		// A grant that cannot be revoked yet holds the state for as long as the garbage collector needs.
		w.spaces.SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultServerError500, 1)
		Expect(admin.Delete(w.ctx, w.credential("bot"), client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(Succeed())
		soon(func(g Gomega) {
			g.Expect(w.secret("bot-grant").OwnerReferences).To(BeEmpty())
			g.Expect(w.credential("bot").Finalizers).To(Equal([]string{v1alpha1.FinalizerRevoke}))
		})
		w.spaces.SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultServerError500, 0)
		soon(isGone("bot"))

		Expect(admin.Delete(w.ctx, w.credential("seeded"), client.PropagationPolicy(metav1.DeletePropagationForeground))).To(Succeed())
		soon(isGone("seeded"))
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(live - 2))
	})

	It("under the policies a tenant annotates what is published, and a restore account alone brings states back", func() {
		w.enforcePolicies()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		soon(isReady("bot"))
		fingerprint := w.credential("bot").Status.Token.Fingerprint
		w.bash(fmt.Sprintf("kubectl annotate --as tenant --as-group system:masters -n %s secret bot auth.spaces-operator.io/rejected=%s", w.namespace, fingerprint))
		Expect(w.secret("bot").Annotations).To(HaveKeyWithValue("auth.spaces-operator.io/rejected", fingerprint))

		state := w.secret("bot-grant")
		state.ObjectMeta = metav1.ObjectMeta{Namespace: w.namespace, Name: "restored-grant", Labels: state.Labels, Annotations: state.Annotations, Finalizers: state.Finalizers}
		Expect(as("tenant").Create(w.ctx, state.DeepCopy())).To(MatchError(ContainSubstring("operator alone")))
		Expect(as("system:serviceaccount:velero:velero").Create(w.ctx, state.DeepCopy())).To(Succeed())
		Expect(as("tenant").Delete(w.ctx, state)).To(Succeed())
		soon(func(g Gomega) { g.Expect(w.stateExists("restored")).To(BeFalse()) })
		soon(isReady("bot"))
	})

	It("a credential whose finalizer is torn off leaves no grant, no state and no published Secret", func() {
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

	It("the events of a live manager reach the API server", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		soon(func(g Gomega) {
			var events eventsv1.EventList
			g.Expect(admin.List(w.ctx, &events, client.InNamespace(w.namespace))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(And(HaveField("Reason", v1alpha1.ReasonIssued), HaveField("Regarding.Name", "bot"))))
		})
	})

	It("a right that is taken away is told, and a live manager goes on when it is back", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		soon(isReady("bot"))
		token := w.token("bot")
		ask := func(when string) {
			credential := w.credential("bot")
			before := client.MergeFrom(credential.DeepCopy()) // somebody else writes the status
			credential.Annotations = map[string]string{v1alpha1.AnnotationRenewRequestedAt: when}
			Expect(admin.Patch(w.ctx, credential, before)).To(Succeed())
		}

		By("without patch on Secrets")
		role := &rbacv1.ClusterRole{}
		Expect(admin.Get(w.ctx, types.NamespacedName{Name: managerRole}, role)).To(Succeed())
		whole := role.DeepCopy()
		for i, rule := range role.Rules {
			if slices.Contains(rule.Resources, "secrets") {
				role.Rules[i].Verbs = slices.DeleteFunc(rule.Verbs, func(verb string) bool { return verb == "patch" })
			}
		}
		Expect(admin.Update(w.ctx, role)).To(Succeed())
		soon(func(g Gomega) { // the API server hears of the role with a delay
			ask(time.Now().Format(time.RFC3339Nano))
			g.Expect(w.credential("bot").Status.Conditions).To(ContainElement(And(
				HaveField("Type", v1alpha1.ConditionStalled), HaveField("Status", metav1.ConditionTrue), HaveField("Reason", v1alpha1.ReasonSecretForbidden))))
		})
		soon(isReady("bot"))

		By("with it")
		whole.ResourceVersion = role.ResourceVersion
		Expect(admin.Update(w.ctx, whole)).To(Succeed())
		soon(func(g Gomega) {
			ask(time.Now().Format(time.RFC3339Nano))
			g.Expect(w.token("bot")).NotTo(Equal(token))
		})
		soon(isReady("bot"))
		w.expectNothingLost()
	})

	It("a healthy credential comes to rest: no more tokens are asked for", func() {
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

// many is how many credentials have to keep their schedule; CI says 2000.
func many() int {
	if number, err := strconv.Atoi(os.Getenv("CREDENTIALS")); err == nil {
		return number
	}
	return 60
}

var _ = Describe("A live manager with many credentials", Ordered, func() {
	// A step, which may fall into a pass, and the time that goes by while its renewals are made
	// are together less than the sweeper's margin, so that only a timer that was lost is overdue.
	const step, goesBy = 2 * time.Second, 50 * time.Millisecond
	var w *world
	var stepped *testclock.FakeClock
	var reader client.Reader
	all := func() []v1alpha1.SpacesCredential {
		var list v1alpha1.SpacesCredentialList
		Expect(reader.List(w.ctx, &list, client.UnsafeDisableDeepCopy)).To(Succeed())
		return list.Items
	}
	// those are the names and conditions of some, which tell what they wait for.
	those := func(which func(*v1alpha1.SpacesCredential) bool) []string {
		var found []string
		for _, credential := range all() {
			if which(&credential) {
				found = append(found, fmt.Sprintf("%s at %s: %+v %+v", credential.Name, stepped.Now(), credential.Status.Token, credential.Status.Conditions))
			}
		}
		return found
	}

	It("every token of many credentials is renewed at its time, by timers alone", func() {
		stepped = testclock.NewFakeClock(time.Now().Truncate(time.Second))
		w = newWorldAt(stepped)
		config := rest.CopyConfig(plane.Config)
		config.QPS = -1
		reconciler := w.live(config, stepped, map[string]cache.Config{w.namespace: {}}, 10, 10000)
		reader = reconciler.Client
		w.apply(clientInput(), loginInput())
		var making errgroup.Group
		making.SetLimit(16)
		for i := range many() {
			making.Go(func() error {
				credential := byPassword(fmt.Sprintf("bot-%d", i))
				credential.Namespace = w.namespace
				return admin.Create(w.ctx, credential)
			})
		}
		Expect(making.Wait()).To(Succeed())

		By("first tokens")
		Eventually(func() []string {
			stepped.Step(time.Second) // for passes that the informer was too slow for
			return those(func(c *v1alpha1.SpacesCredential) bool { return c.Status.Token == nil })
		}).WithTimeout(5 * time.Minute).WithPolling(250 * time.Millisecond).Should(BeEmpty())
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(many()))
		due := map[string]time.Time{}
		first, last := stepped.Now().Add(lifetime), stepped.Now()
		for _, credential := range all() {
			at := credential.Status.Token.RenewalTime.Time
			due[credential.Name] = at
			if at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
			}
		}

		By("renewals")
		Expect(first).To(BeTemporally(">", stepped.Now()))
		// A timer is as late as the clock jumps while the pass that sets it is at its end, which
		// the informer does not show.
		atRest := func() { Eventually(passesUnderWay).WithTimeout(time.Minute).Should(BeZero()) }
		atRest()
		for stepped.SetTime(first.Add(-step)); stepped.Now().Before(last.Add(step)); stepped.Step(step) {
			Eventually(func() []string {
				stepped.Step(goesBy) // for passes that the informer was too slow for
				return those(func(c *v1alpha1.SpacesCredential) bool { return stepped.Now().After(c.Status.Token.RenewalTime.Time) })
			}).WithTimeout(time.Minute).WithPolling(goesBy).Should(BeEmpty())
			Expect(w.gauge("spaces_credentials_overdue")).To(BeZero(), "the sweeper had to help")
			atRest()
		}
		// The last ones may have their token, and the informer not show it yet.
		Eventually(func() []string {
			stepped.Step(goesBy)
			return those(func(c *v1alpha1.SpacesCredential) bool { return c.Status.Token.IssueTime.Time.Before(due[c.Name]) })
		}).WithTimeout(time.Minute).WithPolling(goesBy).Should(BeEmpty())
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(2*many()), "each was renewed once")
		for _, credential := range all() {
			issued := credential.Status.Token.IssueTime.Time
			Expect(issued).To(BeTemporally(">=", due[credential.Name]))
			Expect(issued).To(BeTemporally("<=", due[credential.Name].Add(sweepMargin)))
		}
		w.expectNothingLost()
	})
})

// soonAll waits until kube-controller-manager has brought every story to where something
// holds of it.
func soonAll(all []telling, what string, holds func(telling) bool) {
	GinkgoHelper()
	By(fmt.Sprintf("waiting until each of %d worlds %s", len(all), what))
	waiting := slices.Clone(all)
	Eventually(func() (late []string) {
		waiting = slices.DeleteFunc(waiting, holds)
		for _, t := range waiting {
			late = append(late, t.String())
		}
		return late
	}).WithTimeout(3*time.Minute).WithPolling(250*time.Millisecond).Should(BeEmpty(), "each %s", what)
}

// soonCollectorKnows waits until the garbage collector knows the Secrets of all these worlds. It
// learns of Secrets in their order, and of credentials beside them: one that is deleted in the
// foreground before its Secrets are known has nothing to wait for, and keeps them. So the last
// Secret has an owner that never was, and is gone as soon as it is known.
func soonCollectorKnows(all []telling) {
	GinkgoHelper()
	By("waiting until the garbage collector knows what it is to collect")
	w := all[len(all)-1].world
	w.apply(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "last", OwnerReferences: []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "SpacesCredential", Name: "never", UID: uuid.NewUUID(),
	}}}})
	Eventually(func() bool { return w.secret("last") == nil }).WithTimeout(3 * time.Minute).WithPolling(250 * time.Millisecond).Should(BeTrue())
}

// gauge is the value of a metric without labels.
func (w *world) gauge(name string) float64 {
	series, _ := w.scraped()
	return series[name+"{}"]
}

// passesUnderWay counts the workers that are at a pass.
func passesUnderWay() (float64, error) {
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		return 0, err
	}
	for _, family := range families {
		if family.GetName() == "controller_runtime_active_workers" {
			for _, metric := range family.GetMetric() {
				if metric.GetLabel()[0].GetValue() == "spacescredential" {
					return metric.GetGauge().GetValue(), nil
				}
			}
		}
	}
	return 0, errors.New("there is no count of the workers of spacescredential")
}

// live starts a manager with the operator's own loop, as main does, on a clock of the
// story's choice. It sees the watched namespaces alone, and ends with the story.
func (w *world) live(config *rest.Config, c clock.WithTickerAndDelayedExecution, watched map[string]cache.Config, concurrency int, rate float64) *Reconciler {
	GinkgoHelper()
	mirrors.end(w.namespace)
	secrets := &metav1.PartialObjectMetadata{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	log := zap.New(zap.WriteTo(w.logs), zap.UseDevMode(true))
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Logger: log,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultNamespaces: watched, ByObject: map[client.Object]cache.ByObject{
			secrets: {Transform: StripSecretMetadata}, &v1alpha1.SpacesCredential{}: {Transform: StripCredential},
		}},
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	service, err := spacesauth.New(spacesauth.Environment{
		Name: "staging", AccountsURL: w.server.URL, APIURL: w.server.URL, RequestsPerSecond: rate, Burst: int(2 * rate), TimeoutSeconds: 15,
	}, spacesauth.WithClock(c))
	Expect(err).NotTo(HaveOccurred())
	direct, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	reconciler := &Reconciler{
		Client: manager.GetClient(), Live: direct, Keys: keys, Environments: NewEnvironments(map[string]*spacesauth.Client{"staging": service}), Gates: gate.New(c, concurrency, service.Environment()),
		Clock: c, Holder: "live", Events: bothEvents{manager.GetEventRecorder(v1alpha1.FieldManager), w.events},
		Metrics: metrics.New(w.metrics), Random: rand.Reader,
	}
	ctx, stop := context.WithCancel(w.ctx)
	Expect(reconciler.SetupWithManager(ctx, manager, concurrency)).To(Succeed())
	done := make(chan error, 1)
	go func() { done <- manager.Start(ctx) }()
	DeferCleanup(func() {
		stop()
		Expect(<-done).To(Succeed())
		Expect(reconciler.Drain(w.ctx)).To(Succeed())
		service.CloseIdleConnections()
		w.server.Close()
	})
	return reconciler
}

// serviceAccount applies config/default but for its Deployment, and returns the way
// to the API server that the operator has in a cluster: its rights and no more.
func serviceAccount(ctx context.Context) *rest.Config {
	GinkgoHelper()
	as := rest.CopyConfig(plane.Config)
	for _, object := range kustomized("default") {
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

// kustomized are the objects of a folder of config, as kubectl apply -k would apply them.
func kustomized(folder string) (objects []*unstructured.Unstructured) {
	GinkgoHelper()
	rendered, err := exec.Command(filepath.Join(plane.Assets, "kubectl"), "kustomize", filepath.Join("..", "config", folder)).Output()
	Expect(err).NotTo(HaveOccurred())
	for documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(rendered), 4096); ; {
		object := &unstructured.Unstructured{}
		err := documents.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		Expect(err).NotTo(HaveOccurred())
		objects = append(objects, object)
	}
}

// bothEvents tells events to the API server and to the watcher.
type bothEvents [2]events.EventRecorder

// Eventf implements events.EventRecorder.
func (b bothEvents) Eventf(regarding, related runtime.Object, kind, reason, action, note string, arguments ...any) {
	for _, recorder := range b {
		recorder.Eventf(regarding, related, kind, reason, action, note, arguments...)
	}
}

var _ = Describe("A policy that asks for a label on every Secret", func() {
	It("a policy that asks for labels is satisfied by those of spec, and without them nothing is sent", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		w.enforceLabel("team")
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretForbidden)
		Expect(meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionReady).Message).To(ContainSubstring("spec.stateLabels"))
		Expect(w.spaces.Ledger().Calls).To(BeEmpty(), "something was sent that could not be kept")

		credential := w.credential("bot")
		credential.Spec.StateLabels = map[string]v1alpha1.LabelValue{"team": "a"}
		credential.Spec.SecretTemplate = &v1alpha1.SecretTemplate{Labels: map[string]v1alpha1.LabelValue{"team": "a"}}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
		Expect(w.secret("bot-grant").Labels).To(HaveKeyWithValue("team", "a"))
	})
})

// enforceLabel has the API server refuse every new Secret of the story's namespace that lacks
// a label. It returns once the policy is in force, which takes a moment.
func (w *world) enforceLabel(key string) {
	GinkgoHelper()
	name := metav1.ObjectMeta{Name: w.namespace}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: name, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
			},
		}}},
		Validations: []admissionv1.Validation{{Expression: fmt.Sprintf("'%s' in object.metadata.?labels.orValue({})", key)}},
	}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: name, Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: policy.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}}},
	}}
	for _, object := range []client.Object{policy, binding} {
		Expect(admin.Create(w.ctx, object)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(w.ctx, object)).To(Succeed()) })
	}
	without := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "without-labels"}}
	Eventually(func() error { return admin.Create(w.ctx, without.DeepCopy(), client.DryRunAll) }).WithTimeout(time.Minute).Should(HaveOccurred())
}

// enforcePolicies puts what config/policies holds in force for the story's namespace alone. It
// returns once it is, which takes a moment.
func (w *world) enforcePolicies() {
	GinkgoHelper()
	for _, object := range kustomized("policies") {
		if object.GetKind() == "ValidatingAdmissionPolicyBinding" {
			Expect(unstructured.SetNestedField(object.Object, map[string]any{
				"namespaceSelector": map[string]any{"matchLabels": map[string]any{corev1.LabelMetadataName: w.namespace}},
			}, "spec", "matchResources")).To(Succeed())
		}
		Expect(admin.Create(w.ctx, object)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(w.ctx, object)).To(Succeed()) })
	}
	forged := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "forged-grant"}, Type: v1alpha1.SecretTypeGrantState}
	Eventually(func() error { return admin.Create(w.ctx, forged.DeepCopy(), client.DryRunAll) }).WithTimeout(time.Minute).
		Should(MatchError(ContainSubstring("made and changed by the SpacesCredential operator alone")))
}

// as is a client of somebody whom no right but a policy's is missing.
func as(user string) client.WithWatch {
	GinkgoHelper()
	config := rest.CopyConfig(plane.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	server, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return mirrors.counting(server)
}

var _ = Describe("The policies of config/policies", func() {
	It("nobody but the operator makes or changes a state, and all else goes on as before", func() {
		w := newWorld()
		w.enforcePolicies()
		o := w.operator()
		o.Live = o.faults.client(as("system:serviceaccount:spaces-credential-operator-system:spaces-credential-operator-controller-manager"))
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.settle("bot", 2*lifetime)
		w.expectReady("bot")

		tenant := as("tenant")
		for _, made := range []*corev1.Secret{
			{Type: v1alpha1.SecretTypeGrantState},
			{Type: v1alpha1.SecretTypeGrantExport},
			{ObjectMeta: metav1.ObjectMeta{Finalizers: []string{v1alpha1.FinalizerGrant}}},
			{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelSecret: v1alpha1.SecretPublished}}},
			{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue}}},
		} {
			made.Namespace, made.Name = w.namespace, "made"
			Expect(tenant.Create(w.ctx, made)).To(MatchError(ContainSubstring("operator alone")))
		}
		refuses := func(object client.Object, change func()) {
			GinkgoHelper()
			change()
			Expect(tenant.Update(w.ctx, object)).To(MatchError(ContainSubstring("operator alone")))
		}
		state := func() *corev1.Secret { return w.secret("bot-grant") }
		s := state()
		refuses(s, func() { s.Data[v1alpha1.StateKey] = []byte("forged") })
		s = state()
		refuses(s, func() { s.Finalizers = nil })
		s = state()
		refuses(s, func() { s.Labels[v1alpha1.LabelSecret] = v1alpha1.SecretPublished })
		input := w.secret("bot-login")
		refuses(input, func() { input.Finalizers = []string{v1alpha1.FinalizerGrant} })
		input = w.secret("bot-login")
		refuses(input, func() { input.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue} })

		// What a tenant, a tool and a restore may do as before.
		input = w.secret("bot-login")
		input.Labels = map[string]string{v1alpha1.LabelManagedBy: "Helm"}
		Expect(tenant.Update(w.ctx, input)).To(Succeed())
		published := w.secret("bot")
		published.Annotations["auth.spaces-operator.io/rejected"] = published.Annotations[v1alpha1.AnnotationFingerprint]
		published.OwnerReferences = nil
		Expect(tenant.Update(w.ctx, published)).To(Succeed())
		restored := state()
		restored.ObjectMeta = metav1.ObjectMeta{Namespace: w.namespace, Name: "restored-grant", Labels: restored.Labels, Finalizers: restored.Finalizers}
		Expect(as("system:serviceaccount:velero:velero").Create(w.ctx, restored)).To(Succeed())
		Expect(tenant.Delete(w.ctx, restored)).To(Succeed())
		o.settle("restored", 10*time.Second)
		Expect(w.secret("restored-grant")).To(BeNil())

		Expect(tenant.Delete(w.ctx, state())).To(Succeed())
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1), "the emergency stop revoked the old one")
		w.delete(w.credential("bot"))
		o.settle("bot", 10*time.Second)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})
})
