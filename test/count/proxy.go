package main

import (
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// calm is for how long no request must come before the proxy counts as quiet. Events
// are told late, but not that late.
const calm = 2 * time.Second

// kind is what requests are counted by.
type kind struct{ verb, resource string }

// counts are the requests by kind.
type counts map[kind]int

func (c counts) all() int {
	sum := 0
	for _, n := range c {
		sum += n
	}
	return sum
}

// proxy stands before the API server and counts what passes. It lends its visitors
// every right, so it listens on loopback only and without TLS.
type proxy struct {
	*testbed.Server

	mutex     sync.Mutex
	namespace string
	counts    counts
	last      time.Time
	watched   int
}

func startProxy(config *rest.Config) (*proxy, error) {
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // a watch is told of each event at once
		// A watch that breaks off at the end is nobody's trouble.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	p := &proxy{counts: counts{}, last: time.Now()}
	p.Server, err = testbed.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.note(r)
		forward.ServeHTTP(w, r)
	}))
	return p, err
}

// note counts a request.
func (p *proxy) note(r *http.Request) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if r.URL.Query().Get("watch") != "" {
		p.watched++
		return
	}
	p.last = time.Now()
	if k, namespace, ok := kindOf(r.Method, r.URL.Path); ok && (namespace == "" || namespace == p.namespace) {
		p.counts[k]++
	}
}

// kindOf reads a request, and of which namespace it is. What is no resource (discovery, which happens once for
// each process) and leases, which are renewed by the clock, are not counted.
func kindOf(method, path string) (k kind, namespace string, counts bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		parts = parts[3:]
	default:
		return kind{}, "", false
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		namespace, parts = parts[1], parts[2:]
	}
	resource, named := parts[0], len(parts) > 1
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	verb := strings.ToLower(method)
	switch {
	case method == http.MethodPost:
		verb = "create"
	case method == http.MethodPut:
		verb = "update"
	case method == http.MethodGet && !named:
		verb = "list"
	}
	return kind{verb, resource}, namespace, resource != "leases"
}

// count tells what was counted since the last reset.
func (p *proxy) count() counts {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return maps.Clone(p.counts)
}

// reset begins to count anew, for one namespace and what is in none, and tells what was counted.
func (p *proxy) reset(namespace string) counts {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	counted := p.counts
	p.counts, p.namespace = counts{}, namespace
	return counted
}

// watches tells how many watches were begun.
func (p *proxy) watches() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.watched
}

// quiet tells whether no request has come for a while.
func (p *proxy) quiet() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return time.Since(p.last) > calm
}
