package main

import (
	"context"
	"errors"
	"os"
	"time"
)

// processor is the processor time that each process has used so far. This one is the service, and in
// its turn the bare loop.
type processor struct{ operator, apiServer, etcd, this time.Duration }

// processor reads it; the operator is nil for the bare loop.
func (b *bench) processor(o *operator) (p processor, err error) {
	apiServer, etcd, err := b.plane.Processes()
	if err != nil {
		return processor{}, err
	}
	var failed [4]error
	p.apiServer, failed[0] = processorTime(apiServer)
	p.etcd, failed[1] = processorTime(etcd)
	p.this, failed[2] = processorTime(os.Getpid())
	if o != nil {
		p.operator, failed[3] = processorTime(o.ID())
	}
	return p, errors.Join(failed[:]...)
}

// used is what was used up so far. Counting requests costs the API server something, too: processor
// times are read before and after that.
type used struct {
	before, after processor
	requests      requests
}

// used reads what was used up so far.
func (b *bench) used(ctx context.Context, o *operator) (u used, err error) {
	if u.before, err = b.processor(o); err != nil {
		return used{}, err
	}
	if u.requests, err = b.cluster.requests(ctx); err != nil {
		return used{}, err
	}
	u.after, err = b.processor(o)
	return u, err
}

// measured is what one phase of one round cost.
type measured struct {
	// PerSecond is tokens, or revocations, per second.
	PerSecond float64 `json:"perSecond"`
	// Milliseconds of processor time for each of them. The service's are with those of the bare loop,
	// where that was measured.
	OperatorMS  float64 `json:"operatorMS,omitempty"`
	APIServerMS float64 `json:"apiServerMS"`
	EtcdMS      float64 `json:"etcdMS"`
	ServiceMS   float64 `json:"serviceMS"`
	// Requests to kube-apiserver for each.
	Requests requests `json:"requests"`
	// Passes is how often the operator looked at each credential.
	Passes float64 `json:"passes,omitempty"`
	// PeakMiB is the most memory that the operator needed so far.
	PeakMiB float64 `json:"peakMiB,omitempty"`
}

// since is what was used up between two looks, for each of a number of moments.
func since(first, second used, moments []time.Time) measured {
	number, from, to := len(moments), first.after, second.before
	return measured{
		PerSecond:  perSecond(moments),
		OperatorMS: eachMS(to.operator-from.operator, number), APIServerMS: eachMS(to.apiServer-from.apiServer, number),
		EtcdMS: eachMS(to.etcd-from.etcd, number), ServiceMS: eachMS(to.this-from.this, number),
		Requests: second.requests.each(first.requests, number),
	}
}

// eachMS is the share of each of a number, in milliseconds.
func eachMS(spent time.Duration, number int) float64 {
	return float64(spent.Microseconds()) / 1000 / float64(number)
}
