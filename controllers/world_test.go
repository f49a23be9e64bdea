package controllers

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/metrics"
	"github.com/spaces-operator/spaces-credential-operator/internal/seal"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/statekey"
	"github.com/spaces-operator/spaces-credential-operator/internal/transfer"
)

const (
	clientID     = "story-client"
	clientSecret = "story-client-secret-8d1f"
	username     = "bot@example.test"
	password     = "story-password-77b2"
	redirectURI  = "http://localhost:3000"
	codeVerifier = "story-code-verifier-of-at-least-43-characters-5c2e"
	lifetime     = time.Hour
)

// world is what one story happens in: a namespace on the real API server, a fake
// service behind a real socket, and a clock that moves only when the story says so.
type world struct {
	ctx       context.Context
	namespace string
	clock     *testclock.FakeClock
	spaces    *fakespaces.Service
	server    *httptest.Server
	events    *eventLog
	logs      *lockedBuffer
	metrics   *prometheus.Registry
	keys      *statekey.Keys
	operators int
	// former is the operator that brought a story to where it begins, if one did.
	former *operator
	// clientNamespace is where the Secrets of ClusterSpacesClients are; empty in a world without.
	clientNamespace string
	// paused tells processes that start that the environment is.
	paused bool
	// allowsExport tells that operators are started with --allow-export.
	allowsExport bool
	// importKey opens what a story exports, and elsewhereHas is the cluster that imported it.
	importKey    transfer.PrivateKey
	elsewhereHas *world
	// others are further environments, by name.
	others map[string]*world
	// passed is when the last pass of each credential was begun.
	passed map[string]time.Time
	// secrets are values a story made up, which must not leak either.
	secrets []string
}

// newWorld makes a world and the two watchers that look on until the story ends.
func newWorld(options ...fakespaces.Option) *world {
	return newWorldAt(testclock.NewFakeClock(time.Now().Truncate(time.Second)), options...)
}

// neighbour makes a second service, and a namespace, that share the clock of w. The
// operator o gets it as environment "other".
func (w *world) neighbour(o *operator) *world {
	other := newWorldAt(w.clock)
	o.knows("other", other.operator().Environments.Named("staging"))
	return other
}

func newWorldAt(clock *testclock.FakeClock, options ...fakespaces.Option) *world {
	w := &world{
		clock:   clock,
		events:  &eventLog{},
		logs:    &lockedBuffer{},
		metrics: prometheus.NewRegistry(),
		keys:    keys,
		passed:  map[string]time.Time{},
	}
	w.ctx = log.IntoContext(context.Background(), zap.New(zap.WriteTo(w.logs), zap.UseDevMode(true)))
	options = append([]fakespaces.Option{
		fakespaces.WithNow(w.clock.Now),
		fakespaces.WithClient(clientID, clientSecret),
		fakespaces.WithUser(username, password),
		fakespaces.WithTokenLifetime(lifetime),
	}, options...)
	w.spaces = fakespaces.New(options...)
	w.server = httptest.NewServer(w.spaces)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "story-"}}
	Expect(admin.Create(w.ctx, namespace)).To(Succeed())
	w.namespace = namespace.Name
	mirrors.begin(w.namespace)
	DeferCleanup(func() {
		w.expectNoLeak()
		w.spaces.Intercept(nil)
		w.spaces.InterceptAnswer(nil)
		w.server.CloseClientConnections()
		w.server.Close()
		mirrors.end(w.namespace)
	})
	return w
}

// operator is one life of one operator process.
type operator struct {
	*Reconciler
	*faults
	world *world
	// timers are those of the process: they stand still while it is stopped.
	timers *processClock
	// woken are the credentials whose turn has come, and whose pass has not.
	woken map[string]bool
}

// processClock is the clock as one process sees it. While the process is stopped none of its
// timers fires; those whose time has come fire when it wakes up.
type processClock struct {
	*testclock.FakeClock
	mu      sync.Mutex
	stopped bool
	late    []func()
}

// AfterFunc implements clock.WithDelayedExecution.
func (c *processClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	return c.FakeClock.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.stopped {
			c.late = append(c.late, f)
			return
		}
		f()
	})
}

// stopWhile stops the process while f runs.
func (c *processClock) stopWhile(f func()) {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	f()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = false
	for _, timer := range c.late {
		timer()
	}
	c.late = nil
}

