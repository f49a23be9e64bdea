package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// checkInterval: every published token is tried twice a second.
const checkInterval = 500 * time.Millisecond

// replacements is how often in a row a token may be replaced while it is tried.
const replacements = 3

// checks do what a workload does, all the time: take the header from the published
// Secret and call the API with it.
type checks struct {
	cluster client.Client
	profile string // the URL that is called

	mutex  sync.Mutex
	counts checkCounts
	passed map[string]int // by Secret
}

// checkCounts are the checks made so far.
type checkCounts struct {
	made   int
	failed int
	// failures tells of the first few.
	failures []string
}

func newChecks(cluster client.Client, url string) *checks {
	return &checks{cluster: cluster, profile: url + "/api/users/me", passed: map[string]int{}}
}

// run checks until ctx ends, and closes ended then.
func (c *checks) run(ctx context.Context) (ended <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(checkInterval)
		defer ticker.Stop()
		for {
			c.checkAll(ctx)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return done
}

// checkAll tries the token of every published Secret once.
func (c *checks) checkAll(ctx context.Context) {
	published := &corev1.SecretList{}
	err := c.cluster.List(ctx, published, client.InNamespace(namespace),
		client.MatchingLabels{v1alpha1.LabelSecret: v1alpha1.SecretPublished})
	if err != nil {
		return // no token was read, so none can have failed
	}
	for i := range published.Items {
		c.check(ctx, &published.Items[i])
	}
}

// check tries the token of one Secret. A token that was replaced or deleted since it
// was read proves nothing: its successor is tried instead.
func (c *checks) check(ctx context.Context, secret *corev1.Secret) {
	for range replacements {
		header := string(secret.Data[v1alpha1.KeyAuthorization])
		status, err := c.call(ctx, header)
		if ctx.Err() != nil {
			return
		}
		if err == nil && status == http.StatusOK {
			c.record(secret, "")
			return
		}
		name := client.ObjectKeyFromObject(secret)
		now := &corev1.Secret{}
		if readErr := c.cluster.Get(ctx, name, now); readErr != nil {
			if !apierrors.IsNotFound(readErr) {
				c.record(secret, fmt.Sprintf("and the Secret could not be read again: %v", readErr))
			}
			return
		}
		if string(now.Data[v1alpha1.KeyAuthorization]) == header {
			c.record(secret, fmt.Sprintf("status %d, error %v", status, err))
			return
		}
		secret = now
	}
	c.record(secret, "it was replaced again and again")
}

// call calls the API as a workload does.
func (c *checks) call(ctx context.Context, authorization string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.profile, http.NoBody)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", authorization)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// record counts one check of a Secret; trouble is empty for a good one.
func (c *checks) record(secret *corev1.Secret, trouble string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.counts.made++
	if trouble == "" {
		c.passed[secret.Name]++
		return
	}
	c.counts.failed++
	if len(c.counts.failures) < 5 {
		c.counts.failures = append(c.counts.failures, fmt.Sprintf("%s: Secret %s, token %s, to expire at %s: %s",
			time.Now().Format(time.TimeOnly), secret.Name, secret.Annotations[v1alpha1.AnnotationFingerprint],
			secret.Annotations[v1alpha1.AnnotationExpiresAt], trouble))
	}
}

// count tells what was counted so far.
func (c *checks) count() checkCounts {
	if c == nil {
		return checkCounts{}
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.counts
}

// passedBy tells how many checks the tokens of a Secret have passed.
func (c *checks) passedBy(secret string) int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.passed[secret]
}
