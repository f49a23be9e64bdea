package controllers

import (
	"errors"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/backoff"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var _ = Describe("A service that refuses", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})

	It("a refused password is sent again by no process until its Secret changes", func() {
		login := loginInput()
		login.StringData["password"] = "wrong-password-story"
		w.apply(clientInput(), login, byPassword("bot"))
		o.settle("bot", 12*time.Hour)
		w.operator().settle("bot", 12*time.Hour)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
		stalled := meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionStalled)
		Expect(stalled.Message).To(And(ContainSubstring("Correct user name and password"), ContainSubstring("single sign-on or a second factor"), ContainSubstring("AuthorizationCode")))
		w.expectCondition("bot", v1alpha1.ConditionReconciling, metav1.ConditionFalse)

		corrected := w.secret("bot-login")
		corrected.Data["password"] = []byte(password)
		Expect(admin.Update(w.ctx, corrected)).To(Succeed())
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("a refused password that is changed during an outage and changed back is sent again", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		w.spaces.SetPassword(username, "another-password-story")
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)

		w.spaces.Down(true)
		w.put("bot-login", map[string]string{"password": "another-password-story"})
		o.settle("bot", time.Minute)
		w.spaces.SetPassword(username, password)
		w.put("bot-login", map[string]string{"password": password})
		w.spaces.Down(false)
		o.settle("bot", slowRecheck)
		w.expectReady("bot")
	})

	It("a refused password that is changed and changed back while the gate is closed is sent again", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"), asGuest("1"), asGuest("2"), asGuest("3"))
		w.spaces.SetPassword(username, "another-password-story")
		o.settle("bot", time.Minute)
		w.spaces.SetRetryAfter(30 * time.Minute)
		w.spaces.SetFaultRate(fakespaces.OperationGuest, fakespaces.FaultThrottledSeconds, 1)
		for _, guest := range []string{"1", "2", "3"} {
			o.reconcile(guest)
		}

		calls := w.calls(fakespaces.OperationPassword)
		w.put("bot-login", map[string]string{"password": "another-password-story"})
		o.reconcile("bot")
		w.spaces.SetPassword(username, password)
		w.put("bot-login", map[string]string{"password": password})
		o.reconcile("bot")
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(calls), "the gate was open")
		o.settle("bot", 40*time.Minute)
		w.expectReady("bot")
	})

	It("a client whose secret was changed here and is refused is not sent again until it is mended, and the grant is kept", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		w.put("spaces-client", map[string]string{"client_secret": "mistyped-client-secret-story"})
		o.settle("bot", 15*time.Minute)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientRejected)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)

		w.put("spaces-client", map[string]string{"client_secret": clientSecret})
		o.reconcile("bot")
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		w.expectNothingLost()
	})

	// Servers answer so when their database fails, or the store of their clients.
	for what, trouble := range map[string]fakespaces.Fault{"its client": fakespaces.FaultInvalidClient, "its form": fakespaces.FaultInvalidScope} {
		It("a refresh that worked before and is refused for "+what+" is sent again after 1, 5 and 15 minutes, then hourly", func() {
			w.apply(clientInput(), w.seedInput(), bySeed("bot"))
			w.step(o.reconcile("bot").RequeueAfter)
			w.spaces.SetFaultRate(fakespaces.OperationRefresh, trouble, 1)
			for _, t := range []struct {
				at    time.Duration
				calls int
			}{{59 * time.Second, 1}, {61 * time.Second, 2}, {359 * time.Second, 2}, {361 * time.Second, 3}, {1259 * time.Second, 3}, {1261 * time.Second, 4}} {
				start := w.credential("bot").Status.Token.RenewalTime
				o.settle("bot", start.Add(t.at).Sub(w.clock.Now()))
				Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1+t.calls), "after %s", t.at)
			}
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue)
			w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionTrue)
			w.spaces.SetFaultRate(fakespaces.OperationRefresh, trouble, 0)
			o.settle("bot", time.Hour)
			w.expectReady("bot")
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
			w.expectNothingLost()
		})
	}

	It("where each refresh is refused without a reason, the password signs in once the token has expired", func() {
		w.spaces.SetFaultRate(fakespaces.OperationRefresh, fakespaces.FaultUnknownError400, 1)
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		o.settle("bot", lifetime-time.Minute)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		o.settle("bot", time.Minute+2*time.Second)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2))
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a refused refresh token is replaced by a sign-in with the password, and its grant is revoked", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultInvalidGrant)
		o.settle("bot", 5*time.Second)
		w.expectReady("bot")
		o.settle("bot", grantstate.Changeover)
		ledger := w.spaces.Ledger()
		Expect([]int{ledger.GrantsIssued, ledger.GrantsLive, ledger.GrantsRevoked}).To(Equal([]int{2, 1, 1}))
		Expect(w.credential("bot").Status.PendingRevocations).To(BeZero())
	})

	It("a password that met a firewall is sent once more after a minute", func() {
		w.spaces.Next(fakespaces.OperationPassword, fakespaces.FaultHTML400)
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.settle("bot", 59*time.Second)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonResponseUnclear)
		o.settle("bot", 10*time.Second)
		w.expectReady("bot")
	})

	It("a password that is answered so again counts as refused if others had a clear answer in between", func() {
		w.spaces.SetFaultRate(fakespaces.OperationPassword, fakespaces.FaultUnknownError400, 1)
		w.apply(clientInput(), loginInput(), byPassword("bot"), asGuest("kiosk"))
		o.settle("bot", 14*time.Minute)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		o.reconcile("kiosk")
		o.settle("bot", 5*time.Hour)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(2))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonResponseUnclear)
	})

	It("a password is sent again each hour while nobody has a clear answer, by all who use it together", func() {
		w.spaces.SetFaultRate(fakespaces.OperationPassword, fakespaces.FaultUnknownError400, 1)
		w.apply(clientInput(), loginInput(), byPassword("a"), byPassword("b"), byPassword("c"))
		o.settleAll([]string{"a", "b", "c"}, 4*time.Hour)
		Expect(w.calls(fakespaces.OperationPassword)).To(BeNumerically("<=", 3*4), "once each at first, and then one after the other")
		Expect(w.calls(fakespaces.OperationPassword)).To(BeNumerically(">=", 5))
		w.expectCondition("c", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonResponseUnclear)
		w.spaces.SetFaultRate(fakespaces.OperationPassword, fakespaces.FaultUnknownError400, 0)
		o.settleAll([]string{"a", "b", "c"}, 2*time.Hour)
		for _, name := range []string{"a", "b", "c"} {
			w.expectReady(name)
		}
	})

	It("a refresh that met a firewall is sent again after a minute, and the grant is kept", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultHTML400)
		o.settle("bot", 59*time.Second)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2))
		o.settle("bot", 2*time.Second)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("an answer without a refresh token is told at once, and a person is told what to ask for", func() {
		w.spaces.Next(fakespaces.OperationAuthorizationCode, fakespaces.FaultNoRefreshToken)
		w.apply(clientInput(), w.codeInput(), byCode("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonIssued)
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionFalse, v1alpha1.ReasonNoRefreshToken)
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNoRefreshToken)
		Expect(meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionStalled).Message).To(ContainSubstring("offline_access"))
	})

	It("a password goes on without a refresh token, by signing in anew", func() {
		w.spaces.SetFaultRate(fakespaces.OperationPassword, fakespaces.FaultNoRefreshToken, 1)
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.settle("bot", 2*lifetime)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionGrantValid, metav1.ConditionFalse, v1alpha1.ReasonNoRefreshToken)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(w.calls(fakespaces.OperationPassword)).To(BeNumerically(">", 2))
	})
})

