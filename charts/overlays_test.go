package charts

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	sigsyaml "sigs.k8s.io/yaml"
)

// overlay is a way to install without helm, and the values that choose the same.
type overlay struct {
	folders []string // of config
	chosen  values
}

var overlays = map[string]overlay{
	"default": {[]string{"default"}, values{"image": latest}},
	"with-prometheus": {[]string{"with-prometheus"}, values{"image": latest, "metrics": values{
		"serviceMonitor": values{"enabled": true}, "prometheusRule": values{"enabled": true}, "dashboard": values{"enabled": true},
	}}},
	"namespaced": {[]string{"namespaced"}, values{
		"image": latest, "watch": values{"namespaces": []string{"team-a", "team-b"}}, "metrics": values{"secure": false}, "rbac": values{"aggregate": false},
	}},
	"default and flowcontrol": {[]string{"default", "flowcontrol"}, values{"image": latest, "flowControl": values{"enabled": true}}},
}

// latest is what the overlays say of the image: a chart is for the version that it was packed with.
var latest = values{"tag": "latest"}

// kubectl is its command, which comes with the control plane.
func kubectl(arguments ...string) *exec.Cmd {
	return exec.Command(filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), arguments...)
}

// Whoever installs by kustomize has what helm would have installed, object by object.
func TestTheOverlaysAreTheChart(t *testing.T) {
	for name, o := range overlays {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			kustomized := map[string]map[string]any{}
			for _, folder := range o.folders {
				maps.Copy(kustomized, normalised(t, build(t, folder)))
			}
			// Helm makes the namespace itself, by --create-namespace.
			g.Expect(kustomized).To(HaveKey("Namespace /" + namespace))
			delete(kustomized, "Namespace /"+namespace)
			helmed := normalised(t, objects(t, []byte(mustCall(t, "template", release, chart, "-f", file(t, o.chosen)))))
			g.Expect(slices.Sorted(maps.Keys(kustomized))).To(Equal(slices.Sorted(maps.Keys(helmed))))
			for key := range helmed {
				g.Expect(kustomized[key]).To(Equal(helmed[key]), key)
			}
		})
	}
}

// The real API server takes each overlay, with no field that it does not know, and a namespace of
// PodSecurity restricted its Pods.
func TestTheOverlaysAreApplied(t *testing.T) {
	createNamespaces(t)
	_, err := envtest.InstallCRDs(plane.config, envtest.CRDInstallOptions{Paths: []string{"testdata/prometheus_operator.yaml"}})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for name, o := range overlays {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			for _, folder := range o.folders {
				output, err := kubectl("--kubeconfig="+plane.kubeconfig, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-k", "../config/"+folder).CombinedOutput()
				g.Expect(err).NotTo(HaveOccurred(), string(output))
				g.Expect(string(output)).NotTo(ContainSubstring("Warning"))
			}
			template, environments := installedBy(t, build(t, o.folders[0]))
			checkPods(t, template, environments)
		})
	}
}

// Who serves a few namespaces has no right, and gives none, in all.
func TestNamespacedHasRolesAlone(t *testing.T) {
	g := NewWithT(t)
	in := map[string]int{}
	for _, object := range build(t, "namespaced") {
		g.Expect(object.GetKind()).NotTo(HavePrefix("ClusterRole"))
		if object.GetKind() == "Role" {
			in[object.GetNamespace()]++
		}
	}
	g.Expect(in).To(Equal(map[string]int{namespace: 2, "team-a": 1, "team-b": 1}))
}

// Settings are changed in an overlay of one's own, as docs/install.md says.
func TestAnOverlayOfOnesOwn(t *testing.T) {
	g := NewWithT(t)
	page, err := os.ReadFile("../docs/install.md")
	g.Expect(err).NotTo(HaveOccurred())
	_, example, found := strings.Cut(string(page), "# kustomization.yaml\n")
	g.Expect(found).To(BeTrue())
	example, _, _ = strings.Cut(example, "```")
	folder, err := os.MkdirTemp("..", "overlay-") // kustomize takes no absolute path
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(os.RemoveAll(folder)).To(Succeed()) })
	for name, content := range map[string]string{
		"kustomization.yaml": strings.ReplaceAll(example, "- spaces-credential-operator/config/", "- ../config/"),
		"environments.yaml":  "environments: []\n",
		"corp.pem":           certificate,
	} {
		g.Expect(os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600)).To(Succeed())
	}
	rendered, err := kubectl("kustomize", folder).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(rendered))
	template, data := installedBy(t, objects(t, rendered))
	g.Expect(data).To(Equal(map[string]string{"environments.yaml": "environments: []\n", "corp.pem": certificate}))
	g.Expect(template.Spec.Containers[0].Image).To(Equal("registry.example.com/you/spaces-credential-operator:v0.1.0"))
}

