package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/test/e2e/seen"
)

const (
	release    = "spaces-credential-operator"
	deployment = release + "-controller-manager"
	chart      = "../../charts/spaces-credential-operator"
	// chosenUser is one that a cluster chose from a namespace's range, as OpenShift does.
	chosenUser = 1000740000
	// changeLimit is how long a change of the Deployment, or of the leader, may take: longer than
	// the operator's Pod has for its end.
	changeLimit = 2 * time.Minute
)

// chosen are the labels of what belongs to the release.
var chosen = client.MatchingLabels{"app.kubernetes.io/instance": release}

// tale is what one story hands on to the next.
type tale struct {
	url         string
	certificate []byte
	published   *publications
	figures     figures
}

// The stories are told in this order, each on what the one before left.
func TestAnOperatorOnARealNode(t *testing.T) {
	told := &tale{published: watchPublications(t.Context())}
	for _, story := range []struct {
		sentence string
		tell     func(*testing.T, *tale)
	}{
		{"the chart is installed where PodSecurity is restricted, also with a user that the cluster chose", installs},
		{"a workload calls with the mounted token over rotations, and is refused never", rotates},
		{"the operator is killed and comes back", isKilled},
		{"an upgrade rolls while tokens rotate", upgrades},
		{"the operator is confined to a namespace", isConfined},
		{"a node is drained: the leader is evicted and another replica takes over", isDrained},
		{"nothing is left of a release that is removed", isRemoved},
	} {
		say("story: %s", story.sentence)
		began := time.Now()
		if !t.Run(story.sentence, func(t *testing.T) { story.tell(t, told) }) {
			lastWords(t)
			// A kubelet without a processor shows tokens late, whatever the operator does.
			if lags := told.published.lags(reports(t)); len(lags) > 0 {
				say("the kubelet showed a token after %.1f s at most; at its renewal the old one has %.0f s left", lags[len(lags)-1].Seconds(), (lifetime / 3).Seconds())
			}
			break
		}
		told.figures.add("story: "+story.sentence, "%.0f s", time.Since(began).Seconds())
	}
	if err := told.figures.write(filepath.Join(output, "report.md")); err != nil {
		t.Error(err)
	}
}

// set runs helm upgrade with the values of before and others, and waits until the Pods are ready.
func (s *tale) set(t *testing.T, values ...string) {
	t.Helper()
	arguments := []string{"upgrade", release, chart, "--reuse-values", "--wait", "--timeout=3m"}
	for _, value := range values {
		arguments = append(arguments, "--set="+value)
	}
	call(t, arguments...)
}

