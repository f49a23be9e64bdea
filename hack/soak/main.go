// Command soak lets chance do to the operator, for as long as it is told to, whatever a
// cluster and its people may do: processes that are killed, frozen and restarted, an API
// server that is restarted, a service that fails, loses answers or is gone, Secrets that
// are edited, replaced and deleted, namespaces that go and come back. Two operators compete for the lease in front of a
// real control plane and a Spaces in memory at its most severe. In the end everything is
// deleted, and what is left at the service must be explained: by an answer that the soak
// itself lost, by a process that it killed in between, or by a policy.
//
// `make soak DURATION=20m` runs it. It writes below bin only, and stops whatever it starts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	// folder holds what a run leaves behind: the kubeconfig and the logs.
	folder = "bin/soak"
	// progressInterval is how often a line tells where the run stands.
	progressInterval = 10 * time.Second
	// recoverLimit is above the longest backoff that the outages of a run can lead to.
	recoverLimit = 3 * time.Minute
	// clockTime is how a moment is told: to be found in the logs of the operators.
	clockTime = "15:04:05.000"
	// deleteLimit leaves a revocation that failed once the time to be tried again.
	deleteLimit = 4 * time.Minute
)

func main() {
	duration := flag.Duration("duration", 20*time.Minute, "for how long chance is at work; recovery and deletion come after it")
	number := flag.Int("credentials", 200, "how many SpacesCredentials at the beginning")
	seed := flag.Uint64("seed", 0, "of chance; 0 means the time of day")
	flag.Parse()
	// What libraries log belongs to nobody here.
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := newSoak(*number, *seed).run(ctx, *duration)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soak is what runs.
type soak struct {
	number int
	seed   uint64
	began  time.Time
	chance *rand.Rand // of the deeds alone, so that a seed repeats their order

	cluster    *cluster
	service    *service
	processes  *processes
	population *population
	person     *person
	checks     *checks
	deeds      *deeds
	findings   findings
	// stops undo what was started, to be called in reverse.
	stops []func() error
}

// findings are what the end of a run adds to the figures.
type findings struct {
	unrecovered, undeleted, foreignChanged int
}

func newSoak(number int, seed uint64) *soak {
	return &soak{number: number, seed: seed, began: time.Now(), chance: rand.New(rand.NewPCG(seed, seed))}
}

// say prints a line with the time since the start.
func (s *soak) say(format string, arguments ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, arguments...))
}

// run lets it rain, waits for the sun, tidies up and judges. Whatever was started is
// stopped before it returns.
func (s *soak) run(ctx context.Context, duration time.Duration) (err error) {
	s.say("seed %d", s.seed)
	err = s.begin(ctx)
	// A signal only shortens the storm: an unfinished run proves nothing about the end.
	calm := context.WithoutCancel(ctx)
	if err == nil {
		s.storm(ctx, duration)
		s.recover(calm)
		s.delete(calm)
	}
	for _, stop := range slices.Backward(s.stops) {
		err = errors.Join(err, stop())
	}
	if err != nil {
		return err
	}
	figures, err := s.figures()
	if err != nil {
		return err
	}
	if err := s.deeds.tally(os.Stdout); err != nil {
		return err
	}
	return judge(os.Stdout, figures)
}

// begin starts everything, step by step.
func (s *soak) begin(ctx context.Context) (err error) {
	if _, err := os.Stat(crds); err != nil {
		return fmt.Errorf("run it from the root of the repository, by make soak: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	s.say("building the operator")
	if err := buildOperator(ctx); err != nil {
		return err
	}
	s.say("starting kube-apiserver, etcd and kube-controller-manager, with our CRD")
	if s.cluster, err = startCluster(); err != nil {
		return err
	}
	s.stops = append(s.stops, s.cluster.stop)
	if s.service, err = startService(ctx); err != nil {
		return err
	}
	s.stops = append(s.stops, s.service.stop)
	s.say("starting two operators, and creating %d SpacesCredentials", s.number)
	if s.processes, err = startProcesses(s.service.url, s.cluster, s.say); err != nil {
		return err
	}
	s.stops = append(s.stops, s.processes.stop)
	s.population = newPopulation(s.cluster, s.service)
	s.person = &person{cluster: s.cluster, service: s.service, population: s.population, last: map[string]time.Time{}, say: s.say}
	s.checks = newChecks(s)
	s.deeds = newDeeds(s)
	return s.population.settle(ctx, s.number)
}

// storm lets chance do its deeds until duration or ctx ends. What has been begun then,
// such as an outage, is ended.
func (s *soak) storm(ctx context.Context, duration time.Duration) {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { s.person.run(background) })
	running.Go(func() { s.checks.run(background) })
	running.Go(func() { s.progress(background, time.Now().Add(duration)) })
	s.stops = append(s.stops, func() error {
		stop()
		running.Wait()
		return s.checks.close()
	})
	if err := s.checks.open(); err != nil {
		s.say("what the cluster says is not kept: %v", err)
	}
	s.service.storm()

	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	s.deeds.run(ctx)
}

// progress tells where the run stands.
func (s *soak) progress(ctx context.Context, ends time.Time) {
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		told := "unknown without an API server"
		if ready, total, err := s.population.ready(ctx); err == nil {
			told = fmt.Sprintf("%d of %d", ready, total)
		}
		ledger := s.service.Ledger()
		s.say("... %s left, ready %s, deeds %d, tokens issued %d, grants live %d", max(0, time.Until(ends)).Round(time.Second),
			told, s.deeds.done.Load(), ledger.TokensIssued, ledger.GrantsLive)
	}
}

// recover waits, in fine weather, until every credential that lives is ready.
func (s *soak) recover(ctx context.Context) {
	s.deeds.finish(ctx)
	s.service.calm()
	s.say("the storm is over: faults off, both operators running; waiting until every credential is ready")
	ctx, cancel := context.WithTimeout(ctx, recoverLimit)
	defer cancel()
	waiting := s.population.unready(ctx)
	for len(waiting) > 0 && wait(ctx, time.Second) {
		waiting = s.population.unready(ctx)
	}
	s.findings.unrecovered = len(waiting)
	for _, line := range waiting {
		s.say("never recovered: %s", line)
	}
}

// delete deletes everything and waits until it is gone.
func (s *soak) delete(ctx context.Context) {
	s.say("deleting everything")
	s.person.rest()
	ctx, cancel := context.WithTimeout(ctx, deleteLimit)
	defer cancel()
	left, err := s.population.deleteCredentials(ctx)
	for ; (err != nil || len(left) > 0) && wait(ctx, time.Second); left, err = s.population.deleteCredentials(ctx) {
	}
	s.findings.undeleted = len(left)
	for _, line := range left {
		s.say("never deleted: %s", line)
	}
	s.findings.foreignChanged += s.population.foreignChanged(context.WithoutCancel(ctx), s.say)
	if err := s.checks.keep(context.WithoutCancel(ctx)); err != nil {
		s.say("the last words of the cluster are not kept: %v", err)
	}
	gone, err := s.population.deleteNamespaces(ctx)
	for ; (err != nil || !gone) && wait(ctx, time.Second); gone, err = s.population.deleteNamespaces(ctx) {
	}
	if !gone {
		s.findings.undeleted++
		s.say("never deleted: a namespace, or a state Secret (last error %v)", err)
	}
}

// wait waits, and tells whether ctx still goes on.
func wait(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}
