package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	// mostMemory is what an operator may need at its peak, in MiB, whatever tenants do.
	mostMemory = 120
	// forgedAtOnce is how many states of 1 MiB a tenant makes by hand: more than are looked at
	// side by side.
	forgedAtOnce = 15
)

// Whatever a tenant writes into its namespace is its own loss: the operator serves the others as
// before and out of its usual memory, and sends nothing for what was forged, put back or copied.
func TestWhatATenantForgesIsItsOwnLoss(t *testing.T) {
	byTheirOwn(t)
	g := NewWithT(t)
	kubernetes, kubeconfig := connected(t)
	spaces := startSpaces(t)
	environments, err := testbed.WriteEnvironments(t.TempDir(), spaces.Environment("local"))
	g.Expect(err).NotTo(HaveOccurred())
	command, _, _ := operatorCommand(t, punctual, "--kubeconfig="+kubeconfig, "--environments-file="+environments)
	operator := startOperator(t, command)
	settle := func(namespace string) tenant {
		at := newTenant(t, kubernetes, spaces, namespace)
		t.Cleanup(at.leave)
		return at
	}

	honest := []tenant{settle("honest-1"), settle("honest-2")}
	for _, at := range honest {
		at.seed("seed")
		at.apply(at.byPassword("bot"), at.bySeed("seeded", "seed"))
		at.awaitReady("bot", "seeded")
	}
	before := peakMemory(t, operator)
	got := map[string]func(Gomega){}
	for name, act := range map[string]func(tenant) func(Gomega){
		"forger": forgeManyEntries, "debtor": forgeRevocations, "rewinder": putBack, "restorer": restorePublished,
		"cloner": cloneInPlace, "mover": cloneElsewhere, "emigrant": cloneUnderAnotherKey,
	} {
		got[name] = act(settle(name))
		for _, at := range honest {
			for _, credential := range []string{"bot", "seeded"} {
				g.Expect(spaces.TokenWorks(at.token(credential))).To(BeTrue(), "%s in %s, after the %s", credential, at.namespace, name)
			}
		}
	}
	for _, at := range honest {
		at.renew("bot", "seeded")
	}
	for name, gets := range got {
		t.Logf("what the %s gets", name)
		honest[0].soon(gets)
	}

	for _, at := range honest {
		g.Expect(at.grants()).To(ConsistOf(
			And(HaveField("State", fakespaces.GrantLive), HaveField("Origin", "password"), HaveField("TokensIssued", 2)),
			And(HaveField("State", fakespaces.GrantLive), HaveField("Origin", "seed"), HaveField("TokensIssued", 2)),
		), "%s signs in once", at.namespace)
	}
	ledger := spaces.Ledger()
	g.Expect(ledger.SentAgainAfterDelivery).To(BeZero())
	g.Expect(ledger.Calls[fakespaces.OperationRevoke]).To(BeZero(), "what was forged was revoked")
	needed := peakMemory(t, operator)
	t.Logf("the operator needed %d MiB before, and %d at its peak", before, needed)
	g.Expect(needed).To(BeNumerically("<", mostMemory))
}

// forgeManyEntries makes states of 1 MiB, for no credential and in the way of one, and deletes
// most of them.
func forgeManyEntries(at tenant) func(Gomega) {
	const begin, entry, end = `{"version":1,"credentialUID":"x","pending":[`, "{},", "{}]}"
	content := []byte(begin + strings.Repeat(entry, (1<<20-len(begin)-len(end))/len(entry)) + end)
	for i := range forgedAtOnce {
		at.forge(fmt.Sprintf("ghost-%d", i), content)
	}
	at.forge("bot", content)
	at.apply(at.byPassword("bot"))
	at.awaitStalled("bot", v1alpha1.ReasonStateUnreadable)
	for i := range forgedAtOnce {
		at.deleteState(fmt.Sprintf("ghost-%d", i))
	}
	return func(g Gomega) {
		for i := range forgedAtOnce {
			g.Expect(at.state(fmt.Sprintf("ghost-%d", i))).To(BeNil(), "it holds its namespace")
		}
		g.Expect(at.grants()).To(BeEmpty(), "the operator signed in beside a state that it cannot read")
	}
}

