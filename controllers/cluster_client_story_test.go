package controllers

import (
	"maps"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// lend makes a ClusterSpacesClient of this world's client, whose Secret is in a namespace that no
// credential of the story is in. It allows the story's namespace.
func (w *world) lend(change ...func(*v1alpha1.ClusterSpacesClient)) *v1alpha1.ClusterSpacesClient {
	GinkgoHelper()
	if w.clientNamespace == "" {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "clients-"}}
		Expect(admin.Create(w.ctx, namespace)).To(Succeed())
		w.clientNamespace = namespace.Name
		held := clientInput()
		held.Name, held.Namespace = "corporate-client", w.clientNamespace
		Expect(admin.Create(w.ctx, held)).To(Succeed())
	}
	shared := &v1alpha1.ClusterSpacesClient{
		ObjectMeta: metav1.ObjectMeta{Name: "corporate-of-" + w.namespace},
		Spec: v1alpha1.ClusterSpacesClientSpec{
			Environment: "staging", SecretRef: v1alpha1.ClusterClientSecretReference{Name: "corporate-client"},
			AllowedNamespaces: &v1alpha1.AllowedNamespaces{Names: []string{w.namespace}},
			AllowedGrantTypes: []v1alpha1.GrantType{v1alpha1.GrantTypeAuthorizationCode, v1alpha1.GrantTypePassword},
		},
	}
	for _, f := range change {
		f(shared)
	}
	Expect(admin.Create(w.ctx, shared)).To(Succeed())
	name := shared.Name
	DeferCleanup(func() {
		Expect(client.IgnoreNotFound(admin.Delete(w.ctx, &v1alpha1.ClusterSpacesClient{ObjectMeta: metav1.ObjectMeta{Name: name}}))).To(Succeed())
	})
	return shared
}

// borrowing has a credential use a client that others hold.
func borrowing(shared *v1alpha1.ClusterSpacesClient) func(*v1alpha1.SpacesCredential) {
	return func(c *v1alpha1.SpacesCredential) {
		c.Spec.ClientSecretRef = nil
		c.Spec.ClientRef = &v1alpha1.ClientReference{Kind: v1alpha1.ClientKindCluster, Name: shared.Name}
	}
}

// lends changes a client.
func (w *world) lends(shared *v1alpha1.ClusterSpacesClient, change func(*v1alpha1.ClusterSpacesClientSpec)) {
	GinkgoHelper()
	Expect(admin.Get(w.ctx, client.ObjectKeyFromObject(shared), shared)).To(Succeed())
	change(&shared.Spec)
	Expect(admin.Update(w.ctx, shared)).To(Succeed())
}

// refusing takes the story's namespace out.
func refusing(s *v1alpha1.ClusterSpacesClientSpec) {
	s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{Names: []string{"somebody-else"}}
}

// allowing puts it back.
func (w *world) allowing(s *v1alpha1.ClusterSpacesClientSpec) {
	s.AllowedNamespaces = &v1alpha1.AllowedNamespaces{Names: []string{w.namespace}}
}

// putLent changes keys of the Secret that holds the client.
func (w *world) putLent(values map[string]string) {
	GinkgoHelper()
	var held corev1.Secret
	Expect(admin.Get(w.ctx, types.NamespacedName{Namespace: w.clientNamespace, Name: "corporate-client"}, &held)).To(Succeed())
	for key, value := range values {
		held.Data[key] = []byte(value)
	}
	Expect(admin.Update(w.ctx, &held)).To(Succeed())
}

// tell has the operator tell of a client, and returns what stands there then.
func (o *operator) tell(shared *v1alpha1.ClusterSpacesClient) v1alpha1.ClusterSpacesClientStatus {
	GinkgoHelper()
	key := client.ObjectKeyFromObject(shared)
	_, err := clusterClients{o.Reconciler}.Reconcile(o.world.ctx, ctrl.Request{NamespacedName: key})
	Expect(err).NotTo(HaveOccurred())
	var told v1alpha1.ClusterSpacesClient
	Expect(admin.Get(o.world.ctx, key, &told)).To(Succeed())
	return told.Status
}

// expectForbidden says that a credential is told that it may not use its client.
func (w *world) expectForbidden(name string) {
	GinkgoHelper()
	w.expectCondition(name, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientForbidden)
}

