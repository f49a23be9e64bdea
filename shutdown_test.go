package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// Informers that may not list never sync, and SIGTERM does not end a manager that waits for
// them. The rights are there when the operator looks, and gone when its informers ask.
func TestTheProcessEndsInTimeThoughItsManagerDoesNot(t *testing.T) {
	g := NewWithT(t)
	plane := sharedPlane(t)
	transport, err := rest.TransportFor(plane.Config)
	g.Expect(err).NotTo(HaveOccurred())
	address, err := url.Parse(plane.Config.Host)
	g.Expect(err).NotTo(HaveOccurred())
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(address) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/spacescredentials") && r.URL.Query().Get("limit") != "1" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "taken away"}`))
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	kubeconfig, err := testbed.WriteKubeconfig(t.TempDir(), &rest.Config{Host: server.URL})
	g.Expect(err).NotTo(HaveOccurred())
	environments, err := testbed.WriteEnvironments(t.TempDir(), spacesauth.Environment{
		Name: "local", AccountsURL: "http://127.0.0.1:1", APIURL: "http://127.0.0.1:1", TimeoutSeconds: 1,
	})
	g.Expect(err).NotTo(HaveOccurred())

	command, _, health := operatorCommand(t, impatient, "--kubeconfig="+kubeconfig, "--environments-file="+environments, "--graceful-shutdown-timeout=11s")
	said := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(said)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(log.Close()).To(Succeed()) })
	operator, err := testbed.StartProcess(command, log)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = operator.Signal(syscall.SIGKILL); <-operator.Ended })
	logged := func() string {
		text, err := os.ReadFile(said)
		g.Expect(err).NotTo(HaveOccurred())
		return string(text)
	}
	g.Eventually(logged).WithTimeout(time.Minute).Should(ContainSubstring("taken away"), "an informer may not list")
	g.Expect(textWhen(t, "http://"+health+"/readyz", http.StatusInternalServerError)).To(And(
		ContainSubstring("[-]caches failed"), ContainSubstring("[+]namespaces ok")))
	g.Expect(statusOf(t, "http://"+health+"/healthz")).To(Equal(http.StatusOK))

	g.Expect(operator.Signal(syscall.SIGTERM)).To(Succeed())
	g.Eventually(operator.Ended).WithTimeout(30 * time.Second).Should(BeClosed())
	g.Expect(command.ProcessState.ExitCode()).To(Equal(1))
	lines := strings.Split(strings.TrimSpace(logged()), "\n")
	g.Expect(lines[len(lines)-1]).To(HavePrefix("spaces-credential-operator: the manager did not stop within 11s"))
}

func TestWhatTheManagerLeavesIsDrainedWhateverItDoes(t *testing.T) {
	failed, unsaved := errors.New("the lease is lost"), errors.New("an answer is kept in memory")
	for sentence, c := range map[string]struct {
		stays, asked    bool
		ends, drained   error
		says            string
		withoutAnyError bool
	}{
		"one that ends well when it is asked":        {asked: true, withoutAnyError: true},
		"one that loses its lease":                   {ends: failed, says: "the lease is lost"},
		"one that stays":                             {asked: true, stays: true, says: "the manager did not stop within 25s"},
		"one that stays, and leaves something":       {asked: true, stays: true, drained: unsaved, says: "left behind; if the log tells of lists that failed, it was waiting for those; an answer is kept in memory"},
		"one that ends well, and leaves something":   {asked: true, drained: unsaved, says: "an answer is kept in memory"},
		"one that loses its lease, and leaves a bit": {ends: failed, drained: unsaved, says: "the lease is lost; an answer is kept in memory"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g := NewWithT(t)
			now := clocktesting.NewFakeClock(time.Unix(1_000_000, 0))
			s := &settings{clock: now, gracefulShutdownTimeout: 25 * time.Second}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if c.asked {
				stop()
			}
			hold := make(chan struct{})
			t.Cleanup(func() { close(hold) })
			drained, done := false, make(chan error, 1)
			go func() {
				done <- s.work(ctx, func(context.Context) error {
					if c.stays {
						<-hold
					}
					return c.ends
				}, func(ctx context.Context) error {
					drained = ctx.Err() == nil
					return c.drained
				})
			}()
			if c.stays {
				g.Eventually(now.HasWaiters).Should(BeTrue())
				now.Step(25*time.Second - 1)
				g.Expect(done).NotTo(Receive(), "the manager has all of its time")
				now.Step(1)
			}
			var err error
			g.Eventually(done).Should(Receive(&err))
			g.Expect(drained).To(BeTrue(), "with time of its own")
			if c.withoutAnyError {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(c.says)))
			g.Expect(err.Error()).NotTo(ContainSubstring("\n"))
		})
	}
}
