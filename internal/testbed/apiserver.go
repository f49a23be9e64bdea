package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	// apiServerProgram is its name in the folder of envtest's programs.
	apiServerProgram = "kube-apiserver"
	// watchGrace lets open watches end when kube-apiserver is asked to end. Without it they
	// hold it up for a minute, in which nobody listens any more.
	watchGrace = "1s"
	// servedGroups are the API groups that anything of ours asks for. A quarter of the time that
	// kube-apiserver takes to start goes into the others, and the controllers watch and search
	// each of them.
	servedGroups = "api/all=false,v1=true,admissionregistration.k8s.io/v1=true,apiextensions.k8s.io/v1=true,apiregistration.k8s.io/v1=true," +
		"apps/v1=true,authentication.k8s.io/v1=true,authorization.k8s.io/v1=true,coordination.k8s.io/v1=true,events.k8s.io/v1=true," +
		"networking.k8s.io/v1=true,policy/v1=true,rbac.authorization.k8s.io/v1=true"
	// endGrace is how long kube-apiserver may take to end, and endInterval how often is
	// looked whether it has.
	endGrace    = 20 * time.Second
	endInterval = 20 * time.Millisecond
)

// apiServer is kube-apiserver, which can be stopped and started anew while etcd goes on.
type apiServer struct {
	server   *envtest.APIServer
	launcher launcher
}

// prepare is called before the first start, so that all that a second one needs stays:
// a folder for certificates and service-account keys that envtest chooses is removed with
// each stop, and no kubeconfig of before would be good for anything.
func (a *apiServer) prepare(folder, assets string) (err error) {
	a.server.CertDir = filepath.Join(folder, "certificates")
	if err := os.Mkdir(a.server.CertDir, 0o700); err != nil {
		return err
	}
	a.server.Configure().Set("shutdown-watch-termination-grace-period", watchGrace).
		Set("runtime-config", servedGroups).
		Set("enable-priority-and-fairness", "false")
	a.launcher, err = newLauncher(folder, assets, apiServerProgram)
	a.server.Path = a.launcher.path
	return err
}

// StopAPIServer ends kube-apiserver with a signal, SIGTERM or SIGKILL, and returns when the
// process is gone: about a second after SIGTERM, which lets requests under way finish, and
// at once after SIGKILL. All connections and watches end; etcd and the controllers go on.
// A process that is still there 20 s after the signal is killed. It is an error if none
// runs. StartAPIServer starts it anew; Stop needs no start in between.
func (c *ControlPlane) StopAPIServer(signal syscall.Signal) error {
	id, err := c.apiServer.launcher.process()
	if err != nil {
		return err
	}
	group := -id // envtest gives it one of its own
	if err := syscall.Kill(group, signal); err != nil {
		return fmt.Errorf("stopping kube-apiserver: %w", err)
	}
	patience := time.After(endGrace)
	// It is there until envtest, its parent, has waited for it.
	for !errors.Is(syscall.Kill(group, 0), syscall.ESRCH) {
		select {
		case <-patience:
			_ = syscall.Kill(group, syscall.SIGKILL)
		case <-time.After(endInterval):
		}
	}
	return nil
}

// StartAPIServer starts the kube-apiserver that StopAPIServer stopped, and returns when it
// is healthy, in two to five seconds. It has the address, the certificates, the
// service-account keys and, from etcd, the data of before: Config, every kubeconfig and
// every client stay good, and only watches have to be opened anew. After an error it may
// be called again.
func (c *ControlPlane) StartAPIServer() error {
	if err := c.apiServer.server.Start(); err != nil {
		return fmt.Errorf("starting kube-apiserver anew: %w", err)
	}
	return nil
}