// operator starts a process: it has a memory and a name of its own.
func (w *world) operator() *operator {
	w.operators++
	environment := spacesauth.Environment{
		Name: "staging", AccountsURL: w.server.URL, APIURL: w.server.URL, RequestsPerSecond: 20, Burst: 40, TimeoutSeconds: 15,
		Paused: w.paused,
	}
	service, err := spacesauth.New(environment, spacesauth.WithClock(w.clock))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(service.CloseIdleConnections)
	o := &operator{faults: &faults{}, world: w, woken: map[string]bool{}, timers: &processClock{FakeClock: w.clock}}
	o.Reconciler = &Reconciler{
		Client: o.faults.informer(indexed(onlooker)),
		Live:   o.faults.client(admin),
		Keys:   w.keys,

		ClientNamespace: w.clientNamespace,
		AllowExport:     w.allowsExport,
		Environments:    NewEnvironments(map[string]*spacesauth.Client{"staging": service}),
		Gates:           gate.New(o.timers, 10, environment),
		Clock:           o.timers,
		Random:          rand.Reader,
		Holder:          fmt.Sprintf("operator-%d", w.operators),
		Events:          w.events,
		Metrics:         metrics.New(prometheus.WrapRegistererWith(prometheus.Labels{"operator": fmt.Sprint(w.operators)}, w.metrics)),
	}
	o.Gates.OnTurn(func(key types.NamespacedName) { o.woken[key.Name] = true })
	for name, other := range w.others {
		o.knows(name, other.operator().Environments.Named("staging"))
	}
	return o
}

// knows adds an environment to those of the process, or replaces one: the one that client
// calls, under that name.
func (o *operator) knows(name string, client *spacesauth.Client) {
	GinkgoHelper()
	environment := client.Environment()
	if environment.Name != name {
		environment.Name = name
		var err error
		client, err = spacesauth.New(environment, spacesauth.WithClock(o.world.clock))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(client.CloseIdleConnections)
	}
	clients := map[string]*spacesauth.Client{}
	for _, other := range o.Environments.All() {
		clients[other.Environment().Name] = other
	}
	clients[name] = client
	o.Reconfigure(o.world.ctx, clients)
}

// step moves the clock.
func (w *world) step(d time.Duration) { w.clock.Step(d) }

// key names an object of the story's namespace.
func (w *world) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: w.namespace, Name: name}
}

// apply creates objects in the story's namespace.
func (w *world) apply(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		object.SetNamespace(w.namespace)
		Expect(admin.Create(w.ctx, object)).To(Succeed())
	}
}

// reconcile makes one pass that must not fail, and lets the watcher judge what it
// left.
func (o *operator) reconcile(name string) ctrl.Result {
	GinkgoHelper()
	result, err := o.pass(name)
	Expect(err).NotTo(HaveOccurred())
	return result
}

// pass makes one pass that may fail.
func (o *operator) pass(name string) (ctrl.Result, error) {
	GinkgoHelper()
	return o.passUntil(o.world.ctx, name)
}

// passUntil makes one pass whose context the story may end, a second or more after the
// last one: there are no two calls of a credential in a second.
func (o *operator) passUntil(ctx context.Context, name string) (ctrl.Result, error) {
	GinkgoHelper()
	w := o.world
	if w.clock.Now().Equal(w.passed[name]) {
		w.step(callPause)
	}
	w.passed[name] = w.clock.Now()
	delete(o.woken, name)
	result, err := o.Reconcile(ctx, ctrl.Request{NamespacedName: w.key(name)})
	w.expectLegal(name, result, err)
	return result, err
}

// settle lets the given time go by, making a pass at each wake-up.
func (o *operator) settle(name string, during time.Duration) {
	GinkgoHelper()
	end := o.world.clock.Now().Add(during)
	for {
		result, _ := o.pass(name)
		wake := o.world.clock.Now().Add(max(result.RequeueAfter, time.Second))
		isLast := wake.After(end) || !o.world.exists(name) && !o.world.stateExists(name)
		if isLast {
			wake = end
		}
		o.sleep(wake)
		if isLast && !o.world.clock.Now().Before(end) {
			return
		}
	}
}

// settleAll lets time go by for several credentials; an error brings the next pass
// a second later, as the queue would.
func (o *operator) settleAll(names []string, during time.Duration) {
	GinkgoHelper()
	end := o.world.clock.Now().Add(during)
	wake := map[string]time.Time{}
	for {
		next := end
		for _, name := range names {
			if now := o.world.clock.Now(); o.woken[name] || !now.Before(wake[name]) {
				result, err := o.pass(name)
				wake[name] = now.Add(max(result.RequeueAfter, time.Second))
				if err == nil && result.RequeueAfter == 0 {
					wake[name] = end
				}
			}
			if wake[name].Before(next) {
				next = wake[name]
			}
		}
		o.sleep(next)
		if !o.world.clock.Now().Before(end) {
			return
		}
	}
}

// sleep lets time go by until then, or until it is somebody's turn.
func (o *operator) sleep(until time.Time) {
	clock := o.world.clock
	for {
		look := clock.Now().Add(o.Gates.Look())
		if len(o.woken) > 0 || !clock.Now().Before(until) {
			return
		}
		if look.Before(until) {
			clock.SetTime(look)
		} else {
			clock.SetTime(until)
		}
	}
}

