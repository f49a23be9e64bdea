// Package metrics counts what the operator does, and tells of its objects. docs/metrics.md
// explains each of them.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Metrics count what the operator does. No label holds a name that a person chose but
// the environment's. Those of the objects are apart, see [NewObjects].
type Metrics struct {
	calls       *prometheus.CounterVec
	durations   *prometheus.HistogramVec
	writes      *prometheus.CounterVec
	waits       *prometheus.HistogramVec
	skew        *prometheus.GaugeVec
	revocations *prometheus.CounterVec
	checks      *prometheus.CounterVec
	ambiguous   *prometheus.CounterVec
	rejected    *prometheus.CounterVec
	givenUp     prometheus.Counter
	overdue     prometheus.Gauge
	refused     prometheus.Gauge
	survives    *prometheus.GaugeVec
}

// New registers the metrics.
func New(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spaces_service_calls_total",
			Help: "Calls that ask for a token by environment, what it is asked for with, and result (OK or the kind of failure).",
		}, []string{"environment", "grant", "result"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "spaces_service_call_duration_seconds",
			Help:    "How long calls of the service took, by environment, call (what a token is asked for with, Revocation, or the check) and result.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30},
		}, []string{"environment", "call", "result"}),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spaces_published_secret_writes_total",
			Help: "Writes of published Secrets by cause: Token, a new one; Content, other keys or metadata are wanted; Repair, somebody changed or deleted it.",
		}, []string{"cause"}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "spaces_queue_wait_seconds",
			Help:    "How long calls of the service waited for their turn, by environment.",
			Buckets: []float64{.01, .1, 1, 5, 15, 60, 300, 900},
		}, []string{"environment"}),
		skew: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "spaces_clock_skew_seconds",
			Help: "By how much the clock of the service is before the operator's, by its last answer and to the second.",
		}, []string{"environment"}),
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
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "spaces_tokens_rejected_total",
			Help: "Renewals that were asked for because a workload said that it was refused with the published token, by environment.",
		}, []string{"environment"}),
		givenUp: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "spaces_revocations_abandoned_total",
			Help: "Grants that were given up without a confirmed revocation.",
		}),
		overdue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "spaces_credentials_overdue",
			Help: "SpacesCredentials past their renewal time that nothing holds up, as the sweeper last saw them.",
		}),
		refused: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "spaces_environments_refused",
			Help: "1 while the environments file cannot be used and the environments read before are in force.",
		}),
		survives: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "spaces_old_token_survives_rotation",
			Help: "1 if the access token of before worked on after a rotation, 0 if the service ended it; absent until looked at.",
		}, []string{"environment"}),
	}
	for _, cause := range []Cause{Token, Content, Repair} {
		m.writes.WithLabelValues(string(cause)) // an increase is seen only of a series that was there before
	}
	registry.MustRegister(m.calls, m.durations, m.writes, m.waits, m.skew, m.revocations, m.checks, m.ambiguous, m.rejected, m.givenUp, m.overdue, m.refused, m.survives)
	return m
}

// Called counts a call that asked for a token, and how long it took.
func (m *Metrics) Called(environment, by string, took time.Duration, err error) {
	m.calls.WithLabelValues(environment, by, Result(err)).Inc()
	m.durations.WithLabelValues(environment, by, Result(err)).Observe(took.Seconds())
	m.countAmbiguous(environment, err)
	m.rejected.WithLabelValues(environment) // an increase is seen only of a series that was there before
}

// Cause is why a published Secret is written.
type Cause string

const (
	// Token is a new token.
	Token Cause = "Token"
	// Content is that other keys, labels or annotations are wanted than before.
	Content Cause = "Content"
	// Repair is that somebody else changed or deleted what was there.
	Repair Cause = "Repair"
)

// Published counts a write of a published Secret.
func (m *Metrics) Published(why Cause) { m.writes.WithLabelValues(string(why)).Inc() }

// Waited notes how long a call waited for its turn.
func (m *Metrics) Waited(environment string, waited time.Duration) {
	m.waits.WithLabelValues(environment).Observe(waited.Seconds())
}

// Skewed tells by how much the clock of a service is before ours.
func (m *Metrics) Skewed(environment string, skew time.Duration) {
	m.skew.WithLabelValues(environment).Set(skew.Round(time.Second).Seconds())
}

// Checked counts a check of a new token, and how long it took.
func (m *Metrics) Checked(environment, which string, took time.Duration, err error) {
	failure := spacesauth.FailureOf(err)
	m.durations.WithLabelValues(environment, which, Result(failure)).Observe(took.Seconds())
	outcome := Result(failure)
	if err != nil && failure == nil {
		outcome = "Failed" // the answer was good, and did not fit
	}
	m.checks.WithLabelValues(environment, which, outcome).Inc()
}

// Revoked counts a call of the revocation endpoint, and how long it took.
func (m *Metrics) Revoked(environment string, took time.Duration, err error) {
	m.durations.WithLabelValues(environment, "Revocation", Result(err)).Observe(took.Seconds())
	m.revocations.WithLabelValues(environment, Result(err)).Inc()
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

// Rejected counts a renewal because a workload was refused.
func (m *Metrics) Rejected(environment string) { m.rejected.WithLabelValues(environment).Inc() }

// Abandoned counts grants that were given up.
func (m *Metrics) Abandoned(count int) { m.givenUp.Add(float64(count)) }

// Result is how a call ended, in one word: OK, or the kind of the failure.
func Result(err error) string {
	if err == nil {
		return "OK"
	}
	return string(spacesauth.KindOf(err))
}

// EnvironmentsRefused tells whether the environments file cannot be used as it is now.
func (m *Metrics) EnvironmentsRefused(isRefused bool) {
	m.refused.Set(map[bool]float64{true: 1}[isRefused])
}

// OldTokenSurvives tells whether the access token of before works on after a rotation.
func (m *Metrics) OldTokenSurvives(environment string, survives bool) {
	m.survives.WithLabelValues(environment).Set(map[bool]float64{true: 1}[survives])
}

// Overdue tells how many credentials the sweeper found past their renewal time.
func (m *Metrics) Overdue(count int) { m.overdue.Set(float64(count)) }
