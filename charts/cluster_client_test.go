package charts

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// A client is lent to namespaces with a label by an operator that has the rights of its chart and no
// others: it hears of the client, of its Secret and of labels, and tells who uses it.
func TestAClientIsLentWithTheRightsOfTheChart(t *testing.T) {
	g := NewWithT(t)
	createNamespaces(t)
	const clients, borrower = "spaces-clients", "borrower"
	for _, name := range []string{clients, borrower} {
		create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	spaces := startSpaces(t)
	chosen := valuesFor(spaces)
	chosen["clusterClients"] = values{"namespace": clients}
	mustCall(t, "install", release, chart, "-f", file(t, chosen))
	t.Cleanup(func() { mustCall(t, "uninstall", release) })
	started := startInstalled(t)

	shared := &v1alpha1.ClusterSpacesClient{ObjectMeta: metav1.ObjectMeta{Name: "corporate"}, Spec: v1alpha1.ClusterSpacesClientSpec{
		Environment: "local", SecretRef: v1alpha1.ClusterClientSecretReference{Name: "corporate-client"},
		AllowedNamespaces: &v1alpha1.AllowedNamespaces{Selector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.SelectorValue{"spaces": "yes"}}},
		AllowedGrantTypes: []v1alpha1.GrantType{v1alpha1.GrantTypePassword},
	}}
	credential := &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: borrower, Name: "bot"}, Spec: v1alpha1.SpacesCredentialSpec{
		Environment: "local", GrantType: v1alpha1.GrantTypePassword, ClientRef: &v1alpha1.ClientReference{Kind: v1alpha1.ClientKindCluster, Name: shared.Name},
		Password: &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "login"}},
	}}
	create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: borrower, Name: "login"}, StringData: map[string]string{"username": "bot@example.test", "password": "password-c0de"}})
	create(t, credential)
	becomes := func(kind string, status metav1.ConditionStatus, reason string) {
		t.Helper()
		g.Eventually(func(g Gomega) {
			g.Expect(started.operator.Failure()).To(Succeed())
			g.Expect(plane.kubernetes.Get(t.Context(), client.ObjectKeyFromObject(credential), credential)).To(Succeed())
			condition := meta.FindStatusCondition(credential.Status.Conditions, kind)
			g.Expect(condition).NotTo(BeNil())
			g.Expect(string(condition.Status)+condition.Reason).To(Equal(string(status)+reason), condition.Message)
		}).WithTimeout(time.Minute).Should(Succeed())
	}
	becomes(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientForbidden)
	create(t, shared)
	t.Cleanup(func() {
		g.Expect(client.IgnoreNotFound(plane.kubernetes.Delete(context.Background(), shared))).To(Succeed())
	})

	// The label comes last but one, and the Secret last.
	labelled := &corev1.Namespace{}
	g.Expect(plane.kubernetes.Get(t.Context(), client.ObjectKey{Name: borrower}, labelled)).To(Succeed())
	labelled.Labels["spaces"] = "yes"
	g.Expect(plane.kubernetes.Update(t.Context(), labelled)).To(Succeed())
	becomes(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWaitingForInput)
	create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: clients, Name: "corporate-client"}, StringData: map[string]string{"client_id": "app", "client_secret": "client-secret-c0de"}})
	becomes(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonIssued)
	g.Expect(credential.Status.ClientID).To(Equal("app"))
	g.Eventually(func(g Gomega) {
		g.Expect(plane.kubernetes.Get(t.Context(), client.ObjectKeyFromObject(shared), shared)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(shared.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
		g.Expect(shared.Status.ClientID).To(Equal("app"))
		g.Expect(shared.Status.Users).To(HaveValue(BeEquivalentTo(1)))
	}).WithTimeout(time.Minute).Should(Succeed())

	// What the client lends it may take back; the grant of a credential that goes is revoked without it.
	g.Expect(plane.kubernetes.Delete(t.Context(), shared)).To(Succeed())
	becomes(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonClientForbidden)
	g.Expect(meta.IsStatusConditionTrue(credential.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "the token still lives")
	g.Expect(plane.kubernetes.Delete(t.Context(), credential)).To(Succeed())
	expectGone(t, credential)
	g.Expect(spaces.Ledger().GrantsLive).To(BeZero())
}

// The platform team's roles join none of the cluster's, and none of those that do knows the kind: who
// has view, edit or admin in every namespace sees no client of others.
func TestNoRoleOfTheClusterShowsSharedClients(t *testing.T) {
	g := NewWithT(t)
	roles := map[string]bool{}
	for _, object := range objects(t, []byte(mustCall(t, "template", release, chart))) {
		if object.GetKind() != "ClusterRole" {
			continue
		}
		var role rbacv1.ClusterRole
		g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role)).To(Succeed())
		for _, rule := range role.Rules {
			if slices.Contains(rule.Resources, "clusterspacesclients") {
				roles[strings.TrimPrefix(role.Name, release+"-")] = true
				for label := range role.Labels {
					g.Expect(label).NotTo(ContainSubstring("aggregate-to-"), role.Name)
				}
			}
		}
	}
	g.Expect(roles).To(Equal(map[string]bool{"cluster-client-role": true, "clusterspacesclient-editor-role": true, "clusterspacesclient-viewer-role": true}))
}
