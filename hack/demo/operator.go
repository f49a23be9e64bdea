package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// program is what `go build .` makes at the root.
	program = "bin/manager"
	// startLimit bounds the way to the first readyz.
	startLimit = 30 * time.Second
	// stopLimit is above the operator's own --graceful-shutdown-timeout.
	stopLimit = 30 * time.Second
	// lastWords is how much of the log is shown when the operator ended unasked.
	lastWords = 2048
)

// operator is the operator, as a process.
type operator struct {
	command  *exec.Cmd
	log      *os.File
	ended    chan struct{} // closed when the process is gone
	err      error         // how it went; to be read once ended is closed
	stopping atomic.Bool
}

// buildOperator builds as make build does, so that neither throws away the other's
// cache.
func buildOperator(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// startOperator starts the operator against the service at url, and waits until it
// is ready.
func startOperator(ctx context.Context, url, kubeconfig string) (*operator, error) {
	environments, err := writeEnvironments(url)
	if err != nil {
		return nil, err
	}
	probe, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	o := &operator{ended: make(chan struct{})}
	if o.log, err = os.Create(filepath.Join(folder, "operator.log")); err != nil {
		return nil, err
	}
	o.command = exec.Command(program,
		"--environments-file="+environments,
		"--kubeconfig="+kubeconfig,
		"--leader-elect=false",
		"--metrics-bind-address=0",
		"--health-probe-bind-address="+probe,
	)
	o.command.Stdout, o.command.Stderr = o.log, o.log
	// A group of its own: Ctrl-C at the terminal must not reach it before the
	// samples are deleted.
	o.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := o.command.Start(); err != nil {
		return nil, errors.Join(err, o.log.Close())
	}
	go func() {
		o.err = o.command.Wait()
		close(o.ended)
	}()
	if err := o.awaitReady(ctx, "http://"+probe+"/readyz"); err != nil {
		return nil, errors.Join(err, o.stop())
	}
	return o, nil
}

// writeEnvironments makes the environment of the samples the service at url. It is
// the only one, so nothing here can reach the real service.
func writeEnvironments(url string) (path string, err error) {
	content, err := yaml.Marshal(map[string]any{
		"builtIn": false,
		"environments": []spacesauth.Environment{
			{Name: environment, AccountsURL: url, APIURL: url},
		},
	})
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, "environments.yaml")
	return path, os.WriteFile(path, content, 0o644)
}

// freeAddress finds an address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func (o *operator) awaitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		if ready(ctx, url) {
			return nil
		}
		select {
		case <-o.ended:
			return o.failure()
		case <-ctx.Done():
			return fmt.Errorf("the operator was not ready in time, see %s: %w", o.log.Name(), ctx.Err())
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

// failure tells that the operator has ended unasked, and its last words.
func (o *operator) failure() error {
	select {
	case <-o.ended:
	default:
		return nil
	}
	if o.stopping.Load() {
		return nil
	}
	words, _ := os.ReadFile(o.log.Name())
	words = words[max(0, len(words)-lastWords):]
	return fmt.Errorf("the operator ended by itself (%v); the end of %s:\n%s", o.command.ProcessState, o.log.Name(), bytes.TrimSpace(words))
}

// stop asks the operator to end and waits for it. That it ends badly when asked is
// a failure; that it had ended before was told by failure.
func (o *operator) stop() error {
	defer func() { _ = o.log.Close() }()
	select {
	case <-o.ended:
		return nil
	default:
	}
	o.stopping.Store(true)
	if err := o.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-o.ended:
	case <-time.After(stopLimit):
		_ = o.command.Process.Kill()
		<-o.ended
		return fmt.Errorf("the operator did not end within %s, see %s", stopLimit, o.log.Name())
	}
	if o.err != nil {
		return fmt.Errorf("the operator ended badly, see %s: %w", o.log.Name(), o.err)
	}
	return nil
}
