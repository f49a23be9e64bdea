package controllers

import (
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

var _ = Describe("A template of spec.secretTemplate.data", func() {
	const good = "token = {{ .AccessToken | quote }}\nuntil = {{ .ExpiresAt }}\n"
	var w *world
	var o *operator
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
	})
	begin := func(data ...v1alpha1.SecretTemplateEntry) {
		GinkgoHelper()
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.SecretTemplate = &v1alpha1.SecretTemplate{Data: data}
		}))
		o.reconcile("bot")
	}
	edit := func(data ...v1alpha1.SecretTemplateEntry) {
		GinkgoHelper()
		credential := w.credential("bot")
		credential.Spec.SecretTemplate.Data = data
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("bot")
	}
	entry := func(key, template string) v1alpha1.SecretTemplateEntry {
		return v1alpha1.SecretTemplateEntry{Key: key, Template: template}
	}
	published := func(key string) string {
		GinkgoHelper()
		return string(w.secret("bot").Data[key])
	}
	expectInvalid := func(words ...string) {
		GinkgoHelper()
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonTemplateInvalid)
		message := meta.FindStatusCondition(w.credential("bot").Status.Conditions, v1alpha1.ConditionStalled).Message
		for _, word := range words {
			Expect(message).To(ContainSubstring(word))
		}
	}

	It("a template is rendered at the sign-in, and anew at each renewal", func() {
		begin(entry("client.toml", good), entry("HEADER", "{{ .Authorization }}"), entry("id.jwt", "{{ .IDToken }}"))
		for range 2 {
			token := w.expectReady("bot")
			Expect(published("client.toml")).To(Equal("token = \"" + token + "\"\nuntil = " + published("expires_at") + "\n"))
			Expect(published("HEADER")).To(Equal("Bearer " + token))
			Expect(published("id.jwt")).To(Equal(w.document("bot").Grant().Token.IDToken.Reveal()))
			Expect(strings.Count(published("id.jwt"), ".")).To(Equal(2), "this is no ID token")
			w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
			o.reconcile("bot")
			Expect(w.token("bot")).NotTo(Equal(token))
		}
		w.expectNothingLost()
	})

	It("an edited template is published at once and without a new token, and a dropped one's key goes", func() {
		begin(entry("client.toml", good), entry("gone.txt", "{{ .Scope }}"))
		edit(entry("client.toml", "{{ .AccessToken }}"))
		Expect(published("client.toml")).To(Equal(w.expectReady("bot")))
		Expect(w.secret("bot").Data).NotTo(HaveKey("gone.txt"))
		edit(entry("new.txt", "{{ .TokenType }}"))
		Expect(published("new.txt")).To(Equal("Bearer"))
		Expect(w.secret("bot").Data).NotTo(HaveKey("client.toml"))
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
	})

	DescribeTable("a message says where a template is wrong and nothing is sent when it cannot work",
		func(template string, words ...string) {
			begin(entry("fine.txt", good), entry("client.toml", template))
			expectInvalid(append(words, `"client.toml", line 2`)...)
			w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonTemplateInvalid)
			Expect(w.spaces.Ledger().Calls).To(BeEmpty())
			Expect(w.stateExists("bot")).To(BeFalse())
			Expect(w.secret("bot")).To(BeNil())
			edit(entry("client.toml", good))
			w.expectReady("bot")
		},
		Entry("because it does not end", "a\n{{ .AccessToken", "unclosed action"),
		Entry("because it loops", "a\n{{ range 200000000 }}{{ end }}", "range is not allowed"),
		Entry("because its field does not exist", "a\n{{ .RefreshToken }}", "there is no field .RefreshToken"),
		Entry("because its function does not exist", "a\n{{ env `HOME` }}", "there is no function env"),
		Entry("because its output has no end", "a\n{{ indent 1000000000 .Scope }}", "0 to 100 spaces"),
	)

	It("a template edited to a bad one leaves the Secret as it is, and nothing is spent until it is mended", func() {
		begin(entry("client.toml", good))
		before := w.secret("bot")
		edit(entry("client.toml", "{{ .AccesToken }}"), entry("new.txt", "{{ .TokenType }}"))
		expectInvalid(".AccesToken")
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonTemplateInvalid)
		Expect(w.secret("bot").Data).To(Equal(before.Data))

		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		o.reconcile("bot")
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1), "a token was asked for that could not be published")
		Expect(w.secret("bot").ResourceVersion).To(Equal(before.ResourceVersion))
		o.settle("bot", time.Hour)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonTemplateInvalid)

		edit(entry("client.toml", good))
		Expect(published("client.toml")).To(ContainSubstring(w.expectReady("bot")))
		w.expectNothingLost()
	})

	It("a bad template that is mended is published without a new token", func() {
		begin(entry("client.toml", good))
		token := w.expectReady("bot")
		edit(entry("client.toml", "{{ end }}"))
		expectInvalid("unexpected {{end}}")
		edit(entry("client.toml", "{{ .AccessToken }}"))
		Expect(published("client.toml")).To(Equal(token))
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
	})

	It("a template that only a real token's values break is told at publication, and the token is kept", func() {
		begin(entry("claims.json", "{{ .IDToken | b64dec }}"))
		expectInvalid(`"claims.json", line 1`, "b64dec was given what is not base64")
		Expect(w.secret("bot")).To(BeNil())
		o.reconcile("bot")
		edit(entry("id.jwt", "{{ .IDToken }}"))
		w.expectReady("bot")
		Expect(w.spaces.Ledger().TokensIssued).To(Equal(1))
	})

	It("a bad template does not hold up a deletion", func() {
		begin(entry("client.toml", good))
		edit(entry("client.toml", "{{ end }}"))
		w.delete(w.credential("bot"))
		o.settle("bot", time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
	})

	It("the keys noted as ours are exactly those that are published, a template's included", func() {
		credential := byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.SecretTemplate = &v1alpha1.SecretTemplate{
				Formats: []v1alpha1.SecretFormat{v1alpha1.SecretFormatJSON, v1alpha1.SecretFormatDotenv, v1alpha1.SecretFormatCurl},
				Data:    []v1alpha1.SecretTemplateEntry{entry("client.toml", good), entry("A", "a")},
			}
		})
		c, problem := contentOf(credential, &grantstate.Publishable{}, spacesauth.Environment{})
		Expect(problem).To(Equal(outcome{}))
		Expect(slices.Sorted(slices.Values(ownedBy(credential).Keys))).To(Equal(slices.Sorted(maps.Keys(c.data))))
	})
})