// forgeRevocations asks for thousands of revocations whose time was over long ago, in a state of
// its own credential and in one that it deletes.
func forgeRevocations(at tenant) func(Gomega) {
	at.apply(at.byPassword("bot"))
	at.awaitReady("bot")
	entry := fmt.Sprintf(`{"grantID":"x","environment":"local","accountsURL":%q,"clientID":%q,"refreshToken":%q,`+
		`"notBefore":"2020-01-01T00:00:00Z","tokenExpirationTime":"2020-01-01T00:00:00Z","giveUpTime":"2020-01-01T00:00:00Z"}`,
		at.spaces.URL, tenantClientID, at.spaces.IssueGrant(tenantClientID, at.user()))
	content := []byte(fmt.Sprintf(`{"version":1,"credentialUID":%q,"claims":99,"revocation":{"policy":"OnDelete","deadlineSeconds":-1000000},"pending":[`,
		at.credential("bot").UID) + strings.Repeat(entry+",", 3000) + entry + "]}")
	at.replaceState("bot", content)
	at.forge("left", content)
	at.deleteState("left")
	return func(g Gomega) {
		g.Expect(at.state("left")).To(BeNil(), "it holds its namespace")
		g.Expect(len(at.state("bot"))).To(BeNumerically("<", len(content)/10), "the process did not write back what it knows")
		g.Expect(at.grants()).To(HaveEach(HaveField("State", fakespaces.GrantLive)))
	}
}

// putBack writes an old state over the one that came of a renewal.
func putBack(at tenant) func(Gomega) {
	at.seed("seed")
	at.apply(at.bySeed("seeded", "seed"))
	at.awaitReady("seeded")
	old := at.state("seeded")
	at.renew("seeded")
	newest := at.fingerprint("seeded")
	at.replaceState("seeded", old)
	return func(g Gomega) {
		g.Expect(bytes.Equal(at.state("seeded"), old)).To(BeFalse(), "the old document is still there")
		g.Expect(at.fingerprint("seeded")).To(Equal(newest))
	}
}

// restorePublished brings back a published Secret whose credential is dead, and then one of that
// name.
func restorePublished(at tenant) func(Gomega) {
	dead := at.in("bot")
	dead.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelSecret: v1alpha1.SecretPublished}
	dead.Annotations = map[string]string{v1alpha1.AnnotationCredential: "bot", v1alpha1.AnnotationCredentialUID: "dead"}
	dead.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "SpacesCredential", Name: "bot", UID: "dead", Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
	}}
	at.apply(&corev1.Secret{ObjectMeta: dead, StringData: map[string]string{v1alpha1.KeyAccessToken: "of-then"}}, at.byPassword("bot"))
	return func(g Gomega) {
		g.Expect(at.spaces.TokenWorks(at.token("bot"))).To(BeTrue())
		g.Expect(at.secret("bot").OwnerReferences).To(ConsistOf(HaveField("UID", at.credential("bot").UID)))
	}
}

// cloneInPlace brings back a credential and its state where they were, as in a second cluster
// that has the same key.
func cloneInPlace(at tenant) func(Gomega) {
	cloned, livesOn := at.original()
	state := at.state("seeded")
	at.delete(cloned.DeepCopy())
	at.soon(func(g Gomega) { g.Expect(at.state("seeded")).To(BeNil()) })
	at.forge("seeded", state)
	at.apply(cloned)
	at.awaitStalled("seeded", v1alpha1.ReasonReauthorizationRequired)
	return livesOn
}

// cloneElsewhere copies them, and the seed, to another namespace.
func cloneElsewhere(at tenant) func(Gomega) {
	cloned, livesOn := at.original()
	elsewhere := at.neighbour("elsewhere")
	elsewhere.apply(&corev1.Secret{ObjectMeta: at.in("seed"), Data: at.secret("seed").Data})
	elsewhere.forge("seeded", at.state("seeded"))
	elsewhere.apply(cloned)
	elsewhere.awaitStalled("seeded", v1alpha1.ReasonStateUnreadable)
	elsewhere.deleteState("seeded")
	elsewhere.awaitStalled("seeded", v1alpha1.ReasonReauthorizationRequired)
	return livesOn
}

