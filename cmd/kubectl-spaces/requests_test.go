package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// asked is the value that every request of these tests has.
var asked = noon.Format(time.RFC3339Nano)

// annotated tells whether a request was made.
func annotated(annotation string) func(client.Object) bool {
	return func(seen client.Object) bool { return seen.GetAnnotations()[annotation] == asked }
}

func TestARenewalIsAskedForAndWaitedFor(t *testing.T) {
	g, s := NewWithT(t), newSession()
	c := create(t, credential(t, withPassword, newNamespace(t, "renew"), published))
	playOperator(t, &v1alpha1.SpacesCredentialList{}, annotated(v1alpha1.AnnotationRenewRequestedAt), c, func(acted *v1alpha1.SpacesCredential) {
		acted.Status.LastHandledRenewRequest = asked
		acted.Status.Token.Fingerprint, acted.Status.Token.ExpirationTime = "aaaa11112222", atp(time.Hour)
	})
	g.Expect(s.run(t.Context(), c.Namespace, "renew", c.Name)).To(Equal(exitDone), s.err.String())
	g.Expect(s.err.String()).To(Equal("Waiting for the operator to act on the renewal of meeting-bot (at most 1m0s) ...\n"))
	g.Expect(s.out.String()).To(Equal("meeting-bot has the new token aaaa11112222; it expires in 60m (2026-11-23T13:00:00Z).\n"))
}

// A new token may have to pass a check, or to wait for its turn, after the request was handled.
func TestARenewalIsWaitedForUntilTheTokenIsPublished(t *testing.T) {
	g, s := NewWithT(t), newSession()
	c := create(t, credential(t, withPassword, newNamespace(t, "renew-check"), published, func(c *v1alpha1.SpacesCredential) {
		c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationUserProfile}
	}))
	playOperator(t, &v1alpha1.SpacesCredentialList{}, annotated(v1alpha1.AnnotationRenewRequestedAt), c, func(acted *v1alpha1.SpacesCredential) {
		acted.Status.LastHandledRenewRequest = asked
		acted.Status.Conditions[0].Status, acted.Status.Conditions[0].Reason = metav1.ConditionFalse, v1alpha1.ReasonThrottled
	})
	handled := func(seen client.Object) bool {
		return seen.(*v1alpha1.SpacesCredential).Status.LastHandledRenewRequest == asked
	}
	playOperator(t, &v1alpha1.SpacesCredentialList{}, handled, c, func(acted *v1alpha1.SpacesCredential) {
		acted.Status.Conditions[0].Status, acted.Status.Conditions[0].Reason = metav1.ConditionTrue, v1alpha1.ReasonRenewed
		acted.Status.Token.Fingerprint = "aaaa11112222"
	})
	g.Expect(s.run(t.Context(), c.Namespace, "renew", c.Name)).To(Equal(exitDone), s.err.String())
	g.Expect(s.out.String()).To(HavePrefix("meeting-bot has the new token aaaa11112222;"))
}

func TestARenewalThatBringsNoTokenIsAnError(t *testing.T) {
	g, s := NewWithT(t), newSession()
	c := create(t, credential(t, withPassword, newNamespace(t, "renew-none"), published))
	playOperator(t, &v1alpha1.SpacesCredentialList{}, annotated(v1alpha1.AnnotationRenewRequestedAt), c, func(acted *v1alpha1.SpacesCredential) {
		acted.Status.LastHandledRenewRequest = asked // and the token of before is still there
	})
	ended := make(chan int, 1)
	go func() { ended <- s.run(t.Context(), c.Namespace, "renew", c.Name) }()
	g.Eventually(func() string {
		now := &v1alpha1.SpacesCredential{}
		g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(c), now)).To(Succeed())
		return now.Status.LastHandledRenewRequest
	}).WithTimeout(patience).Should(Equal(asked))
	passTime(t, s, ended, lookAgain)
	g.Expect(s.err.String()).To(HaveSuffix("error: the operator acted, but meeting-bot has no new token: the conditions tell of no problem, is the operator running?\n"))
}

