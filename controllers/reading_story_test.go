package controllers

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

var _ = Describe("What is read of the API server", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})

	// due makes a credential, lets its renewal come, and returns a process that begins then.
	due := func() *operator {
		GinkgoHelper()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		first := o.reconcile("bot")
		w.expectReady("bot")
		w.step(first.RequeueAfter)
		return w.operator()
	}

	It("a renewal after a start takes seven requests, with all that the start has to read", func() {
		o = due()
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewed)
		Expect(o.requests()).To(Equal([]request{readSecret, readSecret, readSecret, writeState, writeState, writePublished, writeStatus}))
		w.expectNothingLost()
	})

	It("the published Secret that a start does not read keeps what others put on it", func() {
		next := due()
		published := w.secret("bot")
		published.OwnerReferences = append(published.OwnerReferences, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "other", UID: "other"})
		published.Labels["team"], published.Data["note"] = "ours", []byte("by hand")
		delete(published.Annotations, v1alpha1.AnnotationExpiresAt)
		Expect(admin.Update(w.ctx, published)).To(Succeed())
		next.reconcile("bot")
		w.expectReady("bot")
		renewed := w.secret("bot")
		Expect(renewed.OwnerReferences).To(Equal(published.OwnerReferences))
		Expect(renewed.Labels).To(HaveKeyWithValue("team", "ours"))
		Expect(renewed.Data).To(HaveKeyWithValue("note", []byte("by hand")))
		Expect(renewed.Annotations).To(HaveKey(v1alpha1.AnnotationExpiresAt))
	})

	It("a published Secret without its owner is read at a start, and gets it back", func() {
		next := due()
		published := w.secret("bot")
		owners := published.OwnerReferences
		published.OwnerReferences = nil
		Expect(admin.Update(w.ctx, published)).To(Succeed())
		next.reconcile("bot")
		w.expectReady("bot")
		Expect(w.secret("bot").OwnerReferences).To(Equal(owners))
	})

	DescribeTable("a new version of an input is read once for all that name it", func(input string) {
		w.apply(clientInput(), loginInput())
		var names []string
		for i := range 5 {
			names = append(names, fmt.Sprintf("bot-%d", i))
			w.apply(byPassword(names[i]))
		}
		o.settleAll(names, time.Minute)
		secret := w.secret(input)
		secret.Annotations = map[string]string{"touched": "by somebody"}
		Expect(admin.Update(w.ctx, secret)).To(Succeed())
		o.forget()
		for _, name := range names {
			o.reconcile(name)
		}
		Expect(o.requests()).To(Equal([]request{readSecret}))
	},
		Entry("the client", "spaces-client"),
		Entry("the login", "bot-login"),
	)

	It("nothing is kept of a long input, and nothing of a seed", func() {
		client := clientInput()
		client.StringData["comment"] = strings.Repeat("x", keptReading)
		w.apply(client, w.seedInput(), bySeed("bot"))
		first := o.reconcile("bot")
		w.expectReady("bot")
		Expect(o.readings.all().Len()).To(BeZero())
		o.forget()
		w.step(first.RequeueAfter)
		o.reconcile("bot")
		Expect(o.requests()).To(Equal([]request{readSecret, writeState, writeState, writePublished, writeStatus}))
	})

	It("an informer that is late with a client's new secret costs a refusal, and no grant", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		first := o.reconcile("bot")
		token := w.expectReady("bot")
		w.step(first.RequeueAfter - time.Second)
		o.reconcile("bot")
		o.freezeSecrets()
		w.spaces.SetClientSecret(clientID, "another-client-secret-story")
		w.put("spaces-client", map[string]string{"client_secret": "another-client-secret-story"})
		w.step(time.Second)
		o.reconcile("bot")
		Expect(w.token("bot")).To(Equal(token))
		o.freeze(false)
		o.settle("bot", 5*time.Minute)
		Expect(w.expectReady("bot")).NotTo(Equal(token))
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		w.expectNothingLost()
	})

	It("an informer that is late with a new password sends no old one", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		first := o.reconcile("bot")
		w.expectReady("bot")
		w.spaces.SetPassword(username, "another-password-story")
		w.spaces.RevokeGrantOf(w.document("bot").Grant().RefreshToken.Reveal())
		o.freezeSecrets()
		w.put("bot-login", map[string]string{"password": "another-password-story"})
		w.step(first.RequeueAfter)
		o.settle("bot", 5*time.Minute)
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2))
	})
})
