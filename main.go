// Command spaces-credential-operator keeps Avaya Spaces access tokens fresh in
// Kubernetes Secrets.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	uberzap "go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

// graceMargin is what must be left of the shutdown time beside the longest call: the
// time in which its answer is saved.
const graceMargin = 10 * time.Second

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

// run starts the operator and returns when ctx ends or the lease is lost, after the
// last answer of the service was saved.
func run(ctx context.Context, arguments []string, out io.Writer, c clock.WithTickerAndDelayedExecution) error {
	s, err := parse(arguments, out)
	if err != nil || s == nil {
		return err
	}
	s.clock = c
	logger := zap.New(zap.UseFlagOptions(&s.zap), zap.RawZapOpts(uberzap.WrapCore(withLazyFields)))
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
