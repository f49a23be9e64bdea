package controllers

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/transfer"
)

var _ = Describe("A grant that moves to another cluster", func() {
	DescribeTable("it moves without a person signing in again, and without one refresh token sent twice",
		func(credential func(string, ...func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential, input func(*world) *corev1.Secret) {
			w := newWorld()
			w.allowsExport = true
			ready(w, credential("bot"), clientInput(), input(w))
			o := w.former
			asked := w.spaces.Ledger().Calls
			signedIn := asked[fakespaces.OperationPassword] + asked[fakespaces.OperationAuthorizationCode]
			grant, _ := w.exportOf(o)
			Expect(grant.Username).To(Equal(w.credential("bot").Status.Identity.Username))
			Expect([]string{grant.Environment, grant.AccountsURL, grant.ClientID}).To(Equal([]string{"staging", w.server.URL, clientID}))
			Expect(grant.StartTime).To(BeTemporally("==", w.document("bot").Grant().StartTime))

			other := w.elsewhere()
			other.apply(clientInput())
			there := other.takes(credential("bot"), grant)
			other.delete(other.secret("bot-import"))
			before := w.spaces.Ledger().Calls
			o.settle("bot", 3*lifetime)
			Expect(w.spaces.Ledger().Calls).To(Equal(before), "the exporter called the service")
			w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonExported)

			w.delete(w.credential("bot"))
			o.settle("bot", time.Minute)
			Expect(w.exists("bot")).To(BeFalse())
			Expect(w.stateExists("bot")).To(BeFalse())
			Expect(w.secret("bot-export")).To(BeNil())
			Expect(w.events.of(v1alpha1.ReasonExported).note).To(ContainSubstring("it was not revoked"))
			there.settle("bot", 3*lifetime)
			other.expectReady("bot")
			asked = w.spaces.Ledger().Calls
			Expect(asked[fakespaces.OperationPassword] + asked[fakespaces.OperationAuthorizationCode]).To(Equal(signedIn))
			Expect(asked[fakespaces.OperationRevoke]).To(BeZero())
			Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
			w.expectNothingLost()
			other.delete(other.credential("bot"))
			there.settle("bot", time.Minute)
			Expect(w.spaces.Ledger().GrantsLive).To(BeZero(), "it is the importer's to revoke")
		},
		Entry("of a password", byPassword, func(*world) *corev1.Secret { return loginInput() }),
		Entry("of a seed", bySeed, (*world).seedInput),
		Entry("of a code", byCode, (*world).codeInput),
	)
})

