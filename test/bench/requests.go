package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// requests counts requests to kube-apiserver by what they are, such as "PATCH secrets". The API
// server counts by itself, so that no proxy stands in the way of what is timed.
type requests map[string]float64

var (
	requestLine  = regexp.MustCompile(`^apiserver_request_total\{(.*)\} (\S+)$`)
	requestLabel = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// uncounted are verbs that come once for each informer, and those of this program itself.
var uncounted = []string{"WATCH", "CONNECT", "DELETECOLLECTION", ""}

// isCounted tells whether a request may belong to a token. Informers, and this program, list the whole
// cluster; a list of one namespace is made for something in it.
func isCounted(labels map[string]string) bool {
	if labels["verb"] == "LIST" && labels["scope"] != "namespace" {
		return false
	}
	return !slices.Contains(uncounted, labels["verb"]) && labels["resource"] != "" && labels["resource"] != "leases"
}

// readRequests reads the metrics of an API server.
func readRequests(text io.Reader) (requests, error) {
	counted := requests{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		found := requestLine.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		labels := map[string]string{}
		for _, label := range requestLabel.FindAllStringSubmatch(found[1], -1) {
			labels[label[1]] = label[2]
		}
		number, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			return nil, fmt.Errorf("kube-apiserver counts %q: %w", lines.Text(), err)
		}
		if !isCounted(labels) {
			continue
		}
		resource := labels["resource"]
		if labels["subresource"] != "" {
			resource += "/" + labels["subresource"]
		}
		counted[labels["verb"]+" "+resource] += number
	}
	return counted, lines.Err()
}

// notWorthTelling is how many requests for a token are somebody else's: the API server asks itself
// now and then.
const notWorthTelling = 0.02

// each is what came on top of before, for each of a number of tokens.
func (r requests) each(before requests, tokens int) requests {
	more := requests{}
	for kind, number := range r {
		if each := (number - before[kind]) / float64(tokens); each >= notWorthTelling {
			more[kind] = each
		}
	}
	return more
}

// all is their sum.
func (r requests) all() float64 {
	sum := 0.0
	for _, number := range r {
		sum += number
	}
	return sum
}

// String lists them, the most frequent first.
func (r requests) String() string {
	var told []string
	for _, kind := range slices.SortedFunc(maps.Keys(r), func(a, b string) int { return cmp.Or(cmp.Compare(r[b], r[a]), strings.Compare(a, b)) }) {
		told = append(told, fmt.Sprintf("%.2f %s", r[kind], kind))
	}
	return strings.Join(told, ", ")
}
