package testbed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// assetsVariable names the folder with the programs.
const assetsVariable = "KUBEBUILDER_ASSETS"

// controllersGrace is how long kube-controller-manager may take to stop.
const controllersGrace = 5 * time.Second

// ControlPlane is the real Kubernetes control plane that hack/envtest.sh builds:
// kube-apiserver and etcd, and, where objects must be garbage-collected or namespaces
// deleted, the controllers of kube-controller-manager that do it.
type ControlPlane struct {
	// Config reaches the API server with every right.
	Config *rest.Config
	// Assets is the folder that holds kubectl, too.
	Assets string

	environment *envtest.Environment
	controllers *Process
	folder      string
	etcd        etcd
	apiServer   apiServer
}

// StartControlPlane starts kube-apiserver and etcd and installs the CRDs in the given
// folders, such as [CRDs].
func StartControlPlane(crds ...string) (*ControlPlane, error) {
	assets := os.Getenv(assetsVariable)
	if assets == "" {
		return nil, fmt.Errorf("%s is not set: run it by make, or set it to what hack/envtest.sh prints", assetsVariable)
	}
	at, err := root()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "testbed-")
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{
		Assets:      assets,
		folder:      folder,
		environment: &envtest.Environment{BinaryAssetsDirectory: assets, ErrorIfCRDPathMissing: true},
	}
	for _, crd := range crds {
		c.environment.CRDDirectoryPaths = append(c.environment.CRDDirectoryPaths, filepath.Join(at, crd))
	}
	c.apiServer = apiServer{server: c.environment.ControlPlane.GetAPIServer()}
	if err := errors.Join(c.etcd.prepare(folder, assets), c.apiServer.prepare(folder, assets)); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	c.environment.ControlPlane.Etcd = &c.etcd.server
	c.Config, err = c.environment.Start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the control plane of %s: %w", assets, err), c.Stop())
	}
	return c, nil
}

// StartControllers starts the namespace and the garbage-collector controller. What they print
// goes to log.
func (c *ControlPlane) StartControllers(log io.Writer) error {
	kubeconfig, err := WriteKubeconfig(c.folder, c.Config)
	if err != nil {
		return err
	}
	c.controllers, err = StartControllers(c.Assets, kubeconfig, log)
	return err
}

// StartControllers starts the namespace and the garbage-collector controller of a folder of
// assets against the API server of a kubeconfig. Without them a deleted namespace stays for ever
// and owned objects outlive their owners, so that no deletion story would prove anything.
func StartControllers(assets, kubeconfig string, log io.Writer) (*Process, error) {
	return StartProcess(exec.Command(filepath.Join(assets, "kube-controller-manager"),
		"--kubeconfig="+kubeconfig,
		"--controllers=namespace-controller,garbage-collector-controller",
		"--leader-elect=false",
		// Each acts under a name of its own, as in most clusters: policies name them.
		"--use-service-account-credentials",
		"--secure-port=0",
		// At the usual 20 requests a second, what hundreds of stories left behind would keep the
		// garbage collector from the one that waits for it.
		"--kube-api-qps=1000", "--kube-api-burst=1000",
	), log)
}

// Processes are the process IDs of kube-apiserver and etcd, for whoever wants to know what they
// cost.
func (c *ControlPlane) Processes() (apiServer, etcd int, err error) {
	apiServer, err = c.apiServer.launcher.process()
	if err == nil {
		etcd, err = c.etcd.launcher.process()
	}
	return apiServer, etcd, err
}

// StopControllers stops what StartControllers started.
func (c *ControlPlane) StopControllers() error {
	stopping := c.controllers
	if stopping == nil {
		return nil
	}
	c.controllers = nil
	return stopping.Stop(controllersGrace)
}

// Stop stops everything and removes what it left on disk.
func (c *ControlPlane) Stop() error {
	return errors.Join(c.StopControllers(), c.environment.Stop(), os.RemoveAll(c.folder))
}
