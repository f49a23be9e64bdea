package controllers

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/seal"
	"github.com/spaces-operator/spaces-credential-operator/internal/statekey"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// anything is what has nothing against a new key.
func anything(context.Context) error { return nil }

// ownKeys gives a world keys of its own, as those of another cluster.
func (w *world) ownKeys() {
	GinkgoHelper()
	w.keys = w.processKeys()
	Expect(w.keys.Load(w.ctx, anything)).To(Succeed())
}

// processKeys are the world's own keys as one process knows them: not yet.
func (w *world) processKeys() *statekey.Keys {
	return &statekey.Keys{Live: admin, Name: w.key("keys"), Clock: w.clock, Random: rand.Reader}
}

// damage writes something else into a state Secret.
func (w *world) damage(name string, change func([]byte) []byte) *corev1.Secret {
	GinkgoHelper()
	secret := w.secret(name + v1alpha1.GrantSecretSuffix)
	secret.Data = map[string][]byte{v1alpha1.StateKey: change(secret.Data[v1alpha1.StateKey])}
	Expect(admin.Update(w.ctx, secret)).To(Succeed())
	return secret
}

var _ = Describe("A state that carries no seal of ours", func() {
	var w *world
	BeforeEach(func() {
		w = newWorld()
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		w.operator().reconcile("bot")
		w.expectReady("bot")
	})

	DescribeTable("a state that carries no seal which fits is told, never used and never written, and released when it is deleted",
		func(change func([]byte) []byte) {
			damaged := w.damage("bot", change)
			w.step(45 * time.Minute)
			o := w.operator()
			o.settle("bot", 10*time.Minute)
			w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonStateUnreadable)
			w.expectReady("bot")
			Expect(w.secret("bot-grant").ResourceVersion).To(Equal(damaged.ResourceVersion))
			Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))

			w.delete(w.credential("bot"))
			o.settle("bot", 10*time.Second)
			Expect(w.exists("bot")).To(BeFalse(), "the deletion waited")
			Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonRevocationAbandoned))
			w.delete(w.secret("bot-grant"))
			o.settle("bot", 10*time.Second)
			Expect(w.stateExists("bot")).To(BeFalse(), "a Secret that is nobody's holds its namespace")
			Expect(w.calls(fakespaces.OperationRevoke)).To(BeZero())
		},
		Entry("because it was cut", func(b []byte) []byte { return b[:len(b)/2] }),
		Entry("because a bit of it was changed", func(b []byte) []byte { b[len(b)-10] ^= 1; return b }),
		Entry("because it is empty", func([]byte) []byte { return nil }),
		Entry("because it was never sealed", func([]byte) []byte {
			return []byte(`{"version":1,"credentialUID":"x","revocation":{"deadlineSeconds":-1000000}}`)
		}),
		Entry("because it is sealed for another credential", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"credentialUID":"`), []byte(`"credentialUID":"0`), 1)
		}),
		Entry("because it is a MiB of entries", func([]byte) []byte {
			return []byte(`{"version":1,"credentialUID":"x","pending":[` + strings.Repeat("{},", 330_000) + `{}]}`)
		}),
	)

	It("a seed beside a state that nobody could read is not sent again until a person asks for it", func() {
		w.delete(w.damage("bot", func([]byte) []byte { return []byte("gone") }))
		o := w.operator()
		o.settle("bot", time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))
		w.ask(v1alpha1.AnnotationRenewRequestedAt)
		o.settle("bot", time.Minute)
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(2), "a person asked for it")
	})

	It("a state that was damaged is written anew by the process that knows it", func() {
		o := w.operator()
		o.reconcile("bot")
		w.damage("bot", func([]byte) []byte { return []byte("gone") })
		o.reconcile("bot")
		Expect(w.document("bot").Grant()).NotTo(BeNil())
		o.settle("bot", 2*lifetime)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a state that was damaged and deleted is revoked by the process that knows it", func() {
		o := w.operator()
		o.reconcile("bot")
		w.delete(w.damage("bot", func([]byte) []byte { return []byte("gone") }))
		o.settle("bot", 10*time.Second)
		Expect(w.spaces.Ledger().GrantsLive).To(BeZero())
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonReauthorizationRequired)
		w.expectNothingLost()
	})

	It("a state that was moved to another namespace is nobody's there", func() {
		other := newWorldAt(w.clock)
		moved := w.secret("bot-grant")
		moved.ObjectMeta = metav1.ObjectMeta{Name: moved.Name, Labels: moved.Labels, Annotations: moved.Annotations, Finalizers: moved.Finalizers}
		other.apply(moved)
		o := other.operator()
		o.settle("bot", 10*time.Second)
		Expect(other.stateExists("bot")).To(BeTrue(), "it was touched")
		other.delete(other.secret("bot-grant"))
		o.settle("bot", 10*time.Second)
		Expect(other.stateExists("bot")).To(BeFalse())
		Expect(w.spaces.Ledger().GrantsLive).To(Equal(1))
	})

	It("a Secret of another type that carries our finalizer is released when it is deleted", func() {
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "other-grant", Finalizers: []string{v1alpha1.FinalizerGrant}}}
		w.apply(foreign)
		w.delete(foreign)
		w.operator().settle("other", 10*time.Second)
		Expect(w.secret("other-grant")).To(BeNil())
	})
})

var _ = Describe("The keys of states", func() {
	var w *world
	BeforeEach(func() {
		w = newWorld()
		w.ownKeys()
	})

	// change edits the Secret of the keys.
	change := func(by func(map[string][]byte)) {
		GinkgoHelper()
		secret := w.secret("keys")
		by(secret.Data)
		Expect(admin.Update(w.ctx, secret)).To(Succeed())
	}
	// sealedWith is the key in the envelope of a state.
	sealedWith := func(name string) string {
		GinkgoHelper()
		content := string(w.secret(name + "-grant").Data[v1alpha1.StateKey])
		_, after, found := strings.Cut(content, `"key":"`)
		Expect(found).To(BeTrue())
		return after[:32]
	}
	newKey := func() seal.Keyring {
		GinkgoHelper()
		key, err := seal.NewKey(rand.Reader)
		Expect(err).NotTo(HaveOccurred())
		return seal.NewKeyring(key)
	}

	It("processes that start at once make one key", func() {
		Expect(admin.Delete(w.ctx, w.secret("keys"))).To(Succeed())
		processes := make([]*statekey.Keys, 8)
		var all sync.WaitGroup
		errs := make([]error, len(processes))
		for i := range processes {
			processes[i] = w.processKeys()
			all.Go(func() { errs[i] = processes[i].Load(w.ctx, anything) })
		}
		all.Wait()
		at := seal.Place{Namespace: w.namespace, Name: "bot-grant", Credential: "x"}
		sealed, err := processes[0].Seal(at, []byte("a document"))
		Expect(err).NotTo(HaveOccurred())
		for i, process := range processes {
			Expect(errs[i]).NotTo(HaveOccurred())
			Expect(process.Open(w.ctx, w.key("bot-grant"), sealed)).To(BeEquivalentTo("a document"))
		}
	})

	It("a key that is rotated while credentials live seals their next writes, and the old one may go", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o := w.operator()
		o.reconcile("bot")
		old, next := sealedWith("bot"), newKey()
		change(func(data map[string][]byte) { data[next.CurrentID()] = next.Data()[next.CurrentID()] })
		Expect(w.keys.Refresh(w.ctx)).To(Succeed())
		change(func(data map[string][]byte) { data[seal.Current] = []byte(next.CurrentID()) })
		Expect(w.keys.Refresh(w.ctx)).To(Succeed())
		o.settle("bot", lifetime)
		Expect(sealedWith("bot")).To(Equal(next.CurrentID()))
		change(func(data map[string][]byte) { delete(data, old) })
		w.keys = w.processKeys()
		Expect(w.keys.Load(w.ctx, anything)).To(Succeed())
		w.operator().settle("bot", 2*lifetime)
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("the commands of docs/backup.md name the key of each state and rotate it", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		o := w.operator()
		o.reconcile("bot")
		old := sealedWith("bot")
		byHand, list, rotate := backupCommands()
		Expect(w.bash(list)).To(ContainSubstring(w.namespace + "/bot-grant " + old + "\n"))

		w.bash("cd \"$(mktemp -d)\"\n" + strings.NewReplacer("spaces-credential-operator-system", w.namespace, v1alpha1.StateKeySecretName, "by-hand").Replace(byHand))
		made := w.secret("by-hand")
		Expect(made.Type).To(BeEquivalentTo(v1alpha1.SecretTypeStateKey))
		Expect(made.Labels).To(HaveKeyWithValue("team", "a"))
		Expect(seal.ParseKeyring(made.Data)).Error().NotTo(HaveOccurred())

		w.bash(strings.NewReplacer(
			"spaces-credential-operator-system", w.namespace, v1alpha1.StateKeySecretName, "keys", "sleep 90", ": sleep 90",
		).Replace(rotate))
		mirrors.end(w.namespace) // kubectl wrote here
		Expect(w.keys.Refresh(w.ctx)).To(Succeed())
		o.settle("bot", lifetime)
		Expect(sealedWith("bot")).NotTo(Equal(old))
		Expect(w.bash(list)).To(ContainSubstring(w.namespace + "/bot-grant " + sealedWith("bot") + "\n"))
		w.expectReady("bot")
		w.expectNothingLost()
	})

	It("a state whose key was taken away is waited for, and used again when the key is back", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		w.operator().reconcile("bot")
		old, next := w.secret("keys").Data, newKey()
		change(func(data map[string][]byte) {
			clear(data)
			data[next.CurrentID()], data[seal.Current] = next.Data()[next.CurrentID()], []byte(next.CurrentID())
		})
		w.keys = w.processKeys()
		Expect(w.keys.Load(w.ctx, anything)).To(Succeed())
		o := w.operator()
		state := w.secret("bot-grant")
		w.step(45 * time.Minute)
		o.settle("bot", 10*time.Minute)
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonStateUnreadable)
		w.expectReady("bot")
		Expect(w.secret("bot-grant").ResourceVersion).To(Equal(state.ResourceVersion))
		Expect(w.calls(fakespaces.OperationRefresh)).To(Equal(1))

		change(func(data map[string][]byte) {
			for name, value := range old {
				data[name] = value
			}
		})
		o.settle("bot", slowRecheck+time.Minute)
		w.expectReady("bot")
		w.expectCondition("bot", v1alpha1.ConditionStalled, metav1.ConditionFalse)
		w.expectNothingLost()
	})

	It("a deletion waits for the key of its state until the deadline, and tells what it gave up", func() {
		w.apply(clientInput(), w.seedInput(), bySeed("bot"))
		w.operator().reconcile("bot")
		Expect(admin.Delete(w.ctx, w.secret("keys"))).To(Succeed())
		w.ownKeys()
		w.delete(w.credential("bot"))
		o := w.operator()
		o.settle("bot", v1alpha1.DefaultRevocationDeadline-time.Minute)
		Expect(w.exists("bot")).To(BeTrue(), "the key could have come back")
		o.settle("bot", 2*time.Minute)
		Expect(w.exists("bot")).To(BeFalse())
		Expect(w.events.reasons()).To(ContainElement(v1alpha1.ReasonRevocationAbandoned))
	})

	It("keys that are gone are put back by the process that knows them", func() {
		before := w.secret("keys").Data
		Expect(admin.Delete(w.ctx, w.secret("keys"))).To(Succeed())
		Expect(w.keys.Refresh(w.ctx)).To(Succeed())
		Expect(fmt.Sprint(keysOf(w.secret("keys").Data))).To(Equal(fmt.Sprint(keysOf(before))))
	})

	It("a damaged entry is no reason to stop: the keys that are known stay in use, and an unknown one is unknown", func() {
		foreign := newKey()
		sealed, err := foreign.Seal(seal.Place{Namespace: w.namespace, Name: "bot-grant", Credential: "x"}, []byte("x"))
		Expect(err).NotTo(HaveOccurred())
		before := w.secret("keys").Data
		change(func(data map[string][]byte) { data["mine"] = []byte("too short") })
		w.step(time.Minute)
		_, err = w.keys.Open(w.ctx, w.key("bot-grant"), sealed)
		var unknown *seal.UnknownKeyError
		Expect(errors.As(err, &unknown)).To(BeTrue(), "%v", err)
		at := seal.Place{Namespace: w.namespace, Name: "bot-grant", Credential: "x"}
		ours, err := w.keys.Seal(at, []byte("a document"))
		Expect(err).NotTo(HaveOccurred())
		Expect(w.keys.Open(w.ctx, w.key("bot-grant"), ours)).To(BeEquivalentTo("a document"))
		change(func(data map[string][]byte) { clear(data); maps.Copy(data, before) })
		Expect(w.keys.Refresh(w.ctx)).To(Succeed())
	})

	It("a Secret of another type at their name is not taken for them", func() {
		other := &statekey.Keys{Live: admin, Name: w.key("spaces-client"), Clock: w.clock, Random: rand.Reader}
		w.apply(clientInput())
		Expect(other.Load(w.ctx, anything)).To(MatchError(ContainSubstring("somebody else's")))
	})

	It("no key is made against the word of who starts the process", func() {
		none := &statekey.Keys{Live: admin, Name: w.key("none"), Clock: w.clock, Random: rand.Reader}
		Expect(none.Load(w.ctx, func(context.Context) error { return fmt.Errorf("there are sealed states") })).To(MatchError("there are sealed states"))
		Expect(apierrors.IsNotFound(admin.Get(w.ctx, w.key("none"), &corev1.Secret{}))).To(BeTrue())
	})

	It("who may write a Secret cannot make the keys be read again and again", func() {
		reads := 0
		counted := w.processKeys()
		counted.Live = countingReads{admin, &reads}
		Expect(counted.Load(w.ctx, anything)).To(Succeed())
		foreign := newKey()
		sealed, err := foreign.Seal(seal.Place{Namespace: w.namespace, Name: "bot-grant", Credential: "x"}, []byte("x"))
		Expect(err).NotTo(HaveOccurred())
		for range 10 {
			_, err := counted.Open(w.ctx, w.key("bot-grant"), sealed)
			Expect(err).To(HaveOccurred())
		}
		Expect(reads).To(Equal(2), "one at the start, and one for ten unknown keys in a second")
	})
})

