package main

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// requestTimeout keeps a check or a deed from waiting for an API server that is gone.
const requestTimeout = 10 * time.Second

// cluster is the Kubernetes of the soak. Its client has no cache: what it shows is what
// there is.
type cluster struct {
	client.Client
	apiServer  *apiServer
	kubeconfig string
}

func startCluster(program *testbed.Program) (*cluster, error) {
	plane, err := program.StartControlPlane()
	if err != nil {
		return nil, err
	}
	kubeconfig, err := testbed.WriteKubeconfig(program.Folder, plane.Config)
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(plane.Config)
	config.Timeout = requestTimeout
	reader, err := testbed.NewClient(config)
	return &cluster{Client: reader, apiServer: &apiServer{plane: plane}, kubeconfig: kubeconfig}, err
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
