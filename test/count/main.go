// Command count measures what the operator asks of the API server: how many requests
// a credential costs for its first token and for one renewal. The real operator runs
// as a process of its own against a real control plane and a Spaces in memory; a
// proxy between it and the API server counts. It fails when a budget is exceeded.
//
// `make count` runs it. It writes below bin only, and stops whatever it starts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"k8s.io/client-go/rest"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	// operatorLog is a file in the folder of the run.
	operatorLog = "operator.log"
	// tokenLifetime puts all first renewals behind all first tokens, and leaves a
	// pause between the renewals.
	tokenLifetime = 40 * time.Second
)

// The budgets, in requests for each credential. Watches count for nothing: there is
// one for each kind, however many credentials there are.
const (
	firstBudget   = 8 // finalizer, state, two inputs, save, publish, status, event
	renewalBudget = 4 // claim, save, publish, status
	startedBudget = 7 // those of a renewal, and what a start knows nothing of: state, two inputs
	waitingBudget = 9 // those of a first token, and a status that tells of the queue
)

func main() {
	credentials := flag.Int("credentials", 100, "how many SpacesCredentials")
	waiting := flag.Int("waiting", 600, "how many SpacesCredentials wait for first tokens at the default rate of 20 a second")
	flag.Parse()
	testbed.Main("count", func(ctx context.Context, program *testbed.Program) error {
		return (&measurement{Program: program, credentials: *credentials, waiting: *waiting}).run(ctx)
	})
}

// measurement is what runs.
type measurement struct {
	*testbed.Program
	credentials, waiting int
	cluster              *cluster
	proxy                *proxy
	command              []string
	operator             *testbed.Operator
}

// run measures.
func (m *measurement) run(ctx context.Context) error {
	if err := m.start(ctx); err != nil {
		return err
	}
	m.Say("creating %d credentials, tokens of %s", m.credentials, tokenLifetime)
	first, err := m.during(ctx, group{namespace, m.credentials, 0}, func() error { return m.cluster.createCredentials(ctx, namespace, environment, m.credentials) })
	if err != nil {
		return err
	}
	m.Say("every credential is ready; waiting for the first renewal of each")
	renewal, err := m.during(ctx, group{namespace, m.credentials, 1}, func() error { return nil })
	if err != nil {
		return err
	}
	m.Say("every credential was renewed once; stopping the operator until all are due again")
	if err := m.operator.Stop(); err != nil {
		return err
	}
	if err := m.await(ctx, "every token is to be renewed", func() (bool, error) { return m.cluster.areDue(ctx, namespace) }); err != nil {
		return err
	}
	m.Say("starting the operator")
	started, err := m.during(ctx, group{namespace, m.credentials, 2}, m.startOperator)
	if err != nil {
		return err
	}
	m.Say("every credential was renewed after the start")
	m.Say("creating %d credentials that wait for first tokens at 20 a second", m.waiting)
	began := time.Now()
	waited, err := m.during(ctx, group{slow, m.waiting, 0}, func() error { return m.cluster.createCredentials(ctx, slow, slow, m.waiting) })
	if err != nil {
		return err
	}
	m.Say("all of them are ready after %s", time.Since(began).Round(time.Second))
	return judge(os.Stdout, figures{first: first, renewal: renewal, started: started, waited: waited, credentials: m.credentials, waiting: m.waiting})
}

// start starts everything.
func (m *measurement) start(ctx context.Context) error {
	m.Say("building the operator")
	if err := testbed.Build(ctx, testbed.OperatorProgram, "."); err != nil {
		return err
	}
	m.Say("starting kube-apiserver and etcd, with our CRD")
	plane, err := testbed.StartControlPlane(testbed.CRDs)
	if err != nil {
		return err
	}
	m.OnStop(plane.Stop)
	if m.cluster, err = newCluster(plane.Config); err != nil {
		return err
	}
	if m.proxy, err = startProxy(plane.Config); err != nil {
		return err
	}
	m.OnStop(m.proxy.Stop)
	service, err := testbed.StartService(
		fakespaces.WithClient(clientID, clientSecret),
		fakespaces.WithUser(username, password),
		fakespaces.WithTokenLifetime(tokenLifetime),
		fakespaces.WithRotation(fakespaces.RotateAlways),
	)
	if err != nil {
		return err
	}
	m.OnStop(service.Stop)
	// Of those who wait nobody is to be renewed while they are counted.
	patient, err := testbed.StartService(fakespaces.WithClient(clientID, clientSecret), fakespaces.WithUser(username, password))
	if err != nil {
		return err
	}
	m.OnStop(patient.Stop)
	if err := errors.Join(m.cluster.createNamespace(ctx, namespace), m.cluster.createNamespace(ctx, slow)); err != nil {
		return err
	}
	if m.command, err = m.operatorCommand(service, patient); err != nil {
		return err
	}
	m.Say("starting the operator")
	if err := m.startOperator(); err != nil {
		return err
	}
	// Lists at the start belong to nobody: the count begins when they are done.
	return m.await(ctx, "the operator is at work", func() (bool, error) {
		return m.proxy.watches() >= 2 && m.proxy.quiet(), m.operator.Failure()
	})
}

// operatorCommand is the operator between the services and the proxy.
func (m *measurement) operatorCommand(service, patient *testbed.Service) ([]string, error) {
	known := service.Environment(environment)
	known.RequestsPerSecond, known.Burst = 100, 100 // the rate is not what is measured
	environments, err := testbed.WriteEnvironments(m.Folder, known, patient.Environment(slow))
	if err != nil {
		return nil, err
	}
	kubeconfig, err := testbed.WriteKubeconfig(m.Folder, &rest.Config{Host: m.proxy.URL})
	if err != nil {
		return nil, err
	}
	return []string{"--environments-file=" + environments, "--kubeconfig=" + kubeconfig,
		"--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=0"}, nil
}

// startOperator starts it.
func (m *measurement) startOperator() (err error) {
	m.operator, err = testbed.StartOperator(exec.Command(testbed.OperatorProgram, m.command...), m.Path(operatorLog))
	if err == nil {
		m.OnStop(m.operator.Stop)
	}
	return err
}

// group are credentials that are counted until each was renewed so often.
type group struct {
	namespace string
	number    int
	renewals  int64
}

// during counts the requests from begin until every credential of a group has been renewed as
// often as wished, and no request has come for a while.
func (m *measurement) during(ctx context.Context, g group, begin func() error) (counts, error) {
	m.proxy.reset(g.namespace)
	if err := begin(); err != nil {
		return nil, err
	}
	err := m.await(ctx, fmt.Sprintf("every credential has a token and %d renewals", g.renewals), func() (bool, error) {
		if !m.proxy.quiet() {
			return false, nil
		}
		fewest, most, err := m.cluster.renewals(ctx, g.namespace, g.number)
		if err == nil && most > g.renewals {
			err = fmt.Errorf("a credential was renewed %d times before each was renewed %d times: this machine is too slow for tokens of %s", most, g.renewals, tokenLifetime)
		}
		return fewest == g.renewals, err
	})
	return m.proxy.reset(g.namespace), err
}

// patience is far above what any wait needs, on a slow machine too.
const patience = 2 * time.Minute

// await waits for a condition and tells every few seconds that it does.
func (m *measurement) await(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	told := time.Now()
	for {
		if done, err := holds(); done || err != nil {
			return err
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			m.Say("... until %s; %d requests so far", what, m.proxy.count().all())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w; see %s", what, ctx.Err(), m.Path(operatorLog))
		case <-tick.C:
		}
	}
}