// renewals counts the refreshes that the service was asked for.
func (w *world) renewals() int { return w.calls(fakespaces.OperationRefresh) }

var _ = Describe("a client that the platform team lends", func() {
	It("signs in and renews for a namespace that never sees its secret", func() {
		w := newWorld()
		shared := w.lend()
		w.apply(loginInput(), byPassword("bot", borrowing(shared)))
		o := w.operator()
		o.settle("bot", 3*time.Hour)
		w.expectReady("bot")
		Expect(w.credential("bot").Status.ClientID).To(Equal(clientID))
		Expect(w.credential("bot").Status.Grant.ClusterClient).To(Equal(shared.Name))
		Expect(w.renewals()).To(BeNumerically(">=", 3))
		Expect(o.requests()).NotTo(ContainElement(otherRequest), "no client and no namespace was read live: the informers showed them")
		w.expectNothingLost()

		w.delete(w.credential("bot"))
		o.settle("bot", time.Minute)
		nothingPublished(w)
	})

	It("is told of by the client ID alone before a person signs in", func() {
		w := newWorld()
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.AllowedGrantTypes = nil })
		w.apply(byCode("bot", borrowing(shared)))
		o := w.operator()
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAuthorizationPending)
		Expect(w.credential("bot").Status.ClientID).To(Equal(clientID), "kubectl spaces login needs it")
		w.apply(w.codeInput())
		o.settle("bot", 2*time.Hour)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("shows an ID under another key only when the service has accepted it", func() {
		w := newWorld()
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.SecretRef.ClientIDKey = "app" })
		w.putLent(map[string]string{"app": clientID})
		w.apply(byPassword("bot", borrowing(shared)))
		o := w.operator()
		o.reconcile("bot")
		Expect(w.credential("bot").Status.ClientID).To(BeEmpty())
		Expect(o.tell(shared).ClientID).To(BeEmpty())
		w.apply(loginInput())
		o.settle("bot", time.Minute)
		Expect(w.credential("bot").Status.ClientID).To(Equal(clientID))
		Expect(o.tell(shared).ClientID).To(Equal(clientID))
	})

	It("is looked after without a word to its users when its Secret is missing", func() {
		w := newWorld()
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.SecretRef.Name = "not-made-yet" })
		w.apply(loginInput(), byPassword("bot", borrowing(shared)))
		o := w.operator()
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWaitingForInput)
		Expect(show(w.credential("bot").Status)).NotTo(Or(ContainSubstring("not-made-yet"), ContainSubstring(w.clientNamespace)))
		status := o.tell(shared)
		ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		Expect(ready.Status).To(Equal(metav1.ConditionFalse))
		Expect(ready.Reason).To(Equal(v1alpha1.ReasonWaitingForInput))
		Expect(ready.Message).To(And(ContainSubstring("not-made-yet"), ContainSubstring(w.clientNamespace)))
	})

	It("tells nobody who guesses anything", func() {
		w := newWorld()
		w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.AllowedScopes = []string{"email", "profile", "spaces"} })
		denied := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Name = "denied-of-" + w.namespace; refusing(&c.Spec) })
		allowed := &v1alpha1.ClusterSpacesClient{ObjectMeta: metav1.ObjectMeta{Name: "corporate-of-" + w.namespace}}
		unknown := &v1alpha1.ClusterSpacesClient{ObjectMeta: metav1.ObjectMeta{Name: "unknown-of-" + w.namespace}}
		o := w.operator()
		o.knows("closed", o.Environments.Named("staging"))
		w.apply(loginInput(), w.seedInput(),
			byPassword("unknown", borrowing(unknown)),
			byPassword("denied", borrowing(denied)),
			byPassword("elsewhere", borrowing(allowed), func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = "closed" }),
			byPassword("nowhere", borrowing(allowed), func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = "nowhere" }),
			byPassword("scopes", borrowing(allowed), func(c *v1alpha1.SpacesCredential) { c.Spec.Scopes = []string{"admin"} }),
			bySeed("seed-of-others", borrowing(allowed)),
		)
		type answer struct {
			conditions string
			wake       time.Duration
		}
		var first *answer
		for _, name := range []string{"unknown", "denied", "elsewhere", "nowhere", "scopes", "seed-of-others"} {
			o.forget()
			result := o.reconcile(name)
			w.expectForbidden(name)
			status := w.credential(name).Status
			Expect(status.ClientID).To(BeEmpty())
			said := &answer{wake: result.RequeueAfter}
			for _, c := range status.Conditions {
				said.conditions += c.Type + string(c.Status) + c.Reason + unnamed(c.Message, unknown, denied, allowed) + "\n"
			}
			if first == nil {
				first = said
			}
			Expect(said.conditions).To(Equal(first.conditions), name)
			Expect(said.wake).To(Equal(first.wake), name)
			Expect(w.stateExists(name)).To(BeFalse())
		}
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())
	})

	It("does not add its secret to another team's refresh token", func() {
		w := newWorld()
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.AllowedGrantTypes = nil })
		w.apply(w.seedInput(), bySeed("bot", borrowing(shared)))
		o := w.operator()
		o.settle("bot", time.Hour)
		w.expectForbidden("bot")
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())

		By("unless the platform team says so")
		w.lends(shared, func(s *v1alpha1.ClusterSpacesClientSpec) {
			s.AllowedGrantTypes = []v1alpha1.GrantType{v1alpha1.GrantTypeRefreshToken}
		})
		o.settle("bot", time.Minute)
		w.expectReady("bot")
	})

	It("does not renew for a client of one's own what it lent, nor the other way round", func() {
		w := newWorld()
		shared := w.lend()
		w.apply(loginInput(), clientInput(), byPassword("bot"))
		o := w.operator()
		o.settle("bot", time.Minute)
		own := w.expectReady("bot")
		use := func(change func(*v1alpha1.SpacesCredential)) {
			credential := w.credential("bot")
			change(credential)
			Expect(admin.Update(w.ctx, credential)).To(Succeed())
		}
		use(borrowing(shared))
		o.settle("bot", time.Minute)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2), "it is another client, though its ID is the same")
		Expect(w.expectReady("bot")).NotTo(Equal(own))
		o.settle("bot", 10*time.Minute)
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1), "the grant of one's own client is revoked")
		Expect(w.document("bot").Grant().Lender.Name).To(Equal(shared.Name))

		use(func(c *v1alpha1.SpacesCredential) {
			c.Spec.ClientRef, c.Spec.ClientSecretRef = nil, &v1alpha1.ClientSecretReference{Name: "spaces-client"}
		})
		o.settle("bot", 10*time.Minute)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(3))
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
		Expect(w.document("bot").Grant().Lender).To(BeNil())

		By("and to one that refuses nothing changes but what is told")
		w.lends(shared, refusing)
		use(borrowing(shared))
		o.settle("bot", time.Minute)
		w.expectForbidden("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonClientForbidden)
		Expect(w.renewals()).To(BeZero())
		w.expectNothingLost()
	})

	It("keeps two clients of one environment apart", func() {
		w := newWorld(fakespaces.WithClient("other-client", "other-client-secret-11c0"))
		w.secrets = append(w.secrets, "other-client-secret-11c0")
		first := w.lend()
		held := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "other-client", Namespace: w.clientNamespace},
			StringData: map[string]string{"client_id": "other-client", "client_secret": "other-client-secret-11c0"}}
		Expect(admin.Create(w.ctx, held)).To(Succeed())
		second := w.lend(func(c *v1alpha1.ClusterSpacesClient) {
			c.Name, c.Spec.SecretRef.Name = "other-of-"+w.namespace, "other-client"
		})
		w.apply(loginInput(), byPassword("bot", borrowing(first)), byPassword("other", borrowing(second)))
		o := w.operator()
		o.settleAll([]string{"bot", "other"}, 2*time.Hour)
		w.expectReady("bot")
		w.expectReady("other")
		Expect(w.credential("bot").Status.ClientID).To(Equal(clientID))
		Expect(w.credential("other").Status.ClientID).To(Equal("other-client"))
		Expect(*o.tell(first).Users).To(BeEquivalentTo(1))

		By("a change from one to the other is a changed client")
		credential := w.credential("bot")
		borrowing(second)(credential)
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.settleAll([]string{"bot", "other"}, 10*time.Minute)
		Expect(w.credential("bot").Status.ClientID).To(Equal("other-client"))
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(2))
		Expect(*o.tell(first).Users).To(BeZero())
		Expect(*o.tell(second).Users).To(BeEquivalentTo(2))
		w.expectNothingLost()
	})

	It("goes through a rotation of its secret with both in turn", func() {
		w := newWorld()
		w.secrets = append(w.secrets, "story-client-secret-new")
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.SecretRef.PreviousClientSecretKey = "previous" })
		w.apply(loginInput(), byPassword("bot", borrowing(shared)))
		o := w.operator()
		o.settle("bot", time.Minute)
		w.expectReady("bot")

		w.putLent(map[string]string{"client_secret": "story-client-secret-new", "previous": clientSecret})
		o.settle("bot", 2*time.Hour)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1), "nobody signed in anew")
		before := w.renewals()

		w.spaces.AddClient(clientID, "story-client-secret-new")
		o.settle("bot", 2*time.Hour)
		w.expectReady("bot")
		Expect(w.renewals()-before).To(BeNumerically("<=", 4), "the present one is tried first")
		w.putLent(map[string]string{"previous": ""})
		o.settle("bot", time.Hour)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	// The service refuses the new secret, changes, and refuses the old one.
	DescribeTable("meets the very moment of a change with", func(input func(*world) *corev1.Secret, by func(string, ...func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential, operation fakespaces.Operation) {
		w := newWorld()
		const newSecret = "story-client-secret-new"
		w.secrets = append(w.secrets, newSecret)
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) {
			c.Spec.SecretRef.PreviousClientSecretKey = "previous"
			c.Spec.AllowedGrantTypes = []v1alpha1.GrantType{v1alpha1.GrantTypePassword, v1alpha1.GrantTypeRefreshToken, v1alpha1.GrantTypeAuthorizationCode}
		})
		w.putLent(map[string]string{"client_secret": newSecret, "previous": clientSecret})
		w.apply(input(w), by("bot", borrowing(shared)))
		var once sync.Once
		w.spaces.InterceptAnswer(func(fakespaces.Call) {
			once.Do(func() { w.spaces.SetClientSecret(clientID, newSecret) })
		})
		o := w.operator()
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonClientRejected)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionReady).Message).To(ContainSubstring("tries again by itself"))

		o.settle("bot", 5*time.Minute)
		w.expectReady("bot")
		Expect(w.calls(operation)).To(Equal(3), "the new secret, the old one, and the new one again")
		w.expectNothingLost()
	},
		Entry("a sign-in by password", func(*world) *corev1.Secret { return loginInput() }, byPassword, fakespaces.OperationPassword),
		Entry("a seed", (*world).seedInput, bySeed, fakespaces.OperationRefresh),
		Entry("a code", (*world).codeInput, byCode, fakespaces.OperationAuthorizationCode),
	)

	It("is told of: Ready, users, and an environment that nobody knows", func() {
		w := newWorld()
		shared := w.lend()
		w.apply(loginInput(), byPassword("bot", borrowing(shared)), byPassword("other", borrowing(shared)), byPassword("apart"))
		w.apply(bySeed("denied", borrowing(shared)))
		o := w.operator()
		status := o.tell(shared)
		Expect(*status.Users).To(BeEquivalentTo(2), "who may not use it is no user")
		Expect(status.ClientID).To(Equal(clientID))
		Expect(status.Environment).To(Equal("staging"))
		Expect(meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		o.forget()
		o.tell(shared)
		Expect(o.requests()).NotTo(ContainElement(writeStatus), "nothing changed")

		w.lends(shared, func(s *v1alpha1.ClusterSpacesClientSpec) { s.Environment = "nowhere" })
		status = o.tell(shared)
		Expect(meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady).Reason).To(Equal(v1alpha1.ReasonUnknownEnvironment))
		o.IsShard = true
		Expect(o.tell(shared).Users).To(BeNil(), "a shard sees some of the users only")
	})

	It("says so where the operator looks after none", func() {
		w := newWorld()
		shared := w.lend()
		w.apply(loginInput(), byPassword("bot", borrowing(shared)))
		o := w.operator()
		o.ClientNamespace = ""
		o.reconcile("bot")
		w.expectForbidden("bot")
		Expect(show(w.credential("bot").Status)).To(ContainSubstring("--cluster-clients"))
	})
})

