package spacesauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Whoever runs the service must be able to tell whose calls these are.
func TestEveryRequestSaysWhoSendsIt(t *testing.T) {
	for sentence, given := range map[string]struct {
		options []spacesauth.Option
		want    string
	}{
		"by name and version": {[]spacesauth.Option{spacesauth.WithUserAgent("spaces-credential-operator/v1.2.3")}, "spaces-credential-operator/v1.2.3"},
		"by name alone":       {nil, "spaces-credential-operator"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			seen := w.watch()
			client, ctx := clientOf(t, environmentAt(w.server.URL), given.options...), context.Background()
			_, _ = client.Token(ctx, application(), password(), nil)
			_, _ = client.Token(ctx, application(), refresh("x"), nil)
			_, _ = client.Guest(ctx, spacesauth.Guest{}, nil)
			_ = client.Revoke(ctx, application(), spacesauth.NewSecret("x"))
			_, _ = client.TokenInfo(ctx, spacesauth.NewSecret("x"))
			_, _ = client.UserProfile(ctx, "Bearer", spacesauth.NewSecret("x"))
			if calls := seen(); len(calls) != 6 {
				t.Errorf("%d calls were made", len(calls))
			}
			for _, call := range seen() {
				if got := call.Header.Values("User-Agent"); len(got) != 1 || got[0] != given.want {
					t.Errorf("%s: sent by %q, want %q", call.Operation, got, given.want)
				}
			}
		})
	}
}

func TestAProxyIsToldWhoAsksIt(t *testing.T) {
	var said atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		said.Store(r.Method + " by " + r.UserAgent())
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(proxy.Close)
	client := clientOf(t, proxied("https://example.com", proxy.URL), spacesauth.WithUserAgent("spaces-credential-operator/v1.2.3"))
	_, _ = client.Token(context.Background(), application(), password(), nil)
	if said.Load() != "CONNECT by spaces-credential-operator/v1.2.3" {
		t.Errorf("the proxy was asked: %v", said.Load())
	}
}
