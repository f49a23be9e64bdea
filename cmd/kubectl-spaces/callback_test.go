package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func TestWhatBelongsToAnotherSignInDoesNotEndThisOne(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withCode, newNamespace(t, "login-strangers"), pending("http://localhost:"+freePort(t))))
	grants(t, object)
	signsIn(t, s, func(asked url.Values) url.Values {
		for _, foreign := range []url.Values{
			{"code": {theCode}, "state": {"another"}}, {"code": {theCode}}, {"error": {"access_denied"}}, {"error": {"access_denied"}, "state": {""}},
		} {
			seen, err := comeBack(asked, foreign)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(seen.status).To(Equal(http.StatusBadRequest))
			g.Expect(seen.page).To(ContainSubstring("<h1>This is not the sign-in that was begun</h1>"))
		}
		return withTheCode(asked)
	})
	g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitDone), s.err.String())
	g.Expect(strings.Count(s.err.String(), "belongs to another sign-in. It was not used; the wait goes on.\n")).To(Equal(1))
	expectNoSecretIn(t, s, "")
	expectNothingLeft(t, object)
}

// Whoever may read the arguments of a program learns nothing of the sign-in from them, and
// whoever opens the address first ends it.
func TestTheBrowserIsGivenAnAddressThatIsGoodOnce(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withCode, newNamespace(t, "login-once"), pending("http://localhost:"+freePort(t)+"/callback")))
	var given string
	s.tool.openBrowser = func(_, address string) error {
		given = address
		first, err := testbed.SentTo(t.Context(), address)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(first.String()).To(HavePrefix("https://accounts.example.test/oauth2/authorize?"))
		second, err := http.Get(address)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(second.StatusCode).To(Equal(http.StatusGone))
		return second.Body.Close()
	}
	g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(HaveSuffix("somebody else on this machine may have it: begin again\n"))
	g.Expect(given).To(HavePrefix(strings.TrimSuffix(object.Spec.AuthorizationCode.RedirectURI, "/callback") + startPath))
	g.Expect(given).NotTo(Or(ContainSubstring("state"), ContainSubstring("challenge"), ContainSubstring("accounts.example.test")))
	g.Expect(s.err.String()).NotTo(ContainSubstring(given))
	expectNothingLeft(t, object)
}

// The operator exchanges a code with the very redirect URI that it was given for.
func TestABusyPortTakesTheNextRedirectURI(t *testing.T) {
	g, s := NewWithT(t), newSession()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = taken.Close() })
	next := "http://localhost:" + freePort(t) + "/callback"
	object := create(t, credential(t, withCode, newNamespace(t, "login-next"), pending("http://"+taken.Addr().String()), func(c *v1alpha1.SpacesCredential) {
		c.Spec.AuthorizationCode.RedirectURIs = []string{"https://example.test/callback", next}
	}))
	var handed *corev1.Secret
	playOperator(t, &corev1.SecretList{}, func(seen client.Object) bool {
		if codeArrives(seen) {
			handed = seen.(*corev1.Secret)
		}
		return handed != nil
	}, object, func(acted *v1alpha1.SpacesCredential) {
		acted.Status.Conditions = nil
		published(acted)
		acted.Status.Grant.StartTime = atp(0)
	})
	visits := signsIn(t, s, withTheCode)
	g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name, "--expected-user=bot@example.test")).To(Equal(exitDone), s.err.String())
	seen := <-visits
	g.Expect(seen.asked.Get("redirect_uri")).To(Equal(next))
	g.Expect(handed.Data).To(And(HaveLen(4), HaveKeyWithValue("redirect_uri", []byte(next)), HaveKeyWithValue("expected_user", []byte("bot@example.test"))))
}

// A machine may have but one kind of loopback address. What another program has is told apart
// from that, because the browser might bring the code there.
func TestLocalhostIsWhatTheMachineHasOfIt(t *testing.T) {
	there := func(string) error { return nil }
	on := func(address string, errno syscall.Errno) func(string) error {
		return func(asked string) error {
			if asked != address {
				return nil
			}
			return &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", errno)}
		}
	}
	for sentence, c := range map[string]struct {
		on   func(string) error
		want []string
		says string
	}{
		"both":                        {there, []string{"127.0.0.1:3000", "[::1]:3000"}, ""},
		"IPv4 alone":                  {on("[::1]:3000", syscall.EADDRNOTAVAIL), []string{"127.0.0.1:3000"}, ""},
		"IPv6 alone":                  {on("127.0.0.1:3000", syscall.EAFNOSUPPORT), []string{"[::1]:3000"}, ""},
		"IPv4 alone, on Windows":      {on("[::1]:3000", syscall.Errno(10049)), []string{"127.0.0.1:3000"}, ""},
		"taken on IPv6":               {on("[::1]:3000", syscall.EADDRINUSE), nil, "[::1]:3000 is taken by another program"},
		"taken on IPv4":               {on("127.0.0.1:3000", syscall.EADDRINUSE), nil, "127.0.0.1:3000 is taken by another program"},
		"taken on IPv4, on Windows":   {on("127.0.0.1:3000", windowsInUse), nil, "127.0.0.1:3000 is taken by another program"},
		"forbidden":                   {func(string) error { return syscall.EACCES }, nil, "you may not listen on 127.0.0.1:3000"},
		"nothing that can be told of": {func(string) error { return errors.New("no network") }, nil, "cannot listen on 127.0.0.1:3000"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			open := map[string]bool{}
			s.tool.listenOn = func(_, address string) (net.Listener, error) {
				if err := c.on(address); err != nil {
					return nil, err
				}
				open[address] = true
				return &pretended{address: address, open: open}, nil
			}
			redirect, err := url.Parse("http://localhost:3000")
			g.Expect(err).NotTo(HaveOccurred())
			found, err := s.tool.listeners(redirect)
			if c.says != "" {
				g.Expect(err).To(MatchError(c.says))
				g.Expect(open).To(BeEmpty(), "nothing stays open")
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			var got []string
			for _, one := range found {
				got = append(got, one.(*pretended).address)
			}
			g.Expect(got).To(Equal(c.want))
		})
	}
}

// pretended is a listener that is none.
type pretended struct {
	net.Listener
	address string
	open    map[string]bool
}

func (p *pretended) Close() error { delete(p.open, p.address); return nil }

// The browser as a process: its arguments are what everybody on the machine may read.
func TestABrowserCommandSeesTheAddressThatIsGoodOnce(t *testing.T) {
	g, s := NewWithT(t), newSession()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell")
	}
	written := filepath.Join(t.TempDir(), "arguments")
	script := filepath.Join(t.TempDir(), "browser")
	g.Expect(os.WriteFile(script, []byte("#!"+shell+"\nprintf '%s' \"$*\" >"+written+"\n"), 0o700)).To(Succeed())
	object := create(t, credential(t, withCode, newNamespace(t, "login-arguments"), pending("http://localhost:"+freePort(t))))
	ctx, cancel := context.WithCancel(t.Context())
	s.tool.openBrowser = func(command, address string) error {
		defer cancel()
		return openBrowser(command, address)
	}
	g.Expect(s.run(ctx, object.Namespace, "login", object.Name, "--browser="+script)).To(Equal(exitFailed))
	got, err := os.ReadFile(written)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(got)).To(MatchRegexp(`^http://localhost:\d+/sign-in/[-_A-Za-z0-9]{43}$`))
}