func installs(t *testing.T, s *tale) {
	g := NewWithT(t)
	s.url, s.certificate = startService(t)
	say("the service answers at %s", s.url)
	createNamespace(t, operators, restricted)
	values, err := json.Marshal(map[string]any{
		"image":               map[string]any{"repository": operatorRepository, "tag": first, "pullPolicy": "Never"},
		"replicaCount":        1,
		"builtInEnvironments": false,
		"environments":        []map[string]any{{"name": "e2e", "accountsURL": s.url, "apiURL": s.url, "caFile": "/etc/spaces-credential-operator/" + authorityFile}},
		"caBundles":           map[string]string{authorityFile: string(s.certificate)},
	})
	g.Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(folder, "values.json")
	g.Expect(os.WriteFile(path, values, 0o600)).To(Succeed())
	began := time.Now()
	call(t, "install", release, chart, "-f", path, "--wait", "--timeout=3m")
	s.figures.add("helm install until ready", "%.0f s", time.Since(began).Seconds())
	say("installed; now with a user that the cluster chose")

	// Another manager of fields, as an admission plugin of the cluster is one: helm leaves it alone.
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"securityContext":{"runAsUser":%d}}}}}`, chosenUser)
	g.Expect(cluster.kubernetes.Patch(t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: operators, Name: deployment}},
		client.RawPatch(types.StrategicMergePatchType, []byte(patch)))).To(Succeed())
	awaitRollout(t, 1)
	for _, pod := range operatorPods(t) {
		g.Expect(pod.Spec.SecurityContext.RunAsUser).To(HaveValue(BeEquivalentTo(chosenUser)))
		g.Expect(pod.Spec.HostNetwork).To(BeFalse())
	}
}

func rotates(t *testing.T, s *tale) {
	g := NewWithT(t)
	createNamespace(t, team, restricted)
	createNamespace(t, languages, privileged) // its Pods mount the interpreters of the node
	createCredentials(t)
	createWorkloads(t, s.url, s.certificate)
	awaitRotations(t, rotations)

	// Workloads look at the file now and then, and are told of changes of the directory at once: asked
	// right between, they have counted one and not yet the other.
	var all []seen.Report
	g.Eventually(func() int {
		all = reports(t)
		return total(all, changes) - total(all, byFolder)
	}).WithTimeout(looks).Should(BeZero(), "whoever watches the directory sees every token")
	lags := s.published.lags(all)
	s.figures.add("tokens live, are renewed after at most two thirds", "%s", lifetime)
	s.figures.add("calls with mounted tokens over "+strconv.Itoa(rotations)+" rotations", "%d", total(all, calls))
	s.figures.add("of them refused", "%d", total(all, refusals))
	for i, key := range workloads {
		if key.Namespace == languages {
			s.figures.add("the program of docs/workloads.md in "+key.Name, "%d calls, %d refused, over %d new tokens", all[i].Calls, all[i].Refused, changes(all[i]))
		}
	}
	s.figures.add(fmt.Sprintf("until the kubelet showed a token (it looks every %s)", looks), "p50 %.1f s, p99 %.1f s, longest %.1f s, of %d",
		quantile(lags, 0.5).Seconds(), quantile(lags, 0.99).Seconds(), quantile(lags, 1).Seconds(), len(lags))
	s.figures.add("changes that inotify told of", "%d of %d on the directory, %d on the file", total(all, byFolder), total(all, changes), total(all, byFile))
	g.Expect(total(all, refusals)).To(BeZero(), "%v", problems(all))
	g.Expect(total(all, failures)).To(BeZero(), "%v", problems(all))
	expectEveryGrant(t)
}

func isKilled(t *testing.T, s *tale) {
	g := NewWithT(t)
	before := reports(t)
	pods := operatorPods(t)
	g.Expect(pods).To(HaveLen(1))
	id := strings.TrimPrefix(pods[0].Status.ContainerStatuses[0].ContainerID, "containerd://")
	killed := time.Now()
	output, err := exec.CommandContext(t.Context(), ctr[0], append(ctr[1:], "tasks", "kill", "--signal=SIGKILL", id)...).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(output))
	say("killed, without a chance to give its lease back")
	g.Eventually(func(g Gomega) {
		pods = operatorPods(t)
		g.Expect(pods).To(HaveLen(1))
		g.Expect(pods[0].Status.ContainerStatuses[0].RestartCount).To(BeEquivalentTo(1))
		g.Expect(ready(&pods[0])).To(BeTrue())
	}).WithTimeout(changeLimit).Should(Succeed())
	s.figures.add("killed until ready", "%.0f s", time.Since(killed).Seconds())
	awaitRotations(t, 2)
	after := reports(t)
	s.figures.add("calls refused around the kill", "%d", total(after, refusals)-total(before, refusals))
	expectEveryGrant(t)
}

func upgrades(t *testing.T, s *tale) {
	g := NewWithT(t)
	before := reports(t)
	began := time.Now()
	s.set(t, "image.tag="+second)
	awaitRollout(t, 1)
	s.figures.add("rolling upgrade", "%.0f s", time.Since(began).Seconds())
	for _, pod := range operatorPods(t) {
		g.Expect(pod.Spec.Containers[0].Image).To(Equal(operatorRepository + ":" + second))
		g.Expect(pod.Spec.SecurityContext.RunAsUser).To(HaveValue(BeEquivalentTo(chosenUser)))
	}
	awaitRotations(t, 2)
	expectNoMoreRefusals(t, before)
	expectEveryGrant(t)
}

func isConfined(t *testing.T, s *tale) {
	g := NewWithT(t)
	before := reports(t)
	g.Expect(allowed(t, services)).To(BeTrue())
	s.set(t, "watch.namespaces={"+team+","+languages+"}")
	awaitRollout(t, 1)
	g.Expect(allowed(t, team)).To(BeTrue())
	g.Expect(allowed(t, languages)).To(BeTrue())
	g.Expect(allowed(t, services)).To(BeFalse())
	awaitRotations(t, 1)
	expectNoMoreRefusals(t, before)
	expectEveryGrant(t)
}

func isDrained(t *testing.T, s *tale) {
	g := NewWithT(t)
	before := reports(t)
	s.set(t, "replicaCount=2")
	awaitRollout(t, 2)
	leading, standby := leaderAndStandby(t)
	evict := func(name string) error {
		return cluster.calls.CoreV1().Pods(operators).EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: operators, Name: name}})
	}
	// The controller of the PodDisruptionBudget counts a new replica a moment after it is ready.
	g.Eventually(func() error { return evict(leading) }).WithTimeout(changeLimit).Should(Succeed())
	evicted := time.Now()
	g.Expect(evict(standby)).To(MatchError(apierrors.IsTooManyRequests, "is refused by the PodDisruptionBudget"))
	say("%s, which led, is evicted; %s may not be", leading, standby)
	// Most often the standby; but the Pod that takes the evicted one's place may be as quick.
	g.Eventually(func() string { return leader(t) }).WithTimeout(changeLimit).WithPolling(tokenLookPeriod).ShouldNot(BeElementOf(leading, ""))
	s.figures.add("evicted leader until another led", "%.1f s", time.Since(evicted).Seconds())
	awaitRollout(t, 2)
	awaitRotations(t, 1)
	expectNoMoreRefusals(t, before)
	expectEveryGrant(t)
}

func isRemoved(t *testing.T, s *tale) {
	g := NewWithT(t)
	all := reports(t)
	s.figures.add("calls in all, refused, failed", "%d, %d, %d", total(all, calls), total(all, refusals), total(all, failures))
	for _, key := range workloads {
		g.Expect(cluster.kubernetes.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}})).To(Succeed())
	}
	for _, key := range credentials {
		g.Expect(cluster.kubernetes.Delete(t.Context(), &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}})).To(Succeed())
	}
	ours := func() (names []string) {
		var found v1alpha1.SpacesCredentialList
		var secrets corev1.SecretList
		g.Expect(cluster.kubernetes.List(t.Context(), &found)).To(Succeed())
		g.Expect(cluster.kubernetes.List(t.Context(), &secrets, client.HasLabels{v1alpha1.LabelSecret})).To(Succeed())
		for _, credential := range found.Items {
			names = append(names, "SpacesCredential "+credential.Name)
		}
		for _, secret := range secrets.Items {
			names = append(names, "Secret "+secret.Name)
		}
		return names
	}
	g.Eventually(ours).WithTimeout(changeLimit).Should(BeEmpty())
	say("the credentials are gone, with all their Secrets")
	call(t, "uninstall", release, "--wait", "--timeout=3m")
	kinds := listable(t)
	g.Eventually(func() []string { return left(t, kinds) }).WithTimeout(changeLimit).Should(BeEmpty())
	s.figures.add("objects with the release's label after helm uninstall", "0, of %d kinds", len(kinds))

	counted := ledger(t)
	s.figures.add("grants issued, revoked, left, ended by the service", "%d, %d, %d, %d", counted.GrantsIssued, counted.GrantsRevoked, counted.GrantsLive, counted.GrantsDead)
	s.figures.add("tokens issued", "%d", counted.TokensIssued)
	s.figures.add("refresh tokens sent again after delivery", "%d", counted.SentAgainAfterDelivery)
	g.Expect(counted.GrantsRevoked).To(Equal(len(credentials)))
	g.Expect(counted.GrantsLive + counted.GrantsDead + counted.SentAgainAfterDelivery).To(BeZero())
}

// expectEveryGrant expects that none was lost: each credential has the one of its first sign-in.
func expectEveryGrant(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	counted := ledger(t)
	g.Expect([]int{counted.GrantsIssued, counted.GrantsLive}).To(HaveEach(len(credentials)), "%v", counted)
	g.Expect(counted.SentAgainAfterDelivery).To(BeZero())
	g.Expect(counted.Calls).To(HaveKey(fakespaces.OperationRefresh))
}

// expectNoMoreRefusals expects that no call was refused, or failed, since a story began.
func expectNoMoreRefusals(t *testing.T, before []seen.Report) {
	t.Helper()
	g := NewWithT(t)
	after := reports(t)
	g.Expect(total(after, refusals)).To(Equal(total(before, refusals)), "%v", problems(after))
	g.Expect(total(after, failures)).To(Equal(total(before, failures)), "%v", problems(after))
}

// operatorPods are those that are not about to go.
func operatorPods(t *testing.T) (pods []corev1.Pod) {
	t.Helper()
	var found corev1.PodList
	if err := cluster.kubernetes.List(t.Context(), &found, client.InNamespace(operators), chosen); err != nil {
		t.Fatal(err)
	}
	for _, pod := range found.Items {
		if pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
	}
	return pods
}

// awaitRollout waits until all replicas are the newest and ready, and no other is left.
func awaitRollout(t *testing.T, replicas int) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		var found appsv1.Deployment
		var pods corev1.PodList
		g.Expect(cluster.kubernetes.Get(t.Context(), client.ObjectKey{Namespace: operators, Name: deployment}, &found)).To(Succeed())
		g.Expect(found.Status.ObservedGeneration).To(Equal(found.Generation))
		g.Expect([]int32{found.Status.Replicas, found.Status.UpdatedReplicas, found.Status.ReadyReplicas}).To(HaveEach(BeEquivalentTo(replicas)))
		g.Expect(cluster.kubernetes.List(t.Context(), &pods, client.InNamespace(operators), chosen)).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(replicas))
	}).WithTimeout(changeLimit).WithPolling(time.Second / 2).Should(Succeed())
}

// leaderAndStandby are the Pod that leads and the one that stands by. Right after a rollout the lease still
// names a Pod that is gone.
func leaderAndStandby(t *testing.T) (leading, standby string) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		leading, standby = leader(t), ""
		var names []string
		for _, pod := range operatorPods(t) {
			names = append(names, pod.Name)
			if pod.Name != leading {
				standby = pod.Name
			}
		}
		g.Expect(names).To(ConsistOf(leading, standby))
	}).WithTimeout(changeLimit).Should(Succeed())
	return leading, standby
}

// leader is the Pod that holds the lease.
func leader(t *testing.T) string {
	t.Helper()
	var lease coordinationv1.Lease
	if err := cluster.kubernetes.Get(t.Context(), client.ObjectKey{Namespace: operators, Name: release}, &lease); err != nil {
		t.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "/")
	return name
}

// allowed asks whether the operator may read the Secrets of a namespace.
func allowed(t *testing.T, namespace string) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               "system:serviceaccount:" + operators + ":" + deployment,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "get", Resource: "secrets"},
	}}
	create(t, review)
	return review.Status.Allowed
}

// listable are all kinds that the API server lists.
func listable(t *testing.T) (kinds []schema.GroupVersionKind) {
	t.Helper()
	served, err := cluster.calls.Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, served) {
		for _, resource := range list.APIResources {
			kinds = append(kinds, schema.FromAPIVersionAndKind(list.GroupVersion, resource.Kind))
		}
	}
	return kinds
}

// left names what a release left behind, of any kind; but the CRD, which stays on purpose.
func left(t *testing.T, kinds []schema.GroupVersionKind) (names []string) {
	t.Helper()
	for _, kind := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := cluster.kubernetes.List(t.Context(), list, chosen); err != nil {
			t.Fatal(err)
		}
		for _, object := range list.Items {
			if kind.Kind != "CustomResourceDefinition" {
				names = append(names, kind.Kind+" "+object.GetName())
			}
		}
	}
	return names
}

// lastWords tells what the operator said, and what the cluster says of our Pods.
func lastWords(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	var pods corev1.PodList
	var events corev1.EventList
	if err := cluster.kubernetes.List(ctx, &pods); err != nil {
		t.Log(err)
	}
	for _, pod := range pods.Items {
		log, err := cluster.calls.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{TailLines: ptr.To[int64](40)}).DoRaw(ctx)
		t.Logf("%s/%s is %s (%v)\n%s", pod.Namespace, pod.Name, pod.Status.Phase, err, log)
	}
	if err := cluster.kubernetes.List(ctx, &events); err != nil {
		t.Log(err)
	}
	for _, event := range events.Items {
		if event.Type != corev1.EventTypeNormal {
			t.Logf("%s/%s: %s: %s", event.Namespace, event.InvolvedObject.Name, event.Reason, event.Message)
		}
	}
}
