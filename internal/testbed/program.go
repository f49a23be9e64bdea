package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Program is one run of a test program, such as the demo.
type Program struct {
	// Folder holds what the run leaves behind, such as logs: bin and the program's name,
	// seen from the root of the repository.
	Folder string
	// Began is when the run began.
	Began time.Time

	stops []func() error
}

// Main runs a test program at the root of the repository and stops what it left running.
// If something fails it says what, and ends the process with exit code 1. A signal only
// ends the context, so that not even a second Ctrl-C leaves processes behind.
func Main(name string, run func(context.Context, *Program) error) {
	// What libraries log belongs to nobody here.
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := runAtRoot(ctx, &Program{Folder: filepath.Join("bin", name), Began: time.Now()}, run)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func runAtRoot(ctx context.Context, p *Program, run func(context.Context, *Program) error) error {
	at, err := root()
	if err == nil {
		err = os.Chdir(at)
	}
	if err == nil {
		err = os.MkdirAll(p.Folder, 0o755)
	}
	if err != nil {
		return err
	}
	return errors.Join(run(ctx, p), p.Stop())
}

// Path is a file in the folder of the run.
func (p *Program) Path(name string) string { return filepath.Join(p.Folder, name) }

// Say prints a line with the seconds since the run began.
func (p *Program) Say(format string, arguments ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(p.Began).Seconds(), fmt.Sprintf(format, arguments...))
}

// OnStop remembers how to stop what was started.
func (p *Program) OnStop(stop func() error) { p.stops = append(p.stops, stop) }

// Stop stops what was started, the last first; each once, however often it is called.
func (p *Program) Stop() error {
	stops := p.stops
	p.stops = nil
	var failed []error
	for _, stop := range slices.Backward(stops) {
		failed = append(failed, stop())
	}
	return errors.Join(failed...)
}

// StartControlPlane starts one with our CRD and with the controllers that deletion needs,
// and has it stopped in the end. The controllers' log is kept in the folder of the run.
func (p *Program) StartControlPlane() (*ControlPlane, error) {
	plane, err := StartControlPlane(CRDs)
	if err != nil {
		return nil, err
	}
	p.OnStop(plane.Stop)
	file, err := os.Create(p.Path("kube-controller-manager.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // the process keeps its own
	err = plane.StartControllers(file)
	return plane, err
}
