package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/controlplane"
)

// crds is where our CRD stands, seen from the root of the repository.
const crds = "config/crd/bases"

// requestTimeout keeps a check or a deed from waiting for an API server that is gone.
const requestTimeout = 10 * time.Second

// cluster is the Kubernetes of the soak. Its client has no cache: what it shows is what
// there is.
type cluster struct {
	client.Client
	plane      *controlplane.ControlPlane
	apiServer  *apiServer
	kubeconfig string
	log        *os.File
}

func startCluster() (*cluster, error) {
	plane, err := controlplane.Start(crds)
	if err != nil {
		return nil, err
	}
	c := &cluster{plane: plane, apiServer: &apiServer{plane: plane}, kubeconfig: filepath.Join(folder, "kubeconfig")}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// prepare starts the controllers that deletion needs, and makes what others need to
// reach the control plane.
func (c *cluster) prepare() (err error) {
	if err := os.WriteFile(c.kubeconfig, c.plane.Kubeconfig(), 0o600); err != nil {
		return err
	}
	if c.log, err = os.Create(filepath.Join(folder, "kube-controller-manager.log")); err != nil {
		return err
	}
	if err := c.plane.StartControllers(c.log); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	config := rest.CopyConfig(c.plane.Config)
	config.QPS, config.Burst = 200, 400 // hundreds of objects are made at once
	config.Timeout = requestTimeout
	c.Client, err = client.New(config, client.Options{Scheme: scheme})
	return err
}

// put creates a Secret, or changes what one of a life before holds.
func (c *cluster) put(ctx context.Context, input *corev1.Secret) error {
	wanted := input.StringData
	err := c.Create(ctx, input)
	if apierrors.IsAlreadyExists(err) {
		return c.change(ctx, input, map[string]any{"stringData": wanted})
	}
	return err
}

// change changes an object by a merge patch, as people do.
func (c *cluster) change(ctx context.Context, object client.Object, to map[string]any) error {
	patch, err := json.Marshal(to)
	if err != nil {
		return err
	}
	return c.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch))
}

func (c *cluster) stop() error {
	err := c.plane.Stop()
	if c.log != nil {
		err = errors.Join(err, c.log.Close())
	}
	return err
}
