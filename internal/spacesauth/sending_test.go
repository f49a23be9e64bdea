package spacesauth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

func TestARefusalBeforeSendingSendsNothing(t *testing.T) {
	for sentence, http2 := range map[string]bool{"over HTTP/1.1": false, "over HTTP/2": true} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			server, caFile := serveTLS(t, w.Service, func(s *httptest.Server) { s.EnableHTTP2 = http2 })
			client := clientOf(t, trusting(server.URL, caFile))
			asked := 0
			token := w.IssueGrant(appID, bot)

			_, err := client.Token(context.Background(), application(), refresh(token), func() error {
				asked++
				return errors.New("the claim is too old")
			})

			if kind(t, err) != spacesauth.KindUnavailable || !strings.Contains(err.Error(), "the claim is too old") {
				t.Errorf("the error was %v", err)
			}
			if asked != 1 {
				t.Errorf("beforeSending ran %d times, want once", asked)
			}
			if w.tokenCalls() != 0 {
				t.Error("the service saw the grant")
			}
			expectNoSecret(t, err, w.Secrets()...)
			// And the grant is as good as before.
			if _, err := client.Token(context.Background(), application(), refresh(token), nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func trusting(url, caFile string) spacesauth.Environment {
	environment := environmentAt(url)
	environment.CAFile = caFile
	return environment
}

func TestBeforeSendingRunsOnceAndLast(t *testing.T) {
	for sentence, http2 := range map[string]bool{"over HTTP/1.1": false, "over HTTP/2": true} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			var connected atomic.Bool
			server, caFile := serveTLS(t, w.Service, func(s *httptest.Server) {
				s.EnableHTTP2 = http2
				s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
					connected.Store(true)
					return nil, nil //nolint:nilnil // nil means the configuration there is
				}}
			})
			client := clientOf(t, trusting(server.URL, caFile))
			asked := 0

			_, err := client.Token(context.Background(), application(), password(), func() error {
				asked++
				if !connected.Load() {
					t.Error("beforeSending ran before the connection stood")
				}
				if w.tokenCalls() != 0 {
					t.Error("beforeSending ran after the service saw the grant")
				}
				return nil
			})

			if err != nil || asked != 1 || w.tokenCalls() != 1 {
				t.Errorf("beforeSending ran %d times for %d calls (%v), want once for one", asked, w.tokenCalls(), err)
			}
		})
	}
}

// What cannot have left the process is told apart from what may have: the former
// is tried again freely, the latter may be a spent grant.
func TestNotSentOrAmbiguous(t *testing.T) {
	gone := serve(t, http.NotFoundHandler())
	gone.Close()
	plain := serve(t, http.NotFoundHandler())
	accounts := newWorld(t)
	secure, caFile := serveTLS(t, accounts.Service, nil)
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()

	for sentence, given := range map[string]struct {
		ctx         context.Context
		environment spacesauth.Environment
	}{
		"a refused connection":        {environment: environmentAt(gone.URL)},
		"a host nobody knows":         {environment: environmentAt("https://nobody.invalid")},
		"an unknown authority":        {environment: environmentAt(secure.URL)},
		"the certificate of another":  {environment: trusting("https://localhost:"+port, caFile)},
		"a host that speaks no TLS":   {environment: environmentAt(strings.Replace(plain.URL, "http", "https", 1))},
		"a call that was given up":    {ctx: cancelled, environment: trusting(secure.URL, caFile)},
		"a URL that cannot be called": {environment: environmentAt("https://a b")},
	} {
		t.Run(sentence+": nothing was sent", func(t *testing.T) {
			ctx := given.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			client := clientOf(t, given.environment)
			_, err := client.Token(ctx, application(), password(), func() error {
				t.Error("beforeSending ran")
				return nil
			})
			if kind(t, err) != spacesauth.KindUnavailable {
				t.Errorf("the error was %v", err)
			}
			if accounts.tokenCalls() != 0 {
				t.Error("the service saw the grant")
			}
			expectNoSecret(t, err, appSecret, botSecret)
		})
	}

	t.Run("cut before the answer: ambiguous", func(t *testing.T) {
		w := newWorld(t)
		w.Down(true)
		if _, err := w.spend(password()); kind(t, err) != spacesauth.KindAmbiguous {
			t.Errorf("the error was %v", err)
		}
	})
	t.Run("given up while waiting for the answer: ambiguous", func(t *testing.T) {
		w := newWorld(t)
		ctx, giveUp := context.WithCancel(context.Background())
		w.InterceptAnswer(func(call fakespaces.Call) {
			giveUp()
			<-call.Gone()
		})
		_, err := w.client.Token(ctx, application(), password(), nil)
		if kind(t, err) != spacesauth.KindAmbiguous {
			t.Errorf("the error was %v", err)
		}
	})
	t.Run("longer than the timeout of the environment: ambiguous", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		environment := environmentAt(w.server.URL)
		environment.TimeoutSeconds = 1
		w.InterceptAnswer(func(call fakespaces.Call) { <-call.Gone() })
		_, err := clientOf(t, environment).Token(context.Background(), application(), password(), nil)
		if kind(t, err) != spacesauth.KindAmbiguous {
			t.Errorf("the error was %v", err)
		}
	})
	t.Run("longer than the caller's deadline: ambiguous", func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		w.Intercept(func(call fakespaces.Call) fakespaces.Fault {
			<-call.Gone()
			return fakespaces.NoFault
		})
		_, err := w.client.Token(ctx, application(), password(), nil)
		if kind(t, err) != spacesauth.KindAmbiguous {
			t.Errorf("the error was %v", err)
		}
	})
}

