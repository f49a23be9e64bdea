package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// several stores credentials in several states of health.
func several(t *testing.T, namespace string) {
	t.Helper()
	create(t, credential(t, withPassword, namespace, published, func(c *v1alpha1.SpacesCredential) { c.Labels = map[string]string{"team": namespace} }))
	create(t, credential(t, withRefreshToken, namespace, named("newcomer"), func(c *v1alpha1.SpacesCredential) { c.Spec.SecretName = "" }))
	create(t, credential(t, withRefreshToken, namespace, named("failing"), published, func(c *v1alpha1.SpacesCredential) {
		c.Status.Conditions = nil
		condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRenewalFailing,
			"The published token is still valid, but its renewal is held up. The service refused the client.")(c)
		condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonClientRejected, "The operator is not working on this object. The service refused the client.")(c)
		condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientRejected, "The service refused the client.")(c)
		condition(v1alpha1.ConditionGrantValid, metav1.ConditionTrue, v1alpha1.ReasonRenewed, "The service renewed the grant.")(c)
		c.Status.FailedAttempts, c.Status.NextAttemptTime = 3, atp(40*time.Second)
		c.Status.PendingRevocations = 1
	}))
	create(t, credential(t, withCode, namespace, named("waiting"), waitingFor(v1alpha1.ReasonAuthorizationPending,
		"Nobody has signed in yet.\x1b[31m Run kubectl spaces login.", true)))
}

func TestListTellsHowCredentialsFare(t *testing.T) {
	namespace := newNamespace(t, "list")
	several(t, namespace)
	for sentence, c := range map[string]struct {
		arguments []string
		golden    string
	}{
		"of a namespace":        {[]string{"list"}, "list"},
		"by its short name":     {[]string{"ls"}, "list"},
		"with more columns":     {[]string{"list", "-o", "wide"}, "list_wide"},
		"of those with a label": {[]string{"list", "-l", "team=list"}, "list_selector"},
		"of all namespaces":     {[]string{"list", "-A", "-l", "team=list"}, "list_all"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newSession()
			NewWithT(t).Expect(s.run(t.Context(), namespace, c.arguments...)).To(Equal(exitDone), s.err.String())
			expectGolden(t, c.golden, s.out.String())
		})
	}
}

func TestListFitsATerminal(t *testing.T) {
	namespace := newNamespace(t, "list-narrow")
	several(t, namespace)
	for _, width := range []int{80, 120, 40} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			s.tool.width = func() int { return width }
			g.Expect(s.run(t.Context(), namespace, "list")).To(Equal(exitDone), s.err.String())
			for line := range strings.Lines(s.out.String()) {
				g.Expect(utf8.RuneCountInString(strings.TrimSuffix(line, "\n"))).To(BeNumerically("<=", width), line)
			}
			expectGolden(t, fmt.Sprintf("list_at_%d", width), s.out.String())
		})
	}
}

func TestListPrintsNames(t *testing.T) {
	namespace := newNamespace(t, "list-names")
	several(t, namespace)
	g, s := NewWithT(t), newSession()
	g.Expect(s.run(t.Context(), namespace, "list", "-o", "name")).To(Equal(exitDone), s.err.String())
	names := strings.Fields(s.out.String())
	g.Expect(names).To(HaveExactElements("spacescredential.auth.spaces-operator.io/failing", "spacescredential.auth.spaces-operator.io/meeting-bot",
		"spacescredential.auth.spaces-operator.io/newcomer", "spacescredential.auth.spaces-operator.io/waiting"))
	for _, name := range append(names, "spcred/failing") {
		g.Expect(newSession().run(t.Context(), namespace, "status", name)).To(Equal(exitDone), name)
	}
	for _, name := range []string{"secret/failing", "spcred/", "/failing", "a/b/c"} {
		s := newSession()
		g.Expect(s.run(t.Context(), namespace, "status", name)).To(Equal(exitUsage), name)
		g.Expect(s.err.String()).To(HavePrefix(fmt.Sprintf("error: %q names no SpacesCredential: give its name alone, or behind spcred/\n", name)))
	}
}

