package controllers

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var _ = Describe("Rule 4: publishing and repair never call the service", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.SecretTemplate = &v1alpha1.SecretTemplate{
				Labels:      map[string]v1alpha1.LabelValue{"team": "a"},
				Annotations: map[string]v1alpha1.AnnotationValue{"example.test/note": "mount me"},
				Formats:     []v1alpha1.SecretFormat{v1alpha1.SecretFormatJSON, v1alpha1.SecretFormatDotenv, v1alpha1.SecretFormatCurl},
			}
		}))
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("a deleted published Secret is restored without a new token, by the same process or another", func() {
		for _, by := range []*operator{o, w.operator()} {
			token := w.token("bot")
			w.delete(w.secret("bot"))
			by.reconcile("bot")
			Expect(w.token("bot")).To(Equal(token))
		}
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
	})

	DescribeTable("the operator leaves what is not ours and restores a published Secret",
		func(edit func(*corev1.Secret)) {
			before := w.secret("bot")
			changed := before.DeepCopy()
			changed.Data["somebody.else"] = []byte("kept")
			edit(changed)
			Expect(admin.Update(w.ctx, changed)).To(Succeed())
			o.reconcile("bot")
			after := w.secret("bot")
			Expect(string(after.Data["somebody.else"])).To(Equal("kept"))
			delete(after.Data, "somebody.else")
			Expect(after.Data).To(Equal(before.Data))
			Expect(after.Labels).To(Equal(before.Labels))
			Expect(after.Annotations).To(Equal(before.Annotations))
			Expect(after.OwnerReferences).To(Equal(before.OwnerReferences))
			Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
		},
		Entry("whose token was changed", func(s *corev1.Secret) { s.Data["access_token"] = []byte("wrong") }),
		Entry("which lost a key", func(s *corev1.Secret) { delete(s.Data, "authorization") }),
		Entry("which lost a format", func(s *corev1.Secret) { delete(s.Data, "token.json") }),
		Entry("which lost its label", func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelManagedBy) }),
		Entry("whose annotation was changed", func(s *corev1.Secret) { s.Annotations["example.test/note"] = "wrong" }),
		Entry("which lost its owner", func(s *corev1.Secret) { s.OwnerReferences = nil }),
	)

	It("a key that is no longer published is removed at once and without a new token", func() {
		credential := w.credential("bot")
		credential.Spec.SecretTemplate.Formats = nil
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("bot")
		Expect(w.secret("bot").Data).NotTo(HaveKey("token.json"))
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
	})

	It("a pass after a renewal knows the operator's own writes and makes no request", func() {
		seen := w.secret("bot").ResourceVersion
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		o.reconcile("bot")
		Expect(w.secret("bot").ResourceVersion).NotTo(Equal(seen))
		o.forget()
		o.reconcile("bot")
		Expect(o.requests()).To(BeEmpty())
	})
})

