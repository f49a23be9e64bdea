package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	// serviceAddress is that of the Service named kubernetes, the first of the range that the API
	// server gives to Services. hack/e2e.sh puts it on an interface of the node's network, and the
	// API server listens there: Pods reach it by the address that every Pod is told, though there
	// is no kube-proxy.
	serviceAddress, servicePort = "10.0.0.1", "443"
	// nodeAddress is that of the bridge which hack/e2e.sh makes, the gateway of Pods.
	nodeAddress, podRange = "10.88.0.1", "10.88.0.0/16"
	// cniPrograms is where Debian has them.
	cniPrograms = "/usr/lib/cni"
	// nodeName is how the node is registered.
	nodeName = "e2e"
	// startLimit is how long each part of the node may take until it works.
	startLimit = 2 * time.Minute
)

// containerdConfiguration: images are copied, for a layered file system may stand on one already;
// an OOM score may not be lowered in a container; and nothing is written outside the run.
const containerdConfiguration = `version = 3
root = '%[1]s/containerd/root'
state = '%[1]s/containerd/state'
[grpc]
  address = '%[1]s/containerd.sock'
[plugins.'io.containerd.internal.v1.opt']
  path = '%[1]s/containerd/opt'
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'native'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '%[2]s'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['%[3]s']
    conf_dir = '%[1]s/cni'
`

const networkConfiguration = `{"cniVersion": "1.0.0", "name": "e2e", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "%s"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "%s/addresses"}}]}
`

// kubeletConfiguration: whoever is in the node's network may ask the kubelet. It looks at its Pods
// twelve times as often as it does unasked, because tokens live that much shorter here than an hour.
const kubeletConfiguration = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://%[1]s/containerd.sock
podLogsDir: %[1]s/pods
resolvConf: ""
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
evictionHard: {nodefs.available: "0%%", imagefs.available: "0%%", nodefs.inodesFree: "0%%"}
imageGCHighThresholdPercent: 100
configMapAndSecretChangeDetectionStrategy: Watch
syncFrequency: %[2]s
`

// node is a Kubernetes of one real node. It is started in namespaces of its own (processes,
// mounts, network), by hack/e2e.sh: with the last process of ours the kernel ends everything that
// was started, however ours ended.
type node struct {
	assets, folder string
	config         *rest.Config
	kubeconfig     string
}

// startNode starts one from the programs in assets, with images as hack/release writes them.
func startNode(ctx context.Context, assets, folder string, looks time.Duration, images ...string) (*node, error) {
	n := &node{assets: assets, folder: folder}
	if err := os.Setenv("PATH", assets+":"+os.Getenv("PATH")); err != nil { // containerd looks for its shim there
		return nil, err
	}
	for _, start := range []func(context.Context) error{n.startControlPlane, n.startContainerd} {
		if err := start(ctx); err != nil {
			return nil, err
		}
	}
	for _, image := range images {
		output, err := exec.CommandContext(ctx, "ctr", append(n.ctr()[1:], "images", "import", "--local", "--snapshotter=native", image)...).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("loading %s: %w\n%s", image, err, output)
		}
	}
	err := n.startKubelet(ctx, looks)
	return n, err
}

// ctr is the command that speaks with containerd.
func (n *node) ctr() []string {
	return []string{"ctr", "--address=" + filepath.Join(n.folder, "containerd.sock"), "--namespace=k8s.io"}
}

func (n *node) write(name, format string, arguments ...any) (path string, err error) {
	path = filepath.Join(n.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, fmt.Appendf(nil, format, arguments...), 0o600)
}

// start starts a program that stays, and keeps what it says.
func (n *node) start(program string, arguments ...string) (*testbed.Process, error) {
	log, err := os.Create(filepath.Join(output, program+".log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process keeps its own
	return testbed.StartProcess(exec.Command(filepath.Join(n.assets, program), arguments...), log)
}

// startControlPlane starts what gives Pods accounts, Deployments Pods, and Pods a node.
func (n *node) startControlPlane(ctx context.Context) error {
	environment := &envtest.Environment{BinaryAssetsDirectory: n.assets, ControlPlaneStartTimeout: startLimit}
	server := environment.ControlPlane.GetAPIServer()
	server.SecureServing.Address, server.SecureServing.Port = serviceAddress, servicePort
	// Pods have service accounts here, and nobody resolves the node's name.
	server.Configure().Disable("disable-admission-plugins").Set("kubelet-preferred-address-types", string(corev1.NodeInternalIP))
	config, err := environment.Start()
	if err != nil {
		return fmt.Errorf("starting the API server: %w", err)
	}
	n.config = config
	if n.kubeconfig, err = testbed.WriteKubeconfig(n.folder, config); err != nil {
		return err
	}
	authority, err := n.write("authority.pem", "%s", config.CAData)
	if err != nil {
		return err
	}
	_, failed := n.start("kube-controller-manager", "--kubeconfig="+n.kubeconfig, "--root-ca-file="+authority, "--leader-elect=false",
		"--use-service-account-credentials", "--secure-port=0")
	_, failedToo := n.start("kube-scheduler", "--kubeconfig="+n.kubeconfig, "--leader-elect=false", "--secure-port=0")
	return errors.Join(failed, failedToo, ctx.Err())
}

func (n *node) startContainerd(ctx context.Context) error {
	configuration, err := n.write("containerd.toml", containerdConfiguration, n.folder, inpodImage, cniPrograms)
	if err != nil {
		return err
	}
	if _, err := n.write("cni/10-e2e.conflist", networkConfiguration, podRange, n.folder); err != nil {
		return err
	}
	process, err := n.start("containerd", "--config="+configuration)
	if err != nil {
		return err
	}
	return await(ctx, process, func() error {
		return exec.CommandContext(ctx, "ctr", append(n.ctr()[1:], "version")...).Run()
	})
}

func (n *node) startKubelet(ctx context.Context, looks time.Duration) error {
	configuration, err := n.write("kubelet.yaml", kubeletConfiguration, n.folder, looks)
	if err != nil {
		return err
	}
	process, err := n.start("kubelet", "--config="+configuration, "--kubeconfig="+n.kubeconfig, "--root-dir="+filepath.Join(n.folder, "kubelet"),
		"--cert-dir="+filepath.Join(n.folder, "certificates"), "--hostname-override="+nodeName, "--node-ip="+nodeAddress)
	if err != nil {
		return err
	}
	kubernetes, err := testbed.NewClient(n.config)
	if err != nil {
		return err
	}
	return await(ctx, process, func() error {
		var found corev1.Node
		if err := kubernetes.Get(ctx, client.ObjectKey{Name: nodeName}, &found); err != nil {
			return err
		}
		for _, condition := range found.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue && len(found.Spec.Taints) == 0 {
				return nil
			}
		}
		return fmt.Errorf("the node is not ready: %v", found.Status.Conditions)
	})
}

// await waits until a process does what it is there for.
func await(ctx context.Context, process *testbed.Process, works func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := works()
		if err == nil {
			return nil
		}
		select {
		case <-process.Ended:
			return fmt.Errorf("a part of the node ended by itself, see its log in %s: %w", output, err)
		case <-ctx.Done():
			return fmt.Errorf("a part of the node did not work in time, see its log in %s: %w", output, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
