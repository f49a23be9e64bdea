package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// theCode is what the service gives at the end of a sign-in.
const theCode = "a-code-never-to-be-seen"

// freePort is a port that nobody listens on just now.
func freePort(t *testing.T) string {
	t.Helper()
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	g.Expect(err).NotTo(HaveOccurred())
	return port
}

// pending is a credential that the operator has looked at and that waits for a
// sign-in to come back to a redirect URI.
func pending(redirect string) func(*v1alpha1.SpacesCredential) {
	return func(c *v1alpha1.SpacesCredential) {
		c.Spec.AuthorizationCode.RedirectURI = redirect
		waitingFor(v1alpha1.ReasonAuthorizationPending, "Nobody has signed in yet.", true)(c)
		c.Status.ClientID = "6702b20d"
		c.Status.AuthorizationEndpoint = "https://accounts.example.test/oauth2/authorize"
	}
}

// visit is what a browser asked for and got.
type visit struct {
	asked  url.Values
	status int
	page   string
	header http.Header
}

// signsIn makes the browser of a session end at the redirect URI with these values.
func signsIn(t *testing.T, s *session, bring func(asked url.Values) url.Values) <-chan visit {
	t.Helper()
	visits := make(chan visit, 1)
	s.tool.openBrowser = func(_, address string) error {
		begin, err := testbed.SentTo(t.Context(), address)
		if err != nil {
			return err
		}
		asked := begin.Query()
		seen, err := comeBack(asked, bring(asked))
		visits <- seen
		return err
	}
	return visits
}

