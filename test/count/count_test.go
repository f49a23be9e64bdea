package main

import (
	"io"
	"testing"
)

func TestKindOf(t *testing.T) {
	for request, want := range map[[2]string]kind{
		{"GET", "/api/v1/namespaces/count/secrets/login"}:                                               {"get", "secrets"},
		{"GET", "/api/v1/secrets"}:                                                                      {"list", "secrets"},
		{"POST", "/api/v1/namespaces/count/secrets"}:                                                    {"create", "secrets"},
		{"PATCH", "/apis/auth.spaces-operator.io/v1alpha1/namespaces/count/spacescredentials/a/status"}: {"patch", "spacescredentials/status"},
		{"PUT", "/api/v1/namespaces/count/secrets/bot-grant"}:                                           {"update", "secrets"},
		{"POST", "/apis/events.k8s.io/v1/namespaces/count/events"}:                                      {"create", "events"},
		{"GET", "/api/v1/namespaces/count"}:                                                             {"get", "namespaces"},
	} {
		if got, _, counted := kindOf(request[0], request[1]); got != want || !counted {
			t.Errorf("%s: %v, counted %t", request, got, counted)
		}
	}
	for _, path := range []string{"/api", "/api/v1", "/apis/auth.spaces-operator.io/v1alpha1", "/version", "/apis/coordination.k8s.io/v1/namespaces/x/leases/y"} {
		if _, _, counted := kindOf("GET", path); counted {
			t.Errorf("%s is counted", path)
		}
	}
}

func TestJudge(t *testing.T) {
	secrets, events := kind{"get", "secrets"}, kind{"create", "events"}
	for sentence, given := range map[string]struct {
		first, renewal, started, waited counts
		fails                           bool
	}{
		"at the budget":                 {counts{secrets: 70, events: 10}, counts{secrets: 40}, counts{secrets: 70}, counts{secrets: 180}, false},
		"one read more, by chance":      {counts{secrets: 71, events: 10}, counts{secrets: 40}, counts{secrets: 71}, counts{secrets: 180}, false},
		"a fifth more for first tokens": {counts{secrets: 72, events: 10}, counts{secrets: 40}, counts{secrets: 70}, counts{secrets: 180}, true},
		"a fifth more for renewals":     {counts{secrets: 70, events: 10}, counts{secrets: 42}, counts{secrets: 70}, counts{secrets: 180}, true},
		"a fifth more after a start":    {counts{secrets: 70, events: 10}, counts{secrets: 40}, counts{secrets: 72}, counts{secrets: 180}, true},
		"a fifth more for who waits":    {counts{secrets: 70, events: 10}, counts{secrets: 40}, counts{secrets: 70}, counts{secrets: 184}, true},
		"an event at a cheaper renewal": {counts{secrets: 70, events: 10}, counts{secrets: 30, events: 1}, counts{secrets: 70}, counts{secrets: 180}, true},
		"an event after a start":        {counts{secrets: 70, events: 10}, counts{secrets: 40}, counts{secrets: 60, events: 1}, counts{secrets: 180}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			if err := judge(io.Discard, figures{first: given.first, renewal: given.renewal, started: given.started, waited: given.waited, credentials: 10, waiting: 20}); err != nil != given.fails {
				t.Errorf("the error was %v", err)
			}
		})
	}
}