var _ = Describe("What spec no longer names", func() {
	It("labels and annotations that spec drops go from both Secrets, and what others put there stays", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.SecretTemplate = &v1alpha1.SecretTemplate{
				Labels:      map[string]v1alpha1.LabelValue{"team": "a", "tier": "gold"},
				Annotations: map[string]v1alpha1.AnnotationValue{"example.test/owner": "a"},
			}
			c.Spec.StateLabels = map[string]v1alpha1.LabelValue{"team": "a", "tier": "gold"}
		}))
		o.reconcile("bot")
		Expect(w.secret("bot-grant").Labels).To(HaveKeyWithValue("tier", "gold"))
		for _, name := range []string{"bot", "bot-grant"} {
			secret := w.secret(name)
			secret.Labels["theirs"] = "stays"
			Expect(admin.Update(w.ctx, secret)).To(Succeed())
		}
		credential := w.credential("bot")
		credential.Spec.SecretTemplate = &v1alpha1.SecretTemplate{Labels: map[string]v1alpha1.LabelValue{"team": "b"}}
		credential.Spec.StateLabels = map[string]v1alpha1.LabelValue{"team": "b"}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.settle("bot", lifetime)
		for _, name := range []string{"bot", "bot-grant"} {
			labels := w.secret(name).Labels
			Expect(labels).To(HaveKeyWithValue("team", "b"), name)
			Expect(labels).To(HaveKeyWithValue("theirs", "stays"), name)
			Expect(labels).NotTo(HaveKey("tier"), name)
			Expect(labels).To(HaveKey(v1alpha1.LabelSecret), name)
		}
		Expect(w.secret("bot").Annotations).NotTo(HaveKey("example.test/owner"))
		Expect(w.secret("bot").Annotations).To(HaveKey(v1alpha1.AnnotationFingerprint))
	})

	It("the published Secret is written by one field manager, and of the state no account is kept", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		o.settle("bot", lifetime)
		Expect(w.secret("bot").ManagedFields).To(HaveEach(HaveField("Manager", v1alpha1.FieldManager)))
		Expect(w.secret("bot-grant").ManagedFields).To(BeEmpty())
	})

	It("a published Secret that spec comes to retain loses its owner", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		Expect(w.secret("bot").OwnerReferences).To(HaveLen(1))
		credential := w.credential("bot")
		credential.Spec.SecretDeletionPolicy = v1alpha1.SecretDeletionRetain
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("bot")
		Expect(w.secret("bot").OwnerReferences).To(BeEmpty())
	})
})
