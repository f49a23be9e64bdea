package main

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// What one tenant brings about at the service, none of the others pays for: one that is told to
// wait, one whose client the service fails for, guests that are failed, and many that leave.
func TestOneTenantStopsNoOther(t *testing.T) {
	byTheirOwn(t)
	g := NewWithT(t)
	const lifetime = 14 * time.Second
	spaces, err := testbed.StartService(fakespaces.WithClient("app", "client-secret-77aa"), fakespaces.WithClient("strange", "client-secret-77ab"),
		fakespaces.WithUser("honest@example.test", "password-77aa"), fakespaces.WithUser("throttled@example.test", "password-77ab"),
		fakespaces.WithTokenLifetime(lifetime), fakespaces.WithGuestLifetime(lifetime), fakespaces.WithRetryAfter(10*time.Minute))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(spaces.Stop()).To(Succeed()) })
	spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		switch {
		case call.Username == "throttled@example.test": // for its user name alone
			return fakespaces.FaultThrottledSeconds
		case call.ClientID == "strange", call.Operation == fakespaces.OperationGuest: // go-oauth2 answers an unknown client so
			return fakespaces.FaultErrorIn200
		}
		return fakespaces.NoFault
	})
	environments, err := testbed.WriteEnvironments(t.TempDir(), spaces.Environment("local"))
	g.Expect(err).NotTo(HaveOccurred())
	p := start(t, "--environments-file="+environments, "--leader-elect=false", "--watch-namespaces=honest,throttled,strange,guests,leaving",
		"--metrics-secure=false")
	var all []client.Object
	create := func(objects ...client.Object) {
		t.Helper()
		for _, object := range objects {
			g.Expect(p.kubernetes.Create(t.Context(), object)).To(Succeed())
			all = append(all, object)
		}
	}
	for _, namespace := range []string{"honest", "throttled", "strange", "guests", "leaving"} {
		g.Expect(p.kubernetes.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
	}
	create(loginOf("honest", "app", "client-secret-77aa", "honest@example.test", "password-77aa")...)
	checked := func(c *v1alpha1.SpacesCredential) {
		c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationUserProfile}
	}
	honest := []*v1alpha1.SpacesCredential{passwordCredential("honest", "a"), passwordCredential("honest", "b"), passwordCredential("honest", "c", checked)}
	for _, credential := range honest {
		create(credential)
	}
	isReady := func(g Gomega) {
		for _, credential := range honest {
			g.Expect(p.kubernetes.Get(t.Context(), client.ObjectKeyFromObject(credential), credential)).To(Succeed())
			g.Expect(meta.IsStatusConditionTrue(credential.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		}
	}
	g.Eventually(isReady).WithTimeout(time.Minute).Should(Succeed())

	create(loginOf("throttled", "app", "client-secret-77aa", "throttled@example.test", "password-77ab")...)
	create(loginOf("strange", "strange", "client-secret-77ab", "honest@example.test", "password-77aa")...)
	create(loginOf("leaving", "app", "client-secret-77aa", "honest@example.test", "password-77aa")...)
	for _, name := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"} {
		create(passwordCredential("throttled", name, checked), passwordCredential("strange", name),
			&v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: "guests", Name: name}, Spec: v1alpha1.SpacesCredentialSpec{
				Environment: "local", GrantType: v1alpha1.GrantTypeAnonymous, Anonymous: &v1alpha1.AnonymousGrant{DisplayName: "x"},
			}})
		leaving := passwordCredential("leaving", name, func(c *v1alpha1.SpacesCredential) {
			none := int32(0)
			c.Spec.Revocation = &v1alpha1.Revocation{DeadlineSeconds: &none}
		})
		create(leaving)
		g.Expect(p.kubernetes.Delete(t.Context(), leaving)).To(Succeed()) // who leaves is owed one call, in its turn
	}
	// Every token that is published works, all the time, until each was renewed twice.
	checks := 0
	g.Eventually(func(g Gomega) {
		for _, credential := range honest {
			var published corev1.Secret
			g.Expect(p.kubernetes.Get(t.Context(), client.ObjectKeyFromObject(credential), &published)).To(Succeed())
			if !spaces.TokenWorks(string(published.Data[v1alpha1.KeyAccessToken])) {
				StopTrying("a published token is dead: " + credential.Name).Now()
			}
			checks++
		}
		isReady(g)
		for _, credential := range honest {
			g.Expect(credential.Status.Grant.Rotations).To(BeNumerically(">=", 2))
		}
	}).WithTimeout(2 * time.Minute).WithPolling(50 * time.Millisecond).Should(Succeed())
	g.Expect(checks).To(BeNumerically(">", 100))

	spaces.Intercept(nil)
	for _, object := range all {
		if credential, ok := object.(*v1alpha1.SpacesCredential); ok {
			g.Expect(client.IgnoreNotFound(p.kubernetes.Delete(t.Context(), credential))).To(Succeed())
		}
	}
	for _, object := range all {
		if credential, ok := object.(*v1alpha1.SpacesCredential); ok {
			awaitGone(t, p.kubernetes, credential)
		}
	}
	g.Expect(spaces.Ledger().GrantsLive).To(BeZero())
}
