package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// NewBuild makes the metric that tells which operator runs.
func NewBuild(version string) prometheus.Collector {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "spaces_build_info",
		Help:        "1, with the version of the operator and of the Go that built it.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	return build
}
