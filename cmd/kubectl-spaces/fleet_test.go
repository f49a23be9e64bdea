package main

import (
	"context"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// lentBy has a credential use a client that the platform team lends.
func lentBy(name string) func(*v1alpha1.SpacesCredential) {
	return func(c *v1alpha1.SpacesCredential) {
		c.Spec.ClientSecretRef, c.Spec.ClientRef = nil, &v1alpha1.ClientReference{Kind: v1alpha1.ClientKindCluster, Name: name}
		published(c)
		c.Status.Grant.ClusterClient = name
	}
}

// playRevocations answers each request for a revocation as the operator would: the grant is given up at
// once, and revoked with the next change of the object. It ends with the test.
func playRevocations(t *testing.T, namespace string) {
	t.Helper()
	ctx := context.Background() // what the operator began it ends
	watching, err := admin.Watch(ctx, &v1alpha1.SpacesCredentialList{}, client.InNamespace(namespace))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range watching.ResultChan() {
			seen, is := event.Object.(*v1alpha1.SpacesCredential)
			if !is || event.Type == watch.Deleted {
				continue
			}
			status, request := &seen.Status, seen.Annotations[v1alpha1.AnnotationRevokeRequestedAt]
			switch {
			case seen.Spec.Suspend:
				continue
			case request != status.LastHandledRevokeRequest:
				status.LastHandledRevokeRequest, status.PendingRevocations = request, 1
			case status.PendingRevocations > 0:
				status.PendingRevocations = 0
			default:
				continue
			}
			if err := admin.Status().Update(ctx, seen); err != nil {
				t.Errorf("the operator could not write: %v", err)
			}
		}
	}()
	t.Cleanup(func() {
		watching.Stop()
		<-ended
	})
}

// requestOf is the request for a revocation that stands on a credential, or "".
func requestOf(t *testing.T, c *v1alpha1.SpacesCredential) string {
	t.Helper()
	now := &v1alpha1.SpacesCredential{}
	NewWithT(t).Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(c), now)).To(Succeed())
	return now.Annotations[v1alpha1.AnnotationRevokeRequestedAt]
}

func TestEveryGrantOfAClientIsRevoked(t *testing.T) {
	g, s := NewWithT(t), newSession()
	for _, namespace := range []string{"fleet-a", "fleet-b"} {
		playRevocations(t, newNamespace(t, namespace))
	}
	const leaked = "leaked-everywhere"
	named1 := create(t, credential(t, withCode, "fleet-a", lentBy(leaked)))
	changed := create(t, credential(t, withCode, "fleet-a", named("changed"), lentBy("another"), func(c *v1alpha1.SpacesCredential) { c.Status.Grant.ClusterClient = leaked }))
	named2 := create(t, credential(t, withCode, "fleet-b", lentBy(leaked)))
	own := create(t, credential(t, withPassword, "fleet-b", named("own"), published))
	others := create(t, credential(t, withCode, "fleet-b", named("others"), lentBy("another")))

	g.Expect(s.runSteadily(t, "fleet-a", "revoke", "--client", leaked, "--all-namespaces", "--yes")).To(Equal(exitDone), s.err.String())
	for _, c := range []*v1alpha1.SpacesCredential{named1, changed, named2} {
		g.Expect(requestOf(t, c)).To(Equal(asked))
		g.Expect(s.out.String()).To(ContainSubstring(c.Namespace + "/" + c.Name + "  revoked\n"))
	}
	for _, c := range []*v1alpha1.SpacesCredential{own, others} {
		g.Expect(requestOf(t, c)).To(BeEmpty(), c.Name)
	}
	g.Expect(s.out.String()).To(HavePrefix("To go on with this run if it is interrupted: `kubectl spaces revoke --client leaked-everywhere --since " + asked + " --all-namespaces`\n"))
	g.Expect(s.out.String()).To(HaveSuffix("Revoked: the grants of 3 of 3 SpacesCredentials.\n"))
}

func TestAFleetIsAskedForBeforeAnythingIsRevoked(t *testing.T) {
	for sentence, c := range map[string]struct {
		namespace string
		arguments []string
		typed     string // at a terminal; empty: there is none
		code      int
		says      string
	}{
		"when a person says yes":           {"fleet-yes", nil, "y\n", exitDone, `Revoke every grant of 1 SpacesCredential in 1 namespace, because of the client "leaked"? [y/N] `},
		"not when a person says no":        {"fleet-no", nil, "\n", exitFailed, "error: nothing was revoked"},
		"not when nobody can be asked":     {"fleet-nobody", nil, "", exitFailed, "give --yes"},
		"not with a name beside it":        {"fleet-name", []string{"meeting-bot"}, "y\n", exitUsage, "not both"},
		"not since a time that is none":    {"fleet-since", []string{"--since=yesterday"}, "y\n", exitUsage, "is no time that a run named"},
		"not for a client that nobody has": {"fleet-none", []string{"--client=nobodys"}, "y\n", exitFailed, `no SpacesCredential in namespace "fleet-none" (-A looks into all) uses a ClusterSpacesClient "nobodys". --client names no Secret`},
		"only asked for":                   {"fleet-ask", []string{"--wait=false"}, "y\n", exitDone, "The revocation of 1 SpacesCredential is asked for.\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			s.tool.terminal = func() bool { return c.typed != "" }
			s.tool.In = strings.NewReader(c.typed)
			playRevocations(t, newNamespace(t, c.namespace))
			object := create(t, credential(t, withCode, c.namespace, lentBy("leaked")))
			g.Expect(s.runSteadily(t, c.namespace, append([]string{"revoke", "--client=leaked"}, c.arguments...)...)).To(Equal(c.code), s.err.String())
			g.Expect(s.out.String() + s.err.String()).To(ContainSubstring(c.says))
			g.Expect(requestOf(t, object)).To(Equal(map[bool]string{true: asked}[c.code == exitDone]))
		})
	}
	s := newSession()
	NewWithT(t).Expect(s.run(t.Context(), "default", "revoke", "meeting-bot", "-A")).To(Equal(exitUsage))
}

