package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spaces-operator/spaces-credential-operator/internal/gate"
)

// mostHeld bounds the namespaces that are named of one endpoint: a service that holds thousands
// must not make thousands of series.
const mostHeld = 50

var (
	waitingMetric = prometheus.NewDesc("spaces_queue_waiting",
		"Calls that wait for their turn at an endpoint (accounts or api) of an environment.",
		[]string{"environment", "endpoint"}, nil)
	downMetric = prometheus.NewDesc("spaces_service_down",
		"1 while an endpoint of an environment gets no work done and only probes go there, else 0.",
		[]string{"environment", "endpoint"}, nil)
	pausedMetric = prometheus.NewDesc("spaces_environment_paused",
		"1 while an environment is paused in the environments file and nothing is sent there, else 0.",
		[]string{"environment"}, nil)
	heldMetric = prometheus.NewDesc("spaces_service_held",
		"1 while an endpoint asked for patience: of a namespace, or of all where namespace is empty. At most 50 namespaces are named.",
		[]string{"environment", "endpoint", "namespace"}, nil)
)

// queues tell how the queues before the service stand.
type queues struct{ gates *gate.Gates }

// NewQueues makes the metrics of the queues before the service.
func NewQueues(gates *gate.Gates) prometheus.Collector { return queues{gates} }

// Describe implements prometheus.Collector.
func (q queues) Describe(into chan<- *prometheus.Desc) {
	into <- waitingMetric
	into <- downMetric
	into <- heldMetric
	into <- pausedMetric
}

// Collect implements prometheus.Collector.
func (q queues) Collect(into chan<- prometheus.Metric) {
	for _, s := range q.gates.Standings() {
		gauge := func(of *prometheus.Desc, value float64, more ...string) {
			into <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, value, append([]string{s.Environment, string(s.Endpoint)}, more...)...)
		}
		if s.Endpoint == gate.Accounts { // it is one of both endpoints
			into <- prometheus.MustNewConstMetric(pausedMetric, prometheus.GaugeValue, map[bool]float64{true: 1}[s.IsPaused], s.Environment)
		}
		gauge(waitingMetric, float64(s.Waiting))
		gauge(downMetric, map[bool]float64{true: 1}[s.IsDown])
		if s.IsHeld {
			gauge(heldMetric, 1, "")
		}
		for _, namespace := range s.HeldNamespaces[:min(mostHeld, len(s.HeldNamespaces))] {
			gauge(heldMetric, 1, namespace)
		}
	}
}
