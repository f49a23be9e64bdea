package main

import (
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func TestASkewIsToldOnceUntilTheClocksAgreeAgain(t *testing.T) {
	g := NewWithT(t)
	var told []string
	s := &skews{log: logr.Discard(), warn: func(text string) { told = append(told, text) }}
	hear := func(environment string, skews ...time.Duration) {
		for _, skew := range skews {
			s.heard(environment, skew)
		}
	}
	hear("staging", 60*time.Second, -60*time.Second, 61*time.Second, 61*time.Second)
	hear("production", 0)
	g.Expect(told).To(BeEmpty())
	g.Expect(s.annotation()).To(BeEmpty())
	hear("staging", 75*time.Second, 75*time.Second, 75*time.Second)
	g.Expect(told).To(HaveLen(1))
	g.Expect(told[0]).To(ContainSubstring(`"staging" is 1m15s ahead of the operator's`))
	hear("production", -2*time.Hour, -2*time.Hour, -2*time.Hour)
	g.Expect(told).To(HaveLen(2))
	g.Expect(told[1]).To(ContainSubstring(`"production" is 2h0m0s behind the operator's`))
	g.Expect(s.annotation()).To(Equal("production=-2h0m0s,staging=1m15s"))

	hear("staging", 0, 75*time.Second, 75*time.Second)
	g.Expect(told).To(HaveLen(2), "a row begins anew")
	g.Expect(s.annotation()).To(Equal("production=-2h0m0s"))
	hear("staging", 75*time.Second)
	g.Expect(told).To(HaveLen(3))
}

// A service whose clock is apart: the operator tells of it at its lease, in an event and for the plugin.
func TestAClockThatIsApartIsToldAtTheLease(t *testing.T) {
	g := NewWithT(t)
	kubernetes, kubeconfig := connected(t)
	const namespace = "skewed"
	g.Expect(kubernetes.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
	service, err := testbed.StartService(fakespaces.WithClient("app", "client-secret-7a2c"), fakespaces.WithUser("bot@example.test", "password-7a2c"),
		fakespaces.WithNow(func() time.Time { return time.Now().Add(2 * time.Hour) }))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(service.Stop()).To(Succeed()) })
	file, err := testbed.WriteEnvironments(t.TempDir(), service.Environment("local"))
	g.Expect(err).NotTo(HaveOccurred())
	key := client.ObjectKey{Namespace: "default", Name: "skewed"}
	command, _, _ := operatorCommand(t, punctual, "--kubeconfig="+kubeconfig, "--leader-election-id="+key.Name, "--environments-file="+file, "--watch-namespaces="+namespace)
	operator := startOperator(t, command)
	for _, object := range loginOf(namespace, "app", "client-secret-7a2c", "bot@example.test", "password-7a2c") {
		g.Expect(kubernetes.Create(t.Context(), object)).To(Succeed())
	}
	var bots []*v1alpha1.SpacesCredential
	for _, name := range []string{"first", "second", "third", "fourth"} { // each is one answer
		bots = append(bots, passwordCredential(namespace, name))
		g.Expect(kubernetes.Create(t.Context(), bots[len(bots)-1])).To(Succeed())
	}
	skewed := func() []eventsv1.Event {
		var all, found eventsv1.EventList
		g.Expect(kubernetes.List(t.Context(), &all, client.InNamespace(key.Namespace))).To(Succeed())
		for _, event := range all.Items {
			if event.Reason == v1alpha1.EventClockSkewed && event.Regarding.Name == key.Name {
				found.Items = append(found.Items, event)
			}
		}
		return found.Items
	}
	g.Eventually(skewed).WithTimeout(time.Minute).Should(HaveLen(1))
	var lease coordinationv1.Lease
	g.Expect(kubernetes.Get(t.Context(), key, &lease)).To(Succeed())
	g.Expect(skewed()[0].Regarding.UID).To(Equal(lease.UID), "kubectl describe lease shows it")
	g.Expect(skewed()[0].Type).To(Equal(corev1.EventTypeWarning))
	g.Eventually(func() string {
		g.Expect(kubernetes.Get(t.Context(), key, &lease)).To(Succeed())
		return lease.Annotations[v1alpha1.AnnotationClockSkew]
	}).WithTimeout(time.Minute).Should(MatchRegexp(`^local=(2h0m|1h59m)\d+s$`))
	g.Expect(operator.Log()).To(ContainSubstring("ahead of the operator's"))
	for _, bot := range bots {
		g.Expect(kubernetes.Delete(t.Context(), bot)).To(Succeed())
		awaitGone(t, kubernetes, bot)
	}
	g.Expect(skewed()).To(HaveLen(1), "it is told once")
}
