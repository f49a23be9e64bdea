package gitops

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// kstatus is what the library of kstatus says.
func kstatus(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	g := NewWithT(t)
	said, err := status.Compute(object)
	g.Expect(err).NotTo(HaveOccurred())
	return string(said.Status)
}

// expressions are those of a Flux Kustomization for a kind, in the order in which Flux asks them.
type expressions struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

// kustomization is what the page has people write for Flux.
func kustomization(t *testing.T) expressions {
	t.Helper()
	g := NewWithT(t)
	var written struct {
		Spec struct {
			HealthCheckExprs []expressions `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	g.Expect(yaml.Unmarshal([]byte(read(t, "config", "samples", "flux", "kustomization_patch.yaml")), &written)).To(Succeed())
	g.Expect(written.Spec.HealthCheckExprs).To(HaveLen(1))
	check := written.Spec.HealthCheckExprs[0]
	g.Expect(check.APIVersion).To(Equal(kind.GroupVersion().String()))
	g.Expect(check.Kind).To(Equal(kind.Kind))
	return check
}

// of does what Flux does with them: an older generation is in progress, the first expression that is
// true decides, and so is what none of them knows. They see the fields of the object as variables,
// unchecked, and one that fails is an error of the whole Kustomization.
func (e expressions) of(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	g := NewWithT(t)
	observed, found, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	g.Expect(err).NotTo(HaveOccurred())
	if found && observed != object.GetGeneration() {
		return "InProgress"
	}
	environment, err := cel.NewEnv(cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(), ext.Sets(), ext.Encoders())
	g.Expect(err).NotTo(HaveOccurred())
	for _, asked := range []struct{ expression, status string }{{e.InProgress, "InProgress"}, {e.Failed, "Failed"}, {e.Current, "Current"}} {
		parsed, issues := environment.Parse(asked.expression)
		g.Expect(issues.Err()).NotTo(HaveOccurred())
		program, err := environment.Program(parsed)
		g.Expect(err).NotTo(HaveOccurred())
		answer, _, err := program.ContextEval(t.Context(), object.Object)
		g.Expect(err).NotTo(HaveOccurred(), asked.expression)
		if answer.Value() == true {
			return asked.status
		}
	}
	return "InProgress"
}

// seen is a line of the page's table: an object and what is made of it.
type seen struct{ argoCD, kstatus, expressions string }

func TestThePageSaysWhatToolsMakeOfEveryReason(t *testing.T) {
	g := NewWithT(t)
	script, evaluator := read(t, customizations, "health.lua"), kustomization(t)
	want := map[string]seen{}
	for _, test := range healthTests(t) {
		is := object(t, read(t, customizations, test.InputPath))
		want[strings.TrimSuffix(strings.TrimPrefix(test.InputPath, "testdata/"), ".yaml")] =
			seen{health(t, script, is).Status, kstatus(t, is), evaluator.of(t, is)}
	}
	told := map[string]seen{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]+ \\| (\\w+) \\| (\\w+) \\| (\\w+) \\|$").FindAllStringSubmatch(read(t, "docs", "gitops.md"), -1) {
		told[row[1]] = seen{row[2], row[3], row[4]}
	}
	g.Expect(told).To(Equal(want))
	_, written, _ := strings.Cut(read(t, "config", "samples", "flux", "kustomization_patch.yaml"), "  healthCheckExprs:\n")
	g.Expect(read(t, "docs", "gitops.md")).To(ContainSubstring(written), "the page has the expressions of the sample")
}

// An object of which the operator, which may be dead, has said nothing is not ready.
func TestNobodyTakesAnOperatorThatIsNotThereForSuccess(t *testing.T) {
	g := NewWithT(t)
	live := sample(t, "password", newNamespace(t, "silent", nil))
	g.Expect(admin.Create(t.Context(), live)).To(Succeed())
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(live), live)).To(Succeed())
	g.Expect(kstatus(t, live)).To(Equal("InProgress"))
	g.Expect(kustomization(t).of(t, live)).To(Equal("InProgress"))
	g.Expect(health(t, read(t, customizations, "health.lua"), live).Status).To(Equal("Progressing"))
}

// standing is a line of testdata/standings.txt: a combination of conditions that the stories of
// controllers have seen.
var standing = regexp.MustCompile(`^(living|deleted) Ready=(\w+)/(\w+) Reconciling=(\w+)/(\w+) Stalled=(\w+)/(\w+) GrantValid=(\w+)/(\w+)$`)

// Whatever the conditions are, the tools agree on who must act, and on who may go on.
func TestToolsAgreeOnEveryStandingThatWasSeen(t *testing.T) {
	raw, err := os.ReadFile("testdata/standings.txt")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	script, evaluator := read(t, customizations, "health.lua"), kustomization(t)
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	NewWithT(t).Expect(len(lines)).To(BeNumerically(">", 80))
	reasons := map[string]bool{}
	for _, line := range lines {
		t.Run(line, func(t *testing.T) {
			g := NewWithT(t)
			parts := standing.FindStringSubmatch(line)
			g.Expect(parts).NotTo(BeNil())
			is := object(t, read(t, customizations, "testdata", "issued.yaml"))
			var conditions []any
			for i, name := range v1alpha1.ConditionTypes() {
				reasons[parts[3+2*i]] = true
				conditions = append(conditions, map[string]any{"type": name, "status": parts[2+2*i], "reason": parts[3+2*i], "message": "A message."})
			}
			g.Expect(unstructured.SetNestedSlice(is.Object, conditions, "status", "conditions")).To(Succeed())
			argoCD := health(t, script, is).Status
			tools := []string{kstatus(t, is), evaluator.of(t, is)}
			switch {
			case parts[6] == "True":
				g.Expect(argoCD).To(Equal("Degraded"))
				g.Expect(tools).To(Equal([]string{"Failed", "Failed"}))
			case parts[3] == v1alpha1.ReasonSuspended, parts[3] == v1alpha1.ReasonAuthorizationPending:
				g.Expect(argoCD).To(Equal("Suspended"))
				g.Expect(tools[1]).To(Equal("Current"))
			case parts[2] == "True":
				g.Expect(argoCD).To(Equal("Healthy"))
				g.Expect(tools).To(Equal([]string{"Current", "Current"}))
			default:
				g.Expect(argoCD).To(Equal("Progressing"))
				g.Expect(tools).To(Equal([]string{"InProgress", "InProgress"}))
			}
		})
	}
	for _, reason := range v1alpha1.Reasons() {
		if !slices.Contains(inNoCondition, reason) {
			NewWithT(t).Expect(reasons).To(HaveKey(reason))
		}
	}
}
