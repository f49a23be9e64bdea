package controllers

import (
	"fmt"
	"maps"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// noteLimit is the length of an event's note that the API server takes, in bytes.
const noteLimit = 1024

// long makes a name of a length out of a short one.
func long(begin string, length int) string { return begin + strings.Repeat("x", length-len(begin)) }

// longest brings every bound that the CRD sets to its end, but for the one of a grant type.
func longest(c *v1alpha1.SpacesCredential) {
	spec := &c.Spec
	spec.Environment = long("staging-", 63)
	spec.SecretName = long("published-", 253)
	spec.SecretDeletionPolicy = v1alpha1.SecretDeletionRetain
	spec.Renewal = &v1alpha1.Renewal{RenewBeforeSeconds: ptr.To[int32](604800)}
	spec.Revocation = &v1alpha1.Revocation{Policy: v1alpha1.RevocationOnDelete, DeadlineSeconds: ptr.To[int32](86400)}
	if spec.ClientSecretRef != nil {
		*spec.ClientSecretRef = v1alpha1.ClientSecretReference{
			Name: long("client-", 253), ClientIDKey: long("id-", 253), ClientSecretKey: long("secret-", 253),
		}
	}
	template := &v1alpha1.SecretTemplate{
		Type: long("example.test/", 253), Labels: map[string]v1alpha1.LabelValue{}, Annotations: map[string]v1alpha1.AnnotationValue{},
		Formats: []v1alpha1.SecretFormat{v1alpha1.SecretFormatJSON, v1alpha1.SecretFormatDotenv, v1alpha1.SecretFormatCurl},
	}
	for i := range 32 {
		key := long(fmt.Sprintf("a%d.example.test", i), 253) + "/" + long("e", 63)
		template.Labels[key] = v1alpha1.LabelValue(long("v", 63))
		template.Annotations[key] = v1alpha1.AnnotationValue(long("v", 4096))
		template.Data = append(template.Data, v1alpha1.SecretTemplateEntry{
			Key: long(fmt.Sprintf("File-%d-", i), 253), Template: "{{ .AccessToken }}" + strings.Repeat("t", 8192-len("{{ .AccessToken }}")),
		})
	}
	spec.SecretTemplate = template
}

var _ = Describe("An object of maximal length in every field", func() {
	var w *world
	var o *operator
	name := long("bot-", 63)
	BeforeEach(func() {
		w = newWorld()
		o = w.operator()
		o.knows(long("staging-", 63), o.Environments.Named("staging"))
	})
	// as puts a short input under the name and the keys that the object uses.
	as := func(input *corev1.Secret, name string, keys map[string]string) *corev1.Secret {
		renamed := map[string]string{}
		for key, value := range input.StringData {
			renamed[keys[key]] = value
		}
		input.Name, input.StringData = name, renamed
		return input
	}
	scopes := func() []string {
		var all []string
		for i := range 32 {
			all = append(all, long(fmt.Sprintf("scope-%d-", i), 256))
		}
		return all
	}
	grants := map[string]func() (*v1alpha1.SpacesCredential, *corev1.Secret){
		"Password": func() (*v1alpha1.SpacesCredential, *corev1.Secret) {
			ref := v1alpha1.PasswordSecretReference{Name: long("login-", 253), UsernameKey: long("user-", 253), PasswordKey: long("password-", 253)}
			login := loginInput()
			login.Type = corev1.SecretTypeOpaque
			return byPassword(name, longest, func(c *v1alpha1.SpacesCredential) {
					c.Spec.Password.SecretRef = ref
					c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo, v1alpha1.VerificationUserProfile}
				}),
				as(login, ref.Name, map[string]string{"username": ref.UsernameKey, "password": ref.PasswordKey})
		},
		"RefreshToken": func() (*v1alpha1.SpacesCredential, *corev1.Secret) {
			ref := v1alpha1.SecretKeyReference{Name: long("seed-", 253), Key: long("refresh-token-", 253)}
			return bySeed(name, longest, func(c *v1alpha1.SpacesCredential) { c.Spec.RefreshToken.SecretRef = ref }),
				as(w.seedInput(), ref.Name, map[string]string{"refresh_token": ref.Key})
		},
		"AuthorizationCode": func() (*v1alpha1.SpacesCredential, *corev1.Secret) {
			ref := v1alpha1.AuthorizationCodeSecretReference{Name: long("code-", 253), CodeKey: long("code-", 253), CodeVerifierKey: long("verifier-", 253)}
			return byCode(name, longest, func(c *v1alpha1.SpacesCredential) { c.Spec.AuthorizationCode.SecretRef, c.Spec.Scopes = ref, scopes() }),
				as(w.codeInput(), ref.Name, map[string]string{"code": ref.CodeKey, "code_verifier": ref.CodeVerifierKey})
		},
		"Anonymous": func() (*v1alpha1.SpacesCredential, *corev1.Secret) {
			return asGuest(name, longest, func(c *v1alpha1.SpacesCredential) {
				c.Spec.Anonymous = &v1alpha1.AnonymousGrant{
					DisplayName: strings.Repeat("ü", 128), Username: long("guest-", 254), PictureURL: long("https://pictures.example.test/", 2048),
				}
			}), nil
		},
	}
	client := func() *corev1.Secret {
		return as(clientInput(), long("client-", 253), map[string]string{"client_id": long("id-", 253), "client_secret": long("secret-", 253)})
	}
	// notesFit says that the API server would take every event.
	notesFit := func() {
		GinkgoHelper()
		for _, e := range w.events.events {
			Expect(len(e.note)).To(BeNumerically("<=", noteLimit), "the API server refuses the event: %s", e.note)
		}
	}

	for grant, make := range grants {
		It("an object of maximal length gets a token, stays ready and leaves no grant behind: "+grant, func() {
			credential, input := make()
			if input != nil {
				w.apply(client(), input)
			}
			w.apply(credential)
			o.settle(name, 10*time.Second)
			w.expectReady(name)
			published := w.secret(credential.Spec.SecretName)
			Expect(published.Data).To(HaveLen(10+3+32), "keys published")
			Expect(string(published.Data[long("File-31-", 253)])).To(HavePrefix(w.token(name)))

			o.settle(name, 2*lifetime)
			w.expectReady(name)
			w.expectNothingLost()
			w.delete(w.credential(name))
			o.settle(name, time.Minute)
			Expect(w.exists(name)).To(BeFalse())
			Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
			notesFit()
		})
	}

	It("the events on the faults of an object of maximal length are short enough for the API server", func() {
		credential, input := grants["Password"]()
		w.apply(credential)
		o.settle(name, time.Minute)
		w.apply(client())
		o.settle(name, slowRecheck)
		values := maps.Clone(input.StringData)
		input.StringData = map[string]string{"other": "x"}
		w.apply(input)
		o.settle(name, slowRecheck)
		for key := range values {
			values[key] = ""
		}
		w.put(input.Name, values)
		o.settle(name, slowRecheck)
		w.apply(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: credential.Spec.SecretName}})
		o.settle(name, slowRecheck)
		w.expectCondition(name, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
		Expect(len(w.events.events)).To(BeNumerically(">", 2))
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())
		notesFit()
	})
})

var _ = Describe("An input that is far too long", func() {
	It("an input that is far too long is refused before anything is sent, and nothing of it is told", func() {
		w := newWorld()
		huge := strings.Repeat("h", 512<<10)
		w.secrets = append(w.secrets, huge[:100])
		seed := w.seedInput()
		seed.StringData["refresh_token"] = huge
		w.apply(clientInput(), seed, bySeed("bot"))
		w.operator().reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInputInvalid)
		Expect(w.spaces.Ledger().Calls).To(BeEmpty())
	})
})

var _ = Describe("A refresh token that is too long to be kept", func() {
	It("is revoked at once, and a sign-in by password is not made again and again", func() {
		w := newWorld(fakespaces.WithRefreshTokenLength(5000))
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.settle("bot", time.Hour)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		Expect(w.secret("bot")).To(BeNil())
	})

	It("a seed that is too long is told before it is sent", func() {
		w := newWorld(fakespaces.WithRefreshTokenLength(5000))
		o := w.operator()
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInputInvalid)
		Expect(w.calls(fakespaces.OperationRefresh)).To(BeZero())
	})
})
