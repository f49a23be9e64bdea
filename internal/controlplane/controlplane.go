// Package controlplane starts the real Kubernetes control plane that hack/envtest
// builds, for our tests and for the demo: kube-apiserver and etcd, and, where
// objects must be garbage-collected or namespaces deleted, the controllers of
// kube-controller-manager that do it.
package controlplane

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// assetsVariable names the folder with the programs.
const assetsVariable = "KUBEBUILDER_ASSETS"

// stopGrace is how long kube-controller-manager may take to stop.
const stopGrace = 5 * time.Second

// ControlPlane is a running control plane.
type ControlPlane struct {
	// Config reaches the API server with every right.
	Config *rest.Config
	// Assets is the folder that holds kubectl, too.
	Assets string

	environment *envtest.Environment
	admin       *envtest.AuthenticatedUser
	kubeconfig  []byte
	manager     *exec.Cmd
	folder      string
	apiServer   apiServer
}

// Start starts kube-apiserver and etcd and installs the CRDs in the given folders.
func Start(crds ...string) (*ControlPlane, error) {
	assets := os.Getenv(assetsVariable)
	if assets == "" {
		return nil, fmt.Errorf("%s is not set: run it by make, or set it to what hack/envtest.sh prints", assetsVariable)
	}
	folder, err := os.MkdirTemp("", "controlplane-")
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{
		Assets:      assets,
		folder:      folder,
		environment: &envtest.Environment{BinaryAssetsDirectory: assets, CRDDirectoryPaths: crds, ErrorIfCRDPathMissing: true},
	}
	c.apiServer = apiServer{server: c.environment.ControlPlane.GetAPIServer(), folder: folder}
	if err := c.apiServer.prepare(assets); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	c.Config, err = c.environment.Start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the control plane of %s: %w", assets, err), c.Stop())
	}
	c.admin, err = c.environment.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err == nil {
		c.kubeconfig, err = c.admin.KubeConfig()
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// Kubeconfig returns a kubeconfig with every right.
func (c *ControlPlane) Kubeconfig() []byte { return c.kubeconfig }

// StartControllers starts the namespace and the garbage-collector controller.
// Without them a deleted namespace stays for ever and owned objects outlive their
// owners, so that no deletion story would prove anything. What they print goes to
// log.
func (c *ControlPlane) StartControllers(log io.Writer) error {
	kubeconfig := filepath.Join(c.folder, "kubeconfig")
	if err := os.WriteFile(kubeconfig, c.kubeconfig, 0o600); err != nil {
		return err
	}
	c.manager = exec.Command(filepath.Join(c.Assets, "kube-controller-manager"),
		"--kubeconfig="+kubeconfig,
		"--controllers=namespace-controller,garbage-collector-controller",
		"--leader-elect=false",
		"--secure-port=0",
		// At the usual 20 requests a second, what hundreds of stories left behind would keep the
		// garbage collector from the one that waits for it.
		"--kube-api-qps=1000", "--kube-api-burst=1000",
	)
	c.manager.Stdout, c.manager.Stderr = log, log
	// A group of its own, as envtest gives to the others: Ctrl-C at the terminal must not
	// reach it while its caller still deletes what it made.
	c.manager.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.manager.Start(); err != nil {
		return fmt.Errorf("starting kube-controller-manager: %w", err)
	}
	return nil
}

// StopControllers stops what StartControllers started.
func (c *ControlPlane) StopControllers() error {
	if c.manager == nil {
		return nil
	}
	stopping := c.manager
	c.manager = nil
	ended := make(chan struct{})
	go func() { _ = stopping.Wait(); close(ended) }()
	if err := stopping.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-ended:
	case <-time.After(stopGrace):
		_ = stopping.Process.Kill()
		<-ended
	}
	return nil
}

// Stop stops everything and removes what it left on disk.
func (c *ControlPlane) Stop() error {
	return errors.Join(c.StopControllers(), c.environment.Stop(), os.RemoveAll(c.folder))
}
