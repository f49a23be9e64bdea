package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	// operatorLog is a file in the folder of the run.
	operatorLog = "operator.log"
	// startLimit bounds the way to the first readyz.
	startLimit = 30 * time.Second
)

func (d *demonstration) buildOperator(ctx context.Context) error {
	return testbed.Build(ctx, testbed.OperatorProgram, ".")
}

// startOperator starts the operator, with our service as the environment of the samples,
// and waits until it is ready.
func (d *demonstration) startOperator(ctx context.Context) error {
	environments, err := testbed.WriteEnvironments(d.program.Folder, d.service.Environment(environment))
	if err != nil {
		return err
	}
	probe, err := testbed.FreeAddresses(1)
	if err != nil {
		return err
	}
	operator, err := testbed.StartOperator(exec.Command(testbed.OperatorProgram,
		"--environments-file="+environments,
		"--kubeconfig="+d.kubeconfig,
		"--leader-elect=false",
		"--client-namespace="+platform,
		"--metrics-bind-address=0",
		"--health-probe-bind-address="+probe[0],
	), d.program.Path(operatorLog))
	if err != nil {
		return err
	}
	d.program.OnStop(operator.Stop)
	if err := awaitReady(ctx, operator, "http://"+probe[0]+"/readyz"); err != nil {
		return err
	}
	d.operator = operator
	return nil
}

func awaitReady(ctx context.Context, operator *testbed.Operator, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		if ready(ctx, url) {
			return nil
		}
		select {
		case <-operator.Ended:
			return operator.Failure()
		case <-ctx.Done():
			return fmt.Errorf("the operator was not ready in time: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func ready(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}
