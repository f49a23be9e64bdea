package controllers

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var _ = Describe("Rule 10: requests", func() {
	var w *world
	var o *operator
	ask := func(annotation, value string) {
		GinkgoHelper()
		credential := w.credential("bot")
		metav1.SetMetaDataAnnotation(&credential.ObjectMeta, annotation, value)
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
	}
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})

	Context("to renew", func() {
		It("each new value of a request to renew makes one token, and is echoed in status", func() {
			w.apply(clientInput(), loginInput(), byPassword("bot"))
			o.reconcile("bot")
			for i, value := range []string{"now", "again"} {
				ask(v1alpha1.AnnotationRenewRequestedAt, value)
				o.settle("bot", 20*time.Second)
				w.operator().settle("bot", 20*time.Second)
				Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(i + 1))
				Expect(w.credential("bot").Status.LastHandledRenewRequest).To(Equal(value))
			}
			w.expectReady("bot")
			w.expectNothingLost()
		})

		It("requests that were there from the start are answered by the first sign-in", func() {
			credential := byPassword("bot")
			credential.Annotations = map[string]string{v1alpha1.AnnotationRenewRequestedAt: "a", v1alpha1.AnnotationRevokeRequestedAt: "b"}
			w.apply(clientInput(), loginInput(), credential)
			o.settle("bot", 20*time.Second)
			Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
			Expect(w.credential("bot").Status.LastHandledRenewRequest).To(Equal("a"))
			Expect(w.credential("bot").Status.LastHandledRevokeRequest).To(Equal("b"))
		})

		It("a request to renew lifts a refusal once", func() {
			w.apply(clientInput(), w.seedInput(), bySeed("bot"))
			w.step(o.reconcile("bot").RequeueAfter)
			w.spaces.SetClientSecret(clientID, "another-client-secret")
			w.put("spaces-client", map[string]string{"client_secret": "mistyped-client-secret-story"})
			o.settle("bot", time.Minute)
			Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2))
			ask(v1alpha1.AnnotationRenewRequestedAt, "try")
			o.settle("bot", time.Minute)
			Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(3))
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientRejected)
			w.spaces.SetClientSecret(clientID, "mistyped-client-secret-story")
			ask(v1alpha1.AnnotationRenewRequestedAt, "try again")
			o.settle("bot", time.Minute)
			w.expectReady("bot")
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
			w.expectNothingLost()
		})

		It("a request to renew goes before the backoff once, and stays until it is answered", func() {
			w.apply(clientInput(), loginInput(), byPassword("bot"))
			o.reconcile("bot")
			w.spaces.SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultForbidden403, 1)
			w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
			o.reconcile("bot")
			ask(v1alpha1.AnnotationRenewRequestedAt, "now")
			for range 5 {
				o.reconcile("bot")
			}
			Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2), "a request goes before the backoff, and is no way round it")
			Expect(w.credential("bot").Status.LastHandledRenewRequest).To(BeEmpty())
			w.spaces.SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultForbidden403, 0)
			o.settle("bot", time.Hour+time.Minute)
			Expect(w.credential("bot").Status.LastHandledRenewRequest).To(Equal("now"))
			w.expectReady("bot")
		})

		It("a request to renew or to revoke waits while the credential is suspended", func() {
			w.apply(clientInput(), loginInput(), byPassword("bot"))
			o.reconcile("bot")
			credential := w.credential("bot")
			credential.Spec.Suspend = true
			Expect(admin.Update(w.ctx, credential)).To(Succeed())
			ask(v1alpha1.AnnotationRenewRequestedAt, "now")
			ask(v1alpha1.AnnotationRevokeRequestedAt, "now")
			o.settle("bot", time.Minute)
			Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
			Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
		})

		It("a very long request to renew is acted on once, and 256 bytes of it are kept", func() {
			w.apply(clientInput(), loginInput(), byPassword("bot"))
			o.reconcile("bot")
			ask(v1alpha1.AnnotationRenewRequestedAt, strings.Repeat("x", 100_000))
			o.settle("bot", 20*time.Second)
			Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
			Expect(w.credential("bot").Status.LastHandledRenewRequest).To(HaveLen(256))
		})
	})

	It("a request to renew that is cut within a character is acted on once, too", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		ask(v1alpha1.AnnotationRenewRequestedAt, "x"+strings.Repeat("é", 256))
		o.settle("bot", 20*time.Second)
		w.operator().settle("bot", 20*time.Second)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
	})

	Context("to revoke", func() {
		never := func(c *v1alpha1.SpacesCredential) {
			c.Spec.Revocation = &v1alpha1.Revocation{Policy: v1alpha1.RevocationNever}
		}

		DescribeTable("a request to revoke signs in by password first, then revokes the old grant a second later",
			func(change func(*v1alpha1.SpacesCredential)) {
				w.apply(clientInput(), loginInput(), byPassword("bot", change))
				o.reconcile("bot")
				old := w.expectReady("bot")
				ask(v1alpha1.AnnotationRevokeRequestedAt, "now")
				o.reconcile("bot")
				Expect(w.expectReady("bot")).NotTo(Equal(old))
				Expect(o.reconcile("bot").RequeueAfter).NotTo(BeZero())
				Expect(w.spaces.TokenWorks(old)).To(BeFalse())
				ledger := w.spaces.Ledger()
				Expect([]int{ledger.GrantsIssued, ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{2, 1, 1}))
				Expect(w.credential("bot").Status.LastHandledRevokeRequest).To(Equal("now"))
				o.settle("bot", time.Minute)
				Expect(w.spaces.Ledger().GrantsIssued).To(Equal(2))
			},
			Entry("by policy OnDelete", func(*v1alpha1.SpacesCredential) {}),
			Entry("by policy Never, too", never),
		)

		DescribeTable("a request to revoke empties the published token and revokes, though the password is of no help",
			func(prevent func(), reason string) {
				w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
					c.Spec.SecretTemplate = &v1alpha1.SecretTemplate{Formats: []v1alpha1.SecretFormat{v1alpha1.SecretFormatCurl}}
				}))
				o.reconcile("bot")
				prevent()
				ask(v1alpha1.AnnotationRevokeRequestedAt, "now")
				o.reconcile("bot")
				o.reconcile("bot")
				Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
				published := w.secret("bot")
				for _, key := range []string{"access_token", "authorization", "expires_at", "curl.conf"} {
					Expect(published.Data).To(HaveKeyWithValue(key, BeEmpty()), key)
				}
				Expect(published.Data).To(HaveKeyWithValue("api_url", Not(BeEmpty())))
				w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, reason)
				w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionFalse, v1alpha1.ReasonGrantRevoked)

				w.spaces.SetPassword(username, password)
				if w.secret("bot-login") == nil {
					w.apply(loginInput())
				}
				mended := w.credential("bot")
				mended.Spec.SecretTemplate.Data = nil
				Expect(admin.Update(w.ctx, mended)).To(Succeed())
				ask(v1alpha1.AnnotationRenewRequestedAt, "now")
				o.settle("bot", time.Minute)
				w.expectReady("bot")
				Expect(string(w.secret("bot").Data["curl.conf"])).To(ContainSubstring(w.token("bot")))
			},
			Entry("because it is refused", func() { w.spaces.SetPassword(username, "changed-story-password") }, v1alpha1.ReasonGrantRejected),
			Entry("because a template is wrong", func() {
				credential := w.credential("bot")
				credential.Spec.SecretTemplate.Data = []v1alpha1.SecretTemplateEntry{{Key: "a.txt", Template: "{{ .Nothing }}"}}
				Expect(admin.Update(w.ctx, credential)).To(Succeed())
			}, v1alpha1.ReasonTemplateInvalid),
			Entry("because its Secret is gone", func() { w.delete(w.secret("bot-login")) }, v1alpha1.ReasonWaitingForInput),
			Entry("because its answer is lost", func() { w.spaces.Next(fakespaces.OperationPassword, fakespaces.FaultLostBefore) }, v1alpha1.ReasonAmbiguousResult),
		)

		It("a request to revoke ends a seed's grant, which asks for a person and is not sent again", func() {
			w.apply(clientInput(), w.seedInput(), bySeed("bot", never))
			o.reconcile("bot")
			ask(v1alpha1.AnnotationRevokeRequestedAt, "now")
			o.reconcile("bot")
			Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
			w.operator().settle("bot", lifetime)
			Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
			Expect(w.secret("bot").Data["access_token"]).To(BeEmpty())

			seed := w.secret("seed")
			seed.Data["refresh_token"] = []byte(w.spaces.IssueGrant(clientID, username, "spaces"))
			Expect(admin.Update(w.ctx, seed)).To(Succeed())
			o.settle("bot", 10*time.Second)
			w.expectReady("bot")
			w.expectNothingLost()
		})

		It("a request to revoke goes on while the service is away, and over a restart", func() {
			w.apply(clientInput(), w.seedInput(), bySeed("bot"))
			o.reconcile("bot")
			w.spaces.Down(true)
			ask(v1alpha1.AnnotationRevokeRequestedAt, "now")
			o.settle("bot", time.Minute)
			Expect(w.credential("bot").Status.PendingRevocations).To(Equal(int32(1)))
			Expect(w.credential("bot").Status.LastHandledRevokeRequest).To(Equal("now"))
			w.spaces.Down(false)
			w.operator().settle("bot", 5*time.Minute)
			Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		})
	})
})

