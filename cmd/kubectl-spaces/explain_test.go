package main

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// inputSecret stores an input.
func inputSecret(t *testing.T, namespace, name string, kind corev1.SecretType, data map[string]string) {
	t.Helper()
	NewWithT(t).Expect(admin.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: kind, StringData: data,
	})).To(Succeed())
}

// clientSecret stores the Secret that every credential of these tests names.
func clientSecret(t *testing.T, namespace string) {
	t.Helper()
	inputSecret(t, namespace, "spaces-client", corev1.SecretTypeOpaque, map[string]string{"client_id": "my-app", "client_secret": "a-client-secret", "foreign_key": "x"})
}

// renewalFails makes the status of a credential whose token lives while the renewal
// fails for a cause that is nobody's to mend.
func renewalFails(c *v1alpha1.SpacesCredential) {
	published(c)
	c.Status.Conditions[0].Reason = v1alpha1.ReasonRenewalFailing
	c.Status.Conditions[0].Message = "The published token is still valid, but its renewal is held up. The service could not be reached."
	c.Status.FailedAttempts, c.Status.NextAttemptTime = 2, atp(40*time.Second)
}

func TestExplainSaysWhatHoldsACredentialUp(t *testing.T) {
	for sentence, c := range map[string]struct {
		golden string
		source string
		edit   func(*v1alpha1.SpacesCredential)
		// around stores what stands beside the credential.
		around func(*testing.T, *v1alpha1.SpacesCredential)
	}{
		"nothing": {"well", withPassword, published, func(t *testing.T, c *v1alpha1.SpacesCredential) {
			clientSecret(t, c.Namespace)
			publish(t, c)
		}},
		"nobody looked at it": {"never", withPassword, func(*v1alpha1.SpacesCredential) {}, nil},
		"the newest spec was not looked at": {"older", withPassword, published, func(t *testing.T, c *v1alpha1.SpacesCredential) {
			clientSecret(t, c.Namespace)
			publish(t, c)
			c.Spec.Environment = "production"
			NewWithT(t).Expect(admin.Update(t.Context(), c)).To(Succeed())
		}},
		"it is suspended": {"suspended", withPassword, func(c *v1alpha1.SpacesCredential) {
			c.Spec.Suspend = true
			waitingFor(v1alpha1.ReasonSuspended, "spec.suspend is true.", false)(c)
		}, nil},
		"it is being deleted": {"deleting", withPassword, func(c *v1alpha1.SpacesCredential) {
			c.Finalizers = []string{v1alpha1.FinalizerRevoke}
			condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting, "The grant is being revoked. The service does not answer.")(c)
			condition(v1alpha1.ConditionGrantValid, metav1.ConditionUnknown, v1alpha1.ReasonRevocationFailing, "The service does not answer.")(c)
		}, func(t *testing.T, c *v1alpha1.SpacesCredential) {
			NewWithT(t).Expect(admin.Delete(t.Context(), c)).To(Succeed())
		}},
		"the environment is unknown": {"environment", withPassword,
			waitingFor(v1alpha1.ReasonUnknownEnvironment, `The operator does not know the environment "staging".`, true),
			func(t *testing.T, c *v1alpha1.SpacesCredential) { clientSecret(t, c.Namespace) }},
		"a template is wrong": {"template", withPassword,
			waitingFor(v1alpha1.ReasonTemplateInvalid, `Key "a.txt", line 1: range is not allowed.`, true), nil},
		"somebody else's Secret, by the operator's word": {"conflict", withPassword,
			waitingFor(v1alpha1.ReasonSecretConflict, `Secret "meeting-bot-token" belongs to somebody else.`, true), nil},
		"somebody else's Secret, as anyone can see": {"rival", withPassword, func(*v1alpha1.SpacesCredential) {}, func(t *testing.T, c *v1alpha1.SpacesCredential) {
			publish(t, c, func(s *corev1.Secret) {
				s.Annotations[v1alpha1.AnnotationCredential], s.Annotations[v1alpha1.AnnotationCredentialUID] = "lobby", "another"
			})
		}},
		"an immutable Secret": {"immutable", withPassword, published, func(t *testing.T, c *v1alpha1.SpacesCredential) {
			clientSecret(t, c.Namespace)
			publish(t, c, func(s *corev1.Secret) { s.Immutable = ptr.To(true) })
		}},
		"an input is missing": {"input_missing", withPassword,
			waitingFor(v1alpha1.ReasonWaitingForInput, `Secret "bot-login" does not exist in this namespace.`, false),
			func(t *testing.T, c *v1alpha1.SpacesCredential) { clientSecret(t, c.Namespace) }},
		"nobody has signed in": {"sign_in", withCode,
			waitingFor(v1alpha1.ReasonAuthorizationPending, "Nobody has signed in yet.", true),
			func(t *testing.T, c *v1alpha1.SpacesCredential) { clientSecret(t, c.Namespace) }},
		"the service refused the grant": {"rejected", withRefreshToken,
			waitingFor(v1alpha1.ReasonGrantRejected, "The service refused the refresh token.", true),
			func(t *testing.T, c *v1alpha1.SpacesCredential) {
				clientSecret(t, c.Namespace)
				inputSecret(t, c.Namespace, "seed", corev1.SecretTypeOpaque, map[string]string{"refresh_token": "a-seed"})
			}},
		"the service is away while the token lives": {"renewal", withPassword, renewalFails, func(t *testing.T, c *v1alpha1.SpacesCredential) {
			clientSecret(t, c.Namespace)
			publish(t, c)
		}},
		"a check of the new token": {"verification", withPassword, func(c *v1alpha1.SpacesCredential) {
			c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationUserProfile}
			waitingFor(v1alpha1.ReasonVerificationFailed, "UserProfile: the token was not accepted.", false)(c)
			c.Status.Grant = &v1alpha1.GrantStatus{Present: true, StartTime: atp(-time.Minute)}
		}, func(t *testing.T, c *v1alpha1.SpacesCredential) { clientSecret(t, c.Namespace) }},
		"the Secret is gone": {"gone", asGuest, published, nil},
		"a replaced grant waits": {"pending", asGuest, func(c *v1alpha1.SpacesCredential) {
			published(c)
			c.Status.PendingRevocations = 1
		}, func(t *testing.T, c *v1alpha1.SpacesCredential) { publish(t, c) }},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			// A name with the file's underscores turned into dashes is a namespace.
			object := create(t, credential(t, c.source, newNamespace(t, "explain-"+dashed(c.golden)), c.edit))
			if c.around != nil {
				c.around(t, object)
			}
			g.Expect(s.run(t.Context(), object.Namespace, "explain", object.Name)).To(Equal(exitDone), s.err.String())
			expectGolden(t, "explain_"+c.golden, s.out.String())
			g.Expect(s.out.String()).NotTo(Or(ContainSubstring("a-client-secret"), ContainSubstring("foreign_key"), ContainSubstring("a-seed"), ContainSubstring("published-token")))
		})
	}
}

