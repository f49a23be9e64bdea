package controllers

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// What the stored documents were made with. Hashes in them cover these, so that another
// way to hash would show as changed inputs.
const (
	thenAccountsURL = "http://accounts.example.test"
	thenAPIURL      = "http://api.example.test"
	thenSeed        = "seed-from-then"
	thenCode        = "code-from-then"
	thenPassword    = "wrong-password-from-then"
	thenOtherUser   = "other@example.test"
	// What they hold as access tokens: no service knows these any more.
	thenToken     = "access-token-from-then"
	thenPublished = "access-token-before-then"
)

// then is when the first call was made that the documents tell of.
var then = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// storedDocument reads a document as an earlier build stored it, with its gaps filled.
func storedDocument(file string, gaps map[string]string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join("testdata", "documents", file))
	if err != nil {
		return nil, err
	}
	var open []string
	text := os.Expand(string(content), func(gap string) string {
		if gaps[gap] == "" {
			open = append(open, gap)
		}
		return gaps[gap]
	})
	if len(open) > 0 {
		return nil, fmt.Errorf("%s: nothing to fill in for %v", file, open)
	}
	var compact bytes.Buffer
	err = json.Compact(&compact, []byte(text))
	return compact.Bytes(), err
}

// droppedMembers are those that today's build does not read. No release wrote one.
var droppedMembers = map[string]string{
	// A code on its way: it is read from its Secret again.
	"b-exchange/code-claimed.json": ".exchange",
}

// A document that is read must be understood whole: what is dropped, the next write
// deletes for good.
func TestStoredDocumentsAreReadWhole(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "documents", "*", "*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("there are %d stored documents (%v)", len(files), err)
	}
	gaps := map[string]string{}
	for _, gap := range []string{"CREDENTIAL_UID", "SECRET_UID", "REFRESH_TOKEN", "OLD_REFRESH_TOKEN", "SEED", "SEED_HASH", "CODE", "CODE_HASH"} {
		gaps[gap] = "the-" + strings.ToLower(gap)
	}
	for _, file := range files {
		file = strings.TrimPrefix(file, filepath.Join("testdata", "documents")+string(filepath.Separator))
		t.Run(file, func(t *testing.T) {
			content, err := storedDocument(file, gaps)
			if err != nil {
				t.Fatal(err)
			}
			d, err := grantstate.Read(content)
			if err != nil {
				t.Fatalf("it cannot be read: %v", err)
			}
			written, err := d.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			var before, after any
			if err := json.Unmarshal(content, &before); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(written, &after); err != nil {
				t.Fatal(err)
			}
			for _, path := range forgotten(before, after) {
				if gone := droppedMembers[file]; gone == "" || !strings.HasPrefix(path, gone) {
					t.Errorf("reading and writing it loses or changes %s", path)
				}
			}
			again, err := grantstate.Read(written)
			if err != nil {
				t.Fatal(err)
			}
			if rewritten, err := again.Bytes(); err != nil || !bytes.Equal(rewritten, written) {
				t.Errorf("written again it differs (%v):\n%s\n%s", err, written, rewritten)
			}
		})
	}
}

// forgotten lists the members of a JSON value that another lacks or has otherwise.
func forgotten(before, after any) (paths []string) {
	members, ok := before.(map[string]any)
	if !ok {
		if reflect.DeepEqual(before, after) {
			return nil
		}
		return []string{""}
	}
	there, _ := after.(map[string]any)
	for name, value := range members {
		for _, path := range forgotten(value, there[name]) {
			paths = append(paths, "."+name+path)
		}
	}
	return paths
}

// thenWorld is a world at the time of the stored documents: its operators know the
// accounts host by the name that stands in them, and the fake answers as their proxy.
type thenWorld struct {
	*world
	// refreshToken and oldRefreshToken are living ones of the service.
	refreshToken, oldRefreshToken string
}

