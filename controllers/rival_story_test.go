package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

var _ = Describe("Rule 9: two credentials, one Secret", func() {
	var w *world
	var o *operator
	into := func(name string) func(*v1alpha1.SpacesCredential) {
		return func(c *v1alpha1.SpacesCredential) { c.Spec.SecretName = name }
	}
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), loginInput())
	})

	It("the first of two credentials by age and name publishes, the other says so and mints nothing", func() {
		w.apply(byPassword("b", into("shared")), byPassword("a", into("shared")))
		first, second := "a", "b"
		if precedes(w.credential("b"), w.credential("a")) { // made in another second
			first, second = second, first
		}
		o.reconcile(second)
		o.reconcile(first)
		o.reconcile(second)
		w.expectReady(first)
		w.expectCondition(second, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))

		w.delete(w.credential(first))
		o.settle(first, 10*time.Second)
		o.reconcile(second)
		w.expectReady(second)
	})

	It("a credential keeps the Secret that carries its UID when another one comes to name it", func() {
		w.apply(byPassword("z", into("shared")))
		o.reconcile("z")
		w.apply(byPassword("a", into("shared")))
		o.reconcile("a")
		w.expectCondition("a", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
		o.reconcile("z")
		w.expectReady("z")
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
	})

	It("a rival seen too late makes a password give its sign-in back", func() {
		w.apply(byPassword("bot"))
		o.on(createPublished, plannedFault{meanwhile: func() {
			w.apply(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bot"}})
		}})
		o.settle("bot", 10*time.Second)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
		ledger := w.spaces.Ledger()
		Expect([]int{ledger.GrantsIssued, ledger.GrantsLive}).To(Equal([]int{1, 0}))
		o.settle("bot", lifetime)
		Expect(w.spaces.Ledger().GrantsIssued).To(Equal(1))
		w.delete(w.secret("bot"))
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("a rival seen too late makes a seed keep its grant, unrenewed, until the way is free", func() {
		w.apply(w.seedInput(), bySeed("bot"))
		o.on(createPublished, plannedFault{meanwhile: func() {
			w.apply(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bot"}})
		}})
		o.settle("bot", 3*lifetime)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		w.delete(w.secret("bot"))
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
		w.expectNothingLost()
	})
})

var _ = Describe("Adoption", func() {
	var w *world
	var o *operator
	offered := func(change ...func(*corev1.Secret)) *corev1.Secret {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "bot", Annotations: map[string]string{v1alpha1.AnnotationAdoptableBy: "bot"}, Labels: map[string]string{"theirs": "yes"}},
			Data:       map[string][]byte{"their.key": []byte("kept")},
		}
		for _, f := range change {
			f(secret)
		}
		return secret
	}
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), loginInput())
	})

	// leave has an earlier credential of that name leave its published Secret, as a backup of the
	// Secrets alone would bring it back.
	leave := func(change func(*corev1.Secret)) {
		GinkgoHelper()
		w.apply(byPassword("bot"))
		o.reconcile("bot")
		left := w.secret("bot")
		left.ObjectMeta = metav1.ObjectMeta{Name: "bot", Labels: left.Labels, Annotations: left.Annotations, OwnerReferences: left.OwnerReferences}
		w.delete(w.credential("bot"))
		o.settle("bot", 10*time.Second)
		Expect(w.exists("bot")).To(BeFalse())
		if published := w.secret("bot"); published != nil {
			w.delete(published)
		}
		change(left)
		w.apply(left)
	}

	It("a Secret that an earlier credential of this name left is taken over, without its dead owner", func() {
		leave(func(*corev1.Secret) {})
		w.apply(byPassword("bot"))
		w.operator().settle("bot", 10*time.Second)
		w.expectReady("bot")
		Expect(w.secret("bot").OwnerReferences).To(ConsistOf(HaveField("UID", w.credential("bot").UID)))
		Expect(w.secret("bot").Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationCredentialUID, string(w.credential("bot").UID)))
	})

	It("a Secret that carries the UID of another living credential is not taken for one that was left", func() {
		w.apply(byPassword("other"))
		leave(func(left *corev1.Secret) {
			left.OwnerReferences = nil
			left.Annotations[v1alpha1.AnnotationCredentialUID] = string(w.credential("other").UID)
		})
		w.apply(byPassword("bot"))
		next := w.operator()
		next.settle("bot", 10*time.Second)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
		Expect(w.secret("bot").Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationCredentialUID, string(w.credential("other").UID)))
	})

	It("a Secret that was left and has another controller is not taken over", func() {
		leave(func(left *corev1.Secret) {
			left.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "theirs", UID: "theirs", Controller: ptr.To(true)}}
		})
		w.apply(byPassword("bot"))
		w.operator().settle("bot", 10*time.Second)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
	})

	It("an offered Secret is adopted, and what is not ours in it stays", func() {
		w.apply(offered(), byPassword("bot"))
		o.reconcile("bot")
		w.expectReady("bot")
		adopted := w.secret("bot")
		Expect(adopted.Data).To(HaveKeyWithValue("their.key", []byte("kept")))
		Expect(adopted.Labels).To(HaveKeyWithValue("theirs", "yes"))
		Expect(adopted.Annotations).NotTo(HaveKey(v1alpha1.AnnotationAdoptableBy), "the offer stands after it was taken")
		o.forget()
		o.reconcile("bot")
		Expect(o.requests()).To(BeEmpty())
	})

	It("a retained Secret is taken back by a new credential of the same name", func() {
		retain := func(c *v1alpha1.SpacesCredential) { c.Spec.SecretDeletionPolicy = v1alpha1.SecretDeletionRetain }
		w.apply(byPassword("bot", retain))
		o.reconcile("bot")
		w.delete(w.credential("bot"))
		o.settle("bot", 10*time.Second)
		w.apply(byPassword("bot", retain))
		o.reconcile("bot")
		w.expectReady("bot")
	})

	DescribeTable("an adoption that must be refused sends nothing and changes nothing",
		func(change func(*corev1.Secret), reason string) {
			w.apply(offered(change), byPassword("bot"))
			before := w.secret("bot").ResourceVersion
			o.settle("bot", 10*time.Minute)
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, reason)
			Expect(w.spaces.Ledger().Calls).To(BeEmpty())
			Expect(w.secret("bot").ResourceVersion).To(Equal(before))
		},
		Entry("for an immutable Secret", func(s *corev1.Secret) { s.Immutable = ptr.To(true) }, v1alpha1.ReasonSecretImmutable),
		Entry("for a Secret of another type", func(s *corev1.Secret) { s.Type = "example.test/other" }, v1alpha1.ReasonSecretConflict),
		Entry("for a Secret with a controller", func(s *corev1.Secret) {
			s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: "1", Controller: ptr.To(true)}}
		}, v1alpha1.ReasonSecretConflict),
		Entry("for a Secret offered to somebody else", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationAdoptableBy] = "another" }, v1alpha1.ReasonSecretConflict),
	)
})

var _ = Describe("A published Secret that somebody's finalizer holds", func() {
	It("while it is being deleted nothing is signed in anew, and the living grant stays", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		secret := w.secret("bot")
		secret.Finalizers = []string{"backup.example.test/keep"}
		Expect(admin.Update(w.ctx, secret)).To(Succeed())
		w.delete(secret)
		w.spaces.AddUser("second@example.test", password)
		w.put("bot-login", map[string]string{"username": "second@example.test"})
		o.settle("bot", 10*time.Minute)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		Expect(w.document("bot").Grant()).NotTo(BeNil())
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)

		secret = w.secret("bot")
		secret.Finalizers = nil
		Expect(admin.Update(w.ctx, secret)).To(Succeed())
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
		Expect(w.credential("bot").Status.Identity.Username).To(Equal("second@example.test"))
	})
})