func TestExplainLooksAtTheInputsItself(t *testing.T) {
	full := map[string]string{"username": "bot", "password": "hunter2"}
	for sentence, c := range map[string]struct {
		namespace string
		kind      corev1.SecretType
		data      map[string]string
		says      string
	}{
		"and finds them in order":        {"input-well", corev1.SecretTypeOpaque, full, "ok             The inputs are there."},
		"of another type for inputs":     {"input-basic", corev1.SecretTypeBasicAuth, full, "ok             The inputs are there."},
		"of a type that is not for them": {"input-type", "example.test/other", full, `holds it up    Secret "bot-login" has a type that is not for inputs.`},
		"without a key":                  {"input-key", corev1.SecretTypeOpaque, map[string]string{"username": "bot", "other": "x"}, `holds it up    Secret "bot-login" has no key "password".`},
		"with an empty value":            {"input-empty", corev1.SecretTypeOpaque, map[string]string{"username": "bot", "password": "\n"}, `holds it up    The key "password" of Secret "bot-login" is empty.`},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := create(t, credential(t, withPassword, newNamespace(t, c.namespace)))
			clientSecret(t, object.Namespace)
			inputSecret(t, object.Namespace, "bot-login", c.kind, c.data)
			g.Expect(s.run(t.Context(), object.Namespace, "explain", object.Name)).To(Equal(exitDone), s.err.String())
			g.Expect(s.out.String()).To(And(ContainSubstring(c.says), Not(ContainSubstring("hunter2")), Not(ContainSubstring("other\""))))
		})
	}
}

