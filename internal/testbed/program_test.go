package testbed_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func TestAProgramStopsTheLastFirstAndEachOnce(t *testing.T) {
	var program testbed.Program
	var stopped []string
	for _, name := range []string{"control plane", "service", "operator"} {
		program.OnStop(func() error {
			stopped = append(stopped, name)
			return errors.New(name + " is stuck")
		})
	}
	expectError(t, program.Stop(), "operator is stuck\nservice is stuck\ncontrol plane is stuck")
	expectError(t, program.Stop(), "")
	if got := strings.Join(stopped, ", "); got != "operator, service, control plane" {
		t.Errorf("stopped: %s", got)
	}
}
