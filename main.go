// Command spaces-credential-operator keeps Avaya Spaces access tokens fresh in
// Kubernetes Secrets.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/controllers"
	"github.com/spaces-operator/spaces-credential-operator/internal/buildinfo"
	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
	operatormetrics "github.com/spaces-operator/spaces-credential-operator/internal/metrics"
)

// version is set by the linker, or else what go knows.
var version = buildinfo.Unset

// namespaceFile tells a Pod its own namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// graceMargin is what must be left of the shutdown time beside the longest call: the
// time in which its answer is saved.
const graceMargin = 10 * time.Second

// maxLogLevel is the most that may be logged. From 8 on client-go logs the bodies of
// requests and answers, and with them every Secret.
const maxLogLevel = 7

func main() { operate(clock.RealClock{}) }

// operate is the process, by a clock.
func operate(c clock.WithTickerAndDelayedExecution) {
	version = buildinfo.Version(version)
	err := run(ctrl.SetupSignalHandler(), os.Args[1:], os.Stdout, c)
	if err != nil {
		fmt.Fprintf(os.Stderr, "spaces-credential-operator: %v\n", err)
		os.Exit(1)
	}
}

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

// run starts the operator and returns when ctx ends or the lease is lost, after the
// last answer of the service was saved.
func run(ctx context.Context, arguments []string, out io.Writer, c clock.WithTickerAndDelayedExecution) error {
	s, err := parse(arguments, out)
	if err != nil || s == nil {
		return err
	}
	s.clock = c
	logger := zap.New(zap.UseFlagOptions(&s.zap))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)

	environments, err := s.loadEnvironments()
	if err != nil {
		return err
	}
	if err := s.checkMetricsCertificate(); err != nil {
		return err
	}
	if err := addressesFree(s.metricsAddress, s.healthAddress); err != nil {
		return err
	}
	kubernetes, err := s.connect()
	if err != nil {
		return err
	}
	o, err := s.assemble(ctx, kubernetes, environments)
	if err != nil {
		return err
	}
	logger.Info("Starting", "version", version, "holder", o.lease.holder)
	return s.work(ctx, o.manager.Start, o.drain)
}

// operator is the process, put together.
type operator struct {
	manager    ctrl.Manager
	reconciler *controllers.Reconciler
	lease      *lease
	isElected  bool // there is a lease
}

// drain saves what is unsaved. Whoever has worked says so on the lease then, which is no reason
// to fail: the next one waits a little longer without it.
func (o *operator) drain(ctx context.Context) error {
	logger := ctrl.Log.WithName("drain")
	if err := o.reconciler.Drain(log.IntoContext(ctx, logger)); err != nil {
		return err
	}
	select {
	case <-o.manager.Elected():
	default:
		return nil
	}
	if o.isElected {
		if err := o.lease.release(ctx); err != nil {
			logger.Error(err, "The next process waits for the claims of this one")
		}
	}
	return nil
}

