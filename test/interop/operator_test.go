package interop

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	// shortLifetime is that of access tokens, of which three are to be seen to end.
	shortLifetime = 12 * time.Second
	// patience bounds what takes three lifetimes.
	patience = 2 * time.Minute
)

// stack is a live operator, a real API server and the server.
type stack struct {
	*world
	*WithT
	cluster client.Client
}

func startStack(t *testing.T) *stack {
	s := &stack{world: newWorldOf(t, shortLifetime), WithT: NewWithT(t)}
	folder := t.TempDir()
	plane, err := testbed.StartControlPlane(testbed.CRDs)
	s.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { s.Expect(plane.Stop()).To(Succeed()) })
	s.cluster, err = testbed.NewClient(plane.Config)
	s.Expect(err).NotTo(HaveOccurred())
	kubeconfig, err := testbed.WriteKubeconfig(folder, plane.Config)
	s.Expect(err).NotTo(HaveOccurred())
	environments, err := testbed.WriteEnvironments(folder, spacesauth.Environment{Name: "interop", AccountsURL: s.url, APIURL: s.url})
	s.Expect(err).NotTo(HaveOccurred())
	program := filepath.Join(folder, "manager")
	s.Expect(testbed.Build(t.Context(), program, ".")).To(Succeed())
	operator, err := testbed.StartOperator(exec.Command(program, "--environments-file="+environments, "--kubeconfig="+kubeconfig,
		"--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=0"), filepath.Join(folder, "operator.log"))
	s.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		s.Expect(errors.Join(operator.Failure(), operator.Stop())).To(Succeed())
		if t.Failed() {
			said, _ := operator.Log()
			t.Logf("the operator's log:\n%s", said)
		}
	})
	return s
}

// credential is one of a client without a secret, for the service that the operator knows as
// interop: such a client proves nothing at a revocation either.
func credential(name string, grant func(*v1alpha1.SpacesCredentialSpec)) *v1alpha1.SpacesCredential {
	made := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name},
		Spec: v1alpha1.SpacesCredentialSpec{
			Environment: "interop", ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
			Scopes: []string{"email", "spaces"}, SecretName: name + "-token",
			Verification: []v1alpha1.Verification{v1alpha1.VerificationUserProfile},
		},
	}
	grant(&made.Spec)
	return made
}

func byPassword(spec *v1alpha1.SpacesCredentialSpec) {
	spec.GrantType = v1alpha1.GrantTypePassword
	spec.Password = &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "login"}}
}

func byCode(spec *v1alpha1.SpacesCredentialSpec) {
	spec.GrantType = v1alpha1.GrantTypeAuthorizationCode
	spec.AuthorizationCode = &v1alpha1.AuthorizationCodeGrant{
		SecretRef: v1alpha1.AuthorizationCodeSecretReference{Name: "code"}, RedirectURI: redirectURI,
	}
}

func (s *stack) create(ctx context.Context, name string, kind corev1.SecretType, values map[string]string) {
	s.t.Helper()
	s.Expect(s.cluster.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}, Type: kind, StringData: values,
	})).To(Succeed())
}

// signIn is the person, once the operator tells where to sign in.
func (s *stack) signIn(ctx context.Context, made *v1alpha1.SpacesCredential) {
	s.t.Helper()
	s.Eventually(func() (string, error) {
		err := s.cluster.Get(ctx, client.ObjectKeyFromObject(made), made)
		return made.Status.AuthorizationEndpoint, err
	}).WithContext(ctx).WithTimeout(patience).Should(Equal(s.client.Environment().AuthorizationEndpoint()))
	s.Expect(made.Status.ClientID).To(Equal(public.ID))
	code := s.code(public)
	s.create(ctx, "code", v1alpha1.SecretTypeAuthorizationCode, map[string]string{"code": code.Code.Reveal(), "code_verifier": code.CodeVerifier.Reveal()})
}

// An operator, an API server and an authorization server, all of them real: the whole life of
// two grants.
func TestAnOperatorSignsInRotatesAndRevokes(t *testing.T) {
	s := startStack(t)
	ctx := t.Context()
	s.create(ctx, "client", corev1.SecretTypeOpaque, map[string]string{"client_id": public.ID})
	s.create(ctx, "login", corev1.SecretTypeBasicAuth, map[string]string{"username": user, "password": password})
	bots := []*v1alpha1.SpacesCredential{credential("password", byPassword), credential("code", byCode)}
	for _, bot := range bots {
		s.Expect(s.cluster.Create(ctx, bot)).To(Succeed())
	}
	s.signIn(ctx, bots[1])

	for _, bot := range bots {
		s.Eventually(func(g Gomega) {
			g.Expect(s.cluster.Get(ctx, client.ObjectKeyFromObject(bot), bot)).To(Succeed())
			g.Expect(bot.Status.Grant).NotTo(BeNil())
			g.Expect(bot.Status.Grant.Rotations).To(BeNumerically(">=", 3), "%+v", bot.Status.Conditions)
			g.Expect(meta.IsStatusConditionTrue(bot.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
			// What workloads hold works, though this server ends a token with its successor.
			published := &corev1.Secret{}
			g.Expect(s.cluster.Get(ctx, client.ObjectKey{Namespace: bot.Namespace, Name: bot.Spec.SecretName}, published)).To(Succeed())
			_, err := s.client.UserProfile(ctx, string(published.Data[v1alpha1.KeyTokenType]), spacesauth.NewSecret(string(published.Data[v1alpha1.KeyAccessToken])))
			g.Expect(err).NotTo(HaveOccurred())
		}).WithContext(ctx).WithTimeout(patience).Should(Succeed(), bot.Name)
	}
	living, rotations := s.Grants()
	s.Expect(living).To(Equal(len(bots)), "each of them signed in once")
	s.Expect(rotations).To(BeNumerically(">=", 3*len(bots)))

	for _, bot := range bots {
		s.Expect(s.cluster.Delete(ctx, bot)).To(Succeed())
	}
	for _, bot := range bots {
		s.Eventually(func() bool {
			return apierrors.IsNotFound(s.cluster.Get(ctx, client.ObjectKeyFromObject(bot), bot))
		}).WithContext(ctx).WithTimeout(patience).Should(BeTrue(), bot.Name)
	}
	s.expectLiving(0)
}