// countingReads counts the reads of a client.
type countingReads struct {
	client.Client
	reads *int
}

// Get implements client.Reader.
func (c countingReads) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	*c.reads++
	return c.Client.Get(ctx, key, object, options...)
}

var _ = Describe("The audit", func() {
	It("each spend and each revocation leaves one line in the log, with its grant and without a secret", func() {
		w := newWorld()
		o := w.operator()
		w.apply(clientInput(), loginInput(), byPassword("bot"))
		o.settle("bot", lifetime)
		grant := w.document("bot").Grant().ID
		w.delete(w.credential("bot"))
		o.settle("bot", 10*time.Second)
		lines := map[string]int{}
		for line := range strings.Lines(w.logs.text()) {
			if strings.Contains(line, "Audit: ") {
				Expect(line).To(And(ContainSubstring(grant), ContainSubstring("bot"), ContainSubstring(`"outcome": "OK"`)))
				_, what, _ := strings.Cut(line, "Audit: ")
				what, _, _ = strings.Cut(what, "\t")
				lines[what]++
			}
		}
		Expect(lines).To(Equal(map[string]int{"spent a grant": 2, "asked for a revocation": 1}))
	})
})

// backupCommands are the three blocks of commands in docs/backup.md.
func backupCommands() (byHand, list, rotate string) {
	GinkgoHelper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "backup.md"))
	Expect(err).NotTo(HaveOccurred())
	var blocks []string
	for _, part := range strings.Split(string(page), "```console\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	Expect(blocks).To(HaveLen(3))
	return blocks[0], blocks[1], blocks[2]
}

// bash runs commands as somebody who may do everything in the cluster.
func (w *world) bash(script string) string {
	GinkgoHelper()
	kubeconfig, err := testbed.WriteKubeconfig(GinkgoT().TempDir(), plane.Config)
	Expect(err).NotTo(HaveOccurred())
	command := exec.CommandContext(w.ctx, "bash", "-euo", "pipefail", "-c", script)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+plane.Assets+":"+os.Getenv("PATH"))
	said, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(said))
	return string(said)
}
