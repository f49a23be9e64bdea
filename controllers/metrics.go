package controllers

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Metrics count what the operator does. No label holds a name that a person chose but
// the environment's. Those of the objects are apart, see [NewObjectMetrics].
type Metrics struct {
	calls       *prometheus.CounterVec
	revocations *prometheus.CounterVec
	checks      *prometheus.CounterVec
	ambiguous   *prometheus.CounterVec
	givenUp     prometheus.Counter
	overdue     prometheus.Gauge
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spaces_service_calls_total",
			Help: "Calls that ask for a token by environment, what it is asked for with, and result (OK or the kind of failure).",
		}, []string{"environment", "grant", "result"}),
		revocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spaces_revocations_total",
			Help: "Calls of the revocation endpoint by environment and result (OK or the kind of failure).",
		}, []string{"environment", "result"}),
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spaces_verifications_total",
			Help: "Checks of new tokens by environment, check and result (OK, Failed or the kind of failure of the call).",
		}, []string{"environment", "check", "result"}),
		ambiguous: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spaces_ambiguous_results_total",
			Help: "Calls for a token and revocations that were sent and whose answer was lost or cannot be read.",
		}, []string{"environment"}),
		givenUp: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "spaces_revocations_abandoned_total",
			Help: "Grants that were given up without a confirmed revocation.",
		}),
		overdue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "spaces_credentials_overdue",
			Help: "SpacesCredentials past their renewal time that nothing holds up, as the sweeper last saw them.",
		}),
	}
	registry.MustRegister(m.calls, m.revocations, m.checks, m.ambiguous, m.givenUp, m.overdue)
	return m
}

// called counts a call that asked for a token.
func (m *Metrics) called(environment, by string, err error) {
	m.calls.WithLabelValues(environment, by, result(err)).Inc()
	m.countAmbiguous(environment, err)
}

// checked counts a check of a new token.
func (m *Metrics) checked(environment, which string, err error) {
	outcome := result(err)
	if err != nil && ofService(err) == nil {
		outcome = "Failed"
	}
	m.checks.WithLabelValues(environment, which, outcome).Inc()
}

// revoked counts a call of the revocation endpoint.
func (m *Metrics) revoked(environment string, err error) {
	m.revocations.WithLabelValues(environment, result(err)).Inc()
	m.countAmbiguous(environment, err)
}

// countAmbiguous counts an ambiguous result. The counter is there from the first call on: an
// increase is seen only of a series that was there before.
func (m *Metrics) countAmbiguous(environment string, err error) {
	ambiguous := m.ambiguous.WithLabelValues(environment)
	if err != nil && spacesauth.KindOf(err) == spacesauth.KindAmbiguous {
		ambiguous.Inc()
	}
}

func (m *Metrics) abandoned(count int) { m.givenUp.Add(float64(count)) }

func result(err error) string {
	if err == nil {
		return "OK"
	}
	return string(spacesauth.KindOf(err))
}
