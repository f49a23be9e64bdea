package spacesauth_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// serveCounted puts handler behind a socket and counts the connections.
func serveCounted(t *testing.T, handler http.Handler) (url string, dialled *atomic.Int32) {
	t.Helper()
	dialled = &atomic.Int32{}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dialled.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, dialled
}

// Whoever counts how a host fares must not count what never went there: a broken token in
// one place would take the host from everybody else.
func TestWhatCannotBeSentSaysNothingAboutTheHost(t *testing.T) {
	over, giveUp := context.WithCancel(context.Background())
	giveUp()
	for sentence, call := range map[string]func(*spacesauth.Client) error{
		"a token with a line break": func(c *spacesauth.Client) error {
			_, err := c.UserProfile(context.Background(), "Bearer", spacesauth.NewSecret("half-1\r\nhalf-2"))
			return err
		},
		"a token with a NUL": func(c *spacesauth.Client) error {
			_, err := c.UserProfile(context.Background(), "Bearer", spacesauth.NewSecret("half-1\x00half-2"))
			return err
		},
		"a token type with a control character": func(c *spacesauth.Client) error {
			_, err := c.UserProfile(context.Background(), "half-1\x7f", spacesauth.NewSecret("half-2"))
			return err
		},
		"a spend that was given up before it began": func(c *spacesauth.Client) error {
			_, err := c.Token(over, application(), refresh("half-1"), nil)
			return err
		},
		"a look that was given up before it began": func(c *spacesauth.Client) error {
			_, err := c.UserProfile(over, "Bearer", spacesauth.NewSecret("half-1"))
			return err
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			url, dialled := serveCounted(t, w.Service)
			err := call(clientOf(t, environmentAt(url)))
			if failure := failureOf(err); failure.Kind != spacesauth.KindUnavailable || !failure.HostUnjudged || dialled.Load() != 0 {
				t.Errorf("it was dialled %d times: %+v", dialled.Load(), failure)
			}
			expectNoSecret(t, err, "half-1", "half-2")
		})
	}
	for sentence, call := range map[string]func(*spacesauth.Client) error{
		"a spend at a URL that does not parse": func(c *spacesauth.Client) error {
			_, err := c.Token(context.Background(), application(), refresh("half-1"), nil)
			return err
		},
		"a look at a URL that does not parse": func(c *spacesauth.Client) error {
			_, err := c.UserProfile(context.Background(), "Bearer", spacesauth.NewSecret("half-1"))
			return err
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := call(clientOf(t, environmentAt("https://a b")))
			if failure := failureOf(err); failure.Kind != spacesauth.KindUnavailable || !failure.HostUnjudged {
				t.Errorf("the error was %+v", failure)
			}
		})
	}
	t.Run("a guard that refuses", func(t *testing.T) {
		_, err := newWorld(t).client.Token(context.Background(), application(), password(), func() error { return errors.New("too late") })
		if failure := failureOf(err); !failure.HostUnjudged {
			t.Errorf("the error was %+v", failure)
		}
	})
}

// And what did go there, or could not be dialled, does.
func TestWhatWasDialledSaysSomethingAboutTheHost(t *testing.T) {
	gone := serve(t, http.NotFoundHandler())
	gone.Close()
	secure, _ := serveTLS(t, http.NotFoundHandler(), nil)
	for sentence, url := range map[string]string{
		"a refused connection":              gone.URL,
		"a host nobody knows":               "https://nobody.invalid",
		"an unknown authority":              secure.URL,
		"a host that speaks no TLS":         strings.Replace(serve(t, http.NotFoundHandler()).URL, "http", "https", 1),
		"a connection cut before an answer": answer{cut: true}.serve(t),
		"a server in trouble":               answer{status: 500}.serve(t),
		"a refusal":                         answer{status: 400, body: `{"error":"invalid_grant"}`}.serve(t),
		"a request for patience":            answer{status: 429}.serve(t),
		"an answer nobody can read":         answer{status: 200}.serve(t),
	} {
		t.Run(sentence, func(t *testing.T) {
			client := clientOf(t, environmentAt(url))
			_, err := client.Token(context.Background(), application(), password(), nil)
			if err == nil || failureOf(err).HostUnjudged {
				t.Errorf("the error was %+v", failureOf(err))
			}
			if _, err := client.UserProfile(context.Background(), "Bearer", spacesauth.NewSecret("x")); err == nil || failureOf(err).HostUnjudged {
				t.Errorf("of a look, the error was %+v", failureOf(err))
			}
		})
	}
}