var _ = Describe("A request for an export", func() {
	var w *world
	var key transfer.PrivateKey
	BeforeEach(func() {
		w = newWorld()
		w.allowsExport = true
		key = newImportKey()
	})

	It("it is refused and told while the operator does not allow exports, and is not acted on later", func() {
		w.allowsExport = false
		ready(w, byPassword("bot"), clientInput(), loginInput())
		w.askExport("first", key.Public(), "")
		w.former.reconcile("bot")
		w.expectNotExported(v1alpha1.ExportRefused + " this operator does not allow it. Ask whoever runs it for --allow-export.")
		Expect(w.credential("bot").Status.LastHandledExportRequest).To(Equal("first"))
		w.former.settle("bot", 2*lifetime)
		w.expectReady("bot")

		w.allowsExport = true
		o := w.operator()
		o.settle("bot", 2*lifetime)
		w.expectNotExported(v1alpha1.ExportRefused)
		w.expectReady("bot")
		w.askExport("second", key.Public(), "")
		o.reconcile("bot")
		w.expectExported(key)
	})

	DescribeTable("it is refused with a reason, and the credential goes on as before",
		func(begin func(w *world), to, why string) {
			begin(w)
			if to == "" {
				to = key.Public().String()
			}
			credential := w.credential("bot")
			credential.Annotations = map[string]string{v1alpha1.AnnotationExportRequestedAt: "first", v1alpha1.AnnotationExportTo: to}
			Expect(admin.Update(w.ctx, credential)).To(Succeed())
			before := w.spaces.Ledger().Calls
			w.former.settle("bot", time.Minute)
			w.expectNotExported(v1alpha1.ExportRefused + " " + why)
			Expect(w.spaces.Ledger().Calls).To(Equal(before))
		},
		Entry("of a guest", func(w *world) { ready(w, asGuest("bot")) }, "", "a guest belongs to nobody."),
		Entry("for a key that is none", func(w *world) { ready(w, byPassword("bot"), clientInput(), loginInput()) }, "BNoKey==", "of the annotation auth.spaces-operator.io/export-to: it is no public key"),
		Entry("of a grant that the service refused", func(w *world) {
			due(w, bySeed("bot"), clientInput(), w.seedInput())
			w.spaces.RevokeGrantOf(w.document("bot").Grant().RefreshToken.Reveal())
			w.former.settle("bot", 2*time.Second)
		}, "", "the service refused the grant."),
		Entry("where there is no grant yet", func(w *world) {
			w.apply(clientInput(), loginInput(), bySeed("bot"))
			w.former = w.operator()
			w.former.settle("bot", time.Second)
		}, "", "there is no grant."),
		Entry("where the name of the answer is taken", func(w *world) {
			ready(w, byPassword("bot"), clientInput(), loginInput())
			w.apply(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bot-export"}, Type: v1alpha1.SecretTypeGrantExport, Data: map[string][]byte{v1alpha1.ExportKey: []byte("{}")}})
		}, "", `Secret "bot-export" exists`),
	)

	It("an ambiguous grant is asked for once more first, and what is exported is its newest refresh token", func() {
		w.spaces.SetGracePeriod(10 * time.Minute)
		due(w, bySeed("bot"), clientInput(), w.seedInput())
		o := w.former
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostAfter)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionUnknown, v1alpha1.ReasonAmbiguousResult)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultServerError500)
		w.askExport("first", key.Public(), "")
		o.reconcile("bot")
		o.reconcile("bot")
		Expect(w.document("bot").Exported()).To(BeNil())
		Expect(w.said(v1alpha1.ConditionGrantValid)).To(ContainSubstring(v1alpha1.ExportWaits))
		o.settle("bot", time.Minute)
		w.expectExported(key)
		Expect(w.exported(key).RefreshToken.Reveal()).To(Equal(w.document("bot").Grant().RefreshToken.Reveal()))
		Expect(w.said(v1alpha1.ConditionGrantValid)).NotTo(ContainSubstring(v1alpha1.ExportWaits))
		w.expectMoves(key)
		w.expectNothingLost()
	})

	It("it waits while another process may be at work, and exports what that one left", func() {
		due(w, bySeed("bot"), clientInput(), w.seedInput())
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostBefore)
		w.former.on(writeState, plannedFault{}, plannedFault{meanwhile: func() { panic(death{}) }}) // the claim, and not the save
		Expect(survive(func() { w.former.reconcile("bot") })).To(BeFalse())
		w.askExport("first", key.Public(), "")
		next := w.operator()
		next.settle("bot", 10*time.Second)
		Expect(w.document("bot").Exported()).To(BeNil(), "the claim is not old")
		next.settle("bot", 2*time.Minute)
		w.expectExported(key)
		w.expectMoves(key)
	})

	It("it waits while the credential is suspended", func() {
		ready(w, bySeed("bot"), clientInput(), w.seedInput())
		credential := w.credential("bot")
		credential.Spec.Suspend = true
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		w.askExport("first", key.Public(), "")
		w.former.settle("bot", time.Minute)
		Expect(w.envelope()).To(BeNil())
		credential = w.credential("bot")
		credential.Spec.Suspend = false
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		w.former.reconcile("bot")
		w.expectExported(key)
	})

	It("one that came with a restored object is not acted on", func() {
		w.apply(clientInput(), loginInput())
		restored := byPassword("bot")
		restored.Annotations = map[string]string{v1alpha1.AnnotationExportRequestedAt: "first", v1alpha1.AnnotationExportTo: key.Public().String()}
		w.apply(restored)
		o := w.operator()
		o.settle("bot", 2*lifetime)
		w.expectReady("bot")
		Expect(w.envelope()).To(BeNil())
		Expect(w.document("bot").Exported()).To(BeNil())
	})

	It("a grant with a lent client moves with it", func() {
		shared := w.lend()
		ready(w, byPassword("bot", borrowing(shared)), loginInput())
		w.lends(shared, refusing)
		w.askExport("first", key.Public(), "")
		w.former.reconcile("bot")
		w.expectNotExported(v1alpha1.ExportWaits + " the ClusterSpacesClient does not allow the use of its client now.")
		w.lends(shared, w.allowing)
		w.former.reconcile("bot")
		w.expectExported(key)
		Expect(w.exported(key).ClientID).To(Equal(clientID))
		w.expectMoves(key)
	})
})