var _ = Describe("Rule 9: somebody else's Secret", func() {
	It("a Secret of somebody else in the way is not changed, and nothing is sent while it is there", func() {
		w := newWorld()
		o := w.operator()
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bot"}, StringData: map[string]string{"access_token": "theirs"}}
		w.apply(clientInput(), loginInput(), foreign, byPassword("bot"))
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
		Expect(w.secret("bot").ResourceVersion).To(Equal(foreign.ResourceVersion))
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())
		w.delete(foreign)
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("a Secret of somebody else that appears between check and publication is not changed", func() {
		w := newWorld()
		o := w.operator()
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bot"}, StringData: map[string]string{"access_token": "theirs"}}
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.on(createPublished, plannedFault{meanwhile: func() { w.apply(foreign) }})
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
		Expect(w.secret("bot").ResourceVersion).To(Equal(foreign.ResourceVersion))
	})

	It("a Secret of somebody else under the state's name is not taken for a state", func() {
		w := newWorld()
		o := w.operator()
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bot-grant"}}
		w.apply(clientInput(), loginInput(), foreign, byPassword("bot"))
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
		w.delete(w.credential("bot"))
		o.settle("bot", time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.secret("bot-grant").ResourceVersion).To(Equal(foreign.ResourceVersion))
	})
})

var _ = Describe("A state Secret", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})

	It("a state that names an environment closed to its namespace renews nothing there", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		closed := newWorldAt(w.clock)
		environment := closed.operator().Environments.Named("staging").Environment()
		environment.Name, environment.Namespaces = "closed", []string{closed.namespace}
		service, err := spacesauth.New(environment, spacesauth.WithClock(w.clock))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(service.CloseIdleConnections)
		o.knows("closed", service)

		w.editDocument("bot", func(d map[string]any) {
			grant := d["grant"].(map[string]any)
			grant["environment"], grant["accountsURL"] = environment.Name, environment.AccountsURL
			grant["refreshToken"] = closed.spaces.IssueGrant(clientID, username, "spaces")
		})
		o.settle("bot", lifetime)
		Expect(closed.spaces.Ledger().Calls).To(BeEmpty())
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnknownEnvironment)
	})

	It("a copied state is released, neither spent nor revoked, and its seed is not sent again", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.copyState("bot")
		next := w.operator()
		next.settle("bot", 10*time.Second)
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1), "the original was logged out")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonStateUnreadable))
		w.expectNothingLost()
	})

	It("a clone of a cluster does not send the seed that its copied state knows, though the state comes first", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.vanish("bot")
		w.copyState("bot")
		w.clock.SetTime(time.Now())
		clone := w.operator()
		clone.settle("bot", time.Minute)
		w.apply(bySeed("bot"))
		clone.settle("bot", lifetime)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1), "the original was logged out")
		w.expectNothingLost()
	})

	It("a process that dies between the release of a state and its successor leaves nothing that is sent again", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.delete(w.secret("bot-grant"))
		o.on(createState, plannedFault{meanwhile: func() { panic(death{}) }})
		Expect(survive(func() { o.settle("bot", 10*time.Second) })).To(BeFalse())
		Expect(w.stateExists("bot")).To(BeFalse())
		w.operator().settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1), "the seed was sent again")
		w.put("seed", map[string]string{"refresh_token": w.spaces.IssueGrant(clientID, username, "spaces")})
		next := w.operator()
		next.settle("bot", time.Minute)
		next.reconcile("bot")
		w.expectReady("bot")
		Expect(w.credential("bot").Annotations).NotTo(HaveKey(v1alpha1.AnnotationUsedInputs))
	})

	It("a copied state without a credential is released and not revoked", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.vanish("bot")
		w.copyState("bot")
		w.clock.SetTime(time.Now()) // the API server says when it was made
		next := w.operator()
		next.settle("bot", v1alpha1.DefaultRevocationDeadline-time.Minute)
		Expect(w.stateExists("bot")).To(BeTrue(), "its credential could have come, whose seed it knows")
		next.settle("bot", 2*time.Minute)
		Expect(w.stateExists("bot")).To(BeFalse())
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
	})

	It("a state is revoked and released when its credential was deleted without its finalizer", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.vanish("bot")
		Expect(w.exists("bot")).To(BeFalse())
		o.settle("bot", 10*time.Second)
		Expect(w.stateExists("bot")).To(BeFalse())
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	It("a changed revocation policy is in the state at once, and holds when the credential vanishes", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		credential := w.credential("bot")
		credential.Spec.Revocation.Policy = v1alpha1.RevocationNever
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("bot")
		w.vanish("bot")
		o.settle("bot", 10*time.Second)
		Expect(w.stateExists("bot")).To(BeFalse())
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
	})

	It("an orphaned state that somebody writes while it is retired is looked at again soon", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.vanish("bot")
		o.on(writeState, plannedFault{before: conflictError()})
		Expect(o.reconcile("bot").RequeueAfter).To(BeNumerically(">", 0))
		o.settle("bot", 10*time.Second)
		Expect(w.stateExists("bot")).To(BeFalse())
	})

	It("a state of a former credential of the same name is revoked, and the new one signs in", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.vanish("bot")
		w.delete(w.secret("bot")) // as the garbage collector would
		w.apply(byPassword("bot"))
		w.operator().settle("bot", 10*time.Second)
		w.expectReady("bot")
		ledger := w.spaces.Ledger()
		Expect([]int{ledger.GrantsIssued, ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{2, 1, 1}))
	})

	It("an orphaned state is tried until its recorded deadline while the service is down, then given up", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.vanish("bot")
		w.spaces.Down(true)
		next := w.operator()
		next.settle("bot", 4*time.Minute)
		Expect(w.stateExists("bot")).To(BeTrue())
		Expect(w.document("bot").Pending()).To(HaveLen(1))
		next.settle("bot", 2*time.Minute)
		Expect(w.stateExists("bot")).To(BeFalse())
		Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonRevocationAbandoned))
	})

	DescribeTable("a state is left alone, and released unrevoked at a deletion's deadline, when it cannot be read",
		func(content string) {
			hour := int32(3600)
			w.apply(clientInput(), w.seedInput(), bySeed("bot", func(c *v1alpha1.SpacesCredential) {
				c.Spec.Revocation = &v1alpha1.Revocation{DeadlineSeconds: &hour}
			}))
			o.reconcile("bot")
			token := w.token("bot")
			secret := w.secret("bot-grant")
			w.fill(secret, []byte(content))
			w.step(45 * time.Minute)
			next := w.operator()
			next.reconcile("bot")
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonStateUnreadable)
			w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue)
			Expect(w.token("bot")).To(Equal(token))
			Expect(w.secret("bot-grant").ResourceVersion).To(Equal(secret.ResourceVersion))
			Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))

			w.delete(w.credential("bot"))
			next.settle("bot", 14*time.Minute)
			Expect(w.stateExists("bot")).To(BeTrue(), "a newer operator could have come back")
			next.settle("bot", 2*time.Minute)
			Expect(w.exists("bot")).To(BeFalse())
			Expect(w.stateExists("bot")).To(BeFalse())
			Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonRevocationAbandoned))
			Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
		},
		Entry("because a newer operator wrote it", `{"version": 2, "credentialUID": "x", "grant": "of another form"}`),
		Entry("because it was cut off", `{"version": 1, "credentialUID": "x", "gra`),
		Entry("because a field has another form", `{"version": 1, "credentialUID": "x", "pending": "none"}`),
		Entry("because it is empty", ``),
	)

	It("an emergency stop revokes a seed's grant, does not send the seed again and asks for a person", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.delete(w.secret("bot-grant"))
		o.settle("bot", 10*time.Second)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1), "the seed was sent again")

		seed := w.secret("seed")
		fresh := w.spaces.IssueGrant(clientID, username, "spaces")
		seed.Data["refresh_token"] = []byte(fresh)
		Expect(admin.Update(w.ctx, seed)).To(Succeed())
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("an emergency stop revokes a password's grant whatever the policy says, and signs in anew", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.Revocation = &v1alpha1.Revocation{Policy: v1alpha1.RevocationNever}
		}))
		o.reconcile("bot")
		old := w.expectReady("bot")
		w.delete(w.secret("bot-grant"))
		o.settle("bot", 10*time.Second)
		Expect(w.expectReady("bot")).NotTo(Equal(old))
		ledger := w.spaces.Ledger()
		Expect([]int{ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{1, 1}))
	})

	It("an emergency stop during a call spends nothing more, and revokes its answer with the rest", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		o.on(writeState, plannedFault{}, plannedFault{meanwhile: func() { w.delete(w.secret("bot-grant")) }})
		_, err := o.pass("bot")
		Expect(err).NotTo(HaveOccurred())
		o.settle("bot", 10*time.Second)
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
	})
})