// unnamed is a message without the name that was tried.
func unnamed(message string, names ...*v1alpha1.ClusterSpacesClient) string {
	for _, shared := range names {
		message = strings.ReplaceAll(message, shared.Name, "X")
	}
	return message
}

var _ = Describe("consent that is taken away", func() {
	It("ends renewals after ten minutes, and nothing else", func() {
		w := newWorld()
		shared := w.lend()
		due(w, byPassword("bot", borrowing(shared)), loginInput())
		o := w.operator()
		w.step(-20 * time.Minute)
		o.reconcile("bot")
		w.lends(shared, refusing)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(w.renewals()).To(BeZero())

		By("what falls due within the ten minutes is renewed")
		w.ask(v1alpha1.AnnotationRenewRequestedAt)
		o.settle("bot", 5*time.Minute)
		Expect(w.renewals()).To(Equal(1))
		o.settle("bot", 6*time.Minute)
		w.expectForbidden("bot")
		w.expectReady("bot")

		By("then nothing is, and Ready stays truthful")
		o.settle("bot", 40*time.Minute)
		w.expectReady("bot")
		o.settle("bot", 10*time.Minute)
		Expect(w.renewals()).To(Equal(1))
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonClientForbidden)
		Expect(w.spaces.Ledger().GrantsRevoked).To(BeZero())

		By("with consent again the very grant goes on")
		w.lends(shared, w.allowing)
		o.settle("bot", time.Minute)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		w.expectNothingLost()
	})

	It("makes no new grant at once", func() {
		w := newWorld()
		shared := w.lend()
		due(w, byPassword("bot", borrowing(shared)), loginInput())
		w.spaces.RevokeGrantOf(w.document("bot").Grant().RefreshToken.Reveal())
		w.lends(shared, refusing)
		o := w.operator()
		o.settle("bot", 5*time.Minute)
		w.expectForbidden("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1), "the refused grant is not replaced")
	})

	It("revokes where the client says so, whatever the policy of its user", func() {
		w := newWorld()
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.RevokeOnRemoval = true })
		ready(w, byPassword("bot", borrowing(shared), func(c *v1alpha1.SpacesCredential) {
			c.Spec.Revocation = &v1alpha1.Revocation{Policy: v1alpha1.RevocationNever}
		}), loginInput())
		o := w.operator()
		w.lends(shared, refusing)
		o.settle("bot", 9*time.Minute)
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
		o.settle("bot", 2*time.Minute)
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		w.expectForbidden("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonClientForbidden)
		Expect(w.token("bot")).To(BeEmpty(), "the published keys are emptied")
		Expect(meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionGrantValid).Message).To(Equal("The grant was revoked, because its client may not be used here any more."))

		By("with consent again it signs in anew")
		w.lends(shared, w.allowing)
		o.settle("bot", time.Minute)
		w.expectReady("bot")
	})

	It("revokes nothing because of what its user has come to ask for", func() {
		w := newWorld()
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) {
			c.Spec.RevokeOnRemoval, c.Spec.AllowedScopes = true, []string{"email", "profile", "spaces"}
		})
		ready(w, byPassword("bot", borrowing(shared)), loginInput())
		credential := w.credential("bot")
		credential.Spec.Scopes = []string{"admin"}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o := w.operator()
		o.settle("bot", 30*time.Minute)
		w.expectForbidden("bot")
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
	})

	It("does not begin to count anew with a process", func() {
		w := newWorld()
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.RevokeOnRemoval = true })
		ready(w, byPassword("bot", borrowing(shared)), loginInput())
		w.lends(shared, refusing)
		w.operator().settle("bot", 6*time.Minute)
		w.operator().settle("bot", 3*time.Minute)
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
		w.operator().settle("bot", 2*time.Minute)
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	It("counts from the last time it was taken away", func() {
		w := newWorld()
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.RevokeOnRemoval = true })
		ready(w, byPassword("bot", borrowing(shared)), loginInput())
		o := w.operator()
		w.lends(shared, refusing)
		o.settle("bot", 9*time.Minute)
		w.lends(shared, w.allowing)
		o.reconcile("bot")
		w.lends(shared, refusing)
		o.settle("bot", 9*time.Minute)
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
		o.settle("bot", 2*time.Minute)
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	It("is not what an informer says that is cold", func() {
		w := newWorld()
		early := &v1alpha1.ClusterSpacesClient{ObjectMeta: metav1.ObjectMeta{Name: "corporate-of-" + w.namespace}}
		w.clientNamespace = "not-yet"
		o := w.operator()
		w.apply(loginInput(), byPassword("bot", borrowing(early)))
		o.reconcile("bot")
		w.expectForbidden("bot")
		w.clientNamespace = ""
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.RevokeOnRemoval = true })
		o.ClientNamespace = w.clientNamespace
		o.freezeClients(shared.Name)
		o.settle("bot", 3*time.Hour)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(w.document("bot").IsWithdrawn(w.clock.Now().Add(time.Hour))).To(BeFalse())
		w.expectNothingLost()
	})

	It("may be a label of the namespace that went, and came back", func() {
		w := newWorld()
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) {
			c.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{Selector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.SelectorValue{"spaces": "yes"}}}
		})
		label := func(labels map[string]string) {
			namespace := &corev1.Namespace{}
			Expect(admin.Get(w.ctx, types.NamespacedName{Name: w.namespace}, namespace)).To(Succeed())
			maps.Copy(namespace.Labels, labels)
			Expect(admin.Update(w.ctx, namespace)).To(Succeed())
		}
		w.apply(loginInput(), byPassword("bot", borrowing(shared)))
		o := w.operator()
		o.reconcile("bot")
		w.expectForbidden("bot")
		Expect(*o.tell(shared).Users).To(BeZero())
		label(map[string]string{"spaces": "yes"})
		o.settle("bot", time.Hour)
		w.expectReady("bot")
		Expect(*o.tell(shared).Users).To(BeEquivalentTo(1))

		label(map[string]string{"spaces": "no"})
		o.settle("bot", 11*time.Minute)
		w.expectForbidden("bot")
		label(map[string]string{"spaces": "yes"})
		o.settle("bot", time.Hour)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
	})
})

