package controllers

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// crowd is a thousand namespaces with a user of one client each, beside as many with a client of their
// own. It is what the informers show, with their indexes.
type crowd struct {
	*Reconciler
	shown client.Client
	// lists and reads count what was asked of the informers, live what was asked of the API server.
	lists, reads, live int
	woken, recounted   map[string]int
}

const crowdSize = 1000

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	g := NewWithT(t)
	kinds := runtime.NewScheme()
	g.Expect(v1alpha1.AddToScheme(kinds)).To(Succeed())
	shared := &v1alpha1.ClusterSpacesClient{ObjectMeta: metav1.ObjectMeta{Name: "corporate"}, Spec: v1alpha1.ClusterSpacesClientSpec{
		SecretRef:         v1alpha1.ClusterClientSecretReference{Name: "corporate-client"},
		AllowedNamespaces: &v1alpha1.AllowedNamespaces{},
	}}
	objects := []client.Object{shared}
	for i := range crowdSize {
		namespace := fmt.Sprintf("team-%d", i)
		shared.Spec.AllowedNamespaces.Names = append(shared.Spec.AllowedNamespaces.Names, namespace)
		user := &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bot"}, Spec: v1alpha1.SpacesCredentialSpec{
			GrantType: v1alpha1.GrantTypeAuthorizationCode, ClientRef: &v1alpha1.ClientReference{Kind: v1alpha1.ClientKindCluster, Name: shared.Name},
		}}
		own := &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "own"}, Spec: v1alpha1.SpacesCredentialSpec{
			GrantType: v1alpha1.GrantTypePassword, ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "corporate-client"},
		}}
		objects = append(objects, user, own)
	}
	c := &crowd{woken: map[string]int{}, recounted: map[string]int{}}
	c.shown = fake.NewClientBuilder().WithScheme(kinds).WithObjects(objects...).
		WithIndex(&v1alpha1.SpacesCredential{}, clientIndex, indexedClient).
		WithIndex(&v1alpha1.SpacesCredential{}, secretIndex, namedSecrets).
		WithIndex(&v1alpha1.ClusterSpacesClient{}, clientSecretIndex, indexedSecret).
		WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, server client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				asked := (&client.ListOptions{}).ApplyOptions(options)
				if asked.Namespace == "" && asked.FieldSelector == nil {
					t.Error("all objects were listed for one change")
				}
				c.lists++
				return server.List(ctx, list, options...)
			},
			Get: func(ctx context.Context, server client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				c.reads++
				return server.Get(ctx, key, object, options...)
			},
		}).Build()
	live := interceptor.NewClient(c.shown.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, server client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			c.live++
			return server.Get(ctx, key, object, options...)
		},
	})
	c.Reconciler = &Reconciler{Client: c.shown, Live: live, ClientNamespace: "clients"}
	wake := func(key types.NamespacedName) { c.woken[key.String()]++ }
	recount := func(name string) { c.recounted[name]++ }
	c.enqueue.Store(&wake)
	c.recount.Store(&recount)
	return c
}

// What one change costs a thousand namespaces: a pass for each that it concerns, and one list by index.
func TestOneChangeOfAClientWakesItsUsersAlone(t *testing.T) {
	g, c := NewWithT(t), newCrowd(t)
	secret := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "clients", Name: "corporate-client"}}
	g.Expect(c.concerned(t.Context(), secret)).To(HaveLen(crowdSize), "its Secret changed")
	g.Expect(c.lists).To(Equal(3), "those that name the Secret themselves, the clients that it holds, and their users")
	c.lists = 0
	keys, err := c.usersOf(t.Context(), "corporate")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(keys).To(HaveLen(crowdSize), "its spec changed")
	g.Expect(c.lists).To(Equal(1))

	g.Expect(c.concerned(t.Context(), &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "team-7", Name: "corporate-client"}})).
		To(HaveLen(1), "a Secret of that name elsewhere is that namespace's own matter")
	another, err := c.usersOf(t.Context(), "another")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(another).To(BeEmpty())
}

func TestOneChangeOfANamespaceWakesItsOwnAlone(t *testing.T) {
	g, c := NewWithT(t), newCrowd(t)
	c.namespaceChanged(t.Context(), "team-7")
	g.Expect(c.woken).To(Equal(map[string]int{"team-7/bot": 1}))
	g.Expect(c.recounted).To(Equal(map[string]int{"corporate": 1}))
	g.Expect(c.lists).To(Equal(1))
}

// Consent is read from the informers: one look at the client for a pass, and nothing of the API server.
func TestConsentCostsNoRequest(t *testing.T) {
	g, c := NewWithT(t), newCrowd(t)
	for i := range crowdSize {
		s := &scope{key: types.NamespacedName{Namespace: fmt.Sprintf("team-%d", i), Name: "bot"}, credential: &v1alpha1.SpacesCredential{}}
		g.Expect(c.shown.Get(t.Context(), s.key, s.credential)).To(Succeed())
		said, err := c.observeConsent(t.Context(), s)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(said.problem.isTrouble()).To(BeFalse())
	}
	g.Expect(c.live).To(BeZero())
	g.Expect(c.reads).To(Equal(2*crowdSize), "with the read of the credential itself")

	users, err := c.users(t.Context(), "corporate")
	g.Expect(err).NotTo(HaveOccurred())
	shared, err := findClusterClient(t.Context(), c.shown, "corporate")
	g.Expect(err).NotTo(HaveOccurred())
	counted, err := clusterClients{c.Reconciler}.count(t.Context(), shared, users)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(counted).To(HaveValue(BeEquivalentTo(crowdSize)))
	g.Expect(c.live).To(BeZero())
	g.Expect(countPause).To(BeNumerically(">=", time.Second), "a burst of changes is counted once")
}
