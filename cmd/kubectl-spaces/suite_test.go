package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// update makes the tests write what they see: go test ./cmd/kubectl-spaces -update.
var update = flag.Bool("update", false, "write the golden files under testdata anew")

var (
	// admin is a client with every right, the hand of operator and platform team.
	admin client.WithWatch
	// kubeconfig is a file that reaches the control plane with every right.
	kubeconfig string
)

// noon is the time of every test.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// patience bounds waits for what another goroutine does on the real API server.
const patience = 20 * time.Second

// viewer may read SpacesCredentials and nothing else.
const viewer = "viewer"

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := withControlPlane(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// withControlPlane runs the tests against a real API server.
func withControlPlane(m *testing.M) (code int, err error) {
	plane, err := testbed.StartControlPlane(testbed.CRDs)
	if err != nil {
		return 1, err
	}
	defer func() {
		if stopErr := plane.Stop(); err == nil && stopErr != nil {
			err = stopErr
		}
	}()
	folder, err := os.MkdirTemp("", "kubectl-spaces-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if kubeconfig, err = testbed.WriteKubeconfig(folder, plane.Config); err != nil {
		return 1, err
	}
	// By flag it would stand in every remedy.
	if err := os.Setenv("KUBECONFIG", kubeconfig); err != nil {
		return 1, err
	}
	if admin, err = testbed.NewClient(plane.Config); err != nil {
		return 1, err
	}
	if err := admitViewer(context.Background()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// admitViewer lets a user read SpacesCredentials, and no Secret.
func admitViewer(ctx context.Context) error {
	meta := metav1.ObjectMeta{Name: viewer}
	if err := admin.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"spacescredentials"}, Verbs: []string{"get", "list"},
	}}}); err != nil {
		return err
	}
	return admin.Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta,
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: viewer}},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: viewer},
	})
}

// expectMay waits until the API server knows of a right that was given: it looks at rights as they
// were a moment ago.
func expectMay(t *testing.T, user, namespace, verb, group, resource string) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: group, Resource: resource}}}
		g.Expect(admin.Create(t.Context(), review)).To(Succeed())
		g.Expect(review.Status.Allowed).To(BeTrue(), "%s is to %s %s", user, verb, resource)
	}).WithTimeout(patience).Should(Succeed())
}

// newNamespace makes a namespace for one test. Nothing in it is looked at by any
// other, so it stays.
func newNamespace(t *testing.T, name string) string {
	t.Helper()
	NewWithT(t).Expect(admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	return name
}

// The smallest object of each grant.
const (
	withPassword = `
apiVersion: auth.spaces-operator.io/v1alpha1
kind: SpacesCredential
metadata: {name: meeting-bot}
spec:
  environment: staging
  clientSecretRef: {name: spaces-client}
  grantType: Password
  password: {secretRef: {name: bot-login}}
  secretName: meeting-bot-token
`
	withRefreshToken = `
apiVersion: auth.spaces-operator.io/v1alpha1
kind: SpacesCredential
metadata: {name: meeting-bot}
spec:
  clientSecretRef: {name: spaces-client}
  grantType: RefreshToken
  refreshToken: {secretRef: {name: seed}}
  secretName: meeting-bot-token
`
	withCode = `
apiVersion: auth.spaces-operator.io/v1alpha1
kind: SpacesCredential
metadata: {name: meeting-bot}
spec:
  clientSecretRef: {name: spaces-client}
  grantType: AuthorizationCode
  authorizationCode: {secretRef: {name: meeting-bot-login}, redirectURI: http://localhost:3000}
  secretName: meeting-bot-token
`
	asGuest = `
apiVersion: auth.spaces-operator.io/v1alpha1
kind: SpacesCredential
metadata: {name: meeting-bot}
spec:
  grantType: Anonymous
  anonymous: {}
  secretName: meeting-bot-token
`
)

// credential reads YAML and lets a test change it.
func credential(t *testing.T, source, namespace string, edits ...func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential {
	t.Helper()
	result := &v1alpha1.SpacesCredential{}
	NewWithT(t).Expect(yaml.UnmarshalStrict([]byte(source), result)).To(Succeed())
	result.Namespace = namespace
	for _, edit := range edits {
		edit(result)
	}
	return result
}

// create stores a SpacesCredential together with its status.
func create(t *testing.T, c *v1alpha1.SpacesCredential) *v1alpha1.SpacesCredential {
	t.Helper()
	g := NewWithT(t)
	status := c.Status
	g.Expect(admin.Create(t.Context(), c)).To(Succeed())
	c.Status = status
	if len(status.Conditions) > 0 {
		g.Expect(admin.Status().Update(t.Context(), c)).To(Succeed())
	}
	return c
}

// named gives an object another name.
func named(name string) func(*v1alpha1.SpacesCredential) {
	return func(c *v1alpha1.SpacesCredential) { c.Name = name }
}

// condition sets a condition of the first generation.
func condition(kind string, status metav1.ConditionStatus, reason, message string) func(*v1alpha1.SpacesCredential) {
	return func(c *v1alpha1.SpacesCredential) {
		c.Status.ObservedGeneration = 1
		c.Status.Conditions = append(c.Status.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: 1, LastTransitionTime: at(-time.Hour),
		})
	}
}

// at is a time from noon on.
func at(after time.Duration) metav1.Time { return metav1.NewTime(noon.Add(after)) }

// atp is at, as status wants it.
func atp(after time.Duration) *metav1.Time { then := at(after); return &then }

// published makes the status of a credential whose token was renewed eight minutes
// ago and has 52 left.
func published(c *v1alpha1.SpacesCredential) {
	condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewed, `The token in Secret "meeting-bot-token" was renewed and is valid.`)(c)
	condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonIssued, "This generation has been realised.")(c)
	condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonIssued, "Nobody needs to act.")(c)
	condition(v1alpha1.ConditionGrantValid, metav1.ConditionTrue, v1alpha1.ReasonRenewed, "The service renewed the grant.")(c)
	c.Status.Environment, c.Status.SecretName = c.EffectiveEnvironment(), c.EffectiveSecretName()
	c.Status.ClientID = "6702b20d"
	c.Status.Identity = &v1alpha1.Identity{Username: "bot@example.test", UserID: "5f0c"}
	c.Status.Token = &v1alpha1.TokenStatus{Fingerprint: "5f0c9a1be2d4", ObtainedBy: v1alpha1.GrantTypeRefreshToken,
		IssueTime: atp(-8 * time.Minute), RenewalTime: atp(31 * time.Minute), ExpirationTime: atp(52 * time.Minute)}
	c.Status.Grant = &v1alpha1.GrantStatus{Present: true, Rotations: 41, StartTime: atp(-50 * time.Hour)}
}

