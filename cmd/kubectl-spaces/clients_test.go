package main

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// Whose tokens end when a client is changed? Each client is a line, wherever it is used.
func TestClientsTellsWhoUsesWhich(t *testing.T) {
	g := NewWithT(t)
	namespace := newNamespace(t, "clients")
	create(t, credential(t, withPassword, namespace, published))
	create(t, credential(t, withPassword, namespace, named("second"), published, func(c *v1alpha1.SpacesCredential) {
		c.Status.Conditions = nil
		condition(v1alpha1.ConditionReady, "False", v1alpha1.ReasonExpired, "It expired.")(c)
	}))
	create(t, credential(t, withCode, namespace, named("lent"), func(c *v1alpha1.SpacesCredential) {
		c.Spec.ClientSecretRef, c.Spec.ClientRef = nil, &v1alpha1.ClientReference{Kind: v1alpha1.ClientKindCluster, Name: "corporate"}
	}))
	create(t, credential(t, asGuest, namespace, named("guest")))
	for golden, arguments := range map[string][]string{"clients": {"clients"}, "clients_wide": {"clients", "-o", "wide"}} {
		s := newSession()
		s.tool.width = func() int { return 80 }
		g.Expect(s.run(t.Context(), namespace, arguments...)).To(Equal(exitDone), s.err.String())
		expectGolden(t, golden, s.out.String())
	}

	unused := &v1alpha1.ClusterSpacesClient{}
	unused.Name, unused.Spec.Environment, unused.Spec.SecretRef.Name = "unused", "staging", "unused"
	g.Expect(admin.Create(t.Context(), unused)).To(Succeed())
	t.Cleanup(func() { g.Expect(admin.Delete(context.Background(), unused)).To(Succeed()) })
	s := newSession()
	g.Expect(s.run(t.Context(), namespace, "clients", "-A")).To(Equal(exitDone), s.err.String())
	g.Expect(s.out.String()).To(MatchRegexp(`(?m)^- +staging +ClusterSpacesClient unused +0/0 +-$`))
	s = newSession()
	g.Expect(s.run(t.Context(), namespace, "clients", "-A", "--as="+viewer)).To(Equal(exitDone), s.err.String())
	g.Expect(s.out.String()).To(And(ContainSubstring("clients/lent"), Not(ContainSubstring("unused"))))

	s = newSession()
	g.Expect(s.run(t.Context(), newNamespace(t, "clients-none"), "clients")).To(Equal(exitDone))
	g.Expect(s.err.String()).To(Equal("There is no SpacesCredential in namespace \"clients-none\"; -A lists those of all.\n"))
}
