package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// scrapeTimeout keeps a frozen operator from holding up the others.
const scrapeTimeout = 500 * time.Millisecond

// scrape reads the series of an operator's metrics, as Prometheus would: names and labels,
// without the numbers, in which no secret can stand. It fails while the operator is gone.
func scrape(ctx context.Context, address string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return seriesOf(response.Body)
}

// seriesOf lists what stands before the last space of each line.
func seriesOf(text io.Reader) (series []string, err error) {
	for lines := bufio.NewScanner(text); ; {
		if !lines.Scan() {
			return series, lines.Err()
		}
		if line := lines.Text(); !strings.HasPrefix(line, "#") {
			series = append(series, line[:max(strings.LastIndexByte(line, ' '), 0)])
		}
	}
}
