package main

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// A status stays as its operator left it: the clock says what is late.
func TestWhatIsOverdueIsSaid(t *testing.T) {
	later := func(by time.Duration) func(*v1alpha1.SpacesCredential) {
		return func(c *v1alpha1.SpacesCredential) {
			published(c)
			for _, then := range []*metav1.Time{c.Status.Token.IssueTime, c.Status.Token.RenewalTime, c.Status.Token.ExpirationTime} {
				then.Time = then.Add(-by)
			}
		}
	}
	for sentence, c := range map[string]struct {
		edit func(*v1alpha1.SpacesCredential)
		says string
	}{
		"a token that lives":              {published, ""},
		"a renewal that just came due":    {later(37 * time.Minute), ""},
		"a renewal that did not come":     {later(38 * time.Minute), "The renewal was due 7m ago (2026-11-23T11:53:00Z), and has not come"},
		"a token that expired in silence": {later(time.Hour), "The token expired 8m ago (2026-11-23T11:52:00Z), and nobody has said so"},
		"one that is suspended":           {func(c *v1alpha1.SpacesCredential) { later(38 * time.Minute)(c); c.Spec.Suspend = true }, ""},
		"one that is suspended, expired":  {func(c *v1alpha1.SpacesCredential) { later(time.Hour)(c); c.Spec.Suspend = true }, "The token expired 8m ago (2026-11-23T11:52:00Z), and nobody has said so"},
		"a renewal that is told to fail": {func(c *v1alpha1.SpacesCredential) {
			renewalFails(c)
			c.Status.Token.RenewalTime = atp(-8 * time.Minute)
		}, ""},
		"an attempt that did not come": {func(c *v1alpha1.SpacesCredential) { renewalFails(c); c.Status.NextAttemptTime = atp(-7 * time.Minute) }, "The next attempt was due 7m ago (2026-11-23T11:53:00Z), and has not come"},
		"one that waits for a person":  {waitingFor(v1alpha1.ReasonAuthorizationPending, "Nobody has signed in yet.", true), ""},
		"one that is being deleted":    {func(c *v1alpha1.SpacesCredential) { later(time.Hour)(c); c.DeletionTimestamp = atp(0) }, ""},
	} {
		if got := overdue(credential(t, withPassword, "anywhere", c.edit), noon); got != c.says {
			t.Errorf("%s: %q", sentence, got)
		}
	}
}

// With an operator that is gone no command says that all is well.
func TestWithoutAnOperatorNothingIsSaidToBeWell(t *testing.T) {
	g := NewWithT(t)
	namespace := newNamespace(t, "silent")
	object := create(t, credential(t, withPassword, namespace, published))
	clientSecret(t, namespace)
	publish(t, object)
	in := func(after time.Duration, arguments ...string) string {
		t.Helper()
		s := newSession()
		s.clock.SetTime(noon.Add(after))
		g.Expect(s.run(t.Context(), namespace, arguments...)).To(Equal(exitDone), s.err.String())
		return s.out.String()
	}
	g.Expect(in(40*time.Minute, "list")).To(And(ContainSubstring("True   RenewalFailing"), ContainSubstring("The renewal was due 9m ago")))
	holdLease(t, namespace, 2*time.Minute)
	const gone = ": no operator is running (the lease silent/a-shard was renewed last at 2026-11-23T11:58:00Z)."
	g.Expect(in(time.Hour, "list", "-o", "wide")).To(And(ContainSubstring("False  Expired"), ContainSubstring("over"), ContainSubstring("and nobody has said so"+gone)))
	g.Expect(in(time.Hour, "status", object.Name)).To(And(ContainSubstring("False (Expired)"), ContainSubstring(gone)))
	g.Expect(in(time.Hour, "explain", object.Name)).To(And(ContainSubstring("nobody has said so"+gone), ContainSubstring("What to do about 3: see whether the operator runs")))
	g.Expect(in(0, "list")).To(And(ContainSubstring("True"), Not(ContainSubstring("operator"))))
	g.Expect(in(time.Hour, "list", "-o", "wide", "--as="+viewer)).To(ContainSubstring("and nobody has said so: is the operator running?"))
}

// An operator that is there and has not acted is named: its log may say why.
func TestAnOperatorThatDoesNotActIsNamed(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withPassword, newNamespace(t, "idle"), published))
	holdLease(t, object.Namespace, -time.Hour)
	s.clock.SetTime(noon.Add(time.Hour))
	g.Expect(s.run(t.Context(), object.Namespace, "status", object.Name)).To(Equal(exitDone))
	g.Expect(s.out.String()).To(ContainSubstring("the operator that holds the lease idle/a-shard has not acted, see its log."))
}
