package controllers

import (
	"github.com/prometheus/client_golang/prometheus"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Metrics are the operator's own. No label holds a name that a person chose but the
// environment's.
type Metrics struct {
	calls       *prometheus.CounterVec
	revocations *prometheus.CounterVec
	givenUp     prometheus.Counter
	overdue     prometheus.Gauge
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spaces_service_calls_total",
			Help: "Calls of the token endpoint by environment, grant type and result (OK or the kind of failure).",
		}, []string{"environment", "grant", "result"}),
		revocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spaces_revocations_total",
			Help: "Calls of the revocation endpoint by result (OK or the kind of failure).",
		}, []string{"result"}),
		givenUp: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "spaces_revocations_abandoned_total",
			Help: "Grants that were given up without a confirmed revocation.",
		}),
		overdue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "spaces_credentials_overdue",
			Help: "SpacesCredentials past their renewal time that are not in backoff, as the sweeper last saw them.",
		}),
	}
	registry.MustRegister(m.calls, m.revocations, m.givenUp, m.overdue)
	return m
}

func (m *Metrics) called(s spend, err error) {
	grantType := v1alpha1.GrantTypeRefreshToken
	if s.signIn {
		grantType = v1alpha1.GrantTypePassword
	}
	m.calls.WithLabelValues(s.client.Environment().Name, string(grantType), result(err)).Inc()
}

func (m *Metrics) revoked(err error) { m.revocations.WithLabelValues(result(err)).Inc() }

func (m *Metrics) abandoned(count int) { m.givenUp.Add(float64(count)) }

func result(err error) string {
	if err == nil {
		return "OK"
	}
	return string(spacesauth.KindOf(err))
}
