package main

import (
	"errors"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/controlplane"
)

// crds is where our CRD stands, seen from the root of the repository.
const crds = "config/crd/bases"

// controlPlane is the Kubernetes of the demo.
type controlPlane struct {
	*controlplane.ControlPlane
	// cluster reads and writes without a cache: what it shows is what there is.
	cluster client.Client
	// kubeconfig is the path of a kubeconfig with every right.
	kubeconfig string
	log        *os.File
}

func startControlPlane() (*controlPlane, error) {
	running, err := controlplane.Start(crds)
	if err != nil {
		return nil, err
	}
	plane := &controlPlane{ControlPlane: running, kubeconfig: filepath.Join(folder, "kubeconfig")}
	if err := plane.prepare(); err != nil {
		return nil, errors.Join(err, plane.stop())
	}
	return plane, nil
}

// prepare makes what others need to reach the control plane.
func (p *controlPlane) prepare() (err error) {
	if err := os.WriteFile(p.kubeconfig, p.Kubeconfig(), 0o600); err != nil {
		return err
	}
	p.log, err = os.Create(filepath.Join(folder, "kube-controller-manager.log"))
	if err != nil {
		return err
	}
	if err := p.StartControllers(p.log); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	p.cluster, err = client.New(p.Config, client.Options{Scheme: scheme})
	return err
}

// kubectl is the beginning of a command line that looks inside.
func (p *controlPlane) kubectl() string {
	return filepath.Join(p.Assets, "kubectl") + " --kubeconfig " + p.kubeconfig + " -n " + namespace
}

func (p *controlPlane) stop() error {
	err := p.Stop()
	if p.log != nil {
		err = errors.Join(err, p.log.Close())
	}
	return err
}