// comeBack is a browser that brings values to the redirect URI.
func comeBack(asked, values url.Values) (visit, error) {
	answer, err := http.Get(asked.Get("redirect_uri") + "?" + values.Encode())
	if err != nil {
		return visit{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return visit{asked, answer.StatusCode, string(text), answer.Header}, err
}

func withTheCode(asked url.Values) url.Values {
	return url.Values{"code": {theCode}, "state": {asked.Get("state")}}
}

// codeArrives tells that a Secret is the one of a login.
func codeArrives(seen client.Object) bool {
	secret, isSecret := seen.(*corev1.Secret)
	return isSecret && secret.Type == v1alpha1.SecretTypeAuthorizationCode && string(secret.Data["code"]) == theCode
}

// grants makes the operator publish a token when the code arrives.
func grants(t *testing.T, object *v1alpha1.SpacesCredential) {
	t.Helper()
	playOperator(t, &corev1.SecretList{}, codeArrives, object, func(acted *v1alpha1.SpacesCredential) {
		acted.Status.Conditions = nil
		published(acted)
		acted.Status.Grant.StartTime = atp(0)
	})
}

// expectNothingLeft wants no Secret of a login and a port that is free again.
func expectNothingLeft(t *testing.T, object *v1alpha1.SpacesCredential) {
	t.Helper()
	g := NewWithT(t)
	err := admin.Get(t.Context(), client.ObjectKey{Namespace: object.Namespace, Name: "meeting-bot-login"}, &corev1.Secret{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "the code Secret is gone")
	redirect, err := url.Parse(object.Spec.AuthorizationCode.RedirectURI)
	g.Expect(err).NotTo(HaveOccurred())
	listener, err := net.Listen("tcp", "127.0.0.1:"+redirect.Port())
	g.Expect(err).NotTo(HaveOccurred(), "the port is free")
	g.Expect(listener.Close()).To(Succeed())
}

// expectNoSecretIn wants neither code nor verifier printed.
func expectNoSecretIn(t *testing.T, s *session, verifier string) {
	t.Helper()
	said := s.out.String() + s.err.String()
	NewWithT(t).Expect(said).NotTo(ContainSubstring(theCode))
	if verifier != "" {
		NewWithT(t).Expect(said).NotTo(ContainSubstring(verifier))
	}
}

func TestLoginHandsACodeToTheOperator(t *testing.T) {
	for sentence, c := range map[string]struct {
		namespace, host, path string
		edit                  func(*v1alpha1.SpacesCredential)
		before                *corev1.Secret // stands where the code goes
		arguments             []string
		clientID              string
	}{
		"for a first grant":             {namespace: "login", host: "localhost", clientID: "6702b20d"},
		"on a path of an IPv4 address":  {namespace: "login-path", host: "127.0.0.1", path: "/callback", clientID: "6702b20d"},
		"for a client told by flag":     {namespace: "login-client", host: "localhost", arguments: []string{"--client-id=other"}, clientID: "other"},
		"over the code of an old login": {namespace: "login-again", host: "localhost", before: &corev1.Secret{Type: v1alpha1.SecretTypeAuthorizationCode}, clientID: "6702b20d"},
		"for a grant after another": {namespace: "login-anew", host: "localhost", clientID: "6702b20d", edit: func(c *v1alpha1.SpacesCredential) {
			c.Status.Conditions = nil
			published(c)
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			redirect := "http://" + c.host + ":" + freePort(t) + c.path
			edits := []func(*v1alpha1.SpacesCredential){pending(redirect)}
			if c.edit != nil {
				edits = append(edits, c.edit)
			}
			object := create(t, credential(t, withCode, newNamespace(t, c.namespace), edits...))
			if c.before != nil {
				c.before.Namespace, c.before.Name, c.before.Data = object.Namespace, "meeting-bot-login", map[string][]byte{"old": []byte("x")}
				g.Expect(admin.Create(t.Context(), c.before)).To(Succeed())
			}
			var handed *corev1.Secret
			playOperator(t, &corev1.SecretList{}, func(seen client.Object) bool {
				if !codeArrives(seen) {
					return false
				}
				handed = seen.(*corev1.Secret)
				return true
			}, object, func(acted *v1alpha1.SpacesCredential) {
				acted.Status.Conditions = nil
				published(acted)
				acted.Status.Grant.StartTime = atp(0)
			})
			visits := signsIn(t, s, withTheCode)
			g.Expect(s.run(t.Context(), object.Namespace, append([]string{"login", object.Name}, c.arguments...)...)).To(Equal(exitDone), s.err.String())

			seen := <-visits
			g.Expect(seen.asked).To(And(
				HaveKeyWithValue("client_id", []string{c.clientID}), HaveKeyWithValue("redirect_uri", []string{redirect}),
				HaveKeyWithValue("response_type", []string{"code"}), HaveKeyWithValue("access_type", []string{"offline"}),
				HaveKeyWithValue("scope", []string{"email profile spaces"}), HaveKeyWithValue("code_challenge_method", []string{"S256"}),
				HaveKeyWithValue("state", []string{base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("chance by design", 2)))}),
				HaveLen(8)))
			g.Expect(handed.Data).To(HaveLen(2))
			verifier := string(handed.Data["code_verifier"])
			challenge := sha256.Sum256([]byte(verifier))
			g.Expect(seen.asked.Get("code_challenge")).To(Equal(base64.RawURLEncoding.EncodeToString(challenge[:])))

			g.Expect(s.out.String()).To(Equal("meeting-bot is signed in as bot@example.test.\n" +
				"Its token expires in 52m (2026-11-23T12:52:00Z), and the operator renews it before.\n"))
			g.Expect(s.err.String()).To(Equal("Sign in with the browser that opens, or open this address in one on this machine:\n\n  https://accounts.example.test/oauth2/authorize?" +
				seen.asked.Encode() + "\n\nWaiting for the sign-in to come back to " + redirect + " (at most 5m0s) ...\n" +
				"Signed in. Waiting for the operator to exchange the code (at most 2m0s) ...\n"))
			expectNoSecretIn(t, s, verifier)
			expectNothingLeft(t, object)
		})
	}
}

func TestThePageIsPlainAndKeepsItsSecrets(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withCode, newNamespace(t, "login-page"), pending("http://localhost:"+freePort(t))))
	grants(t, object)
	visits := signsIn(t, s, withTheCode)
	g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitDone), s.err.String())
	seen := <-visits
	g.Expect(seen.status).To(Equal(http.StatusOK))
	g.Expect(seen.header.Get("Content-Security-Policy")).To(HavePrefix("default-src 'none'"))
	g.Expect(seen.header.Get("Referrer-Policy")).To(Equal("no-referrer"))
	g.Expect(seen.header.Get("Cache-Control")).To(Equal("no-store"))
	g.Expect(seen.page).NotTo(Or(ContainSubstring(theCode), ContainSubstring("http:"), ContainSubstring("https:"), ContainSubstring("<script")))
	expectGolden(t, "page_signed_in", seen.page)
}

func TestALoginThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	with := func(values ...string) func(url.Values) url.Values {
		return func(asked url.Values) url.Values {
			brought := url.Values{"state": {asked.Get("state")}}
			for i := 0; i < len(values); i += 2 {
				brought.Set(values[i], values[i+1])
			}
			return brought
		}
	}
	for sentence, c := range map[string]struct {
		namespace string
		bring     func(url.Values) url.Values
		says      string
		title     string
	}{
		"because the person said no":   {"login-denied", with("error", "access_denied", "error_description", "<b>no\x1b[31m"), "the sign-in was denied", "The sign-in was denied"},
		"because the service says why": {"login-error", with("error", "invalid_scope", "error_description", "no\nway"), "the service refused the sign-in: invalid_scope", "The sign-in failed"},
		"because of an unknown error":  {"login-odd", with("error", "evil\x1b[31m"), "the service refused the sign-in with an error of its own", "The sign-in failed"},
		"because there is no code":     {"login-codeless", with(), "the service sent no code that can be used", "The sign-in failed"},
		"because the code is no text":  {"login-strange", with("code", "a\nb"), "the service sent no code that can be used", "The sign-in failed"},
		"because the code is too long": {"login-long", with("code", strings.Repeat("a", longestCode+1)), "the service sent no code that can be used", "The sign-in failed"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := create(t, credential(t, withCode, newNamespace(t, c.namespace), pending("http://localhost:"+freePort(t))))
			visits := signsIn(t, s, c.bring)
			g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitFailed))
			lines := strings.Split(strings.TrimSpace(s.err.String()), "\n")
			g.Expect(lines).To(HaveLen(6))
			g.Expect(lines[5]).To(And(HavePrefix("error: "), HaveSuffix(c.says)))
			seen := <-visits
			g.Expect(seen.page).To(And(ContainSubstring("<h1>"+c.title+"</h1>"), ContainSubstring("You can close this window."), Not(ContainSubstring("<b>"))))
			expectNoSecretIn(t, s, "")
			expectNothingLeft(t, object)
		})
	}
}

func TestALoginEndsWhenTheOperatorGivesUp(t *testing.T) {
	refused := func(c *v1alpha1.SpacesCredential) {
		c.Status.Conditions = nil
		waitingFor(v1alpha1.ReasonGrantRejected, "The service refused the code.", true)(c)
	}
	for sentence, c := range map[string]struct {
		namespace string
		before    func(*v1alpha1.SpacesCredential)
		after     func(*v1alpha1.SpacesCredential)
	}{
		"for the first time": {"login-stalled", func(*v1alpha1.SpacesCredential) {}, refused},
		"for the same reason of another grant": {"login-stalled-grant", refused, func(c *v1alpha1.SpacesCredential) {
			c.Status.Grant = &v1alpha1.GrantStatus{StartTime: atp(0)}
		}},
		"for the same reason once more": {"login-stalled-again", refused, func(c *v1alpha1.SpacesCredential) { c.Status.FailedAttempts++ }},
		"while the token before still lives": {"login-stalled-alive", published, func(c *v1alpha1.SpacesCredential) {
			c.Status.Conditions[2] = metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonGrantRejected,
				Message: "The service refused the code.", LastTransitionTime: at(0)}
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := create(t, credential(t, withCode, newNamespace(t, c.namespace), pending("http://localhost:"+freePort(t)), func(o *v1alpha1.SpacesCredential) {
				o.Status.Conditions = nil
				waitingFor(v1alpha1.ReasonAuthorizationPending, "Nobody has signed in yet.", true)(o)
			}, func(o *v1alpha1.SpacesCredential) {
				if c.namespace == "login-stalled-alive" {
					o.Status.Conditions = nil
				}
				c.before(o)
			}))
			playOperator(t, &corev1.SecretList{}, codeArrives, object, c.after)
			signsIn(t, s, withTheCode)
			g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitFailed))
			g.Expect(s.err.String()).To(HaveSuffix("error: the sign-in came to nothing: GrantRejected: The service refused the code.\n"))
			expectNoSecretIn(t, s, "")
			expectNothingLeft(t, object)
		})
	}
}