func TestAnAuthorityOfTheEnvironmentIsTrusted(t *testing.T) {
	w := newWorld(t)
	server, caFile := serveTLS(t, w.Service, nil)
	if _, err := clientOf(t, trusting(server.URL, caFile)).Token(context.Background(), application(), password(), nil); err != nil {
		t.Error(err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var followed atomic.Int32
		elsewhere := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
		server := serve(t, http.RedirectHandler(elsewhere.URL+"/?token=in-the-location", status))
		client := clientOf(t, environmentAt(server.URL))

		_, err := client.Token(context.Background(), application(), password(), nil)
		if kind(t, err) != spacesauth.KindUnavailable {
			t.Errorf("%d: the error was %v", status, err)
		}
		expectNoSecret(t, err, "in-the-location")
		if err := client.Revoke(context.Background(), spacesauth.Application{ID: appID}, spacesauth.NewSecret("x")); kind(t, err) != spacesauth.KindUnavailable {
			t.Errorf("%d: the error was %v", status, err)
		}
		if followed.Load() != 0 {
			t.Errorf("%d was followed", status)
		}
	}
}

// tunnel is an HTTP proxy that leads every CONNECT to one address, or refuses it.
type tunnel struct {
	to    string
	asked atomic.Int32
	auth  atomic.Value
}

func (p *tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	p.auth.Store(r.Header.Get("Proxy-Authorization"))
	near, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = near.Close() }()
	if p.to == "" {
		// The transport puts these words into its error.
		_, _ = io.WriteString(near, "HTTP/1.1 407 Not with tunnel:dig\r\n\r\n")
		return
	}
	far, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
	_, _ = io.Copy(near, far)
}

func proxied(url, proxy string) spacesauth.Environment {
	environment := environmentAt(url)
	environment.ProxyURL = strings.Replace(proxy, "://", "://tunnel:dig@", 1)
	return environment
}

func TestProxy(t *testing.T) {
	w := newWorld(t)
	// httptest's certificate is good for example.com, which nobody asks DNS for here.
	secure, caFile := serveTLS(t, w.Service, nil)

	t.Run("a call goes through the proxy of its environment", func(t *testing.T) {
		proxy := &tunnel{to: secure.Listener.Addr().String()}
		environment := proxied("https://example.com", serve(t, proxy).URL)
		environment.CAFile = caFile
		if _, err := clientOf(t, environment).Token(context.Background(), application(), password(), nil); err != nil {
			t.Fatal(err)
		}
		if proxy.asked.Load() != 1 || proxy.auth.Load() == "" {
			t.Errorf("the proxy was asked %d times, with authorization %q", proxy.asked.Load(), proxy.auth.Load())
		}
	})
	t.Run("a proxy that refuses: nothing was sent, and its password is not told", func(t *testing.T) {
		client := clientOf(t, proxied("https://example.com", serve(t, &tunnel{}).URL))
		_, err := client.Token(context.Background(), application(), password(), nil)
		if kind(t, err) != spacesauth.KindUnavailable || !strings.Contains(err.Error(), "the proxy on the way") {
			t.Errorf("the error was %v", err)
		}
		expectNoSecret(t, err, "tunnel", "dig")
	})
	t.Run("a proxy that is gone: nothing was sent, and its password is not told", func(t *testing.T) {
		gone := serve(t, http.NotFoundHandler())
		gone.Close()
		_, err := clientOf(t, proxied("https://example.com", gone.URL)).Token(context.Background(), application(), password(), nil)
		if kind(t, err) != spacesauth.KindUnavailable || !strings.Contains(err.Error(), "the proxy on the way") {
			t.Errorf("the error was %v", err)
		}
		expectNoSecret(t, err, "tunnel", "dig")
	})
	_, port, _ := net.SplitHostPort(w.server.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "LocalHost"} {
		t.Run(host+" is never reached through a proxy", func(t *testing.T) {
			proxy := &tunnel{}
			at := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
			_, err := clientOf(t, proxied(at.String(), serve(t, proxy).URL)).Token(context.Background(), application(), password(), nil)
			if err != nil || proxy.asked.Load() != 0 {
				t.Errorf("the proxy was asked %d times (%v)", proxy.asked.Load(), err)
			}
		})
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for sentence, given := range map[string]struct {
		environment spacesauth.Environment
		tells       string
	}{
		"a CA file that is not there": {trusting("https://example.com", "/nowhere/ca.pem"), "/nowhere/ca.pem"},
		"a CA file of something else": {trusting("https://example.com", writeFile(t, "not a certificate")), "no PEM certificate"},
		"a proxy URL without a host":  {spacesauth.Environment{Name: "test", ProxyURL: "tunnel:dig@"}, "proxyURL"},
		"a proxy URL nobody speaks":   {spacesauth.Environment{Name: "test", ProxyURL: "ftp://tunnel:dig@host"}, "proxyURL"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := spacesauth.New(given.environment)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if text := err.Error(); !strings.Contains(text, given.tells) || strings.Contains(text, "\n") {
				t.Errorf("the error %q does not tell of %q in one line", text, given.tells)
			}
			expectNoSecret(t, err, "dig")
		})
	}
}
