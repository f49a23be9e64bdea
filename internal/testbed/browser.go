package testbed

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// SentTo opens an address once, as a browser does, and tells where that sends it, without going there:
// kubectl spaces login hands out a page of its own that leads to the service.
func SentTo(ctx context.Context, address string) (*url.URL, error) {
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := once.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }() // its head says all
	to, err := answer.Location()
	if err != nil {
		return nil, fmt.Errorf("%s leads nowhere, with status %d: %w", address, answer.StatusCode, err)
	}
	return to, nil
}
