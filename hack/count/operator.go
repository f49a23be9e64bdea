package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

const (
	// program is what `go build .` makes at the root.
	program = "bin/manager"
	// tokenLifetime puts all first renewals behind all first tokens, and leaves a
	// pause between the renewals.
	tokenLifetime = 40 * time.Second
	// stopLimit is above the operator's own --graceful-shutdown-timeout.
	stopLimit = 30 * time.Second
)

// startService starts a Spaces in memory that knows our client and user.
func startService(ctx context.Context) (url string, stop func() error, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: fakespaces.New(
		fakespaces.WithClient(clientID, clientSecret),
		fakespaces.WithUser(username, password),
		fakespaces.WithTokenLifetime(tokenLifetime),
		fakespaces.WithRotation(fakespaces.RotateAlways),
	)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() error {
		err := server.Close()
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
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

// operator is the operator, as a process.
type operator struct {
	command *exec.Cmd
	log     *os.File
	ended   chan error
}

// startOperator starts the operator between a service and an API server.
func startOperator(service, server string) (*operator, error) {
	environments, err := yaml.Marshal(map[string]any{"builtIn": false, "environments": []spacesauth.Environment{
		// The rate is not what is measured.
		{Name: environment, AccountsURL: service, APIURL: service, RequestsPerSecond: 100, Burst: 100},
	}})
	if err != nil {
		return nil, err
	}
	environmentsFile, kubeconfig := filepath.Join(folder, "environments.yaml"), filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(environmentsFile, environments, 0o644); err != nil {
		return nil, err
	}
	if err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"proxy": {Server: server}},
		Contexts:       map[string]*clientcmdapi.Context{"proxy": {Cluster: "proxy"}},
		CurrentContext: "proxy",
	}, kubeconfig); err != nil {
		return nil, err
	}
	o := &operator{ended: make(chan error, 1)}
	if o.log, err = os.Create(filepath.Join(folder, "operator.log")); err != nil {
		return nil, err
	}
	o.command = exec.Command(program, "--environments-file="+environmentsFile, "--kubeconfig="+kubeconfig,
		"--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=0")
	o.command.Stdout, o.command.Stderr = o.log, o.log
	// A group of its own: Ctrl-C at the terminal reaches it by stop alone.
	o.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := o.command.Start(); err != nil {
		return nil, errors.Join(err, o.log.Close())
	}
	go func() { o.ended <- o.command.Wait() }()
	return o, nil
}

// failure tells that the operator has ended unasked.
func (o *operator) failure() error {
	select {
	case err := <-o.ended:
		o.ended <- err
		return fmt.Errorf("the operator ended by itself (%s), see %s", o.command.ProcessState, o.log.Name())
	default:
		return nil
	}
}

// stop asks the operator to end and waits for it.
func (o *operator) stop() error {
	defer func() { _ = o.log.Close() }()
	if err := o.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-o.ended:
		return err
	case <-time.After(stopLimit):
		err := o.command.Process.Kill()
		return errors.Join(err, <-o.ended, fmt.Errorf("the operator did not end within %s, see %s", stopLimit, o.log.Name()))
	}
}