var _ = Describe("A service that is away", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
	})

	It("an outage that is shorter than the life a token has left is not noticed by workloads", func() {
		w.step(o.reconcile("bot").RequeueAfter)
		w.spaces.Down(true)
		o.settle("bot", 10*time.Minute)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		w.spaces.Down(false)
		o.settle("bot", 6*time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewed)
		Expect(w.credential("bot").Status.FailedAttempts).To(BeZero())
	})

	It("a service that is away is asked less and less often, and never twice within a second", func() {
		w.spaces.Down(true)
		var last time.Time
		w.spaces.Intercept(func(fakespaces.Call) fakespaces.Fault {
			now := w.clock.Now()
			Expect(now.Sub(last)).To(BeNumerically(">=", time.Second))
			last = now
			return fakespaces.NoFault
		})
		o.settle("bot", 8*time.Hour)
		Expect(w.calls(fakespaces.OperationPassword)).To(BeNumerically("<", 8*60/5+20))
		Expect(w.calls(fakespaces.OperationPassword)).To(BeNumerically(">", 8*60/10))
	})

	It("a service that is away is not asked earlier because something wakes a pass", func() {
		w.spaces.Down(true)
		o.settle("bot", time.Minute)
		// Each pass takes a second, so an attempt may fall due among them, in the second that status shows
		// rounded up: that one is no early one.
		for range 5 {
			for _, process := range []*operator{o, w.operator()} {
				due, calls := w.credential("bot").Status.NextAttemptTime, w.calls(fakespaces.OperationPassword)
				process.reconcile("bot")
				if due != nil && w.clock.Now().Before(due.Add(-time.Second)) {
					Expect(w.calls(fakespaces.OperationPassword)).To(Equal(calls))
				}
			}
		}
	})

	It("a service that was away is asked at once when an input changes", func() {
		w.spaces.Down(true)
		o.settle("bot", time.Hour)
		calls := w.calls(fakespaces.OperationPassword)
		w.spaces.Down(false)
		w.step(time.Second)
		w.spaces.SetPassword(username, "another-story-password")
		login := w.secret("bot-login")
		login.Data["password"] = []byte("another-story-password")
		Expect(admin.Update(w.ctx, login)).To(Succeed())
		o.settle("bot", time.Minute)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(calls + 1))
		w.expectReady("bot")
	})

	It("a wait ends within its own cap, though the clock is set back by a day", func() {
		w.spaces.Down(true)
		o.settle("bot", time.Hour)
		w.spaces.Down(false)
		w.step(-24 * time.Hour)
		o.settle("bot", backoff.Longest+time.Minute)
		w.expectReady("bot")
	})

	It("a service that asks for patience is sent nothing for that long", func() {
		w.spaces.SetRetryAfter(20 * time.Minute)
		w.spaces.Next(fakespaces.OperationPassword, fakespaces.FaultThrottledSeconds)
		o.settle("bot", 19*time.Minute)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonThrottled)
		o.settle("bot", 2*time.Minute)
		w.expectReady("bot")
	})
})

