package monitoring

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"
)

// Where things are, seen from here.
const (
	configured = "../../config/prometheus"
	docs       = "../../docs"
)

func TestMain(m *testing.M) {
	// What libraries log belongs to nobody here.
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// rule is an alert of rules.yaml.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// ruleGroup is a group of them.
type ruleGroup struct {
	Name  string `json:"name"`
	Rules []rule `json:"rules"`
}

// ruleFile is a file of rules as Prometheus itself reads it.
type ruleFile struct {
	Groups []ruleGroup `json:"groups"`
}

// alerts are all of them, in the order of the file.
func (f ruleFile) alerts() (all []rule) {
	for _, group := range f.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// readRules reads what rules.yaml holds for Prometheus.
func readRules(t *testing.T) ruleFile {
	t.Helper()
	var object struct {
		Spec ruleFile `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, filepath.Join(configured, "rules.yaml")), &object); err != nil {
		t.Fatal(err)
	}
	if len(object.Spec.Groups) == 0 {
		t.Fatal("rules.yaml has no rules")
	}
	return object.Spec
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
