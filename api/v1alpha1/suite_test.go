// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
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
	plane, err := testbed.StartControlPlane(testbed.CRDs)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	config = plane.Config
	unchecked, err := testbed.NewClient(config)
	if err != nil {
		return 1, err
	}
	// Unknown fields are refused, as kubectl apply has it.
	cluster = client.WithFieldValidation(unchecked, metav1.FieldValidationStrict)
	return m.Run(), nil
}
