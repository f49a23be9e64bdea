package controllers

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/metrics"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// metricRow is a row of the table of docs/metrics.md: name, type, labels.
var metricRow = regexp.MustCompile("(?m)^\\| `(spaces_[a-z_]+)` \\| ([a-z]+) \\| ([^|]+) \\|")

// documentedMetrics reads the page: type and sorted labels by name.
func documentedMetrics() map[string]string {
	GinkgoHelper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	Expect(err).NotTo(HaveOccurred())
	found := map[string]string{}
	for _, row := range metricRow.FindAllStringSubmatch(string(page), -1) {
		var labels []string
		for _, label := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, label[1])
		}
		slices.Sort(labels)
		found[row[1]] = row[2] + " " + strings.Join(labels, ",")
	}
	return found
}

// scraped gathers like a scrape: each series and its value, and type and sorted
// labels by name.
func (w *world) scraped() (series map[string]float64, kinds map[string]string) {
	GinkgoHelper()
	families, err := w.metrics.Gather()
	Expect(err).NotTo(HaveOccurred())
	complaints, err := promlint.NewWithMetricFamilies(families).Lint()
	Expect(err).NotTo(HaveOccurred())
	Expect(complaints).To(BeEmpty(), "against the conventions of Prometheus")
	series, kinds = map[string]float64{}, map[string]string{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var names, pairs []string
			foreign := false
			for _, label := range metric.GetLabel() {
				names = append(names, label.GetName())
				if label.GetName() == "namespace" {
					foreign = label.GetValue() != w.namespace
					continue
				}
				pairs = append(pairs, label.GetName()+"="+label.GetValue())
			}
			slices.Sort(names)
			kinds[family.GetName()] = strings.ToLower(family.GetType().String()) + " " + strings.Join(names, ",")
			if !foreign {
				series[fmt.Sprintf("%s{%s}", family.GetName(), strings.Join(pairs, ","))] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			}
		}
	}
	return series, kinds
}

