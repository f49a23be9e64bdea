package main

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// Many a service has the certificate of a company's own authority, and lies behind its proxy.
func TestWhoamiGoesTheWayThatFlagsName(t *testing.T) {
	spaces := fakespaces.New(fakespaces.WithClient("my-app", "app-secret"), fakespaces.WithUser("bot@example.test", "hunter2"))
	plainly := httptest.NewServer(spaces)
	t.Cleanup(plainly.Close)
	token := accessToken(t, spaces, plainly)
	server := httptest.NewUnstartedServer(spaces)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it is refused once
	server.StartTLS()
	t.Cleanup(server.Close)
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "ca.pem")
		NewWithT(t).Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
		return path
	}
	authority := file(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	var tunnelled atomic.Int32
	proxy := httptest.NewServer(tunnel(server.Listener.Addr().String(), &tunnelled))
	t.Cleanup(proxy.Close)
	behindProxy := "https://example.com" // a name in the certificate; the proxy leads it to the server
	withUser := strings.Replace(proxy.URL, "://", "://me:dig@", 1)

	for sentence, c := range map[string]struct {
		namespace, api string
		flags          []string
		code           int
		says           string
		tunnelled      int32
	}{
		"an authority of the flag":        {"network-ca", server.URL, []string{"--ca-file", authority}, exitDone, "bot@example.test", 0},
		"an authority that is unknown":    {"network-unknown", server.URL, nil, exitFailed, "--ca-file names a copy of it here\n", 0},
		"an authority, and a proxy":       {"network-proxy", behindProxy, []string{"--ca-file", authority, "--proxy-url", withUser}, exitDone, "bot@example.test", 1},
		"a proxy, and no way to this one": {"network-loopback", server.URL, []string{"--ca-file", authority, "--proxy-url", withUser}, exitDone, "bot@example.test", 0},
		"a file that is not there":        {"network-gone", server.URL, []string{"--ca-file", "/nonexistent/ca.pem"}, exitFailed, "/nonexistent/ca.pem", 0},
		"a file that is none":             {"network-none", server.URL, []string{"--ca-file", file("x")}, exitFailed, "holds no PEM certificate", 0},
		"a proxy that is none":            {"network-ftp", server.URL, []string{"--proxy-url", "ftp://me:dig@x"}, exitFailed, "proxyURL must use the scheme", 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			tunnelled.Store(0)
			object := create(t, credential(t, withPassword, newNamespace(t, c.namespace), published))
			publish(t, object, key(v1alpha1.KeyAPIURL, c.api), key(v1alpha1.KeyAuthorization, "Bearer "+token))
			g.Expect(s.run(t.Context(), object.Namespace, append([]string{"whoami", object.Name}, c.flags...)...)).To(Equal(c.code), s.err.String())
			g.Expect(s.out.String() + s.err.String()).To(And(ContainSubstring(c.says), Not(ContainSubstring(token)), Not(ContainSubstring("dig"))))
			g.Expect(tunnelled.Load()).To(Equal(c.tunnelled))
		})
	}
}

// tunnel is an HTTP proxy that leads every CONNECT to one address.
func tunnel(to string, asked *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		near, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = near.Close() }()
		far, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer func() { _ = far.Close() }()
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
		_, _ = io.Copy(near, far)
	}
}
