package main

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// An operator that is gone left everything behind: its SpacesCredential and its state hang on
// finalizers, a copy of the state has the same, and a published Secret is to stay.
func leftBehind(t *testing.T, namespace string) *v1alpha1.SpacesCredential {
	t.Helper()
	g := NewWithT(t)
	c := create(t, credential(t, withPassword, newNamespace(t, namespace), published, func(c *v1alpha1.SpacesCredential) {
		c.Finalizers = []string{v1alpha1.FinalizerRevoke}
		c.Status.PendingRevocations = 1
	}))
	for _, made := range []*corev1.Secret{
		secretOf(c, "meeting-bot"+v1alpha1.GrantSecretSuffix, v1alpha1.SecretGrant, v1alpha1.FinalizerGrant),
		secretOf(c, "copy", "", v1alpha1.FinalizerGrant, "example.test/backup"),
		secretOf(c, "meeting-bot-token", v1alpha1.SecretPublished),
		secretOf(c, "somebody-else", ""),
		controlledBy(c, secretOf(c, "owned-token", v1alpha1.SecretPublished)),
	} {
		g.Expect(admin.Create(t.Context(), made)).To(Succeed())
	}
	return c
}

// secretOf is a Secret beside a SpacesCredential, ours where it has a label.
func secretOf(c *v1alpha1.SpacesCredential, name, label string, finalizers ...string) *corev1.Secret {
	made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: name, Finalizers: finalizers}}
	if label != "" {
		made.Labels = map[string]string{v1alpha1.LabelSecret: label}
	}
	return made
}

// controlledBy makes a SpacesCredential the controller of a Secret.
func controlledBy(c *v1alpha1.SpacesCredential, secret *corev1.Secret) *corev1.Secret {
	secret.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(c, v1alpha1.GroupVersionKind)}
	return secret
}

// holdLease makes the lease of an operator that renewed it that long ago, until the test ends.
func holdLease(t *testing.T, namespace string, ago time.Duration) {
	t.Helper()
	g := NewWithT(t)
	renewed := metav1.NewMicroTime(noon.Add(-ago))
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "a-shard", Annotations: map[string]string{v1alpha1.AnnotationWatches: "all SpacesCredentials"}},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: ptr.To("pod/1"), RenewTime: &renewed},
	}
	g.Expect(admin.Create(t.Context(), lease)).To(Succeed())
	t.Cleanup(func() { g.Expect(client.IgnoreNotFound(admin.Delete(context.Background(), lease))).To(Succeed()) })
}

// runSteadily runs a command line while its clock goes on.
func (s *session) runSteadily(t *testing.T, namespace string, arguments ...string) (code int) {
	t.Helper()
	ended := make(chan int, 1)
	go func() { ended <- s.run(t.Context(), namespace, arguments...) }()
	NewWithT(t).Eventually(func() bool {
		select {
		case code = <-ended:
			return true
		default:
			if s.clock.HasWaiters() {
				s.clock.Step(lookAgain)
			}
			return false
		}
	}).WithTimeout(patience).Should(BeTrue())
	return code
}

// exists tells whether the API server has an object.
func exists(t *testing.T, object client.Object, namespace, name string) bool {
	t.Helper()
	err := admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object)
	NewWithT(t).Expect(client.IgnoreNotFound(err)).To(Succeed())
	return !apierrors.IsNotFound(err)
}

func TestAnUninstallationIsNeverGuessed(t *testing.T) {
	for sentence, c := range map[string]struct {
		namespace string
		operator  bool
		arguments []string
		code      int
		says      string
	}{
		"without a choice it counts":           {"uninstall-counts", true, nil, exitUsage, "There are 1 SpacesCredential and 2 Secrets with the operator's finalizer in 1 namespace, with 2 grants.\n"},
		"two choices are none":                 {"uninstall-both", true, []string{"--revoke", "--keep-grants"}, exitFailed, "none of the others can be"},
		"nobody revokes without an operator":   {"uninstall-nobody", false, []string{"--revoke"}, exitFailed, "no operator is running (the lease uninstall-nobody/a-shard was renewed last at 2026-11-23T11:58:00Z)"},
		"an argument is no namespace":          {"uninstall-argument", true, []string{"uninstall-argument"}, exitUsage, "one argument too many"},
		"a time that is over at once says who": {"uninstall-late", true, []string{"--revoke", "--timeout=4s"}, exitFailed, "after 4s not all is ended, so remove nothing yet"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := leftBehind(t, c.namespace)
			holdLease(t, c.namespace, map[bool]time.Duration{true: time.Second, false: 2 * time.Minute}[c.operator])
			g.Expect(s.runSteadily(t, c.namespace, append([]string{"uninstall"}, c.arguments...)...)).To(Equal(c.code), s.err.String())
			g.Expect(s.out.String() + s.err.String()).To(ContainSubstring(c.says))
			g.Expect(exists(t, object, c.namespace, object.Name)).To(BeTrue())
			g.Expect(exists(t, &corev1.Secret{}, c.namespace, "meeting-bot"+v1alpha1.GrantSecretSuffix)).To(BeTrue())
		})
	}
}

