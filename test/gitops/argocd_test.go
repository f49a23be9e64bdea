package gitops

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// customizations has the scripts and their tests in the form that upstream takes.
const customizations = "config/argocd/resource_customizations/auth.spaces-operator.io/SpacesCredential"

// healthOf is what a health check of Argo CD answers.
type healthOf struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func health(t *testing.T, script string, object *unstructured.Unstructured) healthOf {
	t.Helper()
	g := NewWithT(t)
	said, err := run(script, object.Object)
	g.Expect(err).NotTo(HaveOccurred())
	var told healthOf
	raw, err := json.Marshal(said)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(json.Unmarshal(raw, &told)).To(Succeed())
	g.Expect(told.Status).To(BeElementOf("Healthy", "Progressing", "Degraded", "Suspended"))
	g.Expect(told.Message).NotTo(BeEmpty())
	return told
}

// healthTest is a line of health_test.yaml.
type healthTest struct {
	HealthStatus healthOf `json:"healthStatus"`
	InputPath    string   `json:"inputPath"`
}

func healthTests(t *testing.T) []healthTest {
	t.Helper()
	var file struct {
		Tests []healthTest `json:"tests"`
	}
	NewWithT(t).Expect(yaml.UnmarshalStrict([]byte(read(t, customizations, "health_test.yaml")), &file)).To(Succeed())
	return file.Tests
}

func TestArgoCDShowsTheHealthOfEveryObject(t *testing.T) {
	script := read(t, customizations, "health.lua")
	tests := healthTests(t)
	var used []string
	for _, test := range tests {
		used = append(used, filepath.Base(test.InputPath))
		t.Run(test.InputPath, func(t *testing.T) {
			NewWithT(t).Expect(health(t, script, object(t, read(t, customizations, test.InputPath)))).To(Equal(test.HealthStatus))
		})
	}
	files, err := filepath.Glob(filepath.Join(root, customizations, "testdata", "*.yaml"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		NewWithT(t).Expect(used).To(ContainElement(filepath.Base(file)), "an object that no test judges")
	}
}

// inNoCondition are the reasons that only events have.
var inNoCondition = []string{v1alpha1.ReasonRevocationAbandoned}

// fixture is the name of the file with the object that has a reason.
func fixture(reason string) string {
	return strings.ToLower(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(reason, "$1-$2"))
}

func TestEveryReasonHasAnObject(t *testing.T) {
	for _, reason := range v1alpha1.Reasons() {
		if slices.Contains(inNoCondition, reason) {
			continue
		}
		t.Run(reason, func(t *testing.T) {
			g := NewWithT(t)
			text := read(t, customizations, "testdata", fixture(reason)+".yaml")
			var known v1alpha1.SpacesCredential
			g.Expect(yaml.UnmarshalStrict([]byte(text), &known)).To(Succeed())
			var reasons []string
			for _, condition := range known.Status.Conditions {
				reasons = append(reasons, condition.Reason)
			}
			g.Expect(reasons).To(ContainElement(reason))
		})
	}
}

// What an Argo CD action does to an object is sent as a merge patch of what changed.
func act(t *testing.T, action string, live *unstructured.Unstructured) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(discovered(t, live)[action]).To(BeTrue(), "%s is not offered", action)
	result, err := run(read(t, customizations, "actions", action, "action.lua"), live.Object)
	g.Expect(err).NotTo(HaveOccurred())
	before, err := json.Marshal(live.Object)
	g.Expect(err).NotTo(HaveOccurred())
	after, err := json.Marshal(mended(result, live.Object))
	g.Expect(err).NotTo(HaveOccurred())
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(before, after, before)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(admin.Patch(t.Context(), live, client.RawPatch(types.MergePatchType, patch))).To(Succeed(), string(patch))
}

// mended gives a section that was empty, and that Lua made a list of, back as it was.
func mended(result any, before any) any {
	switch known := result.(type) {
	case []any:
		if was, isObject := before.(map[string]any); isObject && len(known) == 0 {
			return was
		}
	case map[string]any:
		if was, isObject := before.(map[string]any); isObject {
			for key := range known {
				if old, stood := was[key]; stood {
					known[key] = mended(known[key], old)
				}
			}
		}
	}
	return result
}

// discovered tells which actions are offered.
func discovered(t *testing.T, live *unstructured.Unstructured) map[string]bool {
	t.Helper()
	found, err := run(read(t, customizations, "actions", "discovery.lua"), live.Object)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	offered := map[string]bool{}
	for name, action := range found.(map[string]any) {
		offered[name] = !action.(map[string]any)["disabled"].(bool)
	}
	return offered
}

