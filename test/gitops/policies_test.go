package gitops

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// judged is an object, and what a policy says of it: nothing where it is admitted.
type judged struct {
	grant string
	edit  func(spec map[string]any)
	says  string
}

// with sets a field of a spec; a nil value takes it away.
func with(field string, value any) func(map[string]any) {
	return func(spec map[string]any) {
		if value == nil {
			delete(spec, field)
			return
		}
		spec[field] = value
	}
}

// implied takes the environment away, which makes it production.
var implied = with("environment", nil)

// allowed are the labels of the namespace that the policies are tried in.
var allowed = map[string]string{"spaces.example.com/staging": "allowed", "spaces.example.com/sandbox": "denied"}

// verdicts has for each policy of config/samples/policies what it refuses, first, and admits.
var verdicts = map[string]map[string]judged{
	"environments": {
		"an environment without a label is refused": {"password", with("environment", "preview"),
			"may not use the environment preview: it needs the label spaces.example.com/preview=allowed"},
		"one with another value is refused": {"password", with("environment", "sandbox"), "may not use the environment sandbox"},
		"the implied one is production":     {"password", implied, "may not use the environment production"},
		"one with the label is admitted":    {"password", with("environment", "staging"), ""},
	},
	"client_secrets": {
		"another client is refused": {"password", with("clientSecretRef", map[string]any{"name": "another"}),
			"spec.clientSecretRef.name has to be spaces-client, not another"},
		"the client is admitted": {"refresh_token", implied, ""},
		"a guest has none":       {"anonymous", implied, ""},
	},
	"grant_types": {
		"a password is refused":       {"password", implied, "spec.grantType has to be AuthorizationCode or RefreshToken, not Password"},
		"a guest is refused":          {"anonymous", implied, "not Anonymous"},
		"a person is admitted":        {"authorization_code", implied, ""},
		"a refresh token is admitted": {"refresh_token", implied, ""},
	},
	"production_without_passwords": {
		"a password for production is refused": {"password", with("environment", "production"),
			"grantType Password is not allowed in the environment production: use AuthorizationCode or RefreshToken"},
		"and where production is implied":     {"password", implied, "grantType Password is not allowed"},
		"a password for staging is admitted":  {"password", with("environment", "staging"), ""},
		"a person for production is admitted": {"authorization_code", implied, ""},
	},
	"early_renewals": {
		"a late renewal is refused": {"password", with("renewal", map[string]any{"renewBeforeSeconds": int64(599)}),
			"spec.renewal.renewBeforeSeconds has to be at least 600, not 599"},
		"a small share is refused": {"password", with("renewal", map[string]any{"renewBeforePercent": int64(19)}),
			"spec.renewal.renewBeforePercent has to be at least 20, not 19"},
		"ten minutes are admitted": {"password", with("renewal", map[string]any{"renewBeforeSeconds": int64(600)}), ""},
		"a share is admitted":      {"password", with("renewal", map[string]any{"renewBeforePercent": int64(20)}), ""},
		"so is the default":        {"password", with("renewal", nil), ""},
	},
	"secret_names": {
		"another name is refused": {"password", with("secretName", "meeting-bot"),
			"the published Secret meeting-bot has to be called something-token: set spec.secretName"},
		"and that of the object":     {"refresh_token", implied, "the published Secret presenter has to be called something-token"},
		"a token's name is admitted": {"password", with("secretName", "a-token"), ""},
	},
}

// samplesOf reads the objects of a file of config/samples.
func samplesOf(t *testing.T, folder, file string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for _, document := range strings.Split(read(t, "config", "samples", folder, file), "\n---\n") {
		objects = append(objects, object(t, document))
	}
	return objects
}

// enforce puts a policy in force until the test ends. Its binding is narrowed to one namespace, so that
// others are left alone.
func enforce(t *testing.T, name, namespace string, refused func() error) {
	t.Helper()
	g := NewWithT(t)
	for _, part := range samplesOf(t, "policies", name+".yaml") {
		if part.GetKind() == "ValidatingAdmissionPolicyBinding" {
			g.Expect(unstructured.SetNestedMap(part.Object, map[string]any{
				"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": namespace}},
			}, "spec", "matchResources")).To(Succeed())
		}
		g.Expect(admin.Create(t.Context(), part)).To(Succeed())
		t.Cleanup(func() { g.Expect(admin.Delete(context.Background(), part)).To(Succeed()) })
	}
	g.Eventually(refused).WithTimeout(patience).Should(MatchError(ContainSubstring("ValidatingAdmissionPolicy")), "an API server takes up a policy after a moment")
}