func newThenWorld() *thenWorld {
	w := &thenWorld{world: newWorldAt(testclock.NewFakeClock(then), fakespaces.WithUser(thenOtherUser, password))}
	w.refreshToken = w.spaces.IssueGrant(clientID, username, "email", "profile", "spaces")
	w.oldRefreshToken = w.spaces.IssueGrant(clientID, username, "email", "profile", "spaces")
	w.secrets = append(w.secrets, thenSeed, thenCode, thenPassword, thenToken, thenPublished)
	return w
}

func (w *thenWorld) operator() *operator {
	GinkgoHelper()
	o := w.world.operator()
	service, err := spacesauth.New(spacesauth.Environment{
		Name: "staging", AccountsURL: thenAccountsURL, APIURL: thenAPIURL, ProxyURL: w.server.URL,
		RequestsPerSecond: 20, Burst: 40, TimeoutSeconds: 15,
	}, spacesauth.WithClock(w.clock))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(service.CloseIdleConnections)
	o.knows("staging", service)
	return o
}

// store puts a document into the state Secret of a credential, as the operator of then
// left it, and sets the clock to a minute after what was last done.
func (w *thenWorld) store(credential *v1alpha1.SpacesCredential, file string, gaps map[string]string) {
	GinkgoHelper()
	credential.Finalizers = []string{v1alpha1.FinalizerRevoke}
	w.apply(credential)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:            credential.GrantSecretName(),
			Labels:          map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelSecret: v1alpha1.SecretGrant},
			Annotations:     map[string]string{v1alpha1.AnnotationCredential: credential.Name, v1alpha1.AnnotationCredentialUID: string(credential.UID)},
			OwnerReferences: []metav1.OwnerReference{ownerReference(credential)},
			Finalizers:      []string{v1alpha1.FinalizerGrant},
		},
		Type: v1alpha1.SecretTypeGrantState,
	}
	w.apply(secret)
	filled := map[string]string{
		"CREDENTIAL_UID": string(credential.UID), "SECRET_UID": string(secret.UID),
		"REFRESH_TOKEN": w.refreshToken, "OLD_REFRESH_TOKEN": w.oldRefreshToken,
	}
	for gap, value := range gaps {
		filled[gap] = value
		filled[gap+"_HASH"] = storedHash(file, strings.ToLower(gap), value)
	}
	content, err := storedDocument(file, filled)
	Expect(err).NotTo(HaveOccurred())
	w.fill(secret, content)

	d := w.document(credential.Name)
	last := then
	if d.Grant() != nil && d.Grant().Token != nil {
		last = d.Grant().Token.IssueTime
	}
	if d.OpenClaim() != nil && d.OpenClaim().Time.After(last) {
		last = d.OpenClaim().Time
	}
	w.clock.SetTime(last.Add(time.Minute))
}

// storedHash is the hash of an input as the builds of then took it, with the key of a
// stored document: for what the service makes anew in every story.
func storedHash(file string, values ...string) string {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join("testdata", "documents", file))
	Expect(err).NotTo(HaveOccurred())
	var stored struct {
		Inputs struct {
			Key []byte `json:"key"`
		} `json:"inputs"`
	}
	Expect(json.Unmarshal(content, &stored)).To(Succeed())
	mac := hmac.New(sha256.New, stored.Inputs.Key)
	for _, value := range values {
		sum := sha256.Sum256([]byte(value))
		mac.Write(sum[:])
	}
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

// expectGoesOn is what an upgrade owes to a living grant: the stored token is published
// without a call, and the renewal spends the stored refresh token, once.
func (w *thenWorld) expectGoesOn(credential *v1alpha1.SpacesCredential, file string) {
	GinkgoHelper()
	w.store(credential, file, nil)
	o := w.operator()
	o.reconcile("bot")
	w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue)
	Expect(w.token("bot")).To(Equal(thenToken))
	Expect(w.spaces.Ledger().Calls).To(BeEmpty(), "nothing was due")

	w.step(w.document("bot").Grant().Token.RenewalTime.Sub(w.clock.Now()))
	o.reconcile("bot")
	o.reconcile("bot")
	w.expectRenewedOnce()
}