// waitingFor makes the status of a credential that was never published because of
// something that a person must mend, or not.
func waitingFor(reason, message string, person bool) func(*v1alpha1.SpacesCredential) {
	return func(c *v1alpha1.SpacesCredential) {
		stalled, reconciling, reasonStalled, messageStalled := metav1.ConditionFalse, metav1.ConditionTrue, v1alpha1.ReasonIssued, "Nobody needs to act."
		if person {
			stalled, reconciling, reasonStalled, messageStalled = metav1.ConditionTrue, metav1.ConditionFalse, reason, message
		}
		condition(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)(c)
		condition(v1alpha1.ConditionReconciling, reconciling, reason, message)(c)
		condition(v1alpha1.ConditionStalled, stalled, reasonStalled, messageStalled)(c)
		condition(v1alpha1.ConditionGrantValid, metav1.ConditionFalse, reason, "There is no grant yet.")(c)
	}
}

// session is one command line and what came of it.
type session struct {
	tool     *tool
	clock    *clocktesting.FakeClock
	out, err bytes.Buffer
}

// newSession is a tool with a fixed clock, known randomness and nobody at the
// terminal.
func newSession() *session {
	s := &session{clock: clocktesting.NewFakeClock(noon)}
	s.tool = &tool{
		IOStreams:   genericiooptions.IOStreams{In: strings.NewReader(""), Out: &s.out, ErrOut: &s.err},
		config:      genericclioptions.NewConfigFlags(true),
		clock:       s.clock,
		random:      strings.NewReader(strings.Repeat("chance by design", 16)),
		openBrowser: func(_, _ string) error { return io.ErrUnexpectedEOF },
		listenOn:    net.Listen,
		http:        &http.Client{CheckRedirect: refuseRedirect},
		terminal:    func() bool { return false },
		width:       func() int { return 0 },
		version:     "v0.0.0-test",
	}
	return s
}

// run executes a command line in a namespace and returns the exit code.
func (s *session) run(ctx context.Context, namespace string, arguments ...string) int {
	return run(ctx, append(arguments, "--namespace="+namespace), s.tool)
}

// expectGolden compares what was printed with a file under testdata.
func expectGolden(t *testing.T, name, got string) {
	t.Helper()
	g := NewWithT(t)
	path := filepath.Join("testdata", name+".golden")
	if *update {
		g.Expect(os.WriteFile(path, []byte(got), 0o644)).To(Succeed())
	}
	want, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred(), "go test ./cmd/kubectl-spaces -update writes it")
	g.Expect(got).To(Equal(string(want)), path)
}
