package main

import (
	"context"
	_ "embed" // the reference
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// reference holds prices of before. A run writes its own in the same form, prices.json in its
// folder, to be copied over this where a change was meant.
//
//go:embed prices.json
var reference []byte

// priceList is what one request of each kind costs kube-apiserver, in milliseconds of processor
// time.
type priceList struct {
	Date         string             `json:"date"`
	Kubernetes   string             `json:"kubernetes"`
	Milliseconds map[string]float64 `json:"milliseconds"`
}

func readReference() (list priceList, err error) {
	if err = json.Unmarshal(reference, &list); err != nil {
		err = fmt.Errorf("test/bench/prices.json: %w", err)
	}
	return list, err
}

// price is one of the list, beside that of before.
type price struct {
	Request     string  `json:"request"`
	MS          float64 `json:"ms"`
	ReferenceMS float64 `json:"referenceMS"`
	// Requests is how many were made until the price was steady.
	Requests int `json:"requests"`
}

const (
	// pricedBots are the credentials that the requests are made for.
	pricedBots = 200
	// batchTurns is how often each of them makes a request in a batch. Processor time is told in
	// hundredths of a second: a batch must take a multiple of that.
	batchTurns = 3
	// fewestBatches and mostBatches bound how long a price is looked for; steady is how far the
	// last ones may lie apart.
	fewestBatches, mostBatches = 3, 8
	steady                     = 0.05
	// idleTime is for how long the API server is looked at when nobody asks it anything.
	idleTime = 5 * time.Second
)

// measurePrices makes many requests of each kind alone.
func (b *bench) measurePrices(ctx context.Context) error {
	before, err := readReference()
	if err != nil {
		return err
	}
	b.Say("what one request of each kind costs kube-apiserver")
	b.service.SetTokenLifetime(time.Hour)
	credentials, err := b.cluster.createCredentials(ctx, fastEnvironment, pricedBots)
	if err != nil {
		return err
	}
	loop, err := b.newBareLoop(credentials)
	if err != nil {
		return err
	}
	if err := loop.run(ctx, firstToken...); err != nil {
		return err
	}
	idle, err := b.apiServerDuring(ctx, func() error { return sleep(ctx, idleTime) })
	if err != nil {
		return err
	}
	now := priceList{Date: b.report.Date, Kubernetes: b.report.Kubernetes, Milliseconds: map[string]float64{}}
	for _, kind := range priced {
		found, err := b.priceOf(ctx, loop, kind, float64(idle)/float64(idleTime))
		if err != nil {
			return err
		}
		found.ReferenceMS = before.Milliseconds[kind.name]
		now.Milliseconds[kind.name] = found.MS
		b.report.Prices = append(b.report.Prices, found)
		b.Say("  %s: %.2f ms", kind.name, found.MS)
	}
	return errors.Join(writeJSON(b.Path("prices.json"), now), b.cluster.clean(ctx))
}

// priceOf makes batches of a request until they cost the same. What the API server uses when idle,
// a share of a processor, is not counted.
func (b *bench) priceOf(ctx context.Context, loop *bareLoop, kind step, idle float64) (price, error) {
	var batches []float64
	for len(batches) < mostBatches {
		began := time.Now()
		spent, err := b.apiServerDuring(ctx, func() error {
			for range batchTurns {
				if err := loop.run(ctx, kind); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return price{}, err
		}
		spent -= time.Duration(idle * float64(time.Since(began)))
		batches = append(batches, float64(spent.Microseconds())/1000/(batchTurns*pricedBots))
		if last := batches[max(0, len(batches)-fewestBatches):]; len(last) == fewestBatches && spreadOf(last) <= steady {
			batches = last
			break
		}
	}
	return price{Request: kind.name, MS: median(batches), Requests: len(batches) * batchTurns * pricedBots}, nil
}

// apiServerDuring is the processor time that kube-apiserver uses while something is done.
func (b *bench) apiServerDuring(ctx context.Context, do func() error) (time.Duration, error) {
	id, _, err := b.plane.Processes()
	if err != nil {
		return 0, err
	}
	before, err := processorTime(id)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := processorTime(id)
	return after - before, errors.Join(err, ctx.Err())
}

// writeJSON writes a value into a file.
func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
