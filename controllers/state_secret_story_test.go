package controllers

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// Who writes a whole Secret must know all of it.
var _ = Describe("A state Secret is replaced whole where it holds nothing but what the operator writes", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), w.seedInput(), bySeed("bot", func(c *v1alpha1.SpacesCredential) { c.Spec.StateLabels = v1alpha1.Labels{"team": "a"} }))
		o.reconcile("bot")
		o.forget()
	})
	renew := func(by *operator) {
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		by.reconcile("bot")
		w.expectReady("bot")
		w.expectNothingLost()
	}
	// expectVerbs expects the writes of a renewal: the claim, the save and the published Secret.
	expectVerbs := func(by *operator, claim, save string) {
		GinkgoHelper()
		Expect(by.verbs()).To(Equal([]string{claim, save, "patch"}))
	}

	It("by the process that made it, and by one that read it", func() {
		renew(o)
		expectVerbs(o, "update", "update")
		next := w.operator()
		renew(next)
		expectVerbs(next, "update", "update")
	})

	DescribeTable("and is patched where somebody else wrote on it, which stays",
		func(edit func(*corev1.Secret), kept func(*corev1.Secret) any) {
			written := w.secret("bot-grant")
			edit(written)
			Expect(admin.Update(w.ctx, written)).To(Succeed())
			was := kept(written)
			renew(o)
			expectVerbs(o, "patch", "patch")
			Expect(kept(w.secret("bot-grant"))).To(Equal(was))
			next := w.operator()
			renew(next)
			expectVerbs(next, "patch", "patch")
			Expect(kept(w.secret("bot-grant"))).To(Equal(was))
		},
		Entry("a label", func(s *corev1.Secret) { s.Labels["backup"] = "yes" }, func(s *corev1.Secret) any { return s.Labels }),
		Entry("a label of ours that has another value", func(s *corev1.Secret) { s.Labels[v1alpha1.LabelManagedBy] = "helm" }, func(s *corev1.Secret) any { return s.Labels }),
		Entry("an annotation", func(s *corev1.Secret) { s.Annotations["example.test/note"] = "kept" }, func(s *corev1.Secret) any { return s.Annotations }),
		Entry("a finalizer", func(s *corev1.Secret) { controllerutil.AddFinalizer(s, "example.test/backup") }, func(s *corev1.Secret) any { return s.Finalizers }),
		Entry("an owner", func(s *corev1.Secret) {
			other := ownerReference(w.credential("bot"))
			other.Kind, other.Name, other.UID, other.Controller, other.BlockOwnerDeletion = "Other", "other", "other", nil, nil
			s.OwnerReferences = append(s.OwnerReferences, other)
		}, func(s *corev1.Secret) any { return s.OwnerReferences }),
		Entry("more data", func(s *corev1.Secret) { s.Data["somebody.else"] = []byte("kept") }, func(s *corev1.Secret) any { return s.Data["somebody.else"] }),
	)

	It("and what somebody writes on it between claim and save stays, too", func() {
		o.on(writeState, plannedFault{}, plannedFault{meanwhile: func() {
			written := w.secret("bot-grant")
			written.Labels["backup"] = "yes"
			Expect(admin.Update(w.ctx, written)).To(Succeed())
		}})
		renew(o)
		Expect(o.verbs()).To(Equal([]string{"update", "update", "patch", "patch"})) // the second met a conflict
		Expect(w.secret("bot-grant").Labels).To(HaveKeyWithValue("backup", "yes"))
	})

	It("and its labels are those of the spec, which a patch brings there", func() {
		credential := w.credential("bot")
		credential.Spec.StateLabels = v1alpha1.Labels{"tier": "gold"}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		renew(o)
		Expect(o.verbs()).To(ContainElement("patch"))
		Expect(w.secret("bot-grant").Labels).To(And(HaveKeyWithValue("tier", "gold"), Not(HaveKey("team"))))
		next := w.operator()
		renew(next)
		expectVerbs(next, "update", "update")
		Expect(w.secret("bot-grant").Labels).To(And(HaveKeyWithValue("tier", "gold"), Not(HaveKey("team"))))
	})

	It("and is patched under a role of before, which allows no more", func() {
		o.onlyPatches = true
		renew(o)
		Expect(o.verbs()).To(Equal([]string{"update", "patch", "patch", "patch"})) // it is tried once
	})
})
