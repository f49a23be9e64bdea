package charts

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// Several releases share the SpacesCredentials as docs/sizing.md says: the policies are those of one,
// which knows the account of the other. It is the other whose operator works here.
func TestReleasesShareTheSpacesCredentials(t *testing.T) {
	g := NewWithT(t)
	createNamespaces(t)
	spaces := startSpaces(t)
	const second = "shard-1-" + chart
	one, two := valuesFor(spaces), valuesFor(spaces)
	one["watch"] = values{"labelSelector": v1alpha1.LabelShard + " notin (1)"}
	one["policies"] = values{"operatorAccounts": []string{"system:serviceaccount:" + namespace + ":" + second + "-controller-manager"}}
	two["watch"] = values{"labelSelector": v1alpha1.LabelShard + "=1"}
	two["policies"], two["crds"] = values{"enabled": false}, values{"enabled": false}
	mustCall(t, "install", release, chart, "-f", file(t, one))
	t.Cleanup(func() { mustCall(t, "uninstall", release) })
	mustCall(t, "install", "shard-1", chart, "-f", file(t, two))
	t.Cleanup(func() { mustCall(t, "uninstall", "shard-1") })

	started := startRelease(t, second)
	credential := bot("team-a")
	credential.Labels = map[string]string{v1alpha1.LabelShard: "1"}
	makeReady(t, started, credential)

	g.Expect(plane.kubernetes.Delete(t.Context(), credential)).To(Succeed())
	expectGone(t, credential)
	g.Expect(spaces.Ledger().GrantsLive).To(BeZero())
}