// expectRenewedOnce says that one refresh came of the stored grant, and nothing else.
func (w *thenWorld) expectRenewedOnce() {
	GinkgoHelper()
	w.expectReady("bot")
	Expect(w.signIns()).To(BeZero())
	Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
	Expect(w.document("bot").Grant().Answered).To(Equal(w.document("bot").Claims()))
	w.expectNothingLost()
}

// signIns counts the calls that make a grant, but for those of seeds.
func (w *thenWorld) signIns() int {
	return w.calls(fakespaces.OperationPassword) + w.calls(fakespaces.OperationAuthorizationCode) + w.calls(fakespaces.OperationGuest)
}

var _ = Describe("After an upgrade", func() {
	var w *thenWorld
	BeforeEach(func() { w = newThenWorld() })
	// soon is long enough for a claim of the operator of then to be old.
	const soon = time.Minute

	for _, build := range []string{"a-begin", "d-2026-11"} {
		It("a password's grant of an earlier build goes on without a sign-in: "+build, func() {
			w.apply(clientInput(), loginInput())
			w.expectGoesOn(byPassword("bot"), build+"/password.json")
		})

		It("a seed's grant of an earlier build goes on, and the seed is not sent again: "+build, func() {
			w.apply(clientInput(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "seed"}, StringData: map[string]string{"refresh_token": thenSeed}})
			w.expectGoesOn(bySeed("bot"), build+"/seed.json")
		})

		It("a refresh that an earlier build claimed is sent again when its holder can no longer be at work: "+build, func() {
			w.apply(clientInput(), loginInput())
			w.store(byPassword("bot"), build+"/refresh-claimed.json", nil)
			o := w.operator()
			o.reconcile("bot")
			Expect(w.token("bot")).To(Equal(thenToken))
			Expect(w.spaces.Ledger().Calls).To(BeEmpty(), "its holder may still be at work")
			o.settle("bot", soon)
			w.expectRenewedOnce()
		})

		It("a renewal that failed under an earlier build is tried again: "+build, func() {
			w.apply(clientInput(), loginInput())
			w.store(byPassword("bot"), build+"/renewal-failed.json", nil)
			w.clock.SetTime(w.document("bot").Failure().NextAttemptTime)
			w.operator().settle("bot", soon)
			w.expectRenewedOnce()
		})

		It("a grant that an earlier build listed is revoked, and its successor goes on: "+build, func() {
			login := loginInput()
			login.StringData["username"] = thenOtherUser
			w.apply(clientInput(), login)
			w.store(byPassword("bot"), build+"/grant-pending.json", nil)
			o := w.operator()
			o.settle("bot", 3*time.Minute)
			Expect(w.token("bot")).To(Equal(thenToken))
			Expect(w.document("bot").Pending()).To(BeEmpty())
			Expect(w.calls(fakespaces.OperationRevoke)).To(Equal(1))
			w.step(w.document("bot").Grant().Token.RenewalTime.Sub(w.clock.Now()))
			o.reconcile("bot")
			w.expectRenewedOnce()
			Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
		})

		It("a password that an earlier build saw refused is not sent again, and a mended one is: "+build, func() {
			login := loginInput()
			login.StringData["password"] = thenPassword
			w.apply(clientInput(), login)
			w.store(byPassword("bot"), build+"/password-refused.json", nil)
			o := w.operator()
			o.settle("bot", time.Hour)
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGrantRejected)
			Expect(w.spaces.Ledger().Calls).To(BeEmpty())
			mended := w.secret("bot-login")
			mended.Data["password"] = []byte(password)
			Expect(admin.Update(w.ctx, mended)).To(Succeed())
			o.reconcile("bot")
			w.expectReady("bot")
			Expect(w.signIns()).To(Equal(1))
		})
	}

	for _, build := range []string{"b-exchange", "d-2026-11"} {
		It("a code's grant of an earlier build goes on, and the code is not sent again: "+build, func() {
			w.apply(clientInput(), codeFromThen(thenCode))
			w.expectGoesOn(byCode("bot"), build+"/code.json")
		})

		It("a guest of an earlier build stays the same guest until renewal: "+build, func() {
			w.store(asGuest("bot"), build+"/guest.json", nil)
			o := w.operator()
			o.reconcile("bot")
			w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue)
			Expect(w.token("bot")).To(Equal(thenToken))
			Expect(w.spaces.Ledger().Calls).To(BeEmpty())
			w.step(w.document("bot").Grant().Token.RenewalTime.Sub(w.clock.Now()))
			o.reconcile("bot")
			w.expectReady("bot")
			Expect(w.calls(fakespaces.OperationGuest)).To(Equal(1))
		})

		It("a token of an earlier build that waits to be checked leaves the one before it published: "+build, func() {
			w.apply(clientInput(), loginInput())
			w.store(byPassword("bot", func(c *v1alpha1.SpacesCredential) {
				c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo}
			}), build+"/check-pending.json", nil)
			w.spaces.Down(true)
			w.operator().reconcile("bot")
			w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue)
			Expect(w.token("bot")).To(Equal(thenPublished))
			Expect(w.signIns() + w.calls(fakespaces.OperationRefresh)).To(BeZero())
		})
	}

	for _, build := range []string{"a-begin", "b-exchange", "d-2026-11"} {
		It("a seed that an earlier build claimed is sent again, once: "+build, func() {
			seed := w.seedInput()
			gaps := map[string]string{"SEED": seed.StringData["refresh_token"]}
			w.apply(clientInput(), seed)
			w.store(bySeed("bot"), build+"/seed-claimed.json", gaps)
			o := w.operator()
			o.reconcile("bot")
			Expect(w.spaces.Ledger().Calls).To(BeEmpty(), "its holder may still be at work")
			o.settle("bot", soon)
			w.expectRenewedOnce()
		})
	}

	for _, build := range []string{"b-exchange", "d-2026-11"} {
		It("a code that an earlier build claimed is sent again, once: "+build, func() {
			code := w.codeInput()
			gaps := map[string]string{"CODE": code.StringData["code"]}
			w.apply(clientInput(), code)
			w.store(byCode("bot"), build+"/code-claimed.json", gaps)
			o := w.operator()
			o.reconcile("bot")
			Expect(w.spaces.Ledger().Calls).To(BeEmpty(), "its holder may still be at work")
			o.settle("bot", soon)
			w.expectReady("bot")
			Expect(w.signIns()).To(Equal(1))
			w.expectNothingLost()
		})
	}
	// Nobody can tell whether the client is still the one that it was claimed with. No
	// release wrote such a document.
	DescribeTable("what an earlier build claimed without its client is sent to nobody, and a seed revoked in the end",
		func(file string, credential *v1alpha1.SpacesCredential, revoked int) {
			seed, code := w.seedInput(), w.codeInput()
			gaps := map[string]string{"SEED": seed.StringData["refresh_token"], "CODE": code.StringData["code"]}
			w.apply(clientInput(), seed, code)
			w.store(credential, file, gaps)
			before := w.document("bot").FirstUse()
			o := w.operator()
			o.settle("bot", soon)
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
			Expect(w.spaces.Ledger().Calls).To(BeEmpty())
			Expect(w.document("bot").FirstUse()).To(Equal(before))
			w.clock.SetTime(time.Now())
			w.delete(w.credential("bot"))
			o.settle("bot", soon)
			Expect(w.exists("bot")).To(BeFalse())
			Expect(w.spaces.Ledger().GrantsRevoked).To(Equal(revoked))
			w.expectNothingLost()
		},
		Entry("a seed", "c-first-use/seed-claimed.json", bySeed("bot"), 1),
		Entry("a code", "c-first-use/code-claimed.json", byCode("bot"), 0),
	)
})

