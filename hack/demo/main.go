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
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// folder holds what a run leaves behind: the kubeconfig and the logs.
const folder = "bin/demo"

// cleanupLimit bounds the deletion of the samples. It is far above what the
// operator needs, and below its own deadline for a revocation.
const cleanupLimit = time.Minute

func main() {
	duration := flag.Duration("duration", 0, "end by itself after so long with the operator at work; 0 means at Ctrl-C")
	flag.Parse()
	// What libraries log belongs to nobody here.
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())

	// Until the end signals only end ctx, so that a second Ctrl-C cannot leave
	// processes behind.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := show(ctx, *duration)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// show runs the demo. Whatever was started is stopped before it returns; the last
// lines are the report.
func show(ctx context.Context, duration time.Duration) error {
	progress := newProgress(os.Stdout)
	d := &demonstration{progress: progress}
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
	progress *progress
	plane    *controlPlane
	service  *service
	samples  *samples
	operator *operator
	checks   *checks
	deeds    *deeds
	// stops undo what was started, to be called in reverse.
	stops []func() error
}

// begin starts everything, step by step.
func (d *demonstration) begin(ctx context.Context) error {
	if _, err := os.Stat(crds); err != nil {
		return fmt.Errorf("run it from the root of the repository, by make demo: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"starting kube-apiserver, etcd and kube-controller-manager, with our CRD", d.startControlPlane},
		{"starting a Spaces in memory, with tokens of 20 seconds", d.startService},
		{"applying the samples", d.applySamples},
		{"building the operator", buildOperator},
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
	d.plane, err = startControlPlane()
	if err == nil {
		d.stops = append(d.stops, d.plane.stop)
	}
	return err
}

func (d *demonstration) startService(ctx context.Context) (err error) {
	d.service, err = startService(ctx)
	if err != nil {
		return err
	}
	d.stops = append(d.stops, d.service.stop)
	d.checks = newChecks(d.plane.cluster, d.service.url)
	return nil
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
	d.deeds = &deeds{cluster: d.plane.cluster, samples: d.samples, service: d.service}
	return d.samples.apply(ctx, d.plane.cluster)
}

func (d *demonstration) startOperator(ctx context.Context) (err error) {
	d.operator, err = startOperator(ctx, d.service.url, d.plane.kubeconfig)
	if err == nil {
		d.stops = append(d.stops, d.operator.stop)
	}
	return err
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
	d.stops = append(d.stops, func() error {
		stop()
		<-ended
		return nil
	})

	showing, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.operator.ended:
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
	return errors.Join(d.operator.failure(), <-doing)
}

// end deletes the samples, and then stops what was started, the last first.
func (d *demonstration) end(ctx context.Context) error {
	var failed []error
	if d.operator != nil && d.operator.failure() == nil {
		ctx, cancel := context.WithTimeout(ctx, cleanupLimit)
		defer cancel()
		failed = append(failed, d.progress.step("deleting the samples", func() error {
			return d.samples.delete(ctx, d.plane.cluster)
		}))
	}
	if len(d.stops) > 0 {
		failed = append(failed, d.progress.step("stopping everything", func() error {
			var stopped []error
			for _, stop := range slices.Backward(d.stops) {
				stopped = append(stopped, stop())
			}
			return errors.Join(stopped...)
		}))
	}
	return errors.Join(failed...)
}