// credential reads a SpacesCredential.
func (w *world) credential(name string) *v1alpha1.SpacesCredential {
	GinkgoHelper()
	credential := w.find(name)
	Expect(credential).NotTo(BeNil(), "there is no SpacesCredential %s", name)
	return credential
}

// find reads a SpacesCredential, or returns nil.
func (w *world) find(name string) *v1alpha1.SpacesCredential {
	GinkgoHelper()
	var credential v1alpha1.SpacesCredential
	err := onlooker.Get(w.ctx, w.key(name), &credential)
	if apierrors.IsNotFound(err) {
		return nil
	}
	Expect(err).NotTo(HaveOccurred())
	return &credential
}

func (w *world) exists(name string) bool {
	GinkgoHelper()
	return w.find(name) != nil
}

// secret reads a Secret, or returns nil.
func (w *world) secret(name string) *corev1.Secret {
	GinkgoHelper()
	var secret corev1.Secret
	err := onlooker.Get(w.ctx, w.key(name), &secret)
	if apierrors.IsNotFound(err) {
		return nil
	}
	Expect(err).NotTo(HaveOccurred())
	return &secret
}

func (w *world) stateExists(name string) bool {
	GinkgoHelper()
	return w.secret(name+v1alpha1.GrantSecretSuffix) != nil
}

// document reads the state document.
func (w *world) document(name string) grantstate.Document {
	GinkgoHelper()
	secret := w.secret(name + v1alpha1.GrantSecretSuffix)
	Expect(secret).NotTo(BeNil(), "no state Secret")
	d, err := grantstate.Read(w.opened(secret))
	Expect(err).NotTo(HaveOccurred())
	return d
}

// opened is the document in a state Secret, in its inner form.
func (w *world) opened(secret *corev1.Secret) []byte {
	GinkgoHelper()
	content, err := w.keys.Open(w.ctx, client.ObjectKeyFromObject(secret), secret.Data[v1alpha1.StateKey])
	Expect(err).NotTo(HaveOccurred())
	return content
}

// fill puts a document of its inner form into a state Secret, sealed for it.
func (w *world) fill(secret *corev1.Secret, content []byte) {
	GinkgoHelper()
	sealed, err := w.keys.Seal(seal.Place{
		Namespace: secret.Namespace, Name: secret.Name, Credential: types.UID(secret.Annotations[v1alpha1.AnnotationCredentialUID]),
	}, content)
	Expect(err).NotTo(HaveOccurred())
	secret.Data = map[string][]byte{v1alpha1.StateKey: sealed}
	Expect(admin.Update(w.ctx, secret)).To(Succeed())
}

// token is the published access token, or "".
func (w *world) token(name string) string {
	GinkgoHelper()
	secret := w.secret(w.credential(name).EffectiveSecretName())
	if secret == nil {
		return ""
	}
	return string(secret.Data[v1alpha1.KeyAccessToken])
}

// expectReady says that the published token works now, and returns it.
func (w *world) expectReady(name string) string {
	GinkgoHelper()
	w.expectCondition(name, v1alpha1.ConditionReady, metav1.ConditionTrue)
	token := w.token(name)
	Expect(token).NotTo(BeEmpty())
	Expect(w.spaces.TokenWorks(token)).To(BeTrue(), "the published token does not work")
	return token
}

// expectCondition compares one condition's status, and its reason if one is given.
func (w *world) expectCondition(name, kind string, status metav1.ConditionStatus, reason ...string) {
	GinkgoHelper()
	condition := meta.FindStatusCondition(w.credential(name).Status.Conditions, kind)
	Expect(condition).NotTo(BeNil(), "no condition "+kind)
	Expect(condition.Status).To(Equal(status), "%s: %s: %s", kind, condition.Reason, condition.Message)
	if len(reason) > 0 {
		Expect(condition.Reason).To(Equal(reason[0]), condition.Message)
	}
}

// calls counts what the service was asked.
func (w *world) calls(operation fakespaces.Operation) int { return w.spaces.Ledger().Calls[operation] }

// expectNothingLost is the judgement most stories end with: no refresh token was
// sent again after its answer was delivered, and none at the same time as itself.
func (w *world) expectNothingLost() {
	GinkgoHelper()
	w.expectNothingSentAgain()
	w.expectGrantsDead(0)
}

func (w *world) expectNothingSentAgain() {
	GinkgoHelper()
	ledger := w.spaces.Ledger()
	Expect(ledger.SentAgainAfterDelivery).To(BeZero(), "refresh tokens sent again after their answer was delivered")
	Expect(ledger.CodesSentAgainAfterDelivery).To(BeZero(), "codes sent again after their answer was delivered")
}