// stamp is what the operator is asked with: it takes any new value, and people read this one.
var stamp = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z`)

func TestArgoCDActionsMakeTheObjectsThatAreExpected(t *testing.T) {
	var file struct {
		DiscoveryTests []struct {
			InputPath string `json:"inputPath"`
			Result    []struct {
				Name     string `json:"name"`
				Disabled bool   `json:"disabled"`
			} `json:"result"`
		} `json:"discoveryTests"`
		ActionTests []struct {
			Action             string `json:"action"`
			InputPath          string `json:"inputPath"`
			ExpectedOutputPath string `json:"expectedOutputPath"`
		} `json:"actionTests"`
	}
	NewWithT(t).Expect(yaml.UnmarshalStrict([]byte(read(t, customizations, "actions", "action_test.yaml")), &file)).To(Succeed())
	for _, test := range file.DiscoveryTests {
		t.Run("discovery of "+test.InputPath, func(t *testing.T) {
			want := map[string]bool{}
			for _, action := range test.Result {
				want[action.Name] = !action.Disabled
			}
			NewWithT(t).Expect(discovered(t, object(t, read(t, customizations, "actions", test.InputPath)))).To(Equal(want))
		})
	}
	tested := map[string]bool{}
	for _, test := range file.ActionTests {
		tested[test.Action] = true
		t.Run(test.Action+" of "+test.InputPath, func(t *testing.T) {
			g := NewWithT(t)
			before := object(t, read(t, customizations, "actions", test.InputPath))
			result, err := run(read(t, customizations, "actions", test.Action, "action.lua"), before.Object)
			g.Expect(err).NotTo(HaveOccurred())
			got, err := yaml.Marshal(mended(result, before.Object))
			g.Expect(err).NotTo(HaveOccurred())
			want := read(t, customizations, "actions", test.ExpectedOutputPath)
			g.Expect(stamp.ReplaceAllString(string(got), "TIME")).To(MatchYAML(stamp.ReplaceAllString(want, "TIME")))
		})
	}
	NewWithT(t).Expect(tested).To(And(HaveLen(4), HaveKey("renew"), HaveKey("revoke"), HaveKey("suspend"), HaveKey("resume")))
}

func TestTheAPIServerTakesWhatArgoCDActionsDo(t *testing.T) {
	for _, grant := range []string{"password", "refresh_token", "authorization_code", "anonymous"} {
		t.Run(grant, func(t *testing.T) {
			g := NewWithT(t)
			live := sample(t, grant, newNamespace(t, "actions", nil))
			if grant == "anonymous" {
				live.Object["spec"].(map[string]any)["anonymous"] = map[string]any{} // Lua makes a list of it
			}
			g.Expect(admin.Create(t.Context(), live)).To(Succeed())
			for action, annotation := range map[string]string{"renew": v1alpha1.AnnotationRenewRequestedAt, "revoke": v1alpha1.AnnotationRevokeRequestedAt} {
				act(t, action, live)
				asked, err := time.Parse(time.RFC3339, live.GetAnnotations()[annotation])
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(asked).To(BeTemporally("~", live.GetCreationTimestamp().Time, patience))
			}
			spec := func() any { return live.Object["spec"].(map[string]any)["suspend"] }
			g.Expect(live.GetGeneration()).To(BeEquivalentTo(1), "a request is no edit")
			act(t, "suspend", live)
			g.Expect(spec()).To(BeTrue())
			g.Expect(discovered(t, live)).To(Equal(map[string]bool{"renew": false, "revoke": false, "suspend": false, "resume": true}))
			act(t, "resume", live)
			g.Expect(spec()).To(BeFalse())
		})
	}
}

// The ConfigMap is the scripts, word for word, and goes into an argocd-cm that has more in it.
func TestTheConfigMapGivesArgoCDTheSameScripts(t *testing.T) {
	g := NewWithT(t)
	namespace := newNamespace(t, "argocd", nil)
	live := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: argocd-cm}, data: {url: 'https://argocd.example.com'}}")
	live.SetNamespace(namespace)
	g.Expect(admin.Create(t.Context(), live)).To(Succeed())
	kubeconfig, err := testbed.WriteKubeconfig(t.TempDir(), config)
	g.Expect(err).NotTo(HaveOccurred())
	said, err := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"), "--kubeconfig="+kubeconfig, "--namespace="+namespace,
		"patch", "configmap", "argocd-cm", "--type=strategic", "--patch="+strings.ReplaceAll(read(t, "config", "argocd", "argocd-cm.yaml"), "namespace: argocd", "namespace: "+namespace)).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(said))
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(live), live)).To(Succeed())
	data, _, err := unstructured.NestedStringMap(live.Object, "data")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(data).To(HaveKeyWithValue("url", "https://argocd.example.com"))
	g.Expect(data["resource.customizations.health.auth.spaces-operator.io_SpacesCredential"]).To(Equal(read(t, customizations, "health.lua")))
	var actions struct {
		Discovery   string `json:"discovery.lua"`
		Definitions []struct {
			Name string `json:"name"`
			Lua  string `json:"action.lua"`
		} `json:"definitions"`
	}
	g.Expect(yaml.UnmarshalStrict([]byte(data["resource.customizations.actions.auth.spaces-operator.io_SpacesCredential"]), &actions)).To(Succeed())
	g.Expect(actions.Discovery).To(Equal(read(t, customizations, "actions", "discovery.lua")))
	offered := discovered(t, sample(t, "password", namespace))
	g.Expect(actions.Definitions).To(HaveLen(len(offered)))
	for _, action := range actions.Definitions {
		g.Expect(offered).To(HaveKey(action.Name))
		g.Expect(action.Lua).To(Equal(read(t, customizations, "actions", action.Name, "action.lua")))
	}
}
