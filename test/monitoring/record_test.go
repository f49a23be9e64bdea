package monitoring

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	// stretch makes a minute of every second: a token of a minute is one of an hour then, which is
	// what rules and dashboard are made for.
	stretch = 60
	// scrapePause is the time between two scrapes, half a minute once it is stretched.
	scrapePause = 500 * time.Millisecond
	// step is the time between two looks of a query.
	step = 30 * time.Second
	// lookback is Prometheus's own.
	lookback = 5 * time.Minute
)

// moments are metrics whose value is a time.
var moments = map[model.LabelValue]bool{"spaces_credential_token_expiry_timestamp_seconds": true, "process_start_time_seconds": true}

// record is what Prometheus would have of a run, had it taken sixty times as long.
type record struct {
	began  time.Time
	ended  time.Time
	db     *tsdb.DB
	engine *promql.Engine
	// seen are the series of each instance at its last scrape, to tell which of them ended.
	seen map[string]map[string]labels.Labels
	// names are all metrics that were ever there.
	names map[string]bool
}

func newRecord(t *testing.T) *record {
	t.Helper()
	options := tsdb.DefaultOptions()
	options.RetentionDuration = int64(24 * time.Hour / time.Millisecond)
	db, err := tsdb.Open(t.TempDir(), nil, nil, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	began := time.Now()
	return &record{
		began: began, ended: began, db: db, seen: map[string]map[string]labels.Labels{}, names: map[string]bool{},
		engine: promql.NewEngine(promql.EngineOpts{
			MaxSamples: 50_000_000, Timeout: time.Minute, LookbackDelta: lookback, Parser: parser.NewParser(parser.Options{}),
			NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		}),
	}
}

// stretched is a moment of the run as the record has it.
func (r *record) stretched(at time.Time) time.Time { return r.began.Add(stretch * at.Sub(r.began)) }

// scrape reads an operator's metrics into the record. One that cannot be read has ended for now,
// with all its series.
func (r *record) scrape(ctx context.Context, instance, address string) error {
	found, err := samplesAt(ctx, address)
	if err != nil {
		found = nil // nobody is there
	}
	now := r.stretched(time.Now())
	if now.After(r.ended) {
		r.ended = now
	}
	appender := r.db.Appender(ctx)
	series := map[string]labels.Labels{}
	add := func(of labels.Labels, number float64) error {
		_, err := appender.Append(0, of, now.UnixMilli(), number)
		return err
	}
	for _, sample := range found {
		number := float64(sample.Value)
		if name := sample.Metric[model.MetricNameLabel]; moments[name] {
			number = float64(r.stretched(time.UnixMilli(int64(number*1000))).UnixMilli()) / 1000
		}
		of := asScraped(sample.Metric, instance)
		r.names[of.Get(model.MetricNameLabel)] = true
		series[of.String()] = of
		if err := add(of, number); err != nil {
			return fmt.Errorf("keeping %s: %w", of, err)
		}
	}
	for key, of := range r.seen[instance] {
		if _, lives := series[key]; !lives {
			if err := add(of, math.Float64frombits(value.StaleNaN)); err != nil {
				return fmt.Errorf("ending %s: %w", of, err)
			}
		}
	}
	r.seen[instance] = series
	return appender.Commit()
}

// asScraped are the labels of a series as a ServiceMonitor with honorLabels gives them: the target's,
// and the metric's own before them, also an empty one.
func asScraped(metric model.Metric, instance string) labels.Labels {
	all := map[string]string{
		"job": "spaces-credential-operator-metrics", "instance": instance, "namespace": "spaces-credential-operator-system",
	}
	for name, is := range metric {
		all[string(name)] = string(is)
	}
	maps.DeleteFunc(all, func(_, is string) bool { return is == "" })
	return labels.FromMap(all)
}

// samplesAt reads what is served.
func samplesAt(ctx context.Context, address string) (model.Vector, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapePause)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	families := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := families.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, err
	}
	var all model.Vector
	for _, family := range parsed {
		found, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, family)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// asked asks about the whole run.
func (r *record) asked(t *testing.T, expression string) promql.Matrix {
	t.Helper()
	query, err := r.engine.NewRangeQuery(t.Context(), r.db, nil, expression, r.began, r.ended, step)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	defer query.Close()
	result := query.Exec(t.Context())
	found, err := result.Matrix()
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	kept := make(promql.Matrix, len(found)) // the query's own memory ends with it
	for i, series := range found {
		kept[i] = promql.Series{Metric: series.Metric.Copy(), Floats: append([]promql.FPoint(nil), series.Floats...)}
	}
	return kept
}