var _ = Describe("The metrics", func() {
	It("the metrics tell of objects and calls what docs/metrics.md says, and no more", func() {
		w := newWorld()
		shared := w.lend()
		o := w.operator()
		w.metrics = prometheus.NewRegistry()
		o.Metrics = metrics.New(w.metrics)
		w.metrics.MustRegister(metrics.NewObjects(o.Client, true, logr.Discard()), metrics.NewQueues(o.Gates), metrics.NewBuild("v1.2.3"))
		o.Gates.OnWaited(o.Metrics.Waited)
		service, err := spacesauth.New(o.Environments.Named("staging").Environment(), spacesauth.WithClock(w.clock),
			spacesauth.WithSkew(func(skew time.Duration) { o.Metrics.Skewed("staging", skew) }))
		Expect(err).NotTo(HaveOccurred())
		o.knows("staging", service)

		w.spaces.SetGrantLifetime(240 * time.Hour)
		By("a credential without its inputs, one that was never looked at, and one with a token")
		w.apply(byPassword("bot", func(c *v1alpha1.SpacesCredential) {
			c.Spec.Verification = []v1alpha1.Verification{v1alpha1.VerificationTokenInfo}
		}), byPassword("unseen"))
		o.reconcile("bot")
		series, _ := w.scraped()
		Expect(series).To(HaveKeyWithValue("spaces_cluster_client_ready{client="+shared.Name+",reason=}", 0.0))
		o.tell(shared)
		series, _ = w.scraped()
		Expect(series).To(And(
			HaveKeyWithValue("spaces_cluster_client_ready{client="+shared.Name+",reason=Issued}", 1.0),
			HaveKeyWithValue("spaces_cluster_client_users{client="+shared.Name+"}", 0.0),
			HaveKeyWithValue("spaces_credential_ready{name=bot,reason=WaitingForInput}", 0.0),
			HaveKeyWithValue("spaces_credential_ready{name=unseen,reason=}", 0.0),
			Not(HaveKey("spaces_credential_token_expiry_timestamp_seconds{name=bot}"))))
		w.apply(clientInput(), loginInput())
		o.settle("bot", 5*time.Second) // the check is a call of its own, a second later

		By("a renewal without an answer")
		w.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostBefore)
		w.step(w.credential("bot").Status.Token.RenewalTime.Sub(w.clock.Now()))
		o.settle("bot", 5*time.Minute)
		w.expectReady("bot")

		By("a grant that was replaced")
		w.spaces.SetClientSecret("another-client", "another-client-secret")
		input := w.secret("spaces-client")
		input.Data["client_id"], input.Data["client_secret"] = []byte("another-client"), []byte("another-client-secret")
		w.secrets = append(w.secrets, "another-client-secret")
		Expect(admin.Update(w.ctx, input)).To(Succeed())
		o.settle("bot", 5*time.Second)

		series, _ = w.scraped()
		expiry := float64(w.credential("bot").Status.Token.ExpirationTime.Unix())
		for name, value := range map[string]float64{
			"spaces_credential_ready{name=bot,reason=Issued}":                                     1,
			"spaces_credential_token_expiry_timestamp_seconds{name=bot}":                          expiry,
			"spaces_credential_grant_expiry_timestamp_seconds{name=bot}":                          float64(w.credential("bot").Status.Grant.ExpirationTime.Unix()),
			"spaces_credential_pending_revocations{name=bot}":                                     1,
			"spaces_service_calls_total{environment=staging,grant=Password,result=OK}":            2,
			"spaces_service_calls_total{environment=staging,grant=RefreshToken,result=OK}":        1,
			"spaces_ambiguous_results_total{environment=staging}":                                 1,
			"spaces_revocations_abandoned_total{}":                                                0,
			"spaces_service_call_duration_seconds{call=Password,environment=staging,result=OK}":   2,
			"spaces_service_call_duration_seconds{call=TokenInfo,environment=staging,result=OK}":  3,
			"spaces_published_secret_writes_total{cause=Token}":                                   3,
			"spaces_published_secret_writes_total{cause=Content}":                                 0,
			"spaces_published_secret_writes_total{cause=Repair}":                                  0,
			"spaces_queue_wait_seconds{environment=staging}":                                      7,
			"spaces_queue_waiting{endpoint=accounts,environment=staging}":                         0,
			"spaces_service_down{endpoint=api,environment=staging}":                               0,
			"spaces_environment_paused{environment=staging}":                                      0,
			"spaces_clock_skew_seconds{environment=staging}":                                      0,
			"spaces_build_info{goversion=" + runtime.Version() + ",version=v1.2.3}":               1,
			"spaces_verifications_total{check=TokenInfo,environment=staging,result=OK}":           3,
			"spaces_service_calls_total{environment=staging,grant=RefreshToken,result=Ambiguous}": 1,
		} {
			Expect(series).To(HaveKeyWithValue(name, value))
		}
		Expect(series).NotTo(HaveKey("spaces_credential_ready{name=bot,reason=WaitingForInput}"), "one series for each object")

		By("a published Secret that somebody deleted, one that somebody changed, and a new key")
		w.delete(w.secret("bot"))
		o.reconcile("bot")
		changed := w.secret("bot")
		changed.Data["access_token"] = []byte("somebody wrote this")
		Expect(admin.Update(w.ctx, changed)).To(Succeed())
		o.reconcile("bot")
		credential := w.credential("bot")
		credential.Spec.SecretTemplate = &v1alpha1.SecretTemplate{Labels: v1alpha1.Labels{"team": "a"}}
		Expect(admin.Update(w.ctx, credential)).To(Succeed())
		o.reconcile("bot")
		series, _ = w.scraped()
		Expect(series).To(And(
			HaveKeyWithValue("spaces_published_secret_writes_total{cause=Token}", 3.0),
			HaveKeyWithValue("spaces_published_secret_writes_total{cause=Content}", 1.0),
			HaveKeyWithValue("spaces_published_secret_writes_total{cause=Repair}", 2.0)))

		By("a revocation, and one that has to be given up")
		o.settle("bot", grantstate.Changeover+time.Second)
		o.reconcile("unseen") // a token that is there at the end
		w.spaces.SetFaultRate(fakespaces.OperationRevoke, fakespaces.FaultServerError500, 1)
		w.delete(w.credential("bot"))
		o.settle("bot", v1alpha1.DefaultRevocationDeadline+time.Minute)
		o.othersCall(&spacesauth.Error{Kind: spacesauth.KindThrottled, RetryAfter: time.Minute}) // who holds them all
		o.pauses("staging", true)
		series, kinds := w.scraped()
		Expect(series).To(HaveKeyWithValue("spaces_environment_paused{environment=staging}", 1.0))
		Expect(series).To(And(
			HaveKeyWithValue("spaces_revocations_total{environment=staging,result=OK}", 1.0),
			HaveKeyWithValue("spaces_revocations_abandoned_total{}", 1.0),
			Not(HaveKey("spaces_credential_pending_revocations{name=bot}"))))

		Expect(documentedMetrics()).To(Equal(kinds))
	})
})
