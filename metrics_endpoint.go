package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// metricsOptions say how metrics are served.
func (s *settings) metricsOptions() metricsserver.Options {
	options := metricsserver.Options{
		BindAddress:   s.metricsAddress,
		SecureServing: s.metricsSecure,
		CertDir:       s.metricsCertPath,
		TLSOpts:       []func(*tls.Config){withoutHTTP2},
	}
	if s.metricsSecure {
		options.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	return options
}

// withoutHTTP2 offers HTTP/1.1 alone. A scrape gains nothing by more, and whoever reaches the port
// could have streams of one connection opened and reset at the expense of everybody's memory.
func withoutHTTP2(config *tls.Config) { config.NextProtos = []string{"http/1.1"} }

// checkMetricsCertificate reads what --metrics-cert-path names before anything starts: the metrics
// server would put a certificate of its own in the place of one that is not there.
func (s *settings) checkMetricsCertificate() error {
	if s.metricsCertPath == "" {
		return nil
	}
	if !s.metricsSecure {
		return errors.New("--metrics-cert-path needs --metrics-secure: without it metrics are served unencrypted")
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(s.metricsCertPath, "tls.crt"), filepath.Join(s.metricsCertPath, "tls.key")); err != nil {
		return fmt.Errorf("--metrics-cert-path: %s holds no certificate that can be served: %w", s.metricsCertPath, err)
	}
	return nil
}