var _ = Describe("Calls of one credential", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})
	ask := func(annotation, value string) {
		GinkgoHelper()
		credential := w.credential("bot")
		credential.Annotations = map[string]string{annotation: value}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
	}
	// atOnce makes a pass without letting a moment go by.
	atOnce := func() ctrl.Result {
		GinkgoHelper()
		result, err := o.Reconcile(w.ctx, ctrl.Request{NamespacedName: w.key("bot")})
		Expect(err).NotTo(HaveOccurred())
		return result
	}

	It("five requests to renew in one moment lead to one call at once and one ten seconds later", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.step(20 * time.Second)
		for i := range 5 {
			ask(v1alpha1.AnnotationRenewRequestedAt, fmt.Sprint(i))
			Expect(atOnce().RequeueAfter).To(BeNumerically(">=", time.Second))
		}
		o.settle("bot", 8*time.Second)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		o.settle("bot", 30*time.Second)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2), "five requests in a moment: one is heard at once, the last ten seconds later")
		Expect(w.credential("bot").Status.LastHandledRenewRequest).To(Equal("4"))
	})

	It("calls of one credential keep their distance over a restart", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		o = w.operator()
		ask(v1alpha1.AnnotationRevokeRequestedAt, "now")
		atOnce()
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
	})

	It("a list of revocations is worked off with one call in a pass and one in a second", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.editDocument("bot", func(d map[string]any) {
			var pending []any
			for i := range 10 {
				pending = append(pending, map[string]any{
					"grantID": fmt.Sprint("g", i), "accountsURL": w.server.URL, "clientID": clientID, "tokenExpirationTime": w.clock.Now(),
					"notBefore": w.clock.Now(), "giveUpTime": w.clock.Now().Add(lifetime), "refreshToken": w.spaces.IssueGrant(clientID, username),
				})
			}
			d["pending"] = pending
		})
		w.step(time.Second)
		for i := range 10 {
			atOnce()
			atOnce()
			Expect(w.calls(fakespaces.OperationRevoke)).To(Equal(i + 1))
			w.step(time.Second)
		}
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
	})

	It("a revocation that a full list gives up is told in an event", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.reconcile("bot")
		w.editDocument("bot", func(d map[string]any) {
			var pending []any
			for i := range 32 {
				pending = append(pending, map[string]any{
					"grantID": fmt.Sprint("g", i), "accountsURL": w.server.URL, "clientID": clientID, "tokenExpirationTime": w.clock.Now().Add(lifetime),
					"notBefore": w.clock.Now().Add(lifetime), "giveUpTime": w.clock.Now().Add(24 * lifetime), "refreshToken": w.spaces.IssueGrant(clientID, username),
				})
			}
			d["pending"] = pending
		})
		ask(v1alpha1.AnnotationRevokeRequestedAt, "now")
		o.reconcile("bot")
		Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonRevocationAbandoned))
	})

	It("a mass revocation waits for its turn, and empties no token before a sign-in was tried", func() {
		environment := o.Environments.Named("staging").Environment()
		environment.RequestsPerSecond, environment.Burst = 2, 4
		slow, err := spacesauth.New(environment, spacesauth.WithClock(w.clock))
		Expect(err).NotTo(HaveOccurred())
		o.knows("staging", slow)
		names := []string{}
		w.apply(clientInput(), loginInput())
		for i := range 8 { // more than the burst
			names = append(names, fmt.Sprintf("bot-%d", i))
			w.apply(byPassword(names[i]))
		}
		o.settleAll(names, 10*time.Second)
		for _, name := range names {
			w.expectReady(name)
			credential := w.credential(name)
			credential.Annotations = map[string]string{v1alpha1.AnnotationRevokeRequestedAt: "now"}
			Expect(admin.Update(w.ctx, credential)).To(Succeed())
		}
		for _, name := range names {
			o.reconcile(name)
			Expect(w.token(name)).NotTo(BeEmpty(), "a token was emptied, and the sign-in was not tried")
		}
		o.settleAll(names, time.Minute)
		for _, name := range names {
			w.expectReady(name)
			Expect(w.credential(name).Status.LastHandledRevokeRequest).To(Equal("now"))
		}
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(len(names)))
	})
})
