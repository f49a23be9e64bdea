// Command soak lets chance do to the operator, for as long as it is told to, whatever a
// cluster and its people may do: processes that are killed, frozen and restarted, an API
// server that is restarted, a service that fails, loses answers or is gone, Secrets that
// are edited, replaced and deleted, namespaces that go and come back. Two operators compete
// for the lease, or share the work by a label that moves, in front of a real control plane
// and a Spaces in memory at its most severe. In the end everything is deleted, and what is left at the service must be explained: by an answer that the soak
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
	"sync"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	// progressInterval is how often a line tells where the run stands.
	progressInterval = 10 * time.Second
	// recoverLimit is above the longest backoff that the outages of a run can lead to.
	recoverLimit = 3 * time.Minute
	// clockTime is how a moment is told: to be found in the logs of the operators.
	clockTime = "15:04:05.000"
	// deleteLimit leaves a revocation that failed once the time to be tried again, and outlasts the
	// five minutes in which the key of a state that a hostile tenant made up could appear.
	deleteLimit = 7 * time.Minute
)

func main() {
	duration := flag.Duration("duration", 20*time.Minute, "for how long chance is at work; recovery and deletion come after it")
	number := flag.Int("credentials", 200, "how many SpacesCredentials at the beginning")
	hostile := flag.Int("hostile", 3, "how many hostile tenants, each in a namespace of its own")
	shards := flag.Bool("shards", false, "whether the two operators share the work by a label, in place of one lease")
	seed := flag.Uint64("seed", 0, "of chance; 0 means the time of day")
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	testbed.Main("soak", func(ctx context.Context, program *testbed.Program) error {
		return newSoak(program, *number, *hostile, *shards, *seed).run(ctx, *duration)
	})
}

// soak is what runs.
type soak struct {
	*testbed.Program
	number, hostile int
	shards          bool
	seed            uint64
	chance          *rand.Rand // of the deeds alone, so that a seed repeats their order

	cluster    *cluster
	service    *service
	processes  *processes
	population *population
	person     *person
	checks     *checks
	deeds      *deeds
	lender     *lender
	hostiles   *hostiles
	findings   findings
}

// findings are what the end of a run adds to the figures.
type findings struct {
	unrecovered, undeleted, foreignChanged int
}

func newSoak(program *testbed.Program, number, hostile int, shards bool, seed uint64) *soak {
	return &soak{Program: program, number: number, hostile: hostile, shards: shards, seed: seed, chance: rand.New(rand.NewPCG(seed, seed))}
}

// run lets it rain, waits for the sun, tidies up and, when all is stopped, judges.
func (s *soak) run(ctx context.Context, duration time.Duration) error {
	s.Say("seed %d", s.seed)
	err := s.begin(ctx)
	// A signal only shortens the storm: an unfinished run proves nothing about the end.
	calm := context.WithoutCancel(ctx)
	if err == nil {
		s.storm(ctx, duration)
		s.recover(calm)
		s.delete(calm)
	}
	if err := errors.Join(err, s.Stop()); err != nil {
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
	s.Say("building the operator")
	if err := testbed.Build(ctx, testbed.OperatorProgram, "."); err != nil {
		return err
	}
	s.Say("starting kube-apiserver, etcd and kube-controller-manager, with our CRD")
	if s.cluster, err = startCluster(s.Program); err != nil {
		return err
	}
	if s.service, err = startService(); err != nil {
		return err
	}
	s.OnStop(s.service.Stop)
	s.Say("starting two operators, and creating %d SpacesCredentials", s.number)
	if s.processes, err = startProcesses(s.Program, s.service, s.cluster, s.shards); err != nil {
		return err
	}
	s.OnStop(s.processes.stop)
	s.population = newPopulation(s.cluster, s.service)
	s.person = &person{cluster: s.cluster, service: s.service, population: s.population, last: map[string]time.Time{}, say: s.Say}
	s.checks = newChecks(s)
	s.deeds = newDeeds(s)
	s.lender = &lender{cluster: s.cluster, service: s.service}
	if err := s.lender.settle(ctx); err != nil {
		return err
	}
	s.hostiles = newHostiles(s, s.hostile)
	if err := s.hostiles.settle(ctx); err != nil {
		return err
	}
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
	s.OnStop(func() error {
		stop()
		running.Wait()
		return s.checks.close()
	})
	if err := s.checks.open(s.Path(toldFile)); err != nil {
		s.Say("what the cluster says is not kept: %v", err)
	}
	s.service.storm()

	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	running.Go(func() { s.hostiles.run(ctx) })
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
		s.Say("... %s left, ready %s, deeds %d, tokens issued %d, grants live %d", max(0, time.Until(ends)).Round(time.Second),
			told, s.deeds.done.Load(), ledger.TokensIssued, ledger.GrantsLive)
	}
}

// recover waits, in fine weather, until every credential that lives is ready.
func (s *soak) recover(ctx context.Context) {
	s.deeds.finish(ctx)
	s.service.calm()
	s.Say("the storm is over: faults off, both operators running; waiting until every credential is ready")
	ctx, cancel := context.WithTimeout(ctx, recoverLimit)
	defer cancel()
	waiting := s.population.unready(ctx)
	for len(waiting) > 0 && wait(ctx, time.Second) {
		waiting = s.population.unready(ctx)
	}
	s.findings.unrecovered = len(waiting)
	for _, line := range waiting {
		s.Say("never recovered: %s", line)
	}
}

// delete deletes everything and waits until it is gone.
func (s *soak) delete(ctx context.Context) {
	s.Say("deleting everything")
	s.person.rest()
	ctx, cancel := context.WithTimeout(ctx, deleteLimit)
	defer cancel()
	left, err := s.population.deleteCredentials(ctx)
	for ; (err != nil || len(left) > 0) && wait(ctx, time.Second); left, err = s.population.deleteCredentials(ctx) {
	}
	s.findings.undeleted = len(left)
	for _, line := range left {
		s.Say("never deleted: %s", line)
	}
	s.findings.foreignChanged += s.population.foreignChanged(context.WithoutCancel(ctx), s.Say)
	if err := s.checks.keep(context.WithoutCancel(ctx)); err != nil {
		s.Say("the last words of the cluster are not kept: %v", err)
	}
	goes := func() (bool, error) {
		left, err := s.hostiles.leave(ctx)
		gone, last := s.population.deleteNamespaces(ctx)
		return gone && left, errors.Join(err, last)
	}
	gone, err := goes()
	for ; (err != nil || !gone) && wait(ctx, time.Second); gone, err = goes() {
	}
	if !gone {
		s.findings.undeleted++
		s.Say("never deleted: a namespace, or a state Secret (last error %v)", err)
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
