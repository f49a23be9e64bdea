package main

import (
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// An API server that goes back to a backup of etcd brings back states whose refresh tokens were
// sent since, and the published Secrets that would tell of it went back with them.
//
// A process that lived through it knows the newer documents: it writes them back, and nothing is
// sent twice. Where none did, nobody can tell: the first renewal sends what was sent before, and
// the grant, of which nobody has the newest refresh token any more, ends. docs/backup.md says so.
func TestAnAPIServerThatWentBack(t *testing.T) {
	byTheirOwn(t)
	g := NewWithT(t)
	plane, err := testbed.StartControlPlane(testbed.CRDs)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(plane.Stop()).To(Succeed()) })
	kubernetes, err := testbed.NewClient(plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	kubeconfig, err := testbed.WriteKubeconfig(t.TempDir(), plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	spaces := startSpaces(t)
	environments, err := testbed.WriteEnvironments(t.TempDir(), spaces.Environment("local"))
	g.Expect(err).NotTo(HaveOccurred())
	// Without a lease: a process that cannot renew its own for ten seconds ends, and with it what
	// it knows. A busy machine may take longer to start an API server.
	begin := func() *testbed.Operator {
		command, _, _ := operatorCommand(t, hurried, "--kubeconfig="+kubeconfig, "--environments-file="+environments, "--leader-elect=false")
		return startOperator(t, command)
	}
	at := newTenant(t, kubernetes, spaces, "team")
	at.seed("seed")
	at.apply(at.byPassword("bot"), at.bySeed("seeded", "seed"))
	operator := begin()
	at.awaitReady("bot", "seeded")

	backup := filepath.Join(t.TempDir(), "backup")
	g.Expect(plane.BackUp(backup)).To(Succeed())
	at.put("made-since", nil)
	at.renew("bot", "seeded")
	newest := map[string]string{"bot": at.fingerprint("bot"), "seeded": at.fingerprint("seeded")}

	// Over a process that lives.
	g.Expect(plane.Restore(backup)).To(Succeed())
	g.Expect(at.secret("made-since")).To(BeNil(), "it did not go back")
	for name, fingerprint := range newest {
		at.soon(func(g Gomega) {
			g.Expect(at.fingerprint(name)).To(Equal(fingerprint), "the older token of %s is published", name)
		})
	}
	at.awaitReady("bot", "seeded")
	at.renew("bot", "seeded")
	now := spaces.Ledger()
	g.Expect(now.SentAgainAfterDelivery).To(BeZero(), "a refresh token was sent again")
	g.Expect(now.GrantsDead).To(BeZero())
	g.Expect(now.Calls[fakespaces.OperationPassword]).To(Equal(1), "somebody signed in anew")
	g.Expect(operator.Log()).To(And(ContainSubstring("The API server went back in time"), ContainSubstring("is written anew as this process knows it")))

	// Before a process that is new.
	g.Expect(operator.Stop()).To(Succeed())
	g.Expect(plane.Restore(backup)).To(Succeed())
	begin()
	at.awaitReady("bot", "seeded")
	g.Expect(spaces.Ledger()).To(Equal(now), "nothing was due")
	at.renew("bot")
	at.ask("seeded")
	at.awaitStalled("seeded", v1alpha1.ReasonReauthorizationRequired)
	then := spaces.Ledger()
	g.Expect(then.SentAgainAfterDelivery).To(Equal(2), "that of each, once")
	g.Expect(then.DeadReasons).To(Equal(map[string]int{fakespaces.ReasonReuseDetected: 2}))
	g.Expect(then.Calls[fakespaces.OperationPassword]).To(Equal(2), "one signs in anew, the other waits for a person")
	g.Expect(then.GrantsLive).To(Equal(1))
}