func TestALoginWithoutAnEnd(t *testing.T) {
	t.Run("because nobody signs in", func(t *testing.T) {
		g, s := NewWithT(t), newSession()
		object := create(t, credential(t, withCode, newNamespace(t, "login-nobody"), pending("http://localhost:"+freePort(t))))
		s.tool.openBrowser = func(_, _ string) error { return nil }
		ended := make(chan int, 1)
		go func() { ended <- s.run(t.Context(), object.Namespace, "login", object.Name, "--timeout=3m") }()
		passTime(t, s, ended, 3*time.Minute)
		g.Expect(s.err.String()).To(HaveSuffix("error: nobody signed in within 3m0s\n"))
		expectNothingLeft(t, object)
	})
	t.Run("because the operator does nothing", func(t *testing.T) {
		g, s := NewWithT(t), newSession()
		object := create(t, credential(t, withCode, newNamespace(t, "login-idle"), pending("http://localhost:"+freePort(t))))
		visits := signsIn(t, s, withTheCode)
		ended := make(chan int, 1)
		go func() { ended <- s.run(t.Context(), object.Namespace, "login", object.Name) }()
		<-visits
		g.Eventually(func() error {
			return admin.Get(t.Context(), client.ObjectKey{Namespace: object.Namespace, Name: "meeting-bot-login"}, &corev1.Secret{})
		}).WithTimeout(patience).Should(Succeed())
		passTime(t, s, ended, exchangeWait)
		g.Expect(s.err.String()).To(HaveSuffix("error: meeting-bot is not Ready from the new sign-in after 2m0s: AuthorizationPending: Nobody has signed in yet.\n"))
		expectNothingLeft(t, object)
	})
	t.Run("because of Ctrl-C at the browser", func(t *testing.T) {
		g, s := NewWithT(t), newSession()
		object := create(t, credential(t, withCode, newNamespace(t, "login-ctrl-c"), pending("http://localhost:"+freePort(t))))
		ctx, cancel := context.WithCancel(t.Context())
		s.tool.openBrowser = func(_, _ string) error { cancel(); return nil }
		g.Expect(s.run(ctx, object.Namespace, "login", object.Name)).To(Equal(exitFailed))
		g.Expect(s.err.String()).To(HaveSuffix("error: interrupted\n"))
		expectNothingLeft(t, object)
	})
	t.Run("because of Ctrl-C at the operator", func(t *testing.T) {
		g, s := NewWithT(t), newSession()
		object := create(t, credential(t, withCode, newNamespace(t, "login-ctrl-c-late"), pending("http://localhost:"+freePort(t))))
		ctx, cancel := context.WithCancel(t.Context())
		playOperator(t, &corev1.SecretList{}, codeArrives, object, func(*v1alpha1.SpacesCredential) { cancel() })
		signsIn(t, s, withTheCode)
		g.Expect(s.run(ctx, object.Namespace, "login", object.Name)).To(Equal(exitFailed))
		g.Expect(s.err.String()).To(HaveSuffix("error: interrupted\n"))
		expectNothingLeft(t, object)
	})
}

