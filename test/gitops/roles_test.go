package gitops

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// right is something that a person may or may not do.
type right struct{ verb, group, resource, name string }

const ours = v1alpha1.GroupName

// mayDo asks the API server whether somebody of a group may do something.
func mayDo(t *testing.T, namespace, group string, r right) bool {
	t.Helper()
	resource, subresource := r.resource, ""
	if resource == "spacescredentials/status" {
		resource, subresource = "spacescredentials", "status"
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "somebody", Groups: []string{group},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: r.verb, Group: r.group, Resource: resource, Subresource: subresource, Name: r.name,
		},
	}}
	NewWithT(t).Expect(admin.Create(t.Context(), review)).To(Succeed())
	return review.Status.Allowed
}

// people are the usual ones, with the group that has their role and what it lets them do.
var people = map[string]struct {
	group    string
	may, not []right
}{
	"viewer": {
		"viewers",
		[]right{{"list", ours, "spacescredentials", ""}, {"get", ours, "spacescredentials/status", "host"}},
		[]right{{"patch", ours, "spacescredentials", "host"}, {"get", "", "secrets", "meeting-bot-token"}},
	},
	"editor": {
		"editors",
		[]right{{"create", ours, "spacescredentials", ""}, {"patch", ours, "spacescredentials", "host"}, {"delete", ours, "spacescredentials", "host"}},
		[]right{{"update", ours, "spacescredentials/status", "host"}, {"get", "", "secrets", "meeting-bot-token"}, {"create", "", "secrets", ""}},
	},
	"token_reader": {
		"spaces-readers",
		[]right{{"get", "", "secrets", "meeting-bot-token"}, {"get", ours, "spacescredentials", "meeting-bot"}},
		[]right{{"get", "", "secrets", "meeting-bot-grant"}, {"get", "", "secrets", "host"}, {"list", "", "secrets", ""}, {"watch", "", "secrets", ""},
			{"update", "", "secrets", "meeting-bot-token"}, {"patch", ours, "spacescredentials", "meeting-bot"}},
	},
	"login": {
		"spaces-hosts",
		// What kubectl spaces login asks for before it opens a browser.
		[]right{{"get", "", "secrets", "host-login"}, {"create", "", "secrets", ""}, {"update", "", "secrets", "host-login"}, {"delete", "", "secrets", "host-login"},
			{"get", ours, "spacescredentials", "host"}, {"watch", ours, "spacescredentials", ""}},
		[]right{{"get", "", "secrets", "host"}, {"get", "", "secrets", "spaces-client"}, {"list", "", "secrets", ""}, {"delete", "", "secrets", "host"},
			{"patch", ours, "spacescredentials", "host"}, {"create", ours, "spacescredentials", ""}},
	},
}

// appoint gives people of a group the role of a name.
func appoint(t *testing.T, name, namespace string) {
	t.Helper()
	g := NewWithT(t)
	if name == "login" || name == "token_reader" {
		for _, part := range samplesOf(t, "rbac", name+".yaml") {
			part.SetNamespace(namespace)
			g.Expect(admin.Create(t.Context(), part)).To(Succeed())
		}
		return
	}
	role := object(t, read(t, "config", "rbac", "spacescredential_"+name+"_role.yaml"))
	g.Expect(admin.Create(t.Context(), role)).To(Succeed())
	t.Cleanup(func() { g.Expect(admin.Delete(context.Background(), role)).To(Succeed()) })
	binding := object(t, "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: people}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "+
		role.GetName()+"}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "+people[name].group+"}]}")
	binding.SetNamespace(namespace)
	g.Expect(admin.Create(t.Context(), binding)).To(Succeed())
}

func TestRolesGiveWhatTheirNamesSay(t *testing.T) {
	for name, who := range people {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			namespace := newNamespace(t, "roles", nil)
			appoint(t, name, namespace)
			for _, r := range who.may {
				g.Eventually(func() bool { return mayDo(t, namespace, who.group, r) }).WithTimeout(patience).Should(BeTrue(), "%v", r)
			}
			for _, r := range who.not {
				g.Expect(mayDo(t, namespace, who.group, r)).To(BeFalse(), "%v", r)
			}
			g.Expect(mayDo(t, metav1.NamespaceDefault, who.group, who.may[0])).To(BeFalse(), "another namespace")
		})
	}
}

func TestWhoeverSignsInCreatesNoOtherSecret(t *testing.T) {
	g := NewWithT(t)
	namespace := newNamespace(t, "login", nil)
	appoint(t, "login", namespace)
	as := rest.CopyConfig(config)
	as.Impersonate = rest.ImpersonationConfig{UserName: "somebody", Groups: []string{people["login"].group}}
	host, err := testbed.NewClient(as)
	g.Expect(err).NotTo(HaveOccurred())
	create := func(kind corev1.SecretType) error {
		return host.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "host-login"}, Type: kind}, client.DryRunAll)
	}
	g.Eventually(func() error { return create(corev1.SecretTypeOpaque) }).WithTimeout(patience).Should(Succeed(), "without the policy")
	enforce(t, "login_secrets", namespace, func() error { return create(corev1.SecretTypeOpaque) })
	err = create(corev1.SecretTypeOpaque)
	g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	g.Expect(err).To(MatchError(ContainSubstring("the group spaces-hosts signs in by kubectl spaces login, and creates no other Secrets")))
	g.Expect(create(v1alpha1.SecretTypeAuthorizationCode)).To(Succeed())
}
