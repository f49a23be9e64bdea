package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// The client of all tenants.
const (
	tenantClientID     = "app"
	tenantClientSecret = "client-secret-5a1d"
)

// startSpaces starts a service that takes a refresh token once and takes its return for theft.
func startSpaces(t *testing.T) *testbed.Service {
	t.Helper()
	spaces, err := testbed.StartService(fakespaces.WithClient(tenantClientID, tenantClientSecret))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { NewWithT(t).Expect(spaces.Stop()).To(Succeed()) })
	return spaces
}

// tenant is a namespace with a client and a user of its own at the service, seen by somebody
// who may do everything there.
type tenant struct {
	t          *testing.T
	kubernetes client.Client
	spaces     *testbed.Service
	namespace  string
}

// newTenant makes the namespace, the user, and the Secrets "client" and "login".
func newTenant(t *testing.T, kubernetes client.Client, spaces *testbed.Service, namespace string) tenant {
	t.Helper()
	at := tenant{t: t, kubernetes: kubernetes, spaces: spaces, namespace: namespace}
	password := "password-of-" + namespace
	spaces.AddUser(at.user(), password)
	NewWithT(t).Expect(kubernetes.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
	at.put("client", map[string]string{"client_id": tenantClientID, "client_secret": tenantClientSecret})
	at.put("login", map[string]string{"username": at.user(), "password": password})
	return at
}

// user is the tenant's at the service.
func (at tenant) user() string { return at.namespace + "@example.test" }

// in is the metadata of an object of the tenant.
func (at tenant) in(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: at.namespace, Name: name}
}

func (at tenant) apply(objects ...client.Object) {
	at.t.Helper()
	for _, object := range objects {
		object.SetNamespace(at.namespace)
		NewWithT(at.t).Expect(at.kubernetes.Create(at.t.Context(), object)).To(Succeed())
	}
}

// put makes a Secret.
func (at tenant) put(name string, values map[string]string) {
	at.t.Helper()
	at.apply(&corev1.Secret{ObjectMeta: at.in(name), StringData: values})
}

// seed makes a Secret with the refresh token of a new grant.
func (at tenant) seed(name string) {
	at.t.Helper()
	at.put(name, map[string]string{"refresh_token": at.spaces.IssueGrant(tenantClientID, at.user())})
}

func (at tenant) byPassword(name string) *v1alpha1.SpacesCredential {
	return &v1alpha1.SpacesCredential{ObjectMeta: at.in(name), Spec: v1alpha1.SpacesCredentialSpec{
		Environment: "local", GrantType: v1alpha1.GrantTypePassword,
		ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
		Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "login"}},
	}}
}

// bySeed takes its grant from the Secret of that name.
func (at tenant) bySeed(name, seed string) *v1alpha1.SpacesCredential {
	return &v1alpha1.SpacesCredential{ObjectMeta: at.in(name), Spec: v1alpha1.SpacesCredentialSpec{
		Environment: "local", GrantType: v1alpha1.GrantTypeRefreshToken,
		ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
		RefreshToken:    &v1alpha1.RefreshTokenGrant{SecretRef: v1alpha1.SecretKeyReference{Name: seed}},
	}}
}

// credential reads one.
func (at tenant) credential(name string) *v1alpha1.SpacesCredential {
	at.t.Helper()
	found := &v1alpha1.SpacesCredential{}
	NewWithT(at.t).Expect(at.kubernetes.Get(at.t.Context(), client.ObjectKeyFromObject(at.byPassword(name)), found)).To(Succeed())
	return found
}

// secret reads one; nil is none.
func (at tenant) secret(name string) *corev1.Secret {
	at.t.Helper()
	found := &corev1.Secret{}
	err := at.kubernetes.Get(at.t.Context(), types.NamespacedName{Namespace: at.namespace, Name: name}, found)
	if apierrors.IsNotFound(err) {
		return nil
	}
	NewWithT(at.t).Expect(err).NotTo(HaveOccurred())
	return found
}

