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
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/spaces-operator/spaces-credential-operator/internal/controlplane"
)

const (
	// folder holds what a run leaves behind: the kubeconfig and the log.
	folder = "bin/count"
	// crds is where our CRD stands, seen from the root of the repository.
	crds = "config/crd/bases"
)

// The budgets, in requests for each credential. Watches count for nothing: there is
// one for each kind, however many credentials there are.
const (
	firstBudget   = 8 // finalizer, state, two inputs, save, publish, status, event
	renewalBudget = 5 // claim, client Secret, save, publish, status
)

func main() {
	credentials := flag.Int("credentials", 100, "how many SpacesCredentials")
	flag.Parse()
	// What libraries log belongs to nobody here.
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := (&measurement{credentials: *credentials, began: time.Now()}).run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
}

// measurement is what runs.
type measurement struct {
	credentials int
	began       time.Time
	cluster     *cluster
	proxy       *proxy
	// stops undo what was started, to be called in reverse.
	stops []func() error
}

// say tells of progress.
func (m *measurement) say(format string, arguments ...any) {
	fmt.Printf("%5.1fs  %s\n", time.Since(m.began).Seconds(), fmt.Sprintf(format, arguments...))
}

// run measures. Whatever was started is stopped before it returns.
func (m *measurement) run(ctx context.Context) (err error) {
	defer func() {
		for _, stop := range slices.Backward(m.stops) {
			err = errors.Join(err, stop())
		}
	}()
	if err := m.start(ctx); err != nil {
		return err
	}
	m.say("creating %d credentials, tokens of %s", m.credentials, tokenLifetime)
	first, err := m.during(ctx, func() error { return m.cluster.createCredentials(ctx, m.credentials) }, 0)
	if err != nil {
		return err
	}
	m.say("every credential is ready; waiting for the first renewal of each")
	renewal, err := m.during(ctx, func() error { return nil }, 1)
	if err != nil {
		return err
	}
	m.say("every credential was renewed once")
	return judge(os.Stdout, m.credentials, first, renewal)
}

// start starts everything.
func (m *measurement) start(ctx context.Context) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	m.say("building the operator")
	if err := buildOperator(ctx); err != nil {
		return err
	}
	m.say("starting kube-apiserver and etcd, with our CRD")
	plane, err := controlplane.Start(crds)
	if err != nil {
		return err
	}
	m.stops = append(m.stops, plane.Stop)
	if m.cluster, err = newCluster(plane.Config); err != nil {
		return err
	}
	m.proxy, err = startProxy(ctx, plane.Config)
	if err != nil {
		return err
	}
	m.stops = append(m.stops, m.proxy.stop)
	url, stop, err := startService(ctx)
	if err != nil {
		return err
	}
	m.stops = append(m.stops, stop)
	if err := m.cluster.createInputs(ctx); err != nil {
		return err
	}
	m.say("starting the operator")
	operator, err := startOperator(url, m.proxy.url)
	if err != nil {
		return err
	}
	m.stops = append(m.stops, operator.stop)
	// Lists at the start belong to nobody: the count begins when they are done.
	return m.await(ctx, "the operator is at work", func() (bool, error) {
		return m.proxy.watches() >= 2 && m.proxy.quiet(), operator.failure()
	})
}

// during counts the requests from begin until every credential has been renewed so
// often, and no request has come for a while.
func (m *measurement) during(ctx context.Context, begin func() error, renewals int64) (counts, error) {
	m.proxy.reset()
	if err := begin(); err != nil {
		return nil, err
	}
	err := m.await(ctx, fmt.Sprintf("every credential has a token and %d renewals", renewals), func() (bool, error) {
		if !m.proxy.quiet() {
			return false, nil
		}
		fewest, most, err := m.cluster.renewals(ctx, m.credentials)
		if err == nil && most > renewals {
			err = fmt.Errorf("a credential was renewed %d times before each was renewed %d times: this machine is too slow for tokens of %s", most, renewals, tokenLifetime)
		}
		return fewest == renewals, err
	})
	return m.proxy.reset(), err
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
			m.say("... until %s; %d requests so far", what, m.proxy.count().all())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w; see %s/operator.log", what, ctx.Err(), folder)
		case <-tick.C:
		}
	}
}
