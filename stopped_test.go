package main

import (
	"sync"
	"syscall"
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

// A process that is stopped in the middle of a call for longer than the call may take finds every timer
// run out when it wakes up, and the answer in its socket, or a moment before that. The refresh token in
// the answer is the only one there is.
func TestAStoppedProcessReadsTheAnswerThatWaitsForIt(t *testing.T) {
	byTheirOwn(t)
	g := NewWithT(t)
	spaces, err := testbed.StartService(fakespaces.WithClient("app", "client-secret-5d0e"), fakespaces.WithUser("bot@example.test", "password-5d0e"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(spaces.Stop()).To(Succeed()) })
	local := spaces.Environment("local")
	local.TimeoutSeconds = 1
	environments, err := testbed.WriteEnvironments(t.TempDir(), local)
	g.Expect(err).NotTo(HaveOccurred())
	p := start(t, "--environments-file="+environments, "--leader-elect=false", "--watch-namespaces=stopped", "--metrics-secure=false")
	stoppedAt, goesOn := make(chan time.Time, 1), make(chan struct{})
	var once sync.Once
	spaces.InterceptAnswer(func(fakespaces.Call) { // which is decided, and not yet on its way
		once.Do(func() {
			if err := p.operator.Signal(syscall.SIGSTOP); err != nil {
				t.Error(err)
			}
			stoppedAt <- time.Now()
			<-goesOn
		})
	})

	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "stopped", Name: name} }
	credential := &v1alpha1.SpacesCredential{ObjectMeta: in("bot"), Spec: v1alpha1.SpacesCredentialSpec{
		Environment: "local", GrantType: v1alpha1.GrantTypeRefreshToken,
		ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
		RefreshToken:    &v1alpha1.RefreshTokenGrant{SecretRef: v1alpha1.SecretKeyReference{Name: "seed"}},
	}}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "stopped"}},
		&corev1.Secret{ObjectMeta: in("client"), StringData: map[string]string{"client_id": "app", "client_secret": "client-secret-5d0e"}},
		&corev1.Secret{ObjectMeta: in("seed"), StringData: map[string]string{"refresh_token": spaces.IssueGrant("app", "bot@example.test", "email")}},
		credential,
	} {
		g.Expect(p.kubernetes.Create(t.Context(), object)).To(Succeed())
	}
	var stopped time.Time
	g.Eventually(stoppedAt).WithTimeout(time.Minute).Should(Receive(&stopped))
	longer := 3 * local.Timeout()
	g.Eventually(func() time.Duration { return time.Since(stopped) }).WithTimeout(time.Minute).Should(BeNumerically(">", longer))
	g.Expect(p.operator.Signal(syscall.SIGCONT)).To(Succeed())
	close(goesOn)

	g.Eventually(func(g Gomega) {
		g.Expect(p.kubernetes.Get(t.Context(), client.ObjectKeyFromObject(credential), credential)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(credential.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
	}).WithTimeout(time.Minute).Should(Succeed())
	g.Expect(spaces.Ledger().Calls[fakespaces.OperationRefresh]).To(Equal(1))
	g.Expect(p.kubernetes.Delete(t.Context(), credential)).To(Succeed())
	awaitGone(t, p.kubernetes, credential)
}