var _ = Describe("Bad input", func() {
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})

	DescribeTable("bad input gets one clear message and sends nothing, and its correction brings the token",
		func(spoil func(client, login *corev1.Secret), reason, says string) {
			client, login := clientInput(), loginInput()
			spoil(client, login)
			for _, secret := range []*corev1.Secret{client, login} {
				if secret.Name != "" {
					w.apply(secret)
				}
			}
			w.apply(byPassword("bot"))
			o.reconcile("bot")
			ready := meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionReady)
			Expect(ready.Reason).To(Equal(reason), ready.Message)
			Expect(ready.Message).To(ContainSubstring(says))
			Expect(w.spaces.Ledger().Calls).To(BeEmpty())
			Expect(w.stateExists("bot")).To(BeFalse())

			for _, right := range []*corev1.Secret{clientInput(), loginInput()} {
				if wrong := w.secret(right.Name); wrong != nil {
					w.delete(wrong)
				}
				w.apply(right)
			}
			o.reconcile("bot")
			w.expectReady("bot")
		},
		Entry("a missing client Secret", func(c, _ *corev1.Secret) { c.Name = "" }, v1alpha1.ReasonWaitingForInput, `Secret "spaces-client" does not exist`),
		Entry("a missing login Secret", func(_, l *corev1.Secret) { l.Name = "" }, v1alpha1.ReasonWaitingForInput, `Secret "bot-login" does not exist`),
		Entry("a missing key", func(c, _ *corev1.Secret) { delete(c.StringData, "client_id") }, v1alpha1.ReasonWaitingForInput, `no key "client_id"`),
		Entry("an empty value", func(c, _ *corev1.Secret) { c.StringData["client_id"] = "" }, v1alpha1.ReasonInputInvalid, "is empty"),
		Entry("nothing but a newline", func(_, l *corev1.Secret) { l.StringData["password"] = "\n" }, v1alpha1.ReasonInputInvalid, "is empty"),
		Entry("a binary value", func(_, l *corev1.Secret) {
			l.Data = map[string][]byte{"password": {0xff, 0xfe, 0x00}}
			delete(l.StringData, "password")
		}, v1alpha1.ReasonInputInvalid, "binary"),
		Entry("a Secret of another type", func(_, l *corev1.Secret) { l.Type = "example.test/other" }, v1alpha1.ReasonInputInvalid, "type"),
	)

	DescribeTable("a client without a secret is a public one: its ID stands alone in every call",
		func(change func(client *corev1.Secret)) {
			w.spaces.SetClientSecret(clientID, "")
			client := clientInput()
			change(client)
			w.apply(client, w.codeInput(), byCode("bot"))
			sent := map[fakespaces.Operation]bool{}
			w.spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
				Expect(call.ClientID).To(Equal(clientID))
				Expect(call.Form).NotTo(HaveKey("client_secret"))
				Expect(call.Header).NotTo(HaveKey("Authorization"))
				sent[call.Operation] = true
				return fakespaces.NoFault
			})
			o.reconcile("bot")
			w.expectReady("bot")
			o.settle("bot", 3*lifetime)
			w.expectReady("bot")
			w.delete(w.credential("bot"))
			o.settle("bot", time.Minute)
			Expect(w.exists("bot")).To(BeFalse())
			Expect(sent).To(HaveLen(3), "exchange, refresh and revocation")
			Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		},
		Entry("without the key", func(c *corev1.Secret) { delete(c.StringData, "client_secret") }),
		Entry("with an empty value", func(c *corev1.Secret) { c.StringData["client_secret"] = "" }),
		Entry("with nothing but a newline", func(c *corev1.Secret) { c.StringData["client_secret"] = "\r\n" }),
	)

	It("a client whose secret was forgotten is told what that means, and goes on when it is there", func() {
		client := clientInput()
		delete(client.StringData, "client_secret")
		w.apply(client, loginInput(), byPassword("bot"))
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientRejected)
		stalled := meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionStalled)
		Expect(stalled.Message).To(ContainSubstring("a missing secret means a public client"))
		w.delete(w.secret(client.Name))
		w.apply(clientInput())
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("an input with one trailing newline is read without it", func() {
		client, login := clientInput(), loginInput()
		client.StringData["client_secret"] += "\n"
		login.StringData["password"] += "\r\n"
		w.apply(client, login, byPassword("bot"))
		o.reconcile("bot")
		w.expectReady("bot")
	})

	It("an environment is named to those who may use it, and one for others is told like one that is not there", func() {
		of := func(name string, namespaces ...string) *spacesauth.Client {
			environment := o.Environments.Named("staging").Environment()
			environment.Name, environment.Namespaces = name, namespaces
			service, err := spacesauth.New(environment, spacesauth.WithClock(w.clock))
			Expect(err).NotTo(HaveOccurred())
			return service
		}
		o.knows("team-b-only", of("team-b-only", "team-b"))
		o.knows("for-us", of("for-us", w.namespace))
		said := map[string]string{}
		for _, name := range []string{"team-b-only", "nowhere"} {
			w.apply(byPassword(name, func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = name }))
			o.reconcile(name)
			w.expectCondition(name, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnknownEnvironment)
			message := meta.FindStatusCondition(w.credential(name).Status.Conditions, v1alpha1.ConditionStalled).Message
			said[name] = strings.ReplaceAll(message, name, "?")
		}
		Expect(said["team-b-only"]).To(Equal(said["nowhere"]))
		Expect(said["nowhere"]).To(And(ContainSubstring("staging"), ContainSubstring("for-us"), Not(ContainSubstring("team-b"))))
	})

	It("the message on an unknown environment names it and those that are known", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = "nowhere" }))
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnknownEnvironment)
		message := meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionReady).Message
		Expect(message).To(And(ContainSubstring(`"nowhere"`), ContainSubstring("staging")))
	})

	It("metadata that the operator's flags forbid stops a credential before anything is sent", func() {
		o.DenySecretMetadata = []string{"corp.example.test/"}
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.SecretTemplate = &v1alpha1.SecretTemplate{Annotations: map[string]v1alpha1.AnnotationValue{"corp.example.test/billing": "x"}}
		}))
		o.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretForbidden)
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())
	})

	It("the message on a missing key never names the keys that do exist", func() {
		client := clientInput()
		client.StringData["a-key-nobody-should-hear-of"] = "x"
		delete(client.StringData, "client_id")
		w.apply(client, loginInput(), byPassword("bot"))
		o.reconcile("bot")
		said := w.everythingSaid()
		for _, place := range []string{"SpacesCredential bot", "events", "logs"} {
			Expect(said[place]).NotTo(ContainSubstring("a-key-nobody-should-hear-of"), place)
		}
	})

	It("the error on a webhook's refusal never repeats what was sent", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		w.step(o.reconcile("bot").RequeueAfter)
		echo := w.document("bot").Grant().RefreshToken.Reveal()
		o.on(writeState, plannedFault{before: apierrors.NewInternalError(errors.New("webhook says: " + echo))})
		_, err := o.pass("bot")
		Expect(err).To(HaveOccurred())
		Expect(err.Error()).NotTo(ContainSubstring(echo))
	})

	It("a state Secret is not taken as an input", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		stolen := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "stolen"}, Type: v1alpha1.SecretTypeGrantState, Data: w.secret("bot-grant").Data}
		w.apply(stolen, bySeed("thief", func(c *v1alpha1.SpacesCredential) {
			c.Spec.RefreshToken.SecretRef = v1alpha1.SecretKeyReference{Name: "stolen", Key: v1alpha1.StateKey}
		}))
		o.reconcile("thief")
		w.expectCondition("thief", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInputInvalid)
	})

	It("a suspended credential asks for nothing and keeps its token until that expires", func() {
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		credential := w.credential("bot")
		credential.Spec.Suspend = true
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.settle("bot", 50*time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
		o.settle("bot", 20*time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse)
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
	})
})
