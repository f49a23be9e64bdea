package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// profileVariable tells an operator that was built with profiles where to serve them.
const profileVariable = "SPACES_OPERATOR_PROFILE_ADDRESS"

// operator is an operator in a process of its own: ours, or the peer.
type operator struct {
	*testbed.Operator
	// controller is the one whose passes count, by the name in the metrics.
	controller string
	log        string
	// metrics and profiles are where they are served; the peer serves no profiles.
	metrics, profiles string
}

// operatorArguments are those of every operator here. The limits to the API server are lifted: what
// is measured is what the operator does, not what it is held to.
func operatorArguments(environments, kubeconfig string) []string {
	return []string{
		"--environments-file=" + environments, "--kubeconfig=" + kubeconfig, "--leader-elect=false",
		"--metrics-secure=false", "--health-probe-bind-address=0",
		fmt.Sprintf("--max-concurrent-reconciles=%d", atATime), "--kube-api-qps=100000", "--kube-api-burst=100000",
	}
}

// startOperator starts one, and does not wait until it works.
func (b *bench) startOperator() (*operator, error) {
	free, err := testbed.FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	command := exec.Command(b.Path("manager"), append(slices.Clone(b.arguments), "--metrics-bind-address="+free[0])...)
	command.Env = append(os.Environ(), profileVariable+"="+free[1], "GOMEMLIMIT="+b.settings.memory)
	return b.launch(command, operator{
		controller: "spacescredential", log: b.Path(operatorLog),
		metrics: "http://" + free[0] + "/metrics", profiles: "http://" + free[1] + "/debug/pprof/",
	})
}

// launch starts a command that is an operator, and has it stopped in the end.
func (b *bench) launch(command *exec.Cmd, o operator) (*operator, error) {
	started, err := testbed.StartOperator(command, o.log)
	if err != nil {
		return nil, err
	}
	o.Operator = started
	b.OnStop(func() error {
		_ = o.thaw() // one that is frozen hears no signal
		return o.Stop()
	})
	return &o, nil
}

// freeze stops time for the operator: its timers come due and nobody acts on them, so that all
// that is due is due at once when it thaws.
func (o *operator) freeze() error { return o.Signal(syscall.SIGSTOP) }
func (o *operator) thaw() error   { return o.Signal(syscall.SIGCONT) }

// work is what an operator has done, and has to do at once.
type work struct{ passes, queued int }

// work counts the passes it has made over credentials, and those that it has to make now.
func (o *operator) work(ctx context.Context) (work, error) {
	text, err := open(ctx, o.metrics)
	if err != nil {
		return work{}, err
	}
	defer func() { _ = text.Close() }()
	return readWork(text, o.controller)
}

// The counters of passes, one for each result, and of those that are queued.
var (
	passLine  = regexp.MustCompile(`^controller_runtime_reconcile_total\{.*controller="([^"]*)"`)
	queueLine = regexp.MustCompile(`^workqueue_depth\{.*name="([^"]*)"`)
)

// readWork reads what a controller has done.
func readWork(text io.Reader, controller string) (found work, err error) {
	counts := func(line string, of *regexp.Regexp) bool {
		name := of.FindStringSubmatch(line)
		return len(name) == 2 && name[1] == controller
	}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		line := lines.Text()
		into := (*int)(nil)
		switch {
		case counts(line, passLine):
			into = &found.passes
		case counts(line, queueLine):
			into = &found.queued
		default:
			continue
		}
		number, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			return work{}, err
		}
		*into += int(number)
	}
	return found, lines.Err()
}

// keepProfile keeps a profile of the operator in a file; one of the processor takes as long as it
// covers.
func (o *operator) keepProfile(ctx context.Context, name, path string) error {
	profile, err := open(ctx, o.profiles+name)
	if err != nil {
		return err
	}
	defer func() { _ = profile.Close() }()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = io.Copy(file, profile)
	return err
}

// open gets what is served at a URL.
func open(ctx context.Context, url string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	return response.Body, nil
}

// patience bounds a wait for a number of things: far above what they need, on a slow machine too.
func patience(number int) time.Duration {
	return time.Minute + time.Duration(number)*100*time.Millisecond
}

// await waits until something holds, and tells every ten seconds how far it is.
func (b *bench) await(ctx context.Context, o *operator, limit time.Duration, what string, holds func(context.Context) (bool, string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	told := time.Now()
	for {
		done, progress, err := holds(ctx)
		if failed := o.Failure(); failed != nil {
			return failed
		}
		if done || err != nil {
			return err
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			b.Say("  ... until %s: %s", what, progress)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s (%s): %w; see %s", what, progress, ctx.Err(), o.log)
		case <-look.C:
		}
	}
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
