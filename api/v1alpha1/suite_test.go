// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// The API server that judges, started once for the package: rules, bounds, defaults
// and columns mean what a real API server makes of them, and nothing else.
var (
	config  *rest.Config
	cluster client.Client
)

func TestMain(m *testing.M) {
	code, err := runWithAPIServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "api/v1alpha1:", err)
		code = 1
	}
	os.Exit(code)
}

func runWithAPIServer(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, fmt.Errorf("these tests need a kube-apiserver and etcd, and KUBEBUILDER_ASSETS does not name their folder: run make test")
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	config, err = environment.Start()
	if err != nil {
		return 1, fmt.Errorf("starting the API server with our CRD: %w", err)
	}
	defer func() {
		if stopErr := environment.Stop(); err == nil && stopErr != nil {
			err = fmt.Errorf("stopping the API server: %w", stopErr)
		}
	}()

	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return 1, err
	}
	cluster, err = client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return 1, fmt.Errorf("making a client: %w", err)
	}
	// Unknown fields are refused, as kubectl apply has it.
	cluster = client.WithFieldValidation(cluster, metav1.FieldValidationStrict)
	return m.Run(), nil
}