// A newer operator may come back after a rollback: until then its document is nobody
// else's to write, whatever is asked for meanwhile.
var _ = Describe("A state document of a newer operator", func() {
	It("a state of a newer operator keeps every byte through renewals, edits, requests and restarts", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.reconcile("bot")
		token := w.expectReady("bot")
		renewal := w.credential("bot").Status.Token.RenewalTime.Time
		published := w.secret("bot")
		secret := w.secret("bot-grant")
		newer := strings.Replace(string(w.opened(secret)), `"version":1`, `"version":2,"novelty":{"of":"a newer operator"}`, 1)
		Expect(newer).To(ContainSubstring("novelty"))
		w.fill(secret, []byte(newer))
		calls := w.spaces.Ledger().Calls

		untouched := func(by *operator) {
			GinkgoHelper()
			by.reconcile("bot")
			now := w.secret("bot-grant")
			Expect(now.ResourceVersion).To(Equal(secret.ResourceVersion), "the state was written")
			Expect(string(w.opened(now))).To(Equal(newer))
			Expect(w.secret("bot").ResourceVersion).To(Equal(published.ResourceVersion), "the published Secret was written")
			Expect(w.spaces.Ledger().Calls).To(Equal(calls), "the service was called")
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonStateUnreadable)
		}
		edit := func(change func(*v1alpha1.SpacesCredential)) {
			GinkgoHelper()
			credential := w.credential("bot")
			change(credential)
			Expect(admin.Update(w.ctx, credential)).To(Succeed())
		}
		annotate := func(key string) {
			edit(func(c *v1alpha1.SpacesCredential) {
				if c.Annotations == nil {
					c.Annotations = map[string]string{}
				}
				c.Annotations[key] = w.clock.Now().String()
			})
		}

		untouched(o)
		w.step(renewal.Sub(w.clock.Now()))
		untouched(o)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionTrue)
		for _, change := range []func(*v1alpha1.SpacesCredential){
			func(c *v1alpha1.SpacesCredential) { c.Spec.Scopes = []string{"email"} },
			func(c *v1alpha1.SpacesCredential) { c.Spec.Revocation.Policy = v1alpha1.RevocationNever },
			func(c *v1alpha1.SpacesCredential) {
				c.Spec.SecretTemplate = &v1alpha1.SecretTemplate{Formats: []v1alpha1.SecretFormat{v1alpha1.SecretFormatCurl}}
			},
			func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true },
			func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = false },
		} {
			edit(change)
			untouched(o)
			untouched(w.operator())
		}
		annotate(v1alpha1.AnnotationRenewRequestedAt)
		untouched(o)
		annotate(v1alpha1.AnnotationRevokeRequestedAt)
		untouched(o)
		login := w.secret("bot-login")
		login.Data["password"] = []byte("another-password")
		Expect(admin.Update(w.ctx, login)).To(Succeed())
		untouched(o)
		w.step(lifetime)
		untouched(o)
		w.expectCondition("bot", v1alpha1.ConditionReady, metav1.ConditionFalse)
		untouched(w.operator())
		Expect(w.token("bot")).To(Equal(token))
	})

	It("a newer operator that comes back goes on with its state as it was left", func() {
		w := newWorld()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		w.operator().reconcile("bot")
		secret := w.secret("bot-grant")
		ours := w.opened(secret)
		w.fill(secret, bytes.Replace(ours, []byte(`"version":1`), []byte(`"version":2`), 1))
		w.step(2 * lifetime)
		older := w.operator()
		older.reconcile("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonStateUnreadable)

		// The one that reads this version comes back, in the shape of today's.
		secret = w.secret("bot-grant")
		w.fill(secret, ours)
		w.operator().reconcile("bot")
		w.expectReady("bot")
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		Expect(w.calls(fakespaces.OperationPassword)).To(Equal(1))
		w.expectNothingLost()
	})
})

// codeFromThen is a Secret with a code that was used long ago.
func codeFromThen(code string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bot-code"}, Type: v1alpha1.SecretTypeAuthorizationCode,
		StringData: map[string]string{"code": code, "code_verifier": codeVerifier},
	}
}