// assemble looks whether the operator can work, makes the manager and adds the loop to it.
func (s *settings) assemble(ctx context.Context, kubernetes *rest.Config, environments *environments) (*operator, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	// A client of its own, so that answers can be saved when the manager is gone.
	live, err := client.New(kubernetes, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("the API server at %s cannot be used: %w", kubernetes.Host, err)
	}
	kind := v1alpha1.GroupVersion.WithKind("SpacesCredential")
	switch _, err := live.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version); {
	case meta.IsNoMatchError(err):
		return nil, fmt.Errorf("the API server at %s does not know SpacesCredentials; install the CRD with make install: %w", kubernetes.Host, err)
	case err != nil:
		return nil, fmt.Errorf("the API server at %s cannot be used: %w", kubernetes.Host, err)
	}
	// Without a right to list, the informers would wait for it without a word.
	served, err := findNamespaces(ctx, live, s.clock, ctrl.Log.WithName("namespaces"), s.watched)
	if err != nil {
		return nil, err
	}
	clientNamespace, err := s.findClientNamespace(ctx, live, ctrl.Log.WithName("cluster-clients"))
	if err != nil {
		return nil, err
	}
	keys, err := s.loadKeys(ctx, live, served.Served())
	if err != nil {
		return nil, err
	}
	holder, err := holderName()
	if err != nil {
		return nil, err
	}
	apart := &skews{log: ctrl.Log.WithName("clocks")}
	held := &lease{
		skews: apart, live: live, clock: s.clock, log: ctrl.Log.WithName("lease"), holder: holder,
		key: client.ObjectKey{Namespace: s.leaseNamespace(), Name: s.leaderElectionID}, watches: s.watches(),
	}
	options := s.managerOptions(scheme, served, clientNamespace != "")
	if s.leaderElect {
		if options.LeaderElectionResourceLockInterface, err = held.lock(kubernetes); err != nil {
			return nil, err
		}
	}
	manager, err := ctrl.NewManager(rewatching(kubernetes, ctrl.Log.WithName("watches")), options)
	if err != nil {
		return nil, fmt.Errorf("the API server at %s cannot be used: %w", kubernetes.Host, err)
	}
	known := controllers.NewEnvironments(environments.clients)
	reconciler := &controllers.Reconciler{
		Client:             manager.GetClient(),
		Live:               live,
		IsShard:            !s.watchLabelSelector.Empty(),
		Serves:             served.Serves,
		ClientNamespace:    clientNamespace,
		Keys:               keys,
		Environments:       known,
		Gates:              gate.New(s.clock, s.concurrency, known.Known()...),
		DenySecretMetadata: list(s.denySecretMetadata),
		AllowExport:        s.allowExport,
		Clock:              s.clock,
		Random:             rand.Reader,
		Holder:             held.holder,
		Events:             manager.GetEventRecorder(v1alpha1.FieldManager),
		Metrics:            operatormetrics.New(metrics.Registry),
	}
	if s.leaderElect {
		reconciler.Drained = held.isDrained
		apart.warn = func(text string) { held.warn(reconciler.Events, v1alpha1.EventClockSkewed, text) }
	}
	reconciler.Gates.OnWaited(reconciler.Metrics.Waited)
	environments.log, environments.metrics, environments.apply = ctrl.Log.WithName("environments"), reconciler.Metrics, reconciler.Reconfigure
	environments.skews = apart
	ready := &readiness{live: live, clock: s.clock, log: ctrl.Log.WithName("readiness"), cache: manager.GetCache(), served: served.Served, refused: served.Refused}
	err = errors.Join(
		manager.Add(keys),
		manager.Add(served),
		manager.Add(environments),
		reconciler.SetupWithManager(ctx, manager, s.concurrency),
		metrics.Registry.Register(operatormetrics.NewObjects(manager.GetCache(), clientNamespace != "", ctrl.Log.WithName("metrics"))),
		metrics.Registry.Register(operatormetrics.NewQueues(reconciler.Gates)),
		metrics.Registry.Register(operatormetrics.NewBuild(version)),
		metrics.Registry.Register(served.unreadable),
		manager.AddHealthzCheck("ping", healthz.Ping),
		manager.AddReadyzCheck("caches", ready.caches),
		manager.AddReadyzCheck("namespaces", ready.namespaces),
	)
	return &operator{manager: manager, reconciler: reconciler, lease: held, isElected: s.leaderElect}, err
}

func (s *settings) managerOptions(scheme *runtime.Scheme, served *namespaces, hasClients bool) ctrl.Options {
	secrets := &metav1.PartialObjectMetadata{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	options := ctrl.Options{
		Scheme:                  scheme,
		LeaderElection:          s.leaderElect,
		LeaderElectionID:        s.leaderElectionID,
		HealthProbeBindAddress:  s.healthAddress,
		GracefulShutdownTimeout: &s.gracefulShutdownTimeout,
		Metrics:                 s.metricsOptions(),
		Cache: cache.Options{
			ByObject: map[client.Object]cache.ByObject{
				secrets:                      {Transform: controllers.StripSecretMetadata},
				&v1alpha1.SpacesCredential{}: {Label: s.watchLabelSelector, Transform: controllers.StripCredential},
			},
		},
	}
	if hasClients {
		namespaces := &metav1.PartialObjectMetadata{}
		namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		options.Cache.ByObject[namespaces] = cache.ByObject{Transform: controllers.StripNamespace}
		options.Cache.ByObject[&v1alpha1.ClusterSpacesClient{}] = cache.ByObject{Transform: controllers.StripClusterClient}
	}
	if !s.watched.areAll() {
		options.NewCache = served.newCache
	}
	return options
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

// holderName names this life of this process.
func holderName() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var life [8]byte
	if _, err := rand.Read(life[:]); err != nil {
		return "", err
	}
	return host + "/" + hex.EncodeToString(life[:]), nil
}

// addressesFree finds out before anything starts whether the addresses can be
// listened on.
func addressesFree(addresses ...string) error {
	for _, address := range addresses {
		if address == "" || address == "0" {
			continue
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("address %s cannot be used: %w", address, err)
		}
		if err := listener.Close(); err != nil {
			return err
		}
	}
	return nil
}