// cloneUnderAnotherKey does it with a state that is sealed with a key that is not there, as in a
// second cluster. Nobody waits for the key: the credential gives no time for it.
func cloneUnderAnotherKey(at tenant) func(Gomega) {
	cloned, livesOn := at.original()
	state, key := at.state("seeded"), []byte(`"key":"`)
	copy(state[bytes.Index(state, key)+len(key):], strings.Repeat("0", 32))
	abroad := at.neighbour("abroad")
	abroad.apply(&corev1.Secret{ObjectMeta: at.in("seed"), Data: at.secret("seed").Data})
	abroad.forge("seeded", state)
	abroad.apply(cloned)
	abroad.deleteState("seeded")
	abroad.awaitStalled("seeded", v1alpha1.ReasonReauthorizationRequired)
	return livesOn
}

// original is a credential with a grant from a seed, for a clone: as it was applied, and what
// must come of its grant. Its policy leaves that alone when it is deleted.
func (at tenant) original() (cloned *v1alpha1.SpacesCredential, livesOn func(Gomega)) {
	at.t.Helper()
	at.seed("seed")
	cloned = at.bySeed("seeded", "seed")
	cloned.Spec.Revocation = &v1alpha1.Revocation{Policy: v1alpha1.RevocationNever, DeadlineSeconds: ptr.To[int32](0)}
	at.apply(cloned.DeepCopy())
	at.awaitReady("seeded")
	token := at.token("seeded")
	return cloned, func(g Gomega) {
		g.Expect(at.grants()).To(ConsistOf(And(HaveField("State", fakespaces.GrantLive), HaveField("Refreshes", 1))), "the seed of the original was sent")
		g.Expect(at.spaces.TokenWorks(token)).To(BeTrue(), "the original was logged out")
	}
}

// neighbour is another namespace of the tenant.
func (at tenant) neighbour(namespace string) tenant {
	at.t.Helper()
	next := newTenant(at.t, at.kubernetes, at.spaces, namespace)
	at.t.Cleanup(next.leave)
	return next
}

// forge makes a state by hand.
func (at tenant) forge(name string, content []byte) {
	at.t.Helper()
	state := at.in(name + v1alpha1.GrantSecretSuffix)
	state.Finalizers = []string{v1alpha1.FinalizerGrant}
	state.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelSecret: v1alpha1.SecretGrant}
	at.apply(&corev1.Secret{ObjectMeta: state, Type: v1alpha1.SecretTypeGrantState, Data: map[string][]byte{v1alpha1.StateKey: content}})
}

// state is what a state Secret holds; nil where there is none.
func (at tenant) state(name string) []byte {
	at.t.Helper()
	if secret := at.secret(name + v1alpha1.GrantSecretSuffix); secret != nil {
		return secret.Data[v1alpha1.StateKey]
	}
	return nil
}

// replaceState writes over what is there, as kubectl replace does.
func (at tenant) replaceState(name string, content []byte) {
	at.t.Helper()
	secret := at.secret(name + v1alpha1.GrantSecretSuffix)
	secret.ResourceVersion, secret.Data = "", map[string][]byte{v1alpha1.StateKey: content}
	NewWithT(at.t).Expect(at.kubernetes.Update(at.t.Context(), secret)).To(Succeed())
}

// deleteState is the emergency stop.
func (at tenant) deleteState(name string) {
	at.t.Helper()
	at.delete(&corev1.Secret{ObjectMeta: at.in(name + v1alpha1.GrantSecretSuffix)})
}

// grants are those of the tenant's user at the service.
func (at tenant) grants() (all []fakespaces.GrantRecord) {
	for _, grant := range at.spaces.Ledger().Grants {
		if grant.User == at.user() {
			all = append(all, grant)
		}
	}
	return all
}

// peakMemory is the largest resident size that an operator had so far, in MiB; 0 where the
// system does not tell it.
func peakMemory(t *testing.T, operator *testbed.Operator) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", operator.ID()))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return kib >> 10
}