func TestARevocationIsAskedForAndWaitedFor(t *testing.T) {
	for sentence, c := range map[string]struct {
		namespace string
		arguments []string
		typed     string // at a terminal; empty: there is none
		code      int
		says      string
	}{
		"when it is confirmed in advance": {"revoke-yes", []string{"--yes"}, "", exitDone, "is revoking 1 grant at the service"},
		"when a person says yes":          {"revoke-asked", nil, "y\n", exitDone, "is revoking 1 grant at the service"},
		"not when a person says no":       {"revoke-no", nil, "\n", exitFailed, "error: nothing was revoked"},
		"not when nobody can be asked":    {"revoke-nobody", nil, "", exitFailed, "give --yes"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			s.tool.terminal = func() bool { return c.typed != "" }
			s.tool.In = strings.NewReader(c.typed)
			object := create(t, credential(t, withRefreshToken, newNamespace(t, c.namespace), published))
			playOperator(t, &v1alpha1.SpacesCredentialList{}, annotated(v1alpha1.AnnotationRevokeRequestedAt), object, func(acted *v1alpha1.SpacesCredential) {
				acted.Status.Conditions = nil
				waitingFor(v1alpha1.ReasonReauthorizationRequired, "The grant has ended at the service.", true)(acted)
				acted.Status.LastHandledRevokeRequest, acted.Status.PendingRevocations, acted.Status.Token = asked, 1, nil
			})
			g.Expect(s.run(t.Context(), object.Namespace, append([]string{"revoke", object.Name}, c.arguments...)...)).To(Equal(c.code), s.err.String())
			g.Expect(s.out.String() + s.err.String()).To(ContainSubstring(c.says))
			g.Expect(s.err.String()).To(HavePrefix(map[bool]string{true: "Revoke every grant of meeting-bot? [y/N] "}[c.typed != ""]))

			now := &v1alpha1.SpacesCredential{}
			g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(object), now)).To(Succeed())
			_, annotated := now.Annotations[v1alpha1.AnnotationRevokeRequestedAt]
			g.Expect(annotated).To(Equal(c.code == exitDone))
		})
	}
}

func TestARequestThatIsNotWaitedForIsMadeAllTheSame(t *testing.T) {
	suspended := func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true }
	for sentence, c := range map[string]struct {
		namespace string
		edit      func(*v1alpha1.SpacesCredential)
		arguments []string
		code      int
		says      string
	}{
		"by wish":                     {"ask-only", published, []string{"--wait=false"}, exitDone, "The renewal of meeting-bot is asked for.\n"},
		"because it is suspended":     {"ask-suspended", suspended, nil, exitFailed, "meeting-bot is suspended: the renewal is asked for and waits until `kubectl spaces resume meeting-bot -n ask-suspended`\n"},
		"suspended, and not to wait ": {"ask-suspended-only", suspended, []string{"--wait=false"}, exitDone, "the request waits until `kubectl spaces resume meeting-bot -n ask-suspended-only`.\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := create(t, credential(t, withPassword, newNamespace(t, c.namespace), c.edit))
			g.Expect(s.run(t.Context(), object.Namespace, append([]string{"renew", object.Name}, c.arguments...)...)).To(Equal(c.code))
			g.Expect(s.out.String() + s.err.String()).To(ContainSubstring(c.says))
			g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(object), object)).To(Succeed())
			g.Expect(object.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationRenewRequestedAt, asked))
		})
	}
}

