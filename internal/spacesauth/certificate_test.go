package spacesauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// The years are so far off that no test has to ask what time it is: TLS looks at the
// real clock, whatever clock the client was given.
var (
	longAgo = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	farOff  = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
)

// certificate is good for host from one time to another. It is its own authority.
func certificate(t *testing.T, host string, from, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    from,
		NotAfter:     until,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// securedHost is a service behind TLS, at localhost.
type securedHost struct {
	// owner is whose certificate it shows, good from one time until another.
	owner       string
	from, until time.Time
	// newest is the newest version of TLS that it speaks.
	newest uint16
	// plain is a host without TLS behind an https URL.
	plain bool
	// unknown leaves the certificate out of the environment's caFile.
	unknown bool
}

// sound is what a host must have to be sent anything.
func sound(change func(*securedHost)) securedHost {
	host := securedHost{owner: "localhost", from: longAgo, until: farOff, newest: tls.VersionTLS13}
	change(&host)
	return host
}

// client serves handler as h says and returns a client that would trust the certificate.
func (h securedHost) client(t *testing.T, handler http.Handler) *spacesauth.Client {
	t.Helper()
	if h.plain {
		return clientOf(t, environmentAt(strings.Replace(serve(t, handler).URL, "http://", "https://", 1)))
	}
	server, caFile := serveTLS(t, handler, func(s *httptest.Server) {
		s.TLS = &tls.Config{
			Certificates: []tls.Certificate{certificate(t, h.owner, h.from, h.until)},
			MinVersion:   tls.VersionTLS10,
			MaxVersion:   h.newest,
		}
	})
	if h.unknown {
		caFile = ""
	}
	return clientOf(t, trusting(strings.Replace(server.URL, "127.0.0.1", "localhost", 1), caFile))
}

// callsOfEveryKind are one call of each kind, each with secrets in it. Those that can be
// guarded say in sent that the connection stood.
func callsOfEveryKind(sent *atomic.Int32) map[string]func(*spacesauth.Client) error {
	const idToken, accessToken, refreshToken = "id-token-of-the-bot", "access-token-of-the-bot", "refresh-token-of-the-bot"
	ctx := context.Background()
	guard := func() error { sent.Add(1); return nil }
	return map[string]func(*spacesauth.Client) error{
		"a sign-in": func(c *spacesauth.Client) error {
			_, err := c.Token(ctx, application(), password(), guard)
			return err
		},
		"a refresh": func(c *spacesauth.Client) error {
			_, err := c.Token(ctx, application(), refresh(refreshToken), guard)
			return err
		},
		"a guest's sign-in": func(c *spacesauth.Client) error {
			_, err := c.Guest(ctx, spacesauth.Guest{DisplayName: "Lobby"}, guard)
			return err
		},
		"a revocation": func(c *spacesauth.Client) error {
			return c.Revoke(ctx, spacesauth.Application{ID: appID}, spacesauth.NewSecret(refreshToken))
		},
		"a look at an ID token": func(c *spacesauth.Client) error {
			_, err := c.TokenInfo(ctx, spacesauth.NewSecret(idToken))
			return err
		},
		"a look at a profile": func(c *spacesauth.Client) error {
			_, err := c.UserProfile(ctx, "Bearer", spacesauth.NewSecret(accessToken))
			return err
		},
	}
}

// Whoever sits between must not be sent a thing by lying about who they are, and a host
// whose certificate ran out is down, not asked all the same.
func TestAHostThatIsNotTrustedGetsNothing(t *testing.T) {
	for sentence, given := range map[string]struct {
		host securedHost
		says string
	}{
		"an expired certificate":      {sound(func(h *securedHost) { h.until = longAgo.AddDate(1, 0, 0) }), "the certificate of the host has expired"},
		"a certificate of the future": {sound(func(h *securedHost) { h.from = farOff.AddDate(-1, 0, 0) }), "or is not valid yet"},
		"the certificate of another":  {sound(func(h *securedHost) { h.owner = "elsewhere.test" }), "the certificate is not that of the host"},
		"the certificate of nobody":   {sound(func(h *securedHost) { h.unknown = true }), "caFile can name another"},
		"TLS 1.1":                     {sound(func(h *securedHost) { h.newest = tls.VersionTLS11 }), "it must speak TLS 1.2 or newer"},
		"TLS 1.0":                     {sound(func(h *securedHost) { h.newest = tls.VersionTLS10 }), "it must speak TLS 1.2 or newer"},
		"no TLS at all":               {sound(func(h *securedHost) { h.plain = true }), "the host does not speak TLS"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var reached, sent atomic.Int32
			client := given.host.client(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
			for what, call := range callsOfEveryKind(&sent) {
				err := call(client)
				if kind(t, err) != spacesauth.KindUnavailable {
					t.Errorf("%s: the error was %v", what, err)
				}
				if text := fmt.Sprint(err); !strings.Contains(text, given.says) || strings.Contains(text, "\n") {
					t.Errorf("%s: %q does not say %q in one line", what, text, given.says)
				}
				expectNoSecret(t, err, appSecret, botSecret, "-of-the-bot")
			}
			if reached.Load() != 0 || sent.Load() != 0 {
				t.Errorf("%d calls reached the host, and the guard of %d ran", reached.Load(), sent.Load())
			}
		})
	}
}

// The hosts above lack one thing each: with all of them, and with TLS 1.2 already, they
// are asked. Without this they could be refused for something else.
func TestASoundHostIsAsked(t *testing.T) {
	for sentence, host := range map[string]securedHost{
		"with TLS 1.3": sound(func(*securedHost) {}),
		"with TLS 1.2": sound(func(h *securedHost) { h.newest = tls.VersionTLS12 }),
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			if _, err := host.client(t, w.Service).Token(context.Background(), application(), password(), nil); err != nil {
				t.Error(err)
			}
			if calls := w.Ledger().Calls[fakespaces.OperationPassword]; calls != 1 {
				t.Errorf("the service was asked %d times", calls)
			}
		})
	}
}