// token is the published one.
func (at tenant) token(name string) string {
	at.t.Helper()
	published := at.secret(name)
	if published == nil {
		return ""
	}
	return string(published.Data[v1alpha1.KeyAccessToken])
}

// fingerprint is that of the published token, which failures may tell; empty where there is none.
func (at tenant) fingerprint(name string) string {
	at.t.Helper()
	return spacesauth.NewSecret(at.token(name)).Fingerprint()
}

// delete deletes an object, which may be gone.
func (at tenant) delete(object client.Object) {
	at.t.Helper()
	NewWithT(at.t).Expect(client.IgnoreNotFound(at.kubernetes.Delete(at.t.Context(), object))).To(Succeed())
}

// soon waits for what the operator brings about.
func (at tenant) soon(what func(Gomega)) {
	at.t.Helper()
	NewWithT(at.t).Eventually(what).WithTimeout(time.Minute).WithPolling(50 * time.Millisecond).Should(Succeed())
}

// awaitReady waits until the published token works, and status tells of that very one.
func (at tenant) awaitReady(names ...string) {
	at.t.Helper()
	for _, name := range names {
		at.soon(func(g Gomega) {
			credential := at.credential(name)
			ready := meta.FindStatusCondition(credential.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Status).To(Equal(metav1.ConditionTrue), "%s/%s: %s", at.namespace, name, ready.Message)
			g.Expect(at.spaces.TokenWorks(at.token(name))).To(BeTrue(), "%s/%s has a token that does not work", at.namespace, name)
			g.Expect(at.secret(name).Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationFingerprint, credential.Status.Token.Fingerprint))
		})
	}
}

// awaitStalled waits until a person is asked to act, for a reason.
func (at tenant) awaitStalled(name, reason string) {
	at.t.Helper()
	at.soon(func(g Gomega) {
		g.Expect(at.credential(name).Status.Conditions).To(ContainElement(And(
			HaveField("Type", v1alpha1.ConditionStalled), HaveField("Status", metav1.ConditionTrue), HaveField("Reason", reason))), name)
	})
}

// renew asks for new tokens, and waits until they are published.
func (at tenant) renew(names ...string) {
	at.t.Helper()
	before := map[string]string{}
	for _, name := range names {
		before[name] = at.fingerprint(name)
		at.ask(name)
	}
	for _, name := range names {
		at.soon(func(g Gomega) {
			g.Expect(at.fingerprint(name)).NotTo(Equal(before[name]), "%s has its old token", name)
		})
		at.awaitReady(name)
	}
}

// ask annotates a request to renew.
func (at tenant) ask(name string) {
	at.t.Helper()
	ask := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, v1alpha1.AnnotationRenewRequestedAt, time.Now().Format(time.RFC3339Nano))
	NewWithT(at.t).Expect(at.kubernetes.Patch(at.t.Context(), at.credential(name), client.RawPatch(types.MergePatchType, []byte(ask)))).To(Succeed())
}

// leave deletes the credentials of the tenant and then its Secrets, and waits until all are gone:
// what is left of them holds up the CRD in the tests of the shared control plane. It needs a
// living operator.
func (at tenant) leave() {
	at.t.Helper()
	ctx, home := context.Background(), client.InNamespace(at.namespace) // the test's own has ended
	gone := func(kind client.Object, list func() (left []string, err error)) {
		g := NewWithT(at.t)
		g.Expect(at.kubernetes.DeleteAllOf(ctx, kind, home)).To(Succeed())
		g.Eventually(list).WithTimeout(time.Minute).WithPolling(50*time.Millisecond).Should(BeEmpty(), "left in %s", at.namespace)
	}
	gone(&v1alpha1.SpacesCredential{}, func() (left []string, err error) {
		var all v1alpha1.SpacesCredentialList
		err = at.kubernetes.List(ctx, &all, home)
		for _, credential := range all.Items {
			left = append(left, credential.Name)
		}
		return left, err
	})
	gone(&corev1.Secret{}, func() (left []string, err error) {
		all := metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}}
		err = at.kubernetes.List(ctx, &all, home)
		for _, secret := range all.Items {
			left = append(left, secret.Name)
		}
		return left, err
	})
}