func TestALoginThatCannotBeginOpensNoBrowser(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = taken.Close() })
	for sentence, c := range map[string]struct {
		namespace, source string
		edit              func(*v1alpha1.SpacesCredential)
		arguments         []string
		says              string
	}{
		"for another grant type":     {"begin-type", withPassword, published, nil, "meeting-bot has grant type Password: nobody signs in by browser for it"},
		"while it is suspended":      {"begin-suspended", withCode, func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true }, nil, "`kubectl spaces resume meeting-bot -n begin-suspended` first"},
		"before the operator looked": {"begin-never", withCode, func(*v1alpha1.SpacesCredential) {}, nil, "the operator has not looked at it yet, is it running?"},
		"in an unknown environment": {"begin-environment", withCode, waitingFor(v1alpha1.ReasonUnknownEnvironment, "The operator does not know it.", true), nil,
			"status.authorizationEndpoint of meeting-bot is empty, as it is while an environment is unknown or paused: UnknownEnvironment: The operator does not know it."},
		"without a client ID": {"begin-client", withCode, func(c *v1alpha1.SpacesCredential) { pending("http://localhost:3000")(c); c.Status.ClientID = "" }, nil, "give the client's ID with --client-id"},
		"at an endpoint without https": {"begin-endpoint", withCode, func(c *v1alpha1.SpacesCredential) {
			pending("http://localhost:3000")(c)
			c.Status.AuthorizationEndpoint = "http://accounts.example.test"
		}, nil, "status.authorizationEndpoint cannot be used: it does not begin with https://"},
		"for a redirect URI elsewhere": {"begin-https", withCode, pending("https://example.test/callback"), nil, "sign in with --no-browser"},
		"where the port is taken":      {"begin-taken", withCode, pending("http://" + taken.Addr().String()), nil, taken.Addr().String() + " is taken by another program: end that, or sign in with --no-browser"},
		"on a port that is none":       {"begin-port", withCode, pending("http://localhost:0"), nil, "http://localhost:0 names no port to listen on"},
		"where code and verifier meet": {"begin-keys", withCode, func(c *v1alpha1.SpacesCredential) {
			pending("http://localhost:3000")(c)
			c.Spec.AuthorizationCode.SecretRef.CodeVerifierKey = "code"
		}, nil, `code and verifier cannot both stand under the key "code"`},
		"for somebody without rights": {"begin-viewer", withCode, pending("http://localhost:3000"), []string{"--as=" + viewer}, `you may not get, create, update, delete Secret "meeting-bot-login" in namespace "begin-viewer"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			s.tool.openBrowser = func(_, _ string) error { t.Error("a browser was opened"); return nil }
			object := create(t, credential(t, c.source, newNamespace(t, c.namespace), c.edit))
			g.Expect(s.run(t.Context(), object.Namespace, append([]string{"login", object.Name}, c.arguments...)...)).To(Equal(exitFailed))
			g.Expect(s.out.String()).To(BeEmpty())
			g.Expect(s.err.String()).To(And(HavePrefix("error: "), ContainSubstring(c.says)))
			g.Expect(strings.Count(s.err.String(), "\n")).To(Equal(1))
		})
	}
}

func TestALoginOverwritesNoOtherSecret(t *testing.T) {
	for sentence, c := range map[string]struct {
		namespace string
		secret    corev1.Secret
		says      string
	}{
		"of the usual type":          {"other-opaque", corev1.Secret{Type: corev1.SecretTypeOpaque}, "is not of type auth.spaces-operator.io/authorization-code, so it is not overwritten"},
		"of another type for inputs": {"other-basic", corev1.Secret{Type: corev1.SecretTypeBasicAuth, Data: map[string][]byte{"username": []byte("x")}}, "so it is not overwritten"},
		"that is immutable":          {"other-immutable", corev1.Secret{Type: v1alpha1.SecretTypeAuthorizationCode, Immutable: ptr.To(true)}, "is immutable"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			s.tool.openBrowser = func(_, _ string) error { t.Error("a browser was opened"); return nil }
			object := create(t, credential(t, withCode, newNamespace(t, c.namespace), pending("http://localhost:3000")))
			before := c.secret.DeepCopy()
			before.Namespace, before.Name = object.Namespace, "meeting-bot-login"
			g.Expect(admin.Create(t.Context(), before)).To(Succeed())
			g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitFailed))
			g.Expect(s.err.String()).To(ContainSubstring(c.says))
			after := &corev1.Secret{}
			g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(before), after)).To(Succeed())
			g.Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))
		})
	}
	t.Run("that appears during the sign-in", func(t *testing.T) {
		g, s := NewWithT(t), newSession()
		object := create(t, credential(t, withCode, newNamespace(t, "other-late"), pending("http://localhost:"+freePort(t))))
		late := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: "meeting-bot-login"}, Type: corev1.SecretTypeOpaque}
		signsIn(t, s, func(asked url.Values) url.Values {
			g.Expect(admin.Create(context.Background(), late)).To(Succeed())
			return withTheCode(asked)
		})
		g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitFailed))
		g.Expect(s.err.String()).To(HaveSuffix("error: somebody else wrote or deleted Secret \"meeting-bot-login\" meanwhile, so it is not overwritten: begin again\n"))
		g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(late), late)).To(Succeed())
		g.Expect(late.Data).To(BeEmpty())
	})
	t.Run("that was changed during the sign-in", func(t *testing.T) {
		g, s := NewWithT(t), newSession()
		object := create(t, credential(t, withCode, newNamespace(t, "other-changed"), pending("http://localhost:"+freePort(t))))
		theirs := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: "meeting-bot-login"}, Type: v1alpha1.SecretTypeAuthorizationCode}
		g.Expect(admin.Create(t.Context(), theirs)).To(Succeed())
		signsIn(t, s, func(asked url.Values) url.Values {
			theirs.Data = map[string][]byte{"code": []byte("theirs")}
			g.Expect(admin.Update(context.Background(), theirs)).To(Succeed())
			return withTheCode(asked)
		})
		g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitFailed))
		g.Expect(s.err.String()).To(HaveSuffix("meanwhile, so it is not overwritten: begin again\n"))
		g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
		g.Expect(theirs.Data).To(HaveKeyWithValue("code", []byte("theirs")))
	})
}

func TestACodeForAnObjectThatChangedIsNotHandedOver(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withCode, newNamespace(t, "login-changed"), pending("http://localhost:"+freePort(t))))
	signsIn(t, s, func(asked url.Values) url.Values {
		changed := object.DeepCopy()
		changed.Spec.AuthorizationCode.SecretRef.Name = "elsewhere"
		g.Expect(admin.Update(context.Background(), changed)).To(Succeed())
		return withTheCode(asked)
	})
	g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(HaveSuffix("error: meeting-bot was changed during the sign-in: begin again\n"))
	expectNothingLeft(t, object)
}

func TestWhoMayWriteSecretsAndSeeThemMaySignIn(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withCode, newNamespace(t, "login-rights"), pending("http://localhost:"+freePort(t))))
	meta := metav1.ObjectMeta{Namespace: object.Namespace, Name: "signer"}
	g.Expect(admin.Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"spacescredentials"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "update", "delete"}, ResourceNames: []string{"meeting-bot-login"}},
	}})).To(Succeed())
	g.Expect(admin.Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: meta, Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: "signer"}},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "signer"}})).To(Succeed())
	grants(t, object)
	signsIn(t, s, withTheCode)
	g.Eventually(func() int {
		s.out.Reset()
		return s.run(t.Context(), object.Namespace, "login", object.Name, "--as=signer")
	}).WithTimeout(patience).Should(Equal(exitDone), s.err.String())
	expectNothingLeft(t, object)
}

func TestOtherRequestsAreNoAnswer(t *testing.T) {
	g, s := NewWithT(t), newSession()
	port := freePort(t)
	object := create(t, credential(t, withCode, newNamespace(t, "login-other"), pending("http://localhost:"+port+"/callback")))
	grants(t, object)
	got := map[string]int{}
	get := func(method, path string) {
		request, err := http.NewRequestWithContext(context.Background(), method, "http://127.0.0.1:"+port+path, nil)
		g.Expect(err).NotTo(HaveOccurred())
		answer, err := http.DefaultClient.Do(request)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(answer.Body.Close()).To(Succeed())
		got[method+" "+path] = answer.StatusCode
	}
	signsIn(t, s, func(asked url.Values) url.Values {
		get(http.MethodGet, "/favicon.ico")
		get(http.MethodGet, "/callback/?code=x&state=y")
		get(http.MethodGet, "/callback")
		get(http.MethodHead, "/callback?code=x&state=y")
		return withTheCode(asked)
	})
	g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitDone), s.err.String())
	g.Expect(got).To(Equal(map[string]int{
		"GET /favicon.ico": 404, "GET /callback/?code=x&state=y": 404, "GET /callback": 400, "HEAD /callback?code=x&state=y": 405,
	}))
}

func TestALoginWithoutABrowserPrintsTheAddress(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withCode, newNamespace(t, "login-printed"), pending("http://localhost:"+freePort(t))))
	s.tool.openBrowser = func(_, _ string) error { return nil } // such as BROWSER=true
	said := &watchedOutput{seen: make(chan string, 1)}
	s.tool.ErrOut = said
	ended := make(chan int, 1)
	grants(t, object)
	go func() { ended <- s.run(t.Context(), object.Namespace, "login", object.Name) }()
	var address string
	g.Eventually(said.seen).WithTimeout(patience).Should(Receive(&address))
	g.Expect(address).To(HavePrefix("https://accounts.example.test/oauth2/authorize?"))
	begin, err := url.Parse(address)
	g.Expect(err).NotTo(HaveOccurred())
	answer, err := http.Get(begin.Query().Get("redirect_uri") + "?" + withTheCode(begin.Query()).Encode())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer.Body.Close()).To(Succeed())
	g.Eventually(ended).WithTimeout(patience).Should(Receive(Equal(exitDone)))
	expectNothingLeft(t, object)
}

// watchedOutput finds the address of a sign-in in what is printed.
type watchedOutput struct{ seen chan string }

func (w *watchedOutput) Write(text []byte) (int, error) {
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "  https://") {
			w.seen <- strings.TrimSpace(line)
		}
	}
	return len(text), nil
}

func TestASignInElsewhereIsPasted(t *testing.T) {
	const redirect = "https://example.test/callback"
	whole := func(state string) string { return redirect + "?code=" + theCode + "&state=" + state }
	for sentence, c := range map[string]struct {
		namespace string
		paste     func(state string) string
		code      int
		says      string
	}{
		"as the browser shows it": {"paste", whole, exitDone, "meeting-bot is signed in"},
		"with the usual port": {"paste-port", func(state string) string {
			return "https://EXAMPLE.test:443/callback?code=" + theCode + "&state=" + state
		}, exitDone, "meeting-bot is signed in"},
		"after the code alone":     {"paste-code", func(state string) string { return theCode + "\n" + whole(state) }, exitDone, "That is no address that begins with " + redirect + ": paste the whole address from the browser. Paste again:\n"},
		"after the address before": {"paste-early", func(state string) string { return redirect + "\n" + whole(state) }, exitDone, "That address holds no answer of the service: paste it whole, after the sign-in. Paste again:\n"},
		"after another sign-in's":  {"paste-state", func(state string) string { return redirect + "?code=" + theCode + "&state=x\n" + whole(state) }, exitDone, "That address belongs to another sign-in: use the one that was printed here. Paste again:\n"},
		"and an empty line is one": {"paste-empty", func(state string) string { return "\n\n" + whole(state) }, exitDone, "Paste again:\n"},
		"and a denial ends it":     {"paste-denied", func(state string) string { return redirect + "?error=access_denied&state=" + state }, exitFailed, "error: the sign-in was denied\n"},
		"and nothing is nothing":   {"paste-nothing", func(string) string { return "" }, exitFailed, "error: no address of this sign-in was pasted\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := create(t, credential(t, withCode, newNamespace(t, c.namespace), pending(redirect)))
			grants(t, object)
			state := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("chance by design", 2)))
			s.tool.In = strings.NewReader(c.paste(state) + "\n")
			g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name, "--no-browser")).To(Equal(c.code), s.err.String())
			g.Expect(s.out.String() + s.err.String()).To(ContainSubstring(c.says))
			g.Expect(s.err.String()).To(ContainSubstring("https://accounts.example.test/oauth2/authorize?access_type=offline&client_id=6702b20d&code_challenge="))
			expectNoSecretIn(t, s, "")
			err := admin.Get(t.Context(), client.ObjectKey{Namespace: object.Namespace, Name: "meeting-bot-login"}, &corev1.Secret{})
			g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), fmt.Sprint(err))
		})
	}
}