func TestAWaitInVainSaysWhatTheConditionsSay(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withPassword, newNamespace(t, "renew-timeout"),
		waitingFor(v1alpha1.ReasonGrantRejected, "The service refused user name and password.", true)))
	ended := make(chan int, 1)
	go func() { ended <- s.run(t.Context(), object.Namespace, "renew", object.Name, "--timeout=7s") }()
	passTime(t, s, ended, 7*time.Second)
	g.Expect(s.err.String()).To(HaveSuffix(
		"error: the operator has not acted on the renewal within 7s: GrantRejected: The service refused user name and password.\n"))
}

// passTime steps the clock until a command that waits has ended, and expects it to
// have failed.
func passTime(t *testing.T, s *session, ended <-chan int, step time.Duration) {
	t.Helper()
	g := NewWithT(t)
	g.Eventually(func() bool {
		select {
		case code := <-ended:
			g.Expect(code).To(Equal(exitFailed))
			return true
		default:
			if s.clock.HasWaiters() {
				s.clock.Step(step)
			}
			return false
		}
	}).WithTimeout(patience).Should(BeTrue())
}

func TestCtrlCEndsAWait(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withPassword, newNamespace(t, "interrupted"), published))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- s.run(ctx, object.Namespace, "renew", object.Name) }()
	g.Eventually(s.clock.HasWaiters).WithTimeout(patience).Should(BeTrue())
	cancel()
	g.Eventually(ended).WithTimeout(patience).Should(Receive(Equal(exitFailed)))
	g.Expect(s.err.String()).To(HaveSuffix("error: interrupted\n"))
}

func TestCtrlCEndsAQuestion(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withPassword, newNamespace(t, "interrupted-question"), published))
	silent, _ := io.Pipe()
	s.tool.In, s.tool.terminal = silent, func() bool { return true }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.Expect(s.run(ctx, object.Namespace, "revoke", object.Name)).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(HaveSuffix("error: interrupted\n"))
}

func TestSuspendAndResume(t *testing.T) {
	g := NewWithT(t)
	object := create(t, credential(t, withPassword, newNamespace(t, "suspend"), published))
	for _, step := range []struct {
		command string
		suspend bool
		says    string
	}{
		{"suspend", true, "meeting-bot is suspended: nothing is renewed or published, and requests wait.\n" +
			"Its token expires in 52m (2026-11-23T12:52:00Z).\nTo go on: `kubectl spaces resume meeting-bot -n suspend`\n"},
		{"suspend", true, "meeting-bot was already suspended: "},
		{"resume", false, "meeting-bot is resumed: the operator renews and publishes, and acts on requests that waited.\n"},
		{"resume", false, "meeting-bot was already resumed: "},
	} {
		s := newSession()
		g.Expect(s.run(t.Context(), object.Namespace, step.command, object.Name)).To(Equal(exitDone), s.err.String())
		g.Expect(s.out.String()).To(HavePrefix(step.says))
		now := &v1alpha1.SpacesCredential{}
		g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(object), now)).To(Succeed())
		g.Expect(now.Spec.Suspend).To(Equal(step.suspend))
	}
}

func TestWhatIsBeingDeletedIsNotAskedForAnything(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withPassword, newNamespace(t, "deleting"), published, func(c *v1alpha1.SpacesCredential) {
		c.Finalizers = []string{v1alpha1.FinalizerRevoke}
	}))
	g.Expect(admin.Delete(t.Context(), object)).To(Succeed())
	g.Expect(s.run(t.Context(), object.Namespace, "renew", object.Name)).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(Equal("error: meeting-bot is being deleted, and its grants are revoked with it\n"))
}

func TestAnObjectOfThatNameMayHaveBeenReplaced(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withPassword, newNamespace(t, "replaced"), published))
	connected := &cluster{WithWatch: admin, namespace: object.Namespace, clock: s.clock}
	stale := object.DeepCopy()
	stale.UID = "another"
	err := connected.patchCredential(t.Context(), stale, map[string]any{"spec": map[string]any{"suspend": true}})
	g.Expect(err).To(MatchError(ContainSubstring("was replaced by another of that name")))
}