var _ = Describe("The answer to a request for an export", func() {
	var w *world
	var o *operator
	var key transfer.PrivateKey
	BeforeEach(func() {
		w = newWorld()
		w.allowsExport = true
		key = newImportKey()
		ready(w, bySeed("bot", func(c *v1alpha1.SpacesCredential) { c.Spec.StateLabels = v1alpha1.Labels{"team": "a"} }), clientInput(), w.seedInput())
		o = w.former
	})

	It("the mark is written first: an answer that cannot be written leaves a grant that nobody spends", func() {
		w.askExport("first", key.Public(), "")
		o.on(createPublished, plannedFault{before: forbidden()})
		o.reconcile("bot")
		Expect(w.envelope()).To(BeNil())
		w.expectExported(key)
		Expect(w.said(v1alpha1.ConditionGrantValid)).To(ContainSubstring("The answer is not written yet."))
		before := w.spaces.Ledger().Calls
		o.settle("bot", 2*time.Minute)
		Expect(w.spaces.Ledger().Calls).To(Equal(before))
		w.expectMoves(key)
	})

	It("nothing is given away when the mark cannot be written", func() {
		w.askExport("first", key.Public(), "")
		o.on(writeState, plannedFault{before: errRefused})
		_, err := o.pass("bot")
		Expect(err).To(HaveOccurred())
		Expect(w.envelope()).To(BeNil())
		Expect(w.document("bot").Exported()).To(BeNil())
		o.reconcile("bot")
		w.expectMoves(key)
	})

	It("it holds the sealed grant and nothing else, and belongs to the credential", func() {
		grant, _ := w.exportOf(o)
		secret := w.secret("bot-export")
		Expect(secret.Labels).To(Equal(map[string]string{"team": "a", v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelSecret: v1alpha1.SecretExport}))
		Expect(metav1.IsControlledBy(secret, w.credential("bot"))).To(BeTrue())
		Expect(keysOf(secret.Data)).To(Equal([]string{v1alpha1.ExportKey}))
		Expect(string(secret.Data[v1alpha1.ExportKey])).NotTo(ContainSubstring(grant.RefreshToken.Reveal()))
		envelope := w.envelope()
		Expect([]string{envelope.Namespace, envelope.Name, envelope.Request}).To(Equal([]string{w.namespace, "bot", "first"}))
		Expect(envelope.Open(newImportKey())).Error().To(HaveOccurred())
		envelope.Name = "another"
		Expect(envelope.Open(key)).Error().To(HaveOccurred())
	})

	It("it is written again for the same key: when it was deleted, and for another request", func() {
		grant, key := w.exportOf(o)
		w.delete(w.secret("bot-export"))
		o.reconcile("bot")
		Expect(w.exported(key).RefreshToken.Reveal()).To(Equal(grant.RefreshToken.Reveal()))
		w.askExport("second", key.Public(), "")
		w.operator().settle("bot", time.Minute)
		Expect(w.envelope().Request).To(Equal("second"))
		Expect(w.exported(key).RefreshToken.Reveal()).To(Equal(grant.RefreshToken.Reveal()))
		w.expectMoves(key)
	})

	It("it is sealed to another key only when a person says that the first was lost, and names it", func() {
		_, first := w.exportOf(o)
		second := newImportKey()
		for request, lost := range map[string]string{"second": "", "third": second.Public().ID(), "fourth": "yes"} {
			w.askExport(request, second.Public(), lost)
			o.settle("bot", time.Minute)
			Expect(w.envelope().Key).To(Equal(first.Public().ID()), "exported to two keys")
			Expect(w.said(v1alpha1.ConditionGrantValid)).To(ContainSubstring("the grant was exported to the key " + first.Public().ID() + " before"))
			w.expectExported(first)
		}
		w.askExport("fifth", second.Public(), first.Public().ID())
		o.reconcile("bot")
		w.expectExported(second)
		Expect(w.envelope().Open(first)).Error().To(HaveOccurred())
		w.expectMoves(second)

		// What was said of the first key says nothing of the second.
		w.askExport("sixth", newImportKey().Public(), first.Public().ID())
		o.settle("bot", time.Minute)
		w.expectExported(second)
	})
})