// copyState replaces a state Secret by a copy of itself, as restoring a backup does.
func (w *world) copyState(name string) {
	GinkgoHelper()
	original := w.secret(name + v1alpha1.GrantSecretSuffix)
	duplicate := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: original.Name, Labels: original.Labels, Annotations: original.Annotations, Finalizers: original.Finalizers},
		Type:       original.Type, Data: original.Data,
	}
	original.Finalizers = nil
	Expect(admin.Update(w.ctx, original)).To(Succeed())
	w.delete(original)
	w.apply(duplicate)
}

var _ = Describe("The emergency stop of a state that somebody else's finalizer holds", func() {
	It("an emergency stop under a foreign finalizer revokes once and waits, and the seed is not sent again", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		state := w.secret("bot-grant")
		state.Finalizers = append(state.Finalizers, "backup.example.test/keep")
		Expect(admin.Update(w.ctx, state)).To(Succeed())
		w.delete(state)
		for range 30 {
			o.reconcile("bot")
		}
		Expect(w.calls(fakespaces.OperationRevoke)).To(Equal(1))
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
		Expect(w.document("bot").IsRetired()).To(BeTrue())
		Expect(w.secret("bot-grant").Finalizers).To(ConsistOf("backup.example.test/keep"))

		o = w.operator()
		o.reconcile("bot")
		Expect(w.calls(fakespaces.OperationRevoke)).To(Equal(1), "another process revoked it once more")
		w.tearOffFinalizers("bot")
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1), "the seed was sent again")
		w.expectNothingSentAgain()
	})
})

var _ = Describe("The state that follows one that was released", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.expectReady("bot")
	})

	for _, fault := range []plannedFault{{before: errRefused}, {before: conflictError()}, {after: errRefused}} {
		for _, what := range []request{writeState, createState} {
			It(fmt.Sprintf("a used seed is not sent again after an emergency stop, though the next state met an error: %s, %v, %v", what, fault.before, fault.after), func() {
				w.delete(w.secret("bot-grant"))
				o.on(what, fault)
				o.settle("bot", 5*time.Minute)
				Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
				w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
				w.expectNothingSentAgain()
			})
		}
	}

	It("the grants of an emergency stop are revoked under policy Never, though the credential is deleted meanwhile", func() {
		credential := w.credential("bot")
		credential.Spec.Revocation = &v1alpha1.Revocation{Policy: v1alpha1.RevocationNever}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("bot")
		w.spaces.Down(true)
		w.delete(w.secret("bot-grant"))
		o.settle("bot", 10*time.Second)
		w.delete(w.credential("bot"))
		o.settle("bot", 10*time.Second)
		w.spaces.Down(false)
		o.settle("bot", 4*time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})
})
