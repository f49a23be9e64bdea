package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// peer is External Secrets Operator: the program as it is shipped, with every controller that it
// starts by default. Its webhook generator makes the same sign-in as a SpacesCredential of grant type
// Password, and each renewal is one more sign-in.
type peer struct {
	program string
	// crds is the folder with its CRDs.
	crds       string
	kubeconfig string
}

// installPeer installs its CRDs, and creates what its objects in each namespace share.
func (b *bench) installPeer(ctx context.Context, kubeconfig string) error {
	b.Say("installing the CRDs of the peer")
	options := envtest.CRDInstallOptions{Paths: []string{b.peer.crds}, ErrorIfPathMissing: true}
	if _, err := envtest.InstallCRDs(b.plane.Config, options); err != nil {
		return fmt.Errorf("the CRDs of the peer, in %s: %w", b.peer.crds, err)
	}
	b.peer.kubeconfig = kubeconfig
	return b.cluster.createPeerInputs(ctx, b.service.URL)
}

// peerArguments leave everything as it is shipped but what the operator is given here, too: how much
// it does at a time, and no limit to the API server.
func peerArguments(metrics string) []string {
	return []string{fmt.Sprintf("--concurrent=%d", atATime), "--client-qps=100000", "--client-burst=100000", "--metrics-addr=" + metrics}
}

// startPeer starts it, and does not wait until it works.
func (b *bench) startPeer() (*operator, error) {
	free, err := testbed.FreeAddresses(1)
	if err != nil {
		return nil, err
	}
	command := exec.Command(b.peer.program, peerArguments(free[0])...)
	command.Env = append(os.Environ(), "KUBECONFIG="+b.peer.kubeconfig)
	return b.launch(command, operator{controller: "externalsecret", log: b.Path(peerLog), metrics: "http://" + free[0] + "/metrics"})
}
