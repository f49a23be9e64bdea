package gitops

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// patience bounds what an API server takes up a moment later: policies and roles.
const patience = time.Minute

// The API server that judges, started once for the package.
var (
	config *rest.Config
	admin  client.Client
	assets string
)

func TestMain(m *testing.M) {
	code, err := runWithAPIServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/gitops:", err)
		code = 1
	}
	os.Exit(code)
}

func runWithAPIServer(m *testing.M) (code int, err error) {
	log.SetLogger(logr.Discard())
	plane, err := testbed.StartControlPlane(testbed.CRDs)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	config, assets = plane.Config, plane.Assets
	if admin, err = testbed.NewClient(config); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// root is the folder of the repository.
const root = "../.."

// kind is that of a SpacesCredential.
var kind = schema.GroupVersionKind{Group: v1alpha1.GroupName, Version: "v1alpha1", Kind: v1alpha1.Kind}

// read reads a file of the repository.
func read(t *testing.T, name ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root}, name...)...))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// object reads YAML as whole numbers and strings, as clients of the API server do.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	g := NewWithT(t)
	raw, err := yaml.YAMLToJSON([]byte(text))
	g.Expect(err).NotTo(HaveOccurred())
	made := &unstructured.Unstructured{}
	g.Expect(made.UnmarshalJSON(raw)).To(Succeed())
	return made
}

// newNamespace makes a namespace with labels.
func newNamespace(t *testing.T, name string, labels map[string]string) string {
	t.Helper()
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-", Labels: labels}}
	NewWithT(t).Expect(admin.Create(t.Context(), made)).To(Succeed())
	return made.Name
}

// sample is a SpacesCredential of config/samples, in a namespace.
func sample(t *testing.T, name, namespace string) *unstructured.Unstructured {
	t.Helper()
	made := object(t, read(t, "config", "samples", "spacescredential_"+name+".yaml"))
	made.SetNamespace(namespace)
	return made
}
