package main

import (
	"fmt"
	"io"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func TestWhatAProcessLooksAfterIsToldInWords(t *testing.T) {
	for words, arguments := range map[string][]string{
		"all SpacesCredentials":                                            nil,
		`SpacesCredentials with the labels "x in (1,2)"`:                   {"--watch-label-selector=x in (2, 1)"},
		"all SpacesCredentials of namespaces a, b":                         {"--watch-namespaces=b, a,b"},
		`SpacesCredentials with the labels "!x" of namespaces a`:           {"--watch-namespaces=a", "--watch-label-selector=!x"},
		`all SpacesCredentials of namespaces with the labels "spaces=yes"`: {"--watch-namespace-selector=spaces=yes"},
	} {
		s, err := parse(arguments, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.watches(); got != words {
			t.Errorf("%v: %s", arguments, got)
		}
	}
}

func TestASelectorThatIsNoneIsRefused(t *testing.T) {
	g := NewWithT(t)
	for _, flag := range []string{"--watch-label-selector", "--watch-namespace-selector"} {
		_, err := parse([]string{flag + "=a=b=c"}, io.Discard)
		g.Expect(err).To(MatchError(ContainSubstring(flag + ` "a=b=c" is no label selector`)))
	}
	_, err := parse([]string{"--watch-namespaces=a", "--watch-namespace-selector=b"}, io.Discard)
	g.Expect(err).To(MatchError(ContainSubstring("are both given")))
}

// A lease that is held for others is not competed for until they let it go.
func TestALeaseIsNotSharedWithAnotherSelector(t *testing.T) {
	g := NewWithT(t)
	kubernetes, _ := connected(t)
	clock := clocktesting.NewFakePassiveClock(time.Unix(1_000_000, 0))
	key := client.ObjectKey{Namespace: "default", Name: "shared"}
	lockOf := func(holder, watches string) resourcelock.Interface {
		lock, err := (&lease{clock: clock, key: key, holder: holder, watches: watches}).lock(sharedPlane(t).Config)
		g.Expect(err).NotTo(HaveOccurred())
		return lock
	}
	a, again, b := lockOf("a", "x=1"), lockOf("again", "x=1"), lockOf("b", "x=2")
	record := func(holder string) resourcelock.LeaderElectionRecord {
		return resourcelock.LeaderElectionRecord{HolderIdentity: holder, LeaseDurationSeconds: 15, AcquireTime: metav1.NewTime(clock.Now()), RenewTime: metav1.NewTime(clock.Now())}
	}
	get := func(lock resourcelock.Interface) error {
		_, _, err := lock.Get(t.Context())
		return err
	}
	g.Expect(a.Create(t.Context(), record("a"))).To(Succeed())
	g.Expect(get(again)).To(Succeed())
	g.Expect(get(b)).To(MatchError("the lease default/shared is held for x=1, and this process looks after x=2; it waits until that is released: " +
		"give each a --leader-election-id of its own"))

	// Expired, it waits for a replica of its own.
	clock.SetTime(clock.Now().Add(time.Minute))
	g.Expect(get(b)).NotTo(Succeed())
	g.Expect(again.Update(t.Context(), record("again"))).To(Succeed())
	clock.SetTime(clock.Now().Add(abandonedAfter))
	g.Expect(get(b)).NotTo(Succeed())
	// Nobody comes back any more.
	clock.SetTime(clock.Now().Add(time.Second))
	g.Expect(get(b)).To(Succeed())

	g.Expect(again.Update(t.Context(), record("again"))).To(Succeed())
	g.Expect(get(b)).NotTo(Succeed())
	g.Expect(again.Update(t.Context(), record(""))).To(Succeed())
	g.Expect(get(b)).To(Succeed(), "it was released")
	g.Expect(b.Update(t.Context(), record("b"))).To(Succeed())
	var held coordinationv1.Lease
	g.Expect(kubernetes.Get(t.Context(), key, &held)).To(Succeed())
	g.Expect(held.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationWatches, "x=2"))
	g.Expect(get(a)).NotTo(Succeed())

	// One of an earlier build says nothing.
	delete(held.Annotations, v1alpha1.AnnotationWatches)
	held.Spec.HolderIdentity = ptr.To("old")
	g.Expect(kubernetes.Update(t.Context(), &held)).To(Succeed())
	g.Expect(get(a)).To(Succeed())
}

// Two operators of one lease and two selectors: the second one stands by, alive and ready, and
// works when the first one has ended.
func TestAnOperatorOfAnotherSelectorWaits(t *testing.T) {
	g := NewWithT(t)
	kubernetes, _ := connected(t)
	key := client.ObjectKey{Namespace: "default", Name: "waits"}
	holder := func() string {
		var held coordinationv1.Lease
		g.Expect(client.IgnoreNotFound(kubernetes.Get(t.Context(), key, &held))).To(Succeed())
		return ptr.Deref(held.Spec.HolderIdentity, "") + " for " + held.Annotations[v1alpha1.AnnotationWatches]
	}
	of := func(shard int) process {
		return start(t, "--leader-election-id="+key.Name, fmt.Sprintf("--watch-label-selector=%s=%d", v1alpha1.LabelShard, shard))
	}
	first := of(1)
	g.Eventually(holder).WithTimeout(time.Minute).Should(ContainSubstring(" for SpacesCredentials with the labels %q", v1alpha1.LabelShard+"=1"))
	second := of(2)
	g.Eventually(func() (string, error) { return second.operator.Log() }).WithTimeout(time.Minute).
		Should(ContainSubstring("it waits until that is released"))
	g.Eventually(func() int { return statusOf(t, "http://"+second.health+"/readyz") }).WithTimeout(time.Minute).Should(Equal(200))
	g.Expect(first.operator.Stop()).To(Succeed())
	g.Eventually(holder).WithTimeout(time.Minute).Should(ContainSubstring(" for SpacesCredentials with the labels %q", v1alpha1.LabelShard+"=2"))
}

// Two operators that share the work: each makes the tokens of its own, and a moved label hands
// one over with its grant.
func TestShardsHandOver(t *testing.T) {
	g := NewWithT(t)
	spaces, err := testbed.StartService(fakespaces.WithClient("app", "client-secret-5a5a"), fakespaces.WithUser("bot@example.test", "password-5a5a"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(spaces.Stop()).To(Succeed()) })
	environments, err := testbed.WriteEnvironments(t.TempDir(), spaces.Environment("local"))
	g.Expect(err).NotTo(HaveOccurred())
	of := func(shard string) process {
		return start(t, "--environments-file="+environments, "--watch-namespaces=shards", "--leader-election-id=shard-"+shard,
			"--watch-label-selector="+v1alpha1.LabelShard+"="+shard)
	}
	kubernetes, _ := connected(t)
	labelled := func(shard string) func(*v1alpha1.SpacesCredential) {
		return func(c *v1alpha1.SpacesCredential) { c.Labels = map[string]string{v1alpha1.LabelShard: shard} }
	}
	first, second := passwordCredential("shards", "first", labelled("1")), passwordCredential("shards", "second", labelled("2"))
	g.Expect(kubernetes.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shards"}})).To(Succeed())
	for _, object := range append(loginOf("shards", "app", "client-secret-5a5a", "bot@example.test", "password-5a5a"), first, second) {
		g.Expect(kubernetes.Create(t.Context(), object)).To(Succeed())
	}
	awaitReady := func(credential *v1alpha1.SpacesCredential) {
		t.Helper()
		g.Eventually(func(g Gomega) {
			g.Expect(kubernetes.Get(t.Context(), client.ObjectKeyFromObject(credential), credential)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(credential.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		}).WithTimeout(time.Minute).Should(Succeed())
	}
	of("2")
	awaitReady(second)
	g.Expect(kubernetes.Get(t.Context(), client.ObjectKeyFromObject(first), first)).To(Succeed())
	g.Expect(first.Finalizers).To(BeEmpty())
	one := of("1")
	awaitReady(first)

	first.Labels[v1alpha1.LabelShard] = "2"
	first.Annotations = map[string]string{v1alpha1.AnnotationRenewRequestedAt: time.Now().Format(time.RFC3339)}
	g.Expect(kubernetes.Update(t.Context(), first)).To(Succeed())
	g.Expect(one.operator.Stop()).To(Succeed())
	g.Eventually(func() (int64, error) {
		err := kubernetes.Get(t.Context(), client.ObjectKeyFromObject(first), first)
		return first.Status.Grant.Rotations, err
	}).WithTimeout(time.Minute).Should(BeEquivalentTo(1))
	ledger := spaces.Ledger()
	g.Expect(ledger.GrantsIssued).To(Equal(2))
	g.Expect(ledger.SentAgainAfterDelivery).To(BeZero())

	for _, credential := range []*v1alpha1.SpacesCredential{first, second} {
		g.Expect(kubernetes.Delete(t.Context(), credential)).To(Succeed())
		awaitGone(t, kubernetes, credential)
	}
	g.Expect(spaces.Ledger().GrantsLive).To(BeZero())
}