// expectGrantsDead says that no more grants died than those that did before.
func (w *world) expectGrantsDead(before int) {
	GinkgoHelper()
	ledger := w.spaces.Ledger()
	Expect(ledger.GrantsDead).To(Equal(before), "grants dead: %v", ledger.DeadReasons)
}

// vanish lets a credential go without its finalizer, as a person in a hurry would.
func (w *world) vanish(name string) {
	GinkgoHelper()
	credential := w.credential(name)
	credential.Finalizers = nil
	Expect(admin.Update(w.ctx, credential)).To(Succeed())
	w.delete(credential)
}

// delete deletes an object of the story.
func (w *world) delete(object client.Object) {
	GinkgoHelper()
	Expect(admin.Delete(w.ctx, object)).To(Succeed())
}

// The objects of the stories.

func clientInput() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "spaces-client"},
		StringData: map[string]string{"client_id": clientID, "client_secret": clientSecret}}
}

func loginInput() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bot-login"}, Type: corev1.SecretTypeBasicAuth,
		StringData: map[string]string{"username": username, "password": password}}
}

func (w *world) seedInput() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "seed"},
		StringData: map[string]string{"refresh_token": w.spaces.IssueGrant(clientID, username, "email", "spaces")}}
}

func byPassword(name string, change ...func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential {
	credential := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.SpacesCredentialSpec{
			Environment:     "staging",
			ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "spaces-client"},
			GrantType:       v1alpha1.GrantTypePassword,
			Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "bot-login"}},
		},
	}
	for _, f := range change {
		f(credential)
	}
	return credential
}

func bySeed(name string, change ...func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential {
	credential := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.SpacesCredentialSpec{
			Environment:     "staging",
			ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "spaces-client"},
			GrantType:       v1alpha1.GrantTypeRefreshToken,
			RefreshToken:    &v1alpha1.RefreshTokenGrant{SecretRef: v1alpha1.SecretKeyReference{Name: "seed"}},
		},
	}
	for _, f := range change {
		f(credential)
	}
	return credential
}

// byCode is a credential that waits for the code of a sign-in by browser.
func byCode(name string, change ...func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential {
	credential := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.SpacesCredentialSpec{
			Environment:     "staging",
			ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "spaces-client"},
			GrantType:       v1alpha1.GrantTypeAuthorizationCode,
			AuthorizationCode: &v1alpha1.AuthorizationCodeGrant{
				SecretRef: v1alpha1.AuthorizationCodeSecretReference{Name: "bot-code"}, RedirectURI: redirectURI,
			},
		},
	}
	for _, f := range change {
		f(credential)
	}
	return credential
}

// codeInput is what a person's sign-in by browser leaves.
func (w *world) codeInput() *corev1.Secret { return w.codeInputFor(redirectURI) }

// codeInputFor is what a sign-in leaves that came back to a redirect URI.
func (w *world) codeInputFor(redirectURI string) *corev1.Secret {
	sum := sha256.Sum256([]byte(codeVerifier))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bot-code"}, Type: v1alpha1.SecretTypeAuthorizationCode,
		StringData: map[string]string{"code": w.spaces.IssueCode(clientID, username, redirectURI, challenge), "code_verifier": codeVerifier},
	}
}

// asGuest is a credential of a guest.
func asGuest(name string, change ...func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential {
	credential := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.SpacesCredentialSpec{
			Environment: "staging",
			GrantType:   v1alpha1.GrantTypeAnonymous,
			Anonymous:   &v1alpha1.AnonymousGrant{DisplayName: "Lobby kiosk"},
		},
	}
	for _, f := range change {
		f(credential)
	}
	return credential
}

// eventLog records events as the API would get them.
type eventLog struct {
	mu     sync.Mutex
	events []toldEvent
}

type toldEvent struct{ object, uid, kind, reason, note string }

// Eventf implements events.EventRecorder.
func (l *eventLog) Eventf(regarding, _ runtime.Object, kind, reason, _, note string, arguments ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, uid := "", ""
	if object, err := meta.Accessor(regarding); err == nil {
		name, uid = object.GetName(), string(object.GetUID())
	}
	l.events = append(l.events, toldEvent{object: name, uid: uid, kind: kind, reason: reason, note: fmt.Sprintf(note, arguments...)})
}

// of returns the last event with a reason; an empty one where there is none.
func (l *eventLog) of(reason string) (told toldEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, event := range l.events {
		if event.reason == reason {
			told = event
		}
	}
	return told
}

// reasons lists the reasons of the events so far.
func (l *eventLog) reasons() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var reasons []string
	for _, e := range l.events {
		reasons = append(reasons, e.reason)
	}
	return reasons
}

// text is all that the events say.
func (l *eventLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprint(l.events)
}

// lockedBuffer collects logs of passes that run side by side.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

// sorted keys make failures readable.
func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
