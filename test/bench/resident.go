package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// resident is what an operator costs that has nothing to do.
type resident struct {
	Credentials int `json:"credentials"`
	// StartSeconds is from the start of the process until it has looked at each credential.
	StartSeconds float64 `json:"startSeconds"`
	// An hour in which nothing happens, from a minute: processor time in seconds, and requests
	// beside those that the API server makes by itself.
	OperatorSeconds  float64 `json:"operatorSeconds"`
	APIServerSeconds float64 `json:"apiServerSeconds"`
	EtcdSeconds      float64 `json:"etcdSeconds"`
	Requests         float64 `json:"requests"`
	// PeakMiB is the memory of a start and a while after it; ForeignPeakMiB where there are so
	// many Secrets of others, too.
	PeakMiB        float64 `json:"peakMiB"`
	Foreign        int     `json:"foreign"`
	ForeignPeakMiB float64 `json:"foreignPeakMiB"`
	// How long it takes from a changed login to the new token, and from a deleted published
	// Secret to its return, in milliseconds.
	ChangedLoginMS []float64 `json:"changedLoginMS"`
	DeletedMS      []float64 `json:"deletedMS"`
}

const (
	// quietTime is the minute in which nothing happens; aloneTime is how long the API server is
	// looked at beside it without an operator.
	quietTime = time.Minute
	aloneTime = 20 * time.Second
	// lookInterval is how often an operator is asked how far it is, which costs it something.
	lookInterval = 100 * time.Millisecond
	// calmTime is how long an operator is left alone after a start.
	calmTime = 5 * time.Second
)

// measureResident looks at an operator whose tokens are all fresh.
func (b *bench) measureResident(ctx context.Context) error {
	number := b.settings.credentials[len(b.settings.credentials)-1]
	b.Say("an operator with %d fresh tokens: first those", number)
	found := &resident{Credentials: number, Foreign: b.settings.foreign}
	b.service.SetTokenLifetime(time.Hour)
	if _, err := b.cluster.createCredentials(ctx, fastEnvironment, number); err != nil {
		return err
	}
	if err := b.createLatecomers(ctx); err != nil {
		return err
	}
	all := number + latecomers
	o, err := b.startOperator()
	if err != nil {
		return err
	}
	err = b.await(ctx, o, patience(all), "each has its token", func(ctx context.Context) (bool, string, error) {
		if err := sleep(ctx, time.Second); err != nil {
			return false, "", err
		}
		ready, _, err := b.cluster.fingerprints(ctx)
		return len(ready) == all, fmt.Sprintf("%d of %d", len(ready), all), err
	})
	if err != nil {
		return err
	}
	if err := o.Stop(); err != nil {
		return err
	}
	alone, err := b.during(ctx, nil, aloneTime)
	if err != nil {
		return err
	}
	if o, found.StartSeconds, err = b.startUp(ctx, all); err != nil {
		return err
	}
	b.Say("  all are scheduled %.1f s after the start; a minute in which nothing happens", found.StartSeconds)
	quiet, err := b.during(ctx, o, quietTime)
	if err != nil {
		return err
	}
	found.addHour(quiet, alone)
	if found.ChangedLoginMS, found.DeletedMS, err = b.measureLatecomers(ctx, o); err != nil {
		return err
	}
	if found.PeakMiB, err = peakMemory(o.ID()); err != nil {
		return err
	}
	if err := o.Stop(); err != nil {
		return err
	}
	b.Say("  creating %d Secrets of others, and starting again", found.Foreign)
	if err := b.cluster.createForeign(ctx, found.Foreign); err != nil {
		return err
	}
	if o, _, err = b.startUp(ctx, all); err != nil {
		return err
	}
	if found.ForeignPeakMiB, err = peakMemory(o.ID()); err != nil {
		return err
	}
	b.report.Resident = found
	return errors.Join(o.Stop(), b.cluster.clean(ctx))
}

// startUp starts an operator and returns when it has looked at each credential and a while has
// passed, with the seconds until the former.
func (b *bench) startUp(ctx context.Context, number int) (*operator, float64, error) {
	began := time.Now()
	o, err := b.startOperator()
	if err != nil {
		return nil, 0, err
	}
	var took float64
	err = b.await(ctx, o, patience(number), "each was looked at", func(ctx context.Context) (bool, string, error) {
		if err := sleep(ctx, lookInterval); err != nil {
			return false, "", err
		}
		done, err := o.work(ctx)
		if err != nil {
			return false, "not serving yet", nil //nolint:nilerr // it has just been started
		}
		took = time.Since(began).Seconds()
		return done.passes >= number && done.queued == 0, fmt.Sprintf("%d of %d", done.passes, number), nil
	})
	if err == nil {
		err = sleep(ctx, calmTime)
	}
	return o, took, err
}

// hour is what is used in an hour.
type hour struct {
	processor
	requests float64
}

// during looks for a while at what is used when nobody asks for anything, and scales it to an hour.
func (b *bench) during(ctx context.Context, o *operator, wait time.Duration) (hour, error) {
	before, err := b.used(ctx, o)
	if err != nil {
		return hour{}, err
	}
	if err := sleep(ctx, wait); err != nil {
		return hour{}, err
	}
	after, err := b.used(ctx, o)
	if err != nil {
		return hour{}, err
	}
	factor := float64(time.Hour) / float64(wait)
	scaled := func(spent time.Duration) time.Duration { return time.Duration(float64(spent) * factor) }
	from, to := before.after, after.before
	return hour{
		processor{operator: scaled(to.operator - from.operator), apiServer: scaled(to.apiServer - from.apiServer), etcd: scaled(to.etcd - from.etcd)},
		after.requests.each(before.requests, 1).all() * factor,
	}, nil
}

// addHour notes what an idle operator costs beside an API server that is left alone.
func (r *resident) addHour(with, alone hour) {
	r.OperatorSeconds = with.operator.Seconds()
	r.APIServerSeconds = max(0, (with.apiServer - alone.apiServer).Seconds())
	r.EtcdSeconds = max(0, (with.etcd - alone.etcd).Seconds())
	r.Requests = max(0, with.requests-alone.requests)
}

// createForeign creates Secrets of others, written on as releases of Helm and copies of kubectl
// apply are.
func (c *cluster) createForeign(ctx context.Context, number int) error {
	for i := range namespaces {
		if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: foreignNamespace(i)}}); err != nil {
			return err
		}
	}
	return together(ctx, number, func(ctx context.Context, i int) error {
		return c.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: foreignNamespace(i), Name: fmt.Sprintf("theirs-%06d", i),
				Labels:      map[string]string{"app.kubernetes.io/name": "somebody-elses", "app.kubernetes.io/instance": fmt.Sprintf("release-%d", i)},
				Annotations: map[string]string{"example.test/last-applied": strings.Repeat("x", 1<<10)},
			},
			Data: map[string][]byte{"content": []byte(strings.Repeat("y", 1<<10))},
		})
	})
}

func foreignNamespace(i int) string { return fmt.Sprintf("foreign-%d", i%namespaces) }
