package browser

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// patience bounds one story, far above what it takes.
const patience = 2 * time.Minute

// story is one person who signs in for one credential. It stands alone in a namespace of
// its name, and the tab is of a browser that remembers no other story.
type story struct {
	*stack
	*WithT
	t        *testing.T
	ctx, tab context.Context
	name     string
}

func (s *stack) story(t *testing.T, name string) *story {
	ctx, cancel := context.WithTimeout(s.browser, patience)
	t.Cleanup(cancel)
	tab, leave := chromedp.NewContext(ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(leave)
	return &story{stack: s, WithT: NewWithT(t), t: t, ctx: ctx, tab: tab, name: name}
}

// apply makes a credential for which nobody has signed in, and waits until the operator
// asks for a person.
func (s *story) apply() {
	listener, err := net.Listen("tcp", "localhost:0")
	s.Expect(err).NotTo(HaveOccurred())
	redirectURI := fmt.Sprintf("http://localhost:%d/signed-in", listener.Addr().(*net.TCPAddr).Port)
	s.Expect(listener.Close()).To(Succeed()) // login listens there
	s.spaces.AddRedirectURI(clientID, redirectURI)
	credential := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: s.name},
		Spec: v1alpha1.SpacesCredentialSpec{
			Environment:     environment,
			ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
			GrantType:       v1alpha1.GrantTypeAuthorizationCode,
			AuthorizationCode: &v1alpha1.AuthorizationCodeGrant{
				SecretRef: v1alpha1.AuthorizationCodeSecretReference{Name: "code"}, RedirectURI: redirectURI,
			},
			SecretName: "token",
		},
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: "client"},
		StringData: map[string]string{"client_id": clientID, "client_secret": clientSecret},
	}
	for _, object := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.name}}, secret, credential} {
		s.Expect(s.cluster.Create(s.ctx, object)).To(Succeed())
	}
	s.Eventually(func() (bool, error) {
		err := s.cluster.Get(s.ctx, client.ObjectKeyFromObject(credential), credential)
		return credential.Status.ClientID != "" && credential.Status.AuthorizationEndpoint != "", err
	}).WithContext(s.ctx).WithTimeout(patience).Should(BeTrue())
}

// startLogin starts the plugin, and tells the address that it sends the browser to. What the
// browser is given leads there once.
func (s *story) startLogin() (*gexec.Session, *url.URL) {
	addresses := make(chan string, 1)
	hand := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { addresses <- r.FormValue("address") }))
	s.t.Cleanup(hand.Close)
	self, err := os.Executable()
	s.Expect(err).NotTo(HaveOccurred())
	command := exec.Command(s.program("kubectl-spaces"), "login", s.name, "-n", s.name, "--kubeconfig", s.kubeconfig, "--browser", self)
	command.Env = append(os.Environ(), handTo+"="+hand.URL)
	login, err := gexec.Start(command, nil, nil)
	s.Expect(err).NotTo(HaveOccurred())
	s.t.Cleanup(func() { s.Eventually(login.Terminate(), patience).Should(gexec.Exit()) })
	select {
	case address := <-addresses:
		begin, err := testbed.SentTo(s.ctx, address)
		s.Expect(err).NotTo(HaveOccurred())
		return login, begin
	case <-login.Exited:
		s.t.Fatalf("it ended before it opened a browser: %s", login.Err.Contents())
	case <-s.ctx.Done():
		s.t.Fatal("it opened no browser")
	}
	return nil, nil
}

// signIn goes as far as the question whether to allow. What is mistyped, if anything, is
// tried before the right password.
func (s *story) signIn(address, mistyped string) {
	s.do(chromedp.Navigate(address), chromedp.WaitVisible(chromedp.ID("sign-in")))
	s.picture("sign-in")
	s.do(chromedp.SendKeys(chromedp.ID("username"), person))
	if mistyped != "" {
		s.give(mistyped, "message")
		s.picture("wrong-password")
	}
	s.give(password, "allow")
	s.picture("consent")
}

// give gives a password, and waits for what the next page shows.
func (s *story) give(password, next string) {
	s.do(chromedp.SendKeys(chromedp.ID("password"), password), chromedp.Click(chromedp.ID("sign-in")), chromedp.WaitVisible(chromedp.ID(next)))
}

// decide answers the question, and tells which page the browser ends at.
func (s *story) decide(button string) (status int64, title, html string) {
	response, err := chromedp.RunResponse(s.tab, chromedp.Click(chromedp.ID(button)))
	s.Expect(err).NotTo(HaveOccurred())
	s.picture("end")
	return response.Status, read(s, chromedp.Text(chromedp.CSS("h1"))), read(s, chromedp.OuterHTML(chromedp.CSS("html")))
}

func (s *story) do(steps ...chromedp.Action[chromedp.Void]) {
	s.Expect(chromedp.Do(s.tab, steps...)).To(Succeed())
}

func (s *story) picture(of string) {
	s.Expect(os.MkdirAll(s.pictures, 0o755)).To(Succeed())
	s.Expect(os.WriteFile(filepath.Join(s.pictures, s.name+"-"+of+".png"), read(s, chromedp.CaptureScreenshot()), 0o644)).To(Succeed())
}

func read[T any](s *story, action chromedp.Action[T]) T {
	value, err := chromedp.Run(s.tab, action)
	s.Expect(err).NotTo(HaveOccurred())
	return value
}

// expect compares what Ready says, and which Secrets are there.
func (s *story) expect(reason string, secrets ...string) {
	credential, found := &v1alpha1.SpacesCredential{}, &corev1.SecretList{}
	s.Expect(s.cluster.Get(s.ctx, client.ObjectKey{Namespace: s.name, Name: s.name}, credential)).To(Succeed())
	s.Expect(meta.FindStatusCondition(credential.Status.Conditions, v1alpha1.ConditionReady)).To(HaveField("Reason", reason))
	s.Expect(s.cluster.List(s.ctx, found, client.InNamespace(s.name))).To(Succeed())
	var names []string
	for i := range found.Items {
		names = append(names, found.Items[i].Name)
	}
	s.Expect(names).To(ConsistOf(secrets))
}

// expectToken tries the published token, as a workload does.
func (s *story) expectToken() {
	published := &corev1.Secret{}
	s.Expect(s.cluster.Get(s.ctx, client.ObjectKey{Namespace: s.name, Name: "token"}, published)).To(Succeed())
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.spaces.URL+"/api/users/me", http.NoBody)
	s.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", string(published.Data[v1alpha1.KeyAuthorization]))
	response, err := http.DefaultClient.Do(request)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(response.Body.Close()).To(Succeed())
	s.Expect(response).To(HaveHTTPStatus(http.StatusOK))
}
