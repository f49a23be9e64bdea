package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// scrapeLimit bounds the look into the cache, which waits while the cache is filled
// for the first time. It is below the usual deadline of a scrape, 10 s.
const scrapeLimit = 5 * time.Second

var (
	readyMetric = prometheus.NewDesc("spaces_credential_ready",
		"1 while the condition Ready of a SpacesCredential is True, else 0; reason is the condition's, empty before the first look.",
		[]string{"namespace", "name", "reason"}, nil)
	expiryMetric = prometheus.NewDesc("spaces_credential_token_expiry_timestamp_seconds",
		"When the newest token of a SpacesCredential expires, in seconds since 1970; absent before the first token.",
		[]string{"namespace", "name"}, nil)
	grantMetric = prometheus.NewDesc("spaces_credential_grant_expiry_timestamp_seconds",
		"When the grant of a SpacesCredential ends whether or not it is renewed, in seconds since 1970; absent where that is not known.",
		[]string{"namespace", "name"}, nil)
	pendingMetric = prometheus.NewDesc("spaces_credential_pending_revocations",
		"Grants of a SpacesCredential that wait to be revoked.",
		[]string{"namespace", "name"}, nil)
	clientReadyMetric = prometheus.NewDesc("spaces_cluster_client_ready",
		"1 while the condition Ready of a ClusterSpacesClient is True, else 0; reason is the condition's, empty before the first look.",
		[]string{"client", "reason"}, nil)
	clientUsersMetric = prometheus.NewDesc("spaces_cluster_client_users",
		"SpacesCredentials that name a ClusterSpacesClient and may use it; absent where several operators share the SpacesCredentials by label.",
		[]string{"client"}, nil)
)

// objects tell the state of every SpacesCredential. They are read from the
// cache at each scrape, so that no series outlives its object or its reason.
type objects struct {
	cache client.Reader
	// hasClients tells that ClusterSpacesClients are looked after.
	hasClients bool
	log        logr.Logger
}

// NewObjects makes the metrics of the objects that the cache holds.
func NewObjects(cache client.Reader, hasClients bool, log logr.Logger) prometheus.Collector {
	return &objects{cache: cache, hasClients: hasClients, log: log}
}

// Describe implements prometheus.Collector.
func (m *objects) Describe(into chan<- *prometheus.Desc) {
	into <- readyMetric
	into <- expiryMetric
	into <- grantMetric
	into <- pendingMetric
	into <- clientReadyMetric
	into <- clientUsersMetric
}

// Collect implements prometheus.Collector. Without a cache to look into it says
// nothing: an error would hide all other metrics, too.
func (m *objects) Collect(into chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	var all v1alpha1.SpacesCredentialList
	// What is only read needs no copy of its own.
	if err := m.cache.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		var early *cache.ErrCacheNotStarted
		if !errors.As(err, &early) {
			m.log.Error(err, "Listing the SpacesCredentials for the metrics failed")
		}
		return
	}
	for i := range all.Items {
		told(&all.Items[i], into)
	}
	if m.hasClients {
		m.collectClients(ctx, into)
	}
}

// collectClients tells of the clients that namespaces share.
func (m *objects) collectClients(ctx context.Context, into chan<- prometheus.Metric) {
	var all v1alpha1.ClusterSpacesClientList
	if err := m.cache.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		m.log.Error(err, "Listing the ClusterSpacesClients for the metrics failed")
		return
	}
	for _, shared := range all.Items {
		ready, reason := readiness(shared.Status.Conditions)
		into <- prometheus.MustNewConstMetric(clientReadyMetric, prometheus.GaugeValue, ready, shared.Name, reason)
		if users := shared.Status.Users; users != nil {
			into <- prometheus.MustNewConstMetric(clientUsersMetric, prometheus.GaugeValue, float64(*users), shared.Name)
		}
	}
}

// readiness is 1 while the condition Ready is True, and its reason; 0 and nothing before the first look.
func readiness(conditions []metav1.Condition) (ready float64, reason string) {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case c == nil:
		return 0, ""
	case c.Status == metav1.ConditionTrue:
		return 1, c.Reason
	}
	return 0, c.Reason
}

// told tells of one credential.
func told(credential *v1alpha1.SpacesCredential, into chan<- prometheus.Metric) {
	gauge := func(of *prometheus.Desc, value float64, labels ...string) {
		into <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, value, append([]string{credential.Namespace, credential.Name}, labels...)...)
	}
	status := credential.Status
	ready, reason := readiness(status.Conditions)
	gauge(readyMetric, ready, reason)
	if status.Token != nil && status.Token.ExpirationTime != nil {
		gauge(expiryMetric, float64(status.Token.ExpirationTime.Unix()))
	}
	if status.Grant != nil && status.Grant.ExpirationTime != nil {
		gauge(grantMetric, float64(status.Grant.ExpirationTime.Unix()))
	}
	gauge(pendingMetric, float64(status.PendingRevocations))
}