func TestPoliciesAdmitAndRefuse(t *testing.T) {
	for name, cases := range verdicts {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			namespace := newNamespace(t, "policy", allowed)
			made := func(c judged) *unstructured.Unstructured {
				m := sample(t, c.grant, namespace)
				c.edit(m.Object["spec"].(map[string]any))
				return m
			}
			var wrong judged
			for _, c := range cases {
				if c.says != "" {
					wrong = c
				}
			}
			old := made(wrong)
			old.SetFinalizers([]string{v1alpha1.FinalizerRevoke})
			g.Expect(admin.Create(t.Context(), old)).To(Succeed(), "before the policy")
			enforce(t, name, namespace, func() error {
				return admin.Create(t.Context(), made(wrong), client.DryRunAll)
			})
			for sentence, c := range cases {
				t.Run(sentence, func(t *testing.T) {
					g := NewWithT(t)
					err := admin.Create(t.Context(), made(c), client.DryRunAll)
					if c.says == "" && !apierrors.IsAlreadyExists(err) {
						g.Expect(err).NotTo(HaveOccurred())
						return
					}
					if c.says != "" {
						g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
						g.Expect(err).To(MatchError(ContainSubstring(c.says)))
					}
				})
			}
			// An object from before the policy goes on, and goes.
			patch(t, old, fromPerson, `{"metadata": {"annotations": {"`+v1alpha1.AnnotationRenewRequestedAt+`": "now"}}}`)
			g.Expect(unstructured.SetNestedField(old.Object, int64(1), "status", "observedGeneration")).To(Succeed())
			g.Expect(admin.Status().Update(t.Context(), old, client.FieldOwner(v1alpha1.FieldManagerStatus))).To(Succeed())
			g.Expect(admin.Delete(t.Context(), old)).To(Succeed())
			patch(t, old, v1alpha1.FieldManager, `{"metadata": {"finalizers": null}}`)
			g.Expect(apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(old), old))).To(BeTrue())
		})
	}
}

// asMember is somebody of a group whom no right is missing.
func asMember(t *testing.T, group string) client.Client {
	t.Helper()
	as := rest.CopyConfig(config)
	as.Impersonate = rest.ImpersonationConfig{UserName: "somebody", Groups: []string{"system:masters", group}}
	server, err := testbed.NewClient(as)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return server
}

func TestOnlyWhoMayExportAsksForIt(t *testing.T) {
	g := NewWithT(t)
	namespace := newNamespace(t, "policy-exports", nil)
	old := sample(t, "password", namespace)
	old.SetAnnotations(map[string]string{v1alpha1.AnnotationExportRequestedAt: "before"})
	g.Expect(admin.Create(t.Context(), old)).To(Succeed(), "before the policy")
	asked := func(annotation string) *unstructured.Unstructured {
		m := sample(t, "password", namespace)
		m.SetName("another")
		m.SetAnnotations(map[string]string{annotation: "now"})
		return m
	}
	enforce(t, "exports", namespace, func() error {
		return admin.Create(t.Context(), asked(v1alpha1.AnnotationExportRequestedAt), client.DryRunAll)
	})
	const says = "only the group spaces-movers may ask for an export"
	mover := asMember(t, "spaces-movers")
	for _, annotation := range []string{v1alpha1.AnnotationExportRequestedAt, v1alpha1.AnnotationExportTo, v1alpha1.AnnotationExportLost} {
		g.Expect(admin.Create(t.Context(), asked(annotation), client.DryRunAll)).To(MatchError(ContainSubstring(says)))
		g.Expect(mover.Create(t.Context(), asked(annotation), client.DryRunAll)).To(Succeed())
	}
	g.Expect(admin.Create(t.Context(), asked(v1alpha1.AnnotationRenewRequestedAt), client.DryRunAll)).To(Succeed())
	change := old.DeepCopy()
	change.SetAnnotations(map[string]string{v1alpha1.AnnotationExportRequestedAt: "after"})
	g.Expect(admin.Update(t.Context(), change)).To(MatchError(ContainSubstring(says)))
	patch(t, old, fromPerson, `{"metadata": {"annotations": {"`+v1alpha1.AnnotationRenewRequestedAt+`": "now"}}}`)
	patch(t, old, fromPerson, `{"metadata": {"annotations": {"`+v1alpha1.AnnotationExportRequestedAt+`": null}}}`)
}

// The page and the tests know every sample.
func TestEveryPolicyIsTestedAndOnThePage(t *testing.T) {
	g := NewWithT(t)
	page := read(t, "docs", "policies.md")
	for _, folder := range []string{"policies", "rbac"} {
		files, err := filepath.Glob(filepath.Join(root, "config", "samples", folder, "*.yaml"))
		g.Expect(err).NotTo(HaveOccurred())
		for _, file := range files {
			g.Expect(page).To(ContainSubstring("config/samples/" + folder + "/" + filepath.Base(file)))
			if name := strings.TrimSuffix(filepath.Base(file), ".yaml"); folder == "policies" && name != "login_secrets" && name != "exports" {
				g.Expect(verdicts).To(HaveKey(name))
			}
		}
	}
}
