// Package e2e tells what happens to an operator on a real node: in a Pod of its own image,
// installed from the chart, beside workloads that mount its Secrets. `make test-e2e` runs it.
package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// What hack/e2e.sh hands over.
var (
	// helm is its command.
	helm = os.Getenv("HELM")
	// folder is for what a run needs; output keeps the report, the images and the logs.
	folder = os.Getenv("E2E_RUN")
	output = os.Getenv("E2E_OUTPUT")
	// assets are the programs of a node to be started. Without it the cluster of KUBECONFIG is
	// taken, which has the images, and ctr speaks with the containerd of its only node.
	assets = os.Getenv("E2E_ASSETS")
	ctr    = strings.Fields(os.Getenv("E2E_CTR"))
)

// What a person may choose.
var (
	// lifetime is that of tokens, and looks how often the kubelet looks at its Pods.
	lifetime = duration("LIFETIME", time.Minute)
	looks    = duration("SYNC", 5*time.Second)
	// rotations are those to be watched while nothing else happens.
	rotations = number("ROTATIONS", 10)
)

// Images, as hack/e2e.sh names them.
const (
	operatorRepository = "e2e.local/operator"
	first, second      = "first", "second"
	inpodImage         = "e2e.local/inpod:first"
)

// cluster is what the stories are told on.
var cluster struct {
	config     *rest.Config
	kubernetes client.WithWatch
	calls      *kubernetes.Clientset
	kubeconfig string
}

var began = time.Now()

// say tells a step to whoever waits.
func say(format string, arguments ...any) {
	fmt.Printf("e2e: %5.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, arguments...))
}

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	if folder == "" {
		fmt.Println("skipped: there is no cluster; make test-e2e makes one")
		os.Exit(0)
	}
	if err := begin(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// begin finds the cluster, or makes it.
func begin(ctx context.Context) (err error) {
	cluster.kubeconfig = os.Getenv("KUBECONFIG")
	if assets != "" {
		say("starting a node")
		started, err := startNode(ctx, assets, folder, looks, image("operator-first"), image("operator-second"), image("inpod"))
		if err != nil {
			return err
		}
		cluster.kubeconfig, ctr = started.kubeconfig, started.ctr()
		say("the node is ready")
	}
	if cluster.config, err = clientcmd.BuildConfigFromFlags("", cluster.kubeconfig); err != nil {
		return err
	}
	cluster.config.QPS, cluster.config.Burst = 100, 200
	if cluster.kubernetes, err = testbed.NewClient(cluster.config); err != nil {
		return err
	}
	cluster.calls, err = kubernetes.NewForConfig(cluster.config)
	return err
}

// image is one that hack/e2e.sh had built.
func image(name string) string { return filepath.Join(output, name, "image.tar") }

func duration(variable string, otherwise time.Duration) time.Duration {
	parsed, err := time.ParseDuration(cmp.Or(os.Getenv(variable), otherwise.String()))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", variable, err))
	}
	return parsed
}

func number(variable string, otherwise int) int {
	parsed, err := strconv.Atoi(cmp.Or(os.Getenv(variable), strconv.Itoa(otherwise)))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", variable, err))
	}
	return parsed
}

// call runs helm.
func call(t *testing.T, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), helm, append(arguments, "--kubeconfig="+cluster.kubeconfig, "--namespace="+operators)...)
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+folder, "HELM_CONFIG_HOME="+folder, "HELM_DATA_HOME="+folder)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
}