// The service says of such an account what it says of a wrong password.
func TestARefusedPasswordMayBeAnAccountThatHasNone(t *testing.T) {
	const says = "single sign-on or a second factor"
	for source, want := range map[string]bool{withPassword: true, withRefreshToken: false, withCode: false, asGuest: false} {
		object := credential(t, source, "default")
		for _, reason := range v1alpha1.Reasons() {
			if got := strings.Contains((&cluster{}).remedy(reason, object), says); got != (want && reason == v1alpha1.ReasonGrantRejected) {
				t.Errorf("%s of %s: says so: %v", reason, object.Spec.GrantType, got)
			}
		}
	}
}

func TestExplainSaysThatAClientIsTakenForAPublicOne(t *testing.T) {
	for sentence, client := range map[string]map[string]string{
		"absent": {"client_id": "my-app", "secret": "x"}, "empty": {"client_id": "my-app", "client_secret": "\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := create(t, credential(t, withCode, newNamespace(t, "explain-public-"+sentence)))
			inputSecret(t, object.Namespace, "spaces-client", corev1.SecretTypeOpaque, client)
			g.Expect(s.run(t.Context(), object.Namespace, "explain", object.Name)).To(Equal(exitDone), s.err.String())
			g.Expect(s.out.String()).To(ContainSubstring(`ok             The inputs are there. Secret "spaces-client" has no client secret as key "client_secret": the client is taken for a public one.`))
		})
	}
}

func TestEveryReasonHasACheckAndARemedy(t *testing.T) {
	where := map[string]int{}
	for _, c := range checks() {
		for _, reason := range c.reasons {
			where[reason]++
		}
	}
	for _, source := range []string{withPassword, withRefreshToken, withCode, asGuest} {
		object := credential(t, source, "default")
		for _, reason := range v1alpha1.Reasons() {
			g := NewWithT(t)
			if reason == v1alpha1.ReasonIssued || reason == v1alpha1.ReasonRenewed {
				g.Expect(where).NotTo(HaveKey(reason), "all is well")
				continue
			}
			g.Expect(where).To(HaveKeyWithValue(reason, 1), reason)
			g.Expect((&cluster{}).remedy(reason, object)).NotTo(BeEmpty(), reason)
		}
	}
}

func dashed(name string) string { return strings.ReplaceAll(name, "_", "-") }

// A clock that is apart is told as far as the person may see the operator's lease.
func TestExplainTellsOfAClockThatIsApart(t *testing.T) {
	g := NewWithT(t)
	object := create(t, credential(t, withPassword, newNamespace(t, "apart"), published))
	holdLease(t, object.Namespace, 0)
	lease := &coordinationv1.Lease{}
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Namespace: object.Namespace, Name: "a-shard"}, lease)).To(Succeed())
	says := func(after time.Duration, arguments ...string) string {
		t.Helper()
		s := newSession()
		s.clock.SetTime(noon.Add(after))
		g.Expect(s.run(t.Context(), object.Namespace, append([]string{"explain", object.Name}, arguments...)...)).To(Equal(exitDone), s.err.String())
		return s.out.String()
	}
	g.Expect(says(0)).NotTo(ContainSubstring("clock"))
	lease.Annotations[v1alpha1.AnnotationClockSkew] = "production=5m0s,staging=-1m15s"
	g.Expect(admin.Update(t.Context(), lease)).To(Succeed())
	g.Expect(says(0)).To(ContainSubstring("\nThe clock of the service of environment \"staging\" is 1m15s behind the operator's. Tokens seem to live"))
	g.Expect(says(0, "--as="+viewer)).NotTo(ContainSubstring("clock"))
	g.Expect(says(2*time.Minute)).NotTo(ContainSubstring("clock"), "an operator that is gone knows nothing of now")
}
