package operator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// DefaultEnvironment is what SpacesCredentials call the service, unless Settings say another name.
	DefaultEnvironment = "local"

	// readyWithin is how long an operator may take until it serves.
	readyWithin = time.Minute
	// endWithin is how long it may take to end: longer than it allows itself, and to save what it has.
	endWithin = 35 * time.Second
	// lookInterval is how often readiness is asked for.
	lookInterval = 50 * time.Millisecond
	// lastWords is how much of its log stands in an error, in bytes.
	lastWords = 2048
)

// Settings say what an operator runs with.
type Settings struct {
	// Binary is what runs: see [Installed.Binary].
	Binary string
	// Folder is where its files are written: kubeconfig, environments.yaml and operator.log. It must be
	// one that goes with the test, since a kubeconfig of envtest is that of an administrator.
	Folder string
	// Kubeconfig is the KubeConfig of an envtest.Environment.
	Kubeconfig []byte
	// SpacesURL is where the service is, as accounts host and as API host: that of an httptest.Server
	// with a fakespaces.Service.
	SpacesURL string
	// Environment is how SpacesCredentials name the service; empty means [DefaultEnvironment].
	Environment string
	// Arguments are flags besides.
	Arguments []string
}

// Process is an operator that runs.
type Process struct {
	// Log is the file with all that it says.
	Log string

	command *exec.Cmd
	ended   chan struct{}
	err     error // how it ended; to be read once ended is closed
	asked   atomic.Bool
}

// Start starts an operator and waits until it is ready. The end of the context kills it; [Process.Stop] is
// the kind way.
func Start(ctx context.Context, s Settings) (*Process, error) {
	kubeconfig, environments := filepath.Join(s.Folder, "kubeconfig"), filepath.Join(s.Folder, "environments.yaml")
	// YAML reads a quoted Go string of printable ASCII as what it is.
	file := fmt.Appendf(nil, "environments:\n- {name: %q, accountsURL: %q, apiURL: %[2]q}\n", cmp.Or(s.Environment, DefaultEnvironment), s.SpacesURL)
	for path, content := range map[string][]byte{kubeconfig: s.Kubeconfig, environments: file} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, err
		}
	}
	health, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &Process{Log: filepath.Join(s.Folder, "operator.log"), ended: make(chan struct{})}
	log, err := os.Create(p.Log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process keeps its own
	p.command = exec.CommandContext(ctx, s.Binary, append([]string{
		"--kubeconfig=" + kubeconfig, "--environments-file=" + environments,
		"--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=" + health,
	}, s.Arguments...)...)
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting the operator: %w", err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.ended)
	}()
	if err := p.awaitReady(ctx, "http://"+health+"/readyz"); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// awaitReady asks until it says that it is ready.
func (p *Process) awaitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	client := &http.Client{Timeout: readyWithin}
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close() // its status says all
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-look.C:
		case <-p.ended:
			return p.Failure()
		case <-ctx.Done():
			return fmt.Errorf("the operator was not ready within %s; the end of %s:\n%s", readyWithin, p.Log, p.lastWords())
		}
	}
}

// Failure tells that it has ended unasked, and its last words. It is nil as long as the operator runs, and
// once Stop was called.
func (p *Process) Failure() error {
	select {
	case <-p.ended:
	default:
		return nil
	}
	if p.asked.Load() {
		return nil
	}
	return fmt.Errorf("the operator ended by itself (%s); the end of %s:\n%s", p.command.ProcessState, p.Log, p.lastWords())
}

func (p *Process) lastWords() []byte {
	words, _ := os.ReadFile(p.Log)
	return bytes.TrimSpace(words[max(0, len(words)-lastWords):])
}

// Stop asks it to end, which it does when its calls have returned and their answers are saved, and waits. It
// is an error if it had ended before by itself, ends badly, or has to be killed. A second Stop does nothing.
func (p *Process) Stop() error {
	if err := p.Failure(); err != nil {
		p.asked.Store(true)
		return err
	}
	if p.asked.Swap(true) {
		return nil
	}
	// On Windows there is no such signal: then it is killed.
	if err := p.command.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_ = p.command.Process.Kill()
	}
	patience := time.NewTimer(endWithin)
	defer patience.Stop()
	select {
	case <-p.ended:
	case <-patience.C:
		_ = p.command.Process.Kill()
		<-p.ended
	}
	if p.err != nil {
		return fmt.Errorf("the operator ended badly: %w; the end of %s:\n%s", p.err, p.Log, p.lastWords())
	}
	return nil
}

// freeAddress is one on loopback where nobody listens.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil || !ok {
		return "", fmt.Errorf("no free port: %w", err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(address.Port)), nil
}
