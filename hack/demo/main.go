// Command demo shows the operator at work on a machine with nothing on it: a real
// control plane, the samples of config/samples and a few more of their kind, an
// Avaya Spaces that runs in memory and whose tokens live for 20 seconds, and the
// operator itself, a process of its own. While it runs, every published token is
// tried against the service twice a second, and the demo signs in like a person with a
// browser, corrects a wrong password, asks for tokens and deletes a published Secret. At the end the samples are deleted
// and the service tells what it saw.
//
// `make demo` runs it. It writes below bin only, and stops whatever it starts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// tokenLifetime is short, so that there is something to see.
const tokenLifetime = 20 * time.Second

// cleanupLimit bounds the deletion of the samples. It is far above what the
// operator needs, and below its own deadline for a revocation.
const cleanupLimit = time.Minute

func main() {
	duration := flag.Duration("duration", 0, "end by itself after so long with the operator at work; 0 means at Ctrl-C")
	flag.Parse()
	testbed.Main("demo", func(ctx context.Context, program *testbed.Program) error { return show(ctx, program, *duration) })
}

// show runs the demo. Whatever was started is stopped before it returns; the last
// lines are the report.
func show(ctx context.Context, program *testbed.Program, duration time.Duration) error {
	d := &demonstration{program: program, progress: &progress{out: os.Stdout, began: program.Began}}
	err := d.begin(ctx)
	if err == nil {
		err = d.watch(ctx, duration)
	}
	// From here on a signal would only leave something behind.
	err = errors.Join(err, d.end(context.WithoutCancel(ctx)))
	if d.service == nil {
		return err
	}
	return errors.Join(err, report(os.Stdout, d.service.Ledger(), d.checks.count()))
}

// demonstration is what runs.
type demonstration struct {
	program  *testbed.Program
	progress *progress
	plane    *testbed.ControlPlane
	// cluster reads and writes without a cache: what it shows is what there is.
	cluster client.Client
	// kubeconfig is the path of one with every right.
	kubeconfig string
	service    *testbed.Service
	samples    *samples
	operator   *testbed.Operator
	checks     *checks
	deeds      *deeds
}

// begin starts everything, step by step.
func (d *demonstration) begin(ctx context.Context) error {
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"starting kube-apiserver, etcd and kube-controller-manager, with our CRD", d.startControlPlane},
		{"starting a Spaces in memory, with tokens of 20 seconds", d.startService},
		{"applying the samples", d.applySamples},
		{"building the operator", d.buildOperator},
		{"starting the operator", d.startOperator},
	} {
		if ctx.Err() != nil {
			return errors.New("interrupted before everything was started")
		}
		if err := d.progress.step(step.name, func() error { return step.run(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

func (d *demonstration) startControlPlane(context.Context) (err error) {
	if d.plane, err = d.program.StartControlPlane(); err != nil {
		return err
	}
	if d.kubeconfig, err = testbed.WriteKubeconfig(d.program.Folder, d.plane.Config); err != nil {
		return err
	}
	d.cluster, err = testbed.NewClient(d.plane.Config)
	return err
}

func (d *demonstration) startService(context.Context) (err error) {
	if d.service, err = startService(); err != nil {
		return err
	}
	d.program.OnStop(d.service.Stop)
	d.checks = newChecks(d.cluster, d.service.URL)
	return nil
}

// startService starts an Avaya Spaces at its most severe: each renewal gives a new refresh
// token, and one that comes twice ends its grant.
func startService() (*testbed.Service, error) {
	return testbed.StartService(
		fakespaces.WithTokenLifetime(tokenLifetime),
		fakespaces.WithGuestLifetime(tokenLifetime),
		fakespaces.WithRotation(fakespaces.RotateAlways),
		fakespaces.WithReuseDetection(true),
	)
}

func (d *demonstration) applySamples(ctx context.Context) (err error) {
	d.samples, err = readSamples()
	if err != nil {
		return err
	}
	if err := d.samples.introduce(d.service); err != nil {
		return err
	}
	d.samples.spoil()
	d.deeds = &deeds{cluster: d.cluster, samples: d.samples, service: d.service}
	return d.samples.apply(ctx, d.cluster)
}

// watch shows the table and tries the tokens until ctx or duration ends. It fails
// when the operator ends before.
func (d *demonstration) watch(ctx context.Context, duration time.Duration) error {
	var ends time.Time
	if duration > 0 {
		ends = time.Now().Add(duration)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, ends)
		defer cancel()
	}
	// The checks go on through the deletion: no token may fail there either.
	checking, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := d.checks.run(checking)
	d.program.OnStop(func() error {
		stop()
		<-ended
		return nil
	})

	showing, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.operator.Ended:
			cancel()
		case <-showing.Done():
		}
	}()
	// When the display ends nothing is done any more, so that nothing meets the deletion.
	doing := make(chan error, 1)
	go func() {
		doing <- d.deeds.run(showing)
		cancel()
	}()
	newDisplay(d, ends).run(showing)
	cancel()
	return errors.Join(d.operator.Failure(), <-doing)
}

// end deletes the samples, and then stops what was started.
func (d *demonstration) end(ctx context.Context) error {
	var deleted error
	if d.operator != nil && d.operator.Failure() == nil {
		ctx, cancel := context.WithTimeout(ctx, cleanupLimit)
		defer cancel()
		deleted = d.progress.step("deleting the samples", func() error {
			if err := d.samples.delete(ctx, d.cluster); err != nil {
				return fmt.Errorf("%w, see %s", err, d.program.Path(operatorLog))
			}
			return nil
		})
	}
	return errors.Join(deleted, d.progress.step("stopping everything", d.program.Stop))
}