// Where a certificate can be verified, Prometheus verifies it.
func TestTheServiceMonitorVerifiesACertificate(t *testing.T) {
	of := func(monitor values) any {
		monitor["enabled"] = true
		rendered := mustCall(t, "template", release, chart, "-f", file(t, values{"metrics": values{"certificateSecret": "metrics-tls", "serviceMonitor": monitor}}))
		for _, object := range objects(t, []byte(rendered)) {
			if endpoints, _, _ := unstructured.NestedSlice(object.Object, "spec", "endpoints"); object.GetKind() == "ServiceMonitor" {
				return endpoints[0].(map[string]any)["tlsConfig"]
			}
		}
		return nil
	}
	g := NewWithT(t)
	name := release + "-metrics." + namespace + ".svc"
	g.Expect(of(values{})).To(Equal(map[string]any{"serverName": name, "ca": map[string]any{"secret": map[string]any{"name": "metrics-tls", "key": "ca.crt"}}}))
	g.Expect(of(values{"ca": values{"configMap": values{"name": "corp", "key": "root.pem"}}})).
		To(Equal(map[string]any{"serverName": name, "ca": map[string]any{"configMap": map[string]any{"name": "corp", "key": "root.pem"}}}))
}

// The rules are those of config/prometheus, under the labels that a Prometheus selects by, and lead to
// the runbook that is named.
func TestTheRulesLeadToYourOwnRunbook(t *testing.T) {
	g := NewWithT(t)
	rendered := mustCall(t, "template", release, chart, "-f", file(t, values{"metrics": values{
		"prometheusRule": values{"enabled": true, "labels": values{"release": "prometheus"}, "runbookURL": "https://wiki.example.test/spaces"},
		"dashboard":      values{"enabled": true, "labels": values{"grafana_dashboard": nil, "shown": "yes"}},
	}}))
	seen := 0
	for _, object := range objects(t, []byte(rendered)) {
		switch {
		case object.GetKind() == "PrometheusRule":
			seen++
			g.Expect(object.GetLabels()).To(And(HaveKeyWithValue("release", "prometheus"), HaveKey("app.kubernetes.io/name")))
			groups, _, _ := unstructured.NestedSlice(object.Object, "spec", "groups")
			for _, group := range groups {
				for _, rule := range group.(map[string]any)["rules"].([]any) {
					url, _, _ := unstructured.NestedString(rule.(map[string]any), "annotations", "runbook_url")
					g.Expect(url).To(HavePrefix("https://wiki.example.test/spaces#spaces"))
				}
			}
		case object.GetName() == release+"-dashboard":
			seen++
			g.Expect(object.GetLabels()).To(And(HaveKeyWithValue("shown", "yes"), Not(HaveKey("grafana_dashboard"))))
		}
	}
	g.Expect(seen).To(Equal(2))
}

// installedBy finds the Pods and the environments among objects.
func installedBy(t *testing.T, all []*unstructured.Unstructured) (corev1.PodTemplateSpec, map[string]string) {
	t.Helper()
	g := NewWithT(t)
	var deployment appsv1.Deployment
	var environments corev1.ConfigMap
	for _, object := range all {
		switch object.GetKind() {
		case "Deployment":
			g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &deployment)).To(Succeed())
		case "ConfigMap":
			if object.GetName() == release+"-dashboard" {
				continue
			}
			g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &environments)).To(Succeed())
			g.Expect(environments.Name).To(Equal(release + "-environments"))
		}
	}
	return deployment.Spec.Template, environments.Data
}

// build is a folder of config, as kubectl apply -k has it.
func build(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	rendered, err := kubectl("kustomize", "../config/"+folder).Output()
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, rendered)
}

// objects are those of a file of several.
func objects(t *testing.T, rendered []byte) (all []*unstructured.Unstructured) {
	t.Helper()
	for documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(rendered), 4096); ; {
		object := &unstructured.Unstructured{}
		switch err := documents.Decode(object); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		case len(object.Object) > 0:
			all = append(all, object)
		}
	}
}

// normalised are objects by kind and name, without what one of the two alone has and what both
// write in different words.
func normalised(t *testing.T, all []*unstructured.Unstructured) map[string]map[string]any {
	t.Helper()
	g := NewWithT(t)
	byName := map[string]map[string]any{}
	for _, object := range all {
		// Helm says which chart made an object, of which version, and that helm did.
		withoutHelm(object.Object)
		if template, found, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "template"); found {
			withoutHelm(template.(map[string]any))
		}
		switch object.GetKind() {
		case "ConfigMap": // in config it has comments
			text, found, _ := unstructured.NestedString(object.Object, "data", "environments.yaml")
			if !found {
				break
			}
			var settings map[string]any
			g.Expect(sigsyaml.Unmarshal([]byte(text), &settings)).To(Succeed())
			g.Expect(unstructured.SetNestedMap(object.Object, settings, "data", "environments.yaml")).To(Succeed())
		case "ValidatingAdmissionPolicy": // the chart writes its list of accounts as JSON
			conditions, _, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "matchConditions")
			first := conditions.([]any)[0].(map[string]any)
			first["expression"] = strings.NewReplacer(`"`, "'", " ", "", "\n", "").Replace(first["expression"].(string))
		}
		key := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
		g.Expect(byName).NotTo(HaveKey(key))
		byName[key] = object.Object
	}
	return byName
}

// withoutHelm takes off the labels of helm, and the annotation that keeps the CRD at an uninstall.
func withoutHelm(object map[string]any) {
	metadata, _ := object["metadata"].(map[string]any)
	for field, keys := range map[string][]string{
		"labels":      {"app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"},
		"annotations": {"helm.sh/resource-policy"},
	} {
		if entries, ok := metadata[field].(map[string]any); ok {
			for _, key := range keys {
				delete(entries, key)
			}
		}
	}
}
