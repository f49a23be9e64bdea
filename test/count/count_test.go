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
		if got, counted := kindOf(request[0], request[1]); got != want || !counted {
			t.Errorf("%s: %v, counted %t", request, got, counted)
		}
	}
	for _, path := range []string{"/api", "/api/v1", "/apis/auth.spaces-operator.io/v1alpha1", "/version", "/apis/coordination.k8s.io/v1/namespaces/x/leases/y"} {
		if _, counted := kindOf("GET", path); counted {
			t.Errorf("%s is counted", path)
		}
	}
}

func TestJudge(t *testing.T) {
	secrets, events := kind{"get", "secrets"}, kind{"create", "events"}
	for sentence, given := range map[string]struct {
		first, renewal, waited counts
		fails                  bool
	}{
		"at the budget":                 {counts{secrets: 70, events: 10}, counts{secrets: 50}, counts{secrets: 180}, false},
		"one read more, by chance":      {counts{secrets: 71, events: 10}, counts{secrets: 51}, counts{secrets: 180}, false},
		"a fifth more for first tokens": {counts{secrets: 72, events: 10}, counts{secrets: 50}, counts{secrets: 180}, true},
		"a fifth more for renewals":     {counts{secrets: 70, events: 10}, counts{secrets: 52}, counts{secrets: 180}, true},
		"a fifth more for who waits":    {counts{secrets: 70, events: 10}, counts{secrets: 50}, counts{secrets: 184}, true},
		"an event at a cheaper renewal": {counts{secrets: 70, events: 10}, counts{secrets: 40, events: 1}, counts{secrets: 180}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			if err := judge(io.Discard, figures{first: given.first, renewal: given.renewal, waited: given.waited, credentials: 10, waiting: 20}); err != nil != given.fails {
				t.Errorf("the error was %v", err)
			}
		})
	}
}
