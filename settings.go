package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// namespaceFile tells a Pod its own namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// maxLogLevel is the most that may be logged. From 8 on client-go logs the bodies of
// requests and answers, and with them every Secret.
const maxLogLevel = 7

// settings are the flags, and the one source of time.
type settings struct {
	clock clock.WithTickerAndDelayedExecution

	environmentsFile        string
	watched                 chosenNamespaces
	watchLabelSelector      labels.Selector
	concurrency             int
	qps                     float64
	burst                   int
	leaderElect             bool
	leaderElectionNamespace string
	leaderElectionID        string
	metricsAddress          string
	metricsSecure           bool
	metricsCertPath         string
	healthAddress           string
	defaultTokenLifetime    time.Duration
	denySecretMetadata      string
	gracefulShutdownTimeout time.Duration
	stateKeyFlag            string
	newStateKey             bool
	clusterClients          bool
	clientNamespace         string
	allowExport             bool
	kubeconfig              string
	zap                     zap.Options
}

// parse reads the flags. It returns nil settings when the flags asked for a text.
func parse(arguments []string, out io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("spaces-credential-operator", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&s.environmentsFile, "environments-file", "", "YAML `file` of environments beside or instead of production and staging")
	watchNamespaces := flags.String("watch-namespaces", "", "comma-separated `list` of namespaces to look after; empty means all. One that may not be read is left out until it may")
	namespaceSelector := flags.String("watch-namespace-selector", "", "label `selector` of the namespaces to look after, instead of names; looked at again each minute. One that may not be read is left out until it may")
	selector := flags.String("watch-label-selector", "", "label `selector` of the SpacesCredentials to look after, such as "+v1alpha1.LabelShard+"=1; empty means all. Each selector needs a --leader-election-id of its own")
	flags.IntVar(&s.concurrency, "max-concurrent-reconciles", 10, "SpacesCredentials looked at side by side")
	flags.Float64Var(&s.qps, "kube-api-qps", 200, "requests per second to the API server")
	flags.IntVar(&s.burst, "kube-api-burst", 400, "burst of requests to the API server")
	flags.BoolVar(&s.leaderElect, "leader-elect", true, "work only while holding the lease")
	flags.StringVar(&s.leaderElectionNamespace, "leader-election-namespace", "", "`namespace` of the lease; empty means the operator's own, or default outside a cluster")
	flags.StringVar(&s.leaderElectionID, "leader-election-id", v1alpha1.LeaseName, "`name` of the lease")
	flags.StringVar(&s.metricsAddress, "metrics-bind-address", ":8443", "`address` of the metrics endpoint; 0 switches it off")
	flags.BoolVar(&s.metricsSecure, "metrics-secure", true, "serve metrics by HTTPS, to authorized clients only")
	flags.StringVar(&s.metricsCertPath, "metrics-cert-path", "", "`folder` with tls.crt and tls.key, the certificate of the metrics endpoint, read again when they change; empty means one that the operator signs itself")
	flags.StringVar(&s.healthAddress, "health-probe-bind-address", ":8081", "`address` of /healthz and /readyz; 0 switches them off")
	flags.DurationVar(&s.defaultTokenLifetime, "default-token-lifetime", time.Hour, "lifetime of a token whose answer tells none")
	flags.StringVar(&s.denySecretMetadata, "deny-secret-metadata", "", "comma-separated `prefixes` of labels and annotations that no published Secret may carry")
	flags.DurationVar(&s.gracefulShutdownTimeout, "graceful-shutdown-timeout", 25*time.Second, "time to finish and save calls when stopping")
	flags.StringVar(&s.stateKeyFlag, "state-key-secret", "", "`namespace/name` of the Secret with the keys that seal state documents; empty means "+v1alpha1.StateKeySecretName+" beside the lease")
	flags.BoolVar(&s.newStateKey, "new-state-key", false, "make a key where there is none, though states are sealed with one that is gone; their grants are given up")
	flags.BoolVar(&s.clusterClients, "cluster-clients", true, "look after ClusterSpacesClients; false where not all namespaces are looked after")
	flags.StringVar(&s.clientNamespace, "client-namespace", "", "`namespace` with the Secrets that ClusterSpacesClients name; empty means the operator's own, or default outside a cluster")
	flags.BoolVar(&s.allowExport, "allow-export", false, "let grants be given to other clusters, sealed to the importer's key, when a SpacesCredential is annotated with "+v1alpha1.AnnotationExportRequestedAt)
	showVersion := flags.Bool("version", false, "print the version and stop")
	config.RegisterFlags(flags)
	s.zap.BindFlags(flags)

	err := flags.Parse(arguments)
	s.kubeconfig = flags.Lookup(config.KubeconfigFlagName).Value.String()
	switch {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(out)
		flags.Usage()
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%w; --help lists the flags", err)
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q; --help lists the flags", flags.Arg(0))
	case *showVersion:
		_, _ = fmt.Fprintln(out, version)
		return nil, nil
	case s.zap.Level != nil && s.zap.Level.Enabled(-maxLogLevel-1):
		return nil, fmt.Errorf("--zap-log-level must be at most %d: above it the Kubernetes client logs what it sends and gets, and so the content of Secrets", maxLogLevel)
	case s.concurrency < 1, s.qps <= 0, s.burst < 1, s.defaultTokenLifetime < time.Second:
		return nil, fmt.Errorf("--max-concurrent-reconciles, --kube-api-qps and --kube-api-burst must be greater than 0, --default-token-lifetime at least 1s")
	}
	if s.watched, err = parseNamespaces(*watchNamespaces, *namespaceSelector); err != nil {
		return nil, err
	}
	if s.watchLabelSelector, err = parseSelector("--watch-label-selector", *selector); err != nil {
		return nil, err
	}
	if _, err := s.stateKeySecret(); err != nil {
		return nil, err
	}
	if err := s.checkClusterClients(flags); err != nil {
		return nil, err
	}
	return s, nil
}

// list reads the value of a flag that takes several.
func list(value string) []string {
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// leaseNamespace is the flag's, else the Pod's own, else default.
func (s *settings) leaseNamespace() string {
	if s.leaderElectionNamespace != "" {
		return s.leaderElectionNamespace
	}
	return ownNamespace()
}

// ownNamespace is the Pod's own, else default.
func ownNamespace() string {
	if own, err := os.ReadFile(namespaceFile); err == nil && len(own) > 0 {
		return strings.TrimSpace(string(own))
	}
	return metav1.NamespaceDefault
}
