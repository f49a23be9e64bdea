package main

import (
	"net/http"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// The API server counts what the operator asks for in the priority level of config/flowcontrol,
// and its lease in that of leases.
func TestTheOperatorsRequestsHaveALineOfTheirOwn(t *testing.T) {
	byTheirOwn(t)
	g := NewWithT(t)
	// Other tests do without flow control.
	plane := &envtest.Environment{BinaryAssetsDirectory: os.Getenv("KUBEBUILDER_ASSETS")}
	reached, err := plane.Start()
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(plane.Stop()).To(Succeed()) })
	kubernetes, err := client.New(reached, client.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	uids := map[string]string{}
	for _, file := range []string{"priority_level.yaml", "flow_schema.yaml", "lease_flow_schema.yaml"} {
		content, err := os.ReadFile("config/flowcontrol/" + file)
		g.Expect(err).NotTo(HaveOccurred())
		object := &unstructured.Unstructured{}
		g.Expect(yaml.Unmarshal(content, object)).To(Succeed())
		g.Expect(kubernetes.Create(t.Context(), object)).To(Succeed())
		uids[object.GetKind()+" "+object.GetName()] = string(object.GetUID())
	}
	config := rest.CopyConfig(reached)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:spaces-credential-operator-system:spaces-credential-operator-controller-manager",
		Groups:   []string{"system:serviceaccounts", "system:authenticated"},
	}
	operator, err := rest.HTTPClientFor(config)
	g.Expect(err).NotTo(HaveOccurred())
	schemaOf := func(path string) func() (string, error) {
		return func() (string, error) {
			answer, err := operator.Get(config.Host + path)
			if err != nil {
				return "", err
			}
			defer func() { _ = answer.Body.Close() }()
			return answer.Header.Get("X-Kubernetes-Pf-Flowschema-Uid"), nil
		}
	}
	for path, schema := range map[string]string{
		"/api/v1/secrets":                                          "spaces-credential-operator",
		"/api/v1/namespaces/team/secrets/bot":                      "spaces-credential-operator",
		"/apis/auth.spaces-operator.io/v1alpha1/spacescredentials": "spaces-credential-operator",
		"/apis/coordination.k8s.io/v1/namespaces/spaces-credential-operator-system/leases/any": "spaces-credential-operator-leases",
	} {
		g.Eventually(schemaOf(path)).WithTimeout(time.Minute).Should(Equal(uids["FlowSchema "+schema]), http.MethodGet+" "+path)
	}
}