func TestWhatAnOperatorThatIsGoneLeftBehindIsFreed(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := leftBehind(t, "uninstall-free")
	holdLease(t, object.Namespace, 2*time.Minute)
	g.Expect(admin.Delete(t.Context(), object.DeepCopy())).To(Succeed()) // and hangs, as a namespace or a CRD would have it

	g.Expect(s.runSteadily(t, object.Namespace, "uninstall", "--keep-grants")).To(Equal(exitDone), s.err.String())
	g.Expect(s.out.String()).To(Equal(`There are 1 SpacesCredential and 2 Secrets with the operator's finalizer in 1 namespace, with 2 grants.
No operator is running (the lease uninstall-free/a-shard was renewed last at 2026-11-23T11:58:00Z): its objects are freed without it.
Left at the service, until its time is over or somebody ends it there: 2 grants.
No SpacesCredential and no state is left: the operator can be removed, and then the CRD. Published Secrets whose spec said Retain stay: 1.
`))
	for name, isThere := range map[string]bool{
		"meeting-bot" + v1alpha1.GrantSecretSuffix: false, "copy": true, "meeting-bot-token": true, "somebody-else": true, "owned-token": false,
	} {
		g.Expect(exists(t, &corev1.Secret{}, object.Namespace, name)).To(Equal(isThere), name)
	}
	copied := &corev1.Secret{}
	g.Expect(exists(t, copied, object.Namespace, "copy")).To(BeTrue())
	g.Expect(copied.Finalizers).To(Equal([]string{"example.test/backup"}))
	g.Expect(exists(t, object, object.Namespace, object.Name)).To(BeFalse())

	again := newSession()
	g.Expect(again.run(t.Context(), object.Namespace, "uninstall", "--revoke")).To(Equal(exitDone), again.err.String())
	g.Expect(again.out.String()).To(HavePrefix("No SpacesCredential and no state is left"))
}

// The chart's policy lets nobody but the operator free a state. One that was just removed refuses
// for a moment more, which charts/removal_test.go meets.
func TestAPolicyThatKeepsAStateIsSaid(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := leftBehind(t, "uninstall-policy")
	holdLease(t, object.Namespace, 2*time.Minute)
	enforce(t, object.Namespace, admissionv1.Validation{Expression: "oldObject != null && size(oldObject.metadata.?finalizers.orValue([])) == size(object.metadata.?finalizers.orValue([]))"})
	began := s.clock.Now()

	g.Expect(s.runSteadily(t, object.Namespace, "uninstall", "--keep-grants")).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(ContainSubstring(`error: an admission policy keeps the operator's finalizer on Secret "copy" in namespace "uninstall-policy": remove that policy, with the release if it is the chart's, and repeat this: `))
	g.Expect(s.clock.Since(began)).To(Equal(policyLinger))
	g.Expect(exists(t, &corev1.Secret{}, object.Namespace, "copy")).To(BeTrue())
}

// The operator ends what is deleted by what the spec says then.
func TestARunningOperatorEndsEverythingByTheTermsOfTheUninstallation(t *testing.T) {
	for choice, c := range map[string]struct {
		namespace string
		terms     v1alpha1.Revocation
		says      string
	}{
		"--revoke":      {"uninstall-revoke", v1alpha1.Revocation{Policy: v1alpha1.RevocationOnDelete, DeadlineSeconds: ptr.To[int32](86_400)}, "   0s  4 left: uninstall-revoke/meeting-bot"},
		"--keep-grants": {"uninstall-keep", v1alpha1.Revocation{Policy: v1alpha1.RevocationNever, DeadlineSeconds: ptr.To[int32](300)}, "somebody ends it there: 2 grants.\n"},
	} {
		t.Run(choice, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := leftBehind(t, c.namespace)
			holdLease(t, object.Namespace, time.Second)
			terms := make(chan v1alpha1.Revocation, 1)
			watching, err := admin.Watch(t.Context(), &v1alpha1.SpacesCredentialList{}, client.InNamespace(object.Namespace))
			g.Expect(err).NotTo(HaveOccurred())
			t.Cleanup(watching.Stop)
			go func() {
				for event := range watching.ResultChan() {
					if seen, is := event.Object.(*v1alpha1.SpacesCredential); is && seen.DeletionTimestamp != nil {
						terms <- *seen.Spec.Revocation
						return
					}
				}
			}()
			ended := make(chan int, 1)
			go func() { ended <- s.run(t.Context(), object.Namespace, "uninstall", choice) }()
			var got v1alpha1.Revocation
			g.Eventually(terms).WithTimeout(patience).Should(Receive(&got))
			g.Expect(got).To(Equal(c.terms))
			g.Eventually(s.clock.HasWaiters).WithTimeout(patience).Should(BeTrue())
			released(t, object)
			g.Eventually(func() bool {
				s.clock.Step(lookAgain)
				return len(ended) == 1
			}).WithTimeout(patience).Should(BeTrue())
			g.Expect(<-ended).To(Equal(exitDone), s.err.String())
			g.Expect(s.out.String()).To(ContainSubstring(c.says))
		})
	}
}

// released does what an operator does at the end.
func released(t *testing.T, c *v1alpha1.SpacesCredential) {
	t.Helper()
	g := NewWithT(t)
	for _, name := range []string{"meeting-bot" + v1alpha1.GrantSecretSuffix, "copy"} {
		secret := &corev1.Secret{}
		g.Expect(exists(t, secret, c.Namespace, name)).To(BeTrue())
		secret.Finalizers = nil
		g.Expect(admin.Update(t.Context(), secret)).To(Succeed())
		g.Expect(admin.Delete(t.Context(), secret)).To(Succeed())
	}
	g.Expect(admin.Delete(t.Context(), secretOf(c, "owned-token", ""))).To(Succeed()) // as the garbage collector does
	seen := &v1alpha1.SpacesCredential{}
	g.Expect(exists(t, seen, c.Namespace, c.Name)).To(BeTrue())
	seen.Finalizers = nil
	g.Expect(admin.Update(t.Context(), seen)).To(Succeed())
}

// Whoever may not see what there is cannot say that nothing is left.
func TestAnUninstallationNeedsToSeeEverything(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := leftBehind(t, "uninstall-viewer")
	g.Expect(s.run(t.Context(), object.Namespace, "uninstall", "--as="+viewer)).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(ContainSubstring("the Secrets, which may be states, could not be listed"))
}
