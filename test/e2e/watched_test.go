package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/test/e2e/seen"
)

// publications notes when each token was published: when a watch of its Secret showed it.
type publications struct {
	mutex sync.Mutex
	at    map[seen.Fingerprint]time.Time
}

// watchPublications begins to note them, until the context ends.
func watchPublications(ctx context.Context) *publications {
	p := &publications{at: map[seen.Fingerprint]time.Time{}}
	go func() {
		for ctx.Err() == nil { // a watch ends after some minutes
			events, err := cluster.kubernetes.Watch(ctx, &corev1.SecretList{}, client.MatchingLabels{v1alpha1.LabelSecret: v1alpha1.SecretPublished})
			if err != nil {
				select {
				case <-ctx.Done():
				case <-time.After(tokenLookPeriod):
				}
				continue
			}
			for event := range events.ResultChan() {
				p.note(event)
			}
		}
	}()
	return p
}

func (p *publications) note(event watch.Event) {
	secret, is := event.Object.(*corev1.Secret)
	if !is {
		return
	}
	token := seen.FingerprintOf(secret.Data[v1alpha1.KeyAccessToken])
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if _, known := p.at[token]; !known {
		p.at[token] = time.Now()
	}
}

// lags are the times from the publication of a token until it stood in the mounted file, sorted.
// A token that was there before the workload is left out.
func (p *publications) lags(reports []seen.Report) (lags []time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, report := range reports {
		for _, shown := range report.Shown[1:] {
			if published, known := p.at[shown.Token]; known {
				lags = append(lags, shown.At.Sub(published))
			}
		}
	}
	slices.Sort(lags)
	return lags
}

// reports are what the workloads saw so far, in their order.
func reports(t *testing.T) (all []seen.Report) {
	t.Helper()
	for _, key := range workloads {
		var report seen.Report
		content, err := cluster.calls.CoreV1().Pods(key.Namespace).ProxyGet("http", key.Name, workloadPort, "/", nil).DoRaw(t.Context())
		if err == nil {
			err = json.Unmarshal(content, &report)
		}
		if err != nil {
			t.Fatalf("asking the workload %s: %v", key, err)
		}
		all = append(all, report)
	}
	return all
}

// total adds what one number of a report is for each workload.
func total(all []seen.Report, of func(seen.Report) int) (sum int) {
	for _, report := range all {
		sum += of(report)
	}
	return sum
}

func calls(r seen.Report) int    { return r.Calls }
func refusals(r seen.Report) int { return r.Refused }
func failures(r seen.Report) int { return r.Failed }
func changes(r seen.Report) int  { return len(r.Shown) - 1 }
func byFile(r seen.Report) int   { return r.ByFile }
func byFolder(r seen.Report) int { return r.ByDirectory }
func problems(all []seen.Report) (said []string) {
	for _, report := range all {
		if report.Problem != "" {
			said = append(said, report.Problem)
		}
	}
	return said
}

// awaitRotations waits until each workload has seen so many more tokens.
func awaitRotations(t *testing.T, more int) {
	t.Helper()
	say("waiting for %d new tokens in each of %d workloads", more, len(workloads))
	before, told := reports(t), 0
	// A token is renewed when at most two thirds of it are over; the kubelet shows it later.
	NewWithT(t).Eventually(func() int {
		fewest := more
		for i, report := range reports(t) {
			fewest = min(fewest, len(report.Shown)-len(before[i].Shown))
		}
		if fewest > told {
			told = fewest
			say("  each has seen %d", told)
		}
		return fewest
	}).WithTimeout(time.Duration(more+2) * (lifetime + looks)).WithPolling(time.Second).Should(BeNumerically(">=", more))
}