var _ = Describe("a client that is gone", func() {
	It("ends renewals and revokes nothing", func() {
		w := newWorld()
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.RevokeOnRemoval = true })
		ready(w, byPassword("bot", borrowing(shared)), loginInput())
		o := w.operator()
		w.delete(shared)
		o.settle("bot", 50*time.Minute)
		w.expectForbidden("bot")
		w.expectReady("bot")
		Expect(w.renewals()).To(BeZero())
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))

		By("until one of that name is made anew")
		w.lend()
		o.settle("bot", time.Hour)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1), "it has the same client, and the grant goes on")
		w.expectNothingLost()
	})

	It("does not come back to revoke what it did not lend", func() {
		w := newWorld()
		shared := w.lend()
		ready(w, byPassword("bot", borrowing(shared)), loginInput())
		o := w.operator()
		w.delete(shared)
		w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.RevokeOnRemoval = true; refusing(&c.Spec) })
		o.settle("bot", 2*time.Hour)
		w.expectForbidden("bot")
		Expect(w.renewals()).To(BeZero())
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
	})

	It("still has its grants revoked when their credential goes, by its Secret where the service asks for that", func() {
		w := newWorld()
		w.spaces.SetAuthenticatedRevocation(true)
		shared := w.lend()
		ready(w, byPassword("bot", borrowing(shared)), loginInput())
		o := w.operator()
		w.delete(shared)
		o.reconcile("bot")
		w.delete(w.credential("bot"))
		o.settle("bot", time.Minute)
		nothingPublished(w)
		Expect(w.spaces.Ledger().GrantsRevoked).To(Equal(1))
	})

	It("has what a vanished credential left behind revoked, too, with either secret of a rotation", func() {
		w := newWorld()
		w.secrets = append(w.secrets, "story-client-secret-new")
		w.spaces.SetAuthenticatedRevocation(true)
		shared := w.lend(func(c *v1alpha1.ClusterSpacesClient) { c.Spec.SecretRef.PreviousClientSecretKey = "previous" })
		ready(w, byPassword("bot", borrowing(shared)), loginInput())
		w.putLent(map[string]string{"client_secret": "story-client-secret-new", "previous": clientSecret})
		o := w.operator()
		w.vanish("bot")
		w.delete(shared)
		o.settle("bot", time.Minute)
		nothingLeft(w)
		Expect(w.spaces.Ledger().GrantsRevoked).To(Equal(1))
	})

	It("is revoked on a person's request without consent", func() {
		w := newWorld()
		shared := w.lend()
		ready(w, byPassword("bot", borrowing(shared)), loginInput())
		w.lends(shared, refusing)
		w.ask(v1alpha1.AnnotationRevokeRequestedAt)
		o := w.operator()
		o.settle("bot", time.Minute)
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1), "no grant is made in its place")
		w.expectForbidden("bot")
	})
})
