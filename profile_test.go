package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/spaces-operator/spaces-credential-operator/internal/controlplane"
)

// A profile of the heap holds every token that the process holds, and the addresses are
// open to the cluster: what net/http/pprof and expvar serve must be on neither. The
// operator runs as by default, but for the ports.
func TestNoProfileIsServed(t *testing.T) {
	g := NewWithT(t)
	plane, err := controlplane.Start(filepath.Join("config", "crd", "bases"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(plane.Stop()).To(Succeed()) })
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	g.Expect(os.WriteFile(kubeconfig, plane.Kubeconfig(), 0o600)).To(Succeed())

	metrics, health := freeAddress(t), freeAddress(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"--kubeconfig=" + kubeconfig, "--metrics-bind-address=" + metrics, "--health-probe-bind-address=" + health}, io.Discard)
	}()
	t.Cleanup(func() {
		stop()
		g.Expect(<-ended).To(Succeed())
	})

	// What is served by default says that the two are up, and so that 404 is their word.
	g.Eventually(func() int { return statusOf(t, "https://"+metrics+"/metrics") }).WithTimeout(time.Minute).
		Should(Equal(http.StatusUnauthorized), "metrics are for clients that may get them")
	g.Eventually(func() int { return statusOf(t, "http://"+health+"/healthz") }).WithTimeout(time.Minute).
		Should(Equal(http.StatusOK))
	for _, at := range []string{"https://" + metrics, "http://" + health} {
		for _, path := range []string{
			"/debug/", "/debug/pprof", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine", "/debug/pprof/cmdline",
			"/debug/pprof/profile?seconds=1", "/debug/pprof/symbol", "/debug/pprof/trace?seconds=1", "/debug/vars", "/pprof/",
		} {
			g.Expect(statusOf(t, at+path)).To(Equal(http.StatusNotFound), "%s%s", at, path)
		}
	}
}

// No address of its own, by default or by a flag: there is nothing to switch on.
func TestNoFlagSwitchesProfilesOn(t *testing.T) {
	g := NewWithT(t)
	s, err := parse(nil, io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.managerOptions(nil).PprofBindAddress).To(BeEmpty())

	var help strings.Builder
	_, err = parse([]string{"--help"}, &help)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(help.String()).To(ContainSubstring("-metrics-bind-address"), "the text lists flags")
	g.Expect(help.String()).NotTo(MatchRegexp("(?i)prof"))
}

// freeAddress is an address on loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// statusOf asks once; 0 says that nobody answered.
func statusOf(t *testing.T, url string) int {
	t.Helper()
	client := &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the certificate is made at the start, for nobody
		},
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}