func TestListGoesOnWithWhatChanges(t *testing.T) {
	g, s := NewWithT(t), newSession()
	namespace := newNamespace(t, "list-watch")
	first := create(t, credential(t, withPassword, namespace, published))
	rows := make(chan string, 16)
	s.tool.Out = lineWriter(rows)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- s.run(ctx, namespace, "list", "-w") }()
	g.Eventually(rows).WithTimeout(patience).Should(Receive(HavePrefix("NAME  ")))
	g.Eventually(rows).WithTimeout(patience).Should(Receive(HavePrefix("meeting-bot  True   Renewed")))
	create(t, credential(t, withRefreshToken, namespace, named("newcomer"), func(c *v1alpha1.SpacesCredential) { c.Spec.SecretName = "" }))
	g.Eventually(rows).WithTimeout(patience).Should(Receive(HavePrefix("newcomer     -      -  ")))
	first.Status.Conditions[0].Reason = v1alpha1.ReasonIssued
	g.Expect(admin.Status().Update(t.Context(), first)).To(Succeed())
	g.Eventually(rows).WithTimeout(patience).Should(Receive(HavePrefix("meeting-bot  True   Issued ")))
	cancel()
	g.Eventually(ended).WithTimeout(patience).Should(Receive(Equal(exitDone)))
}

// lineWriter hands on each line.
type lineWriter chan string

func (w lineWriter) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		w <- line
	}
	return len(text), nil
}

func TestListPrintsObjects(t *testing.T) {
	namespace := newNamespace(t, "list-objects")
	several(t, namespace)
	for sentence, c := range map[string]struct {
		form string
		read func([]byte, any) error
	}{
		"as JSON": {"json", json.Unmarshal},
		"as YAML": {"yaml", func(data []byte, into any) error { return yaml.UnmarshalStrict(data, into) }},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			g.Expect(s.run(t.Context(), namespace, "list", "-o", c.form)).To(Equal(exitDone), s.err.String())
			found := &v1alpha1.SpacesCredentialList{}
			g.Expect(c.read(s.out.Bytes(), found)).To(Succeed())
			g.Expect(found.Kind).To(Equal("SpacesCredentialList"))
			g.Expect(found.Items).To(HaveLen(4))
			g.Expect(found.Items[0].Kind).To(Equal("SpacesCredential"))
			g.Expect(found.Items[0].ManagedFields).To(BeEmpty())
		})
	}
}

func TestListSaysThatThereIsNothing(t *testing.T) {
	g, s := NewWithT(t), newSession()
	g.Expect(s.run(t.Context(), "default", "list")).To(Equal(exitDone))
	g.Expect(s.out.String()).To(BeEmpty())
	g.Expect(s.err.String()).To(Equal("There is no SpacesCredential in namespace \"default\"; -A lists those of all.\n"))
}

func TestStatusTellsAllOfOne(t *testing.T) {
	namespace := newNamespace(t, "status")
	several(t, namespace)
	for sentence, c := range map[string]struct {
		arguments []string
		golden    string
	}{
		"of one that is well":              {[]string{"meeting-bot"}, "status_well"},
		"with more lines":                  {[]string{"meeting-bot", "-o", "wide"}, "status_wide"},
		"of one that fails with life left": {[]string{"failing"}, "status_failing"},
		"of one that waits for a person":   {[]string{"waiting"}, "status_waiting"},
		"of one nobody looked at":          {[]string{"newcomer"}, "status_newcomer"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newSession()
			NewWithT(t).Expect(s.run(t.Context(), namespace, append([]string{"status"}, c.arguments...)...)).To(Equal(exitDone), s.err.String())
			expectGolden(t, c.golden, s.out.String())
		})
	}
}

func TestStatusPrintsTheObject(t *testing.T) {
	g, s := NewWithT(t), newSession()
	namespace := newNamespace(t, "status-object")
	create(t, credential(t, withPassword, namespace, published))
	g.Expect(s.run(t.Context(), namespace, "status", "meeting-bot", "-o", "yaml")).To(Equal(exitDone), s.err.String())
	found := &v1alpha1.SpacesCredential{}
	g.Expect(yaml.UnmarshalStrict(s.out.Bytes(), found)).To(Succeed())
	g.Expect(found.Kind).To(Equal("SpacesCredential"))
	g.Expect(found.Status.Token.Fingerprint).To(Equal("5f0c9a1be2d4"))
}