// A run that was interrupted goes on: those that were asked for in it are not asked for again.
func TestARevocationOfAFleetGoesOnWhereItEnded(t *testing.T) {
	g, s := NewWithT(t), newSession()
	namespace := newNamespace(t, "fleet-goes-on")
	const since = "2026-11-23T11:00:00Z"
	before := create(t, credential(t, withCode, namespace, lentBy("leaked"), func(c *v1alpha1.SpacesCredential) {
		c.Annotations = map[string]string{v1alpha1.AnnotationRevokeRequestedAt: since}
		c.Status.LastHandledRevokeRequest = since
	}))
	playRevocations(t, namespace)
	after := create(t, credential(t, withCode, namespace, named("after"), lentBy("leaked")))
	version := func(c *v1alpha1.SpacesCredential) string {
		now := &v1alpha1.SpacesCredential{}
		g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(c), now)).To(Succeed())
		return now.ResourceVersion
	}
	was := version(before)
	g.Expect(s.runSteadily(t, namespace, "revoke", "--client=leaked", "--since="+since, "--yes")).To(Equal(exitDone), s.err.String())
	g.Expect(version(before)).To(Equal(was), "it was asked for again")
	g.Expect(requestOf(t, after)).To(Equal(since))
	g.Expect(s.out.String()).To(HaveSuffix("Revoked: the grants of 2 of 2 SpacesCredentials.\n"))
}

func TestWhatIsLeftOfAFleetIsNamed(t *testing.T) {
	g, s := NewWithT(t), newSession()
	namespace := newNamespace(t, "fleet-left")
	playRevocations(t, namespace)
	create(t, credential(t, withCode, namespace, lentBy("leaked")))
	create(t, credential(t, withCode, namespace, named("suspended"), lentBy("leaked"), func(c *v1alpha1.SpacesCredential) { c.Spec.Suspend = true }))
	never := create(t, credential(t, withCode, namespace, named("never"), lentBy("leaked"), func(c *v1alpha1.SpacesCredential) {
		c.Finalizers, c.Spec.Revocation = []string{v1alpha1.FinalizerRevoke}, &v1alpha1.Revocation{Policy: v1alpha1.RevocationNever}
	}))
	g.Expect(admin.Delete(t.Context(), never)).To(Succeed())
	g.Expect(s.runSteadily(t, namespace, "revoke", "--client=leaked", "--yes")).To(Equal(exitFailed))
	g.Expect(s.out.String()).To(HaveSuffix("Revoked: the grants of 1 of 3 SpacesCredentials.\n"))
	g.Expect(s.err.String()).To(And(HavePrefix("error: 2 left: fleet-left/never (it is being deleted, and its spec.revocation.policy is Never"),
		ContainSubstring("fleet-left/suspended (it is suspended: the request waits until `kubectl spaces resume suspended -n fleet-left`)"),
		HaveSuffix("To go on: `kubectl spaces revoke --client leaked --since "+asked+" -n fleet-left`\n")))
}

// Without an operator nothing is revoked, and the time is over.
func TestAFleetThatNobodyRevokesIsLeft(t *testing.T) {
	g, s := NewWithT(t), newSession()
	namespace := newNamespace(t, "fleet-late")
	create(t, credential(t, withCode, namespace, lentBy("leaked")))
	g.Expect(s.runSteadily(t, namespace, "revoke", "--client=leaked", "--yes", "--timeout=6s")).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(HavePrefix("error: 1 left: fleet-late/meeting-bot (waits for the operator)."))
}

// Who may annotate some only has those revoked, and reads of the others.
func TestAFleetIsRevokedAsFarAsOneMay(t *testing.T) {
	g, s := NewWithT(t), newSession()
	for _, namespace := range []string{"fleet-may", "fleet-may-not"} {
		playRevocations(t, newNamespace(t, namespace))
		create(t, credential(t, withCode, namespace, lentBy("leaked-to-some")))
	}
	const person = "fleet-person"
	for _, made := range []client.Object{
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: person}, Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: person}},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: viewer}},
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "fleet-may", Name: person}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"spacescredentials"}, Verbs: []string{"patch"}}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "fleet-may", Name: person}, Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: person}},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: person}},
	} {
		g.Expect(admin.Create(t.Context(), made)).To(Succeed())
	}
	code := exitDone
	g.Eventually(func() string { // a right is known a moment after it is given
		s = newSession()
		code = s.runSteadily(t, "default", "revoke", "--client=leaked-to-some", "-A", "--yes", "--as="+person)
		return s.err.String()
	}).WithTimeout(patience).WithPolling(time.Millisecond).Should(HavePrefix("error: 1 left: fleet-may-not/meeting-bot (you may not patch"))
	g.Expect(code).To(Equal(exitFailed))
	g.Expect(s.out.String()).To(HaveSuffix("Revoked: the grants of 1 of 2 SpacesCredentials.\n"))
}