var _ = Describe("A grant that was exported", func() {
	var w *world
	BeforeEach(func() {
		w = newWorld()
		w.allowsExport = true
	})

	DescribeTable("it is never spent and never revoked by the exporter",
		func(isPassword bool, happens func(w *world), signsIn bool) {
			if isPassword {
				ready(w, byPassword("bot"), clientInput(), loginInput())
			} else {
				ready(w, bySeed("bot"), clientInput(), w.seedInput())
			}
			grant, _ := w.exportOf(w.former)
			other := w.elsewhere()
			other.apply(clientInput())
			there := other.takes(bySeed("bot"), grant)
			refreshes := w.calls(fakespaces.OperationRefresh)
			signIns := w.calls(fakespaces.OperationPassword)
			happens(w)
			w.former.settle("bot", 10*time.Minute)
			w.operator().settle("bot", 10*time.Minute)
			Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
			Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(refreshes))
			Expect(w.calls(fakespaces.OperationPassword) > signIns).To(Equal(signsIn), "a sign-in")
			there.settle("bot", 2*lifetime)
			other.expectReady("bot")
			w.expectNothingLost()
		},
		Entry("when its token expires", false, func(w *world) { w.step(2 * lifetime) }, false),
		Entry("when a person asks for a renewal of a seed", false, func(w *world) { w.ask(v1alpha1.AnnotationRenewRequestedAt) }, false),
		Entry("when a person asks for a revocation of a seed", false, func(w *world) { w.ask(v1alpha1.AnnotationRevokeRequestedAt) }, false),
		Entry("when a person asks for a revocation of a password", true, func(w *world) { w.ask(v1alpha1.AnnotationRevokeRequestedAt) }, false),
		Entry("when its credential is deleted", true, func(w *world) { w.delete(w.credential("bot")) }, false),
		Entry("when its credential vanishes", false, func(w *world) { w.vanish("bot") }, false),
		Entry("when its state is deleted", false, func(w *world) { w.delete(w.secret("bot-grant")) }, false),
		Entry("when the state of a password is deleted, which signs in anew", true, func(w *world) { w.delete(w.secret("bot-grant")) }, true),
		Entry("when a person asks a password for a grant of its own", true, func(w *world) { w.ask(v1alpha1.AnnotationRenewRequestedAt) }, true),
		Entry("when another user is put in", true, func(w *world) {
			w.spaces.AddUser("second@example.test", password)
			w.put("bot-login", map[string]string{"username": "second@example.test"})
		}, true),
		Entry("when the password alone changes", true, func(w *world) { w.put("bot-login", map[string]string{"password": "another-password-41c7"}) }, false),
	)

	It("a new seed starts a new grant, which is renewed and revoked as ever", func() {
		ready(w, bySeed("bot"), clientInput(), w.seedInput())
		w.exportOf(w.former)
		w.put("seed", map[string]string{"refresh_token": w.spaces.IssueGrant(clientID, username, "spaces")})
		w.former.settle("bot", 2*lifetime)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionTrue)
		Expect(w.document("bot").Pending()).To(BeEmpty())
		w.delete(w.credential("bot"))
		w.former.settle("bot", time.Minute)
		Expect(w.spaces.Ledger().GrantsRevoked).To(Equal(1))
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1), "the exported one lives")
		w.expectNothingLost()
	})

	It("an answer that waited in a stopped process until the grant was exported, imported and its credential gone is not revoked", func() {
		w.spaces.SetGracePeriod(10 * time.Minute)
		due(w, bySeed("bot"), clientInput(), w.seedInput())
		old, next := w.operator(), w.operator()
		var other *world
		b := &blow{mishap: answerWaits, number: 1}
		b.aimStop(old, func() {
			old.freeze(true)
			next.settle("bot", 2*time.Minute)
			grant, _ := w.exportOf(next)
			other = w.elsewhere()
			other.apply(clientInput())
			other.takes(bySeed("bot"), grant)
			w.delete(w.credential("bot"))
			next.settle("bot", time.Minute)
			Expect(w.exists("bot")).To(BeFalse())
		})
		old.passUntilStruck("bot", b)
		Expect(b.struck).To(Equal(string(fakespaces.OperationRefresh)))
		w.interceptAnswer(nil)
		old.freeze(false)
		for range 5 {
			_, _ = old.pass("bot")
			w.step(time.Second)
		}
		Expect(old.Drain(w.ctx)).To(Succeed())
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero(), "the importer's grant was revoked")
		other.operator().settle("bot", 2*lifetime)
		other.expectReady("bot")
	})

	It("grants that it replaced are still revoked", func() {
		ready(w, bySeed("bot"), clientInput(), w.seedInput())
		w.put("seed", map[string]string{"refresh_token": w.spaces.IssueGrant(clientID, username, "spaces")})
		w.former.settle("bot", 10*time.Second)
		Expect(w.document("bot").Pending()).To(HaveLen(1))
		_, key := w.exportOf(w.former)
		w.former.settle("bot", 10*time.Minute)
		Expect(w.spaces.Ledger().GrantsRevoked).To(Equal(1))
		w.expectMoves(key)
		w.expectNothingLost()
	})

	It("a published Secret that is deleted comes back while the token lives, and Ready tells the truth", func() {
		ready(w, bySeed("bot"), clientInput(), w.seedInput())
		w.exportOf(w.former)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonExported)
		w.delete(w.secret("bot"))
		w.former.settle("bot", time.Minute)
		w.expectReady("bot")
		w.former.settle("bot", lifetime)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonExported)
		Expect(w.credential("bot").Status.Grant.Present).To(BeFalse())
	})

	DescribeTable("it counts as exported after its state went back to before that",
		func(seed bool, asked bool, before func(w *world) *operator) {
			if seed {
				ready(w, bySeed("bot"), clientInput(), w.seedInput())
			} else {
				ready(w, byPassword("bot"), clientInput(), loginInput())
			}
			old := w.secret("bot-grant").Data[v1alpha1.StateKey]
			grant, _ := w.exportOf(w.former)
			other := w.elsewhere()
			other.apply(clientInput())
			there := other.takes(bySeed("bot"), grant)
			if !asked { // else the request would be answered once more
				credential := w.credential("bot")
				credential.Annotations = nil
				Expect(admin.Update(w.ctx, credential)).To(Succeed())
			}
			next := before(w)
			secret := w.secret("bot-grant")
			secret.Data[v1alpha1.StateKey] = old
			Expect(admin.Update(w.ctx, secret)).To(Succeed())
			made := w.spaces.Ledger().Calls
			next.settle("bot", 3*lifetime)
			w.delete(w.credential("bot"))
			next.settle("bot", 10*time.Minute)
			Expect(w.exists("bot")).To(BeFalse())
			Expect(w.spaces.Ledger().Calls).To(Equal(made), "the exporter called the service")
			there.settle("bot", lifetime)
			other.expectReady("bot")
			w.expectNothingLost()
		},
		Entry("by the process that remembers", true, false, func(w *world) *operator { return w.former }),
		Entry("by what the published Secret says", true, false, func(w *world) *operator {
			w.delete(w.secret("bot-export"))
			return w.operator()
		}),
		Entry("by what the published Secret says, of a password", false, false, func(w *world) *operator {
			w.delete(w.secret("bot-export"))
			return w.operator()
		}),
		Entry("by what the answer says", true, false, func(w *world) *operator {
			w.delete(w.secret("bot"))
			return w.operator()
		}),
		Entry("by what the answer says, of a password", false, false, func(w *world) *operator {
			w.delete(w.secret("bot"))
			return w.operator()
		}),
		Entry("by the request, which is still there", true, true, func(w *world) *operator {
			w.delete(w.secret("bot"))
			w.delete(w.secret("bot-export"))
			return w.operator()
		}),
	)
})
