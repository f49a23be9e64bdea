package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// publish makes the Secret that the operator would have published for a credential.
func publish(t *testing.T, c *v1alpha1.SpacesCredential, edits ...func(*corev1.Secret)) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: c.EffectiveSecretName(), Namespace: c.Namespace, Annotations: map[string]string{
			v1alpha1.AnnotationCredential: c.Name, v1alpha1.AnnotationCredentialUID: string(c.UID), v1alpha1.AnnotationFingerprint: "5f0c9a1be2d4",
		}},
		Data: map[string][]byte{
			v1alpha1.KeyAccessToken:   []byte("published-token"),
			v1alpha1.KeyAuthorization: []byte("Bearer published-token"),
			v1alpha1.KeyExpiresAt:     []byte(noon.Add(52 * time.Minute).Format(time.RFC3339)),
			v1alpha1.KeyAPIURL:        []byte("https://api.example.test"),
		},
	}
	for _, edit := range edits {
		edit(secret)
	}
	NewWithT(t).Expect(admin.Create(t.Context(), secret)).To(Succeed())
	return secret
}

// key sets one key of a Secret.
func key(name, value string) func(*corev1.Secret) {
	return func(secret *corev1.Secret) { secret.Data[name] = []byte(value) }
}

func TestATokenIsPrintedWhenItIsMeant(t *testing.T) {
	object := create(t, credential(t, withPassword, newNamespace(t, "token"), published))
	publish(t, object)
	for sentence, c := range map[string]struct {
		arguments []string
		golden    string
	}{
		"alone":       {[]string{"--show"}, "token"},
		"as a header": {[]string{"--show", "--header"}, "token_header"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newSession()
			NewWithT(t).Expect(s.run(t.Context(), object.Namespace, append([]string{"token", object.Name}, c.arguments...)...)).To(Equal(exitDone), s.err.String())
			expectGolden(t, c.golden, s.out.String())
		})
	}
	t.Run("and not without --show", func(t *testing.T) {
		g, s := NewWithT(t), newSession()
		g.Expect(s.run(t.Context(), object.Namespace, "token", object.Name)).To(Equal(exitUsage))
		g.Expect(s.out.String()).To(BeEmpty())
		expectGolden(t, "token_not_shown", s.err.String())
	})
}

func TestATokenThatCannotBeUsedIsNotPrinted(t *testing.T) {
	for sentence, c := range map[string]struct {
		namespace string
		edit      func(*corev1.Secret)
		says      string
	}{
		"because it expired":                 {"token-expired", key(v1alpha1.KeyExpiresAt, noon.Add(-5*time.Minute).Format(time.RFC3339)), "the token expired 5m ago"},
		"because it was emptied":             {"token-emptied", key(v1alpha1.KeyAccessToken, ""), "holds no token at present"},
		"because nobody knows when it ends":  {"token-endless", key(v1alpha1.KeyExpiresAt, "soon"), "does not tell when its token expires"},
		"because the Secret is someone's":    {"token-foreign", func(s *corev1.Secret) { s.Annotations = nil }, "was not published for SpacesCredential"},
		"because it was another object's":    {"token-old", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationCredentialUID] = "gone" }, "was not published for SpacesCredential"},
		"because nothing is published there": {"token-missing", func(s *corev1.Secret) { s.Name = "elsewhere" }, "no token is published"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := create(t, credential(t, withPassword, newNamespace(t, c.namespace), published))
			publish(t, object, c.edit)
			g.Expect(s.run(t.Context(), object.Namespace, "token", object.Name, "--show")).To(Equal(exitFailed))
			g.Expect(s.out.String()).To(BeEmpty())
			g.Expect(s.err.String()).To(And(ContainSubstring(c.says), HaveSuffix("`kubectl spaces explain meeting-bot -n "+c.namespace+"` says why\n")))
		})
	}
}

// accessToken signs in at a Spaces in memory.
func accessToken(t *testing.T, spaces *fakespaces.Service, server *httptest.Server) string {
	t.Helper()
	g := NewWithT(t)
	answer, err := server.Client().PostForm(server.URL+"/oauth2/access_token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {spaces.IssueGrant("my-app", "bot@example.test")},
		"client_id": {"my-app"}, "client_secret": {"app-secret"},
	})
	g.Expect(err).NotTo(HaveOccurred())
	defer answer.Body.Close()
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	g.Expect(json.NewDecoder(answer.Body).Decode(&tokens)).To(Succeed())
	g.Expect(tokens.AccessToken).NotTo(BeEmpty())
	return tokens.AccessToken
}

func TestWhoamiAsksTheService(t *testing.T) {
	g := NewWithT(t)
	spaces := fakespaces.New(fakespaces.WithClient("my-app", "app-secret"), fakespaces.WithUser("bot@example.test", "hunter2"))
	server := httptest.NewServer(spaces)
	t.Cleanup(server.Close)
	token := accessToken(t, spaces, server)
	object := create(t, credential(t, withPassword, newNamespace(t, "whoami"), published))
	publish(t, object, key(v1alpha1.KeyAPIURL, server.URL+"/"), key(v1alpha1.KeyAuthorization, "Bearer "+token))
	var sender atomic.Value
	spaces.Intercept(func(call fakespaces.Call) fakespaces.Fault {
		sender.Store(call.Header.Get("User-Agent"))
		return fakespaces.NoFault
	})
	for _, form := range []string{"", "json", "yaml"} {
		s := newSession()
		arguments, golden := []string{"whoami", object.Name}, "whoami"
		if form != "" {
			arguments, golden = append(arguments, "-o", form), "whoami_"+form
		}
		g.Expect(s.run(t.Context(), object.Namespace, arguments...)).To(Equal(exitDone), s.err.String())
		expectGolden(t, golden, s.out.String())
		g.Expect(sender.Load()).To(Equal("kubectl-spaces/" + s.tool.version))
		g.Expect(s.out.String() + s.err.String()).NotTo(ContainSubstring(token))
	}
}

func TestWhoamiSaysInOneSentenceWhatFailed(t *testing.T) {
	const secret = "a-token-never-to-be-seen"
	var seen int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen++
		switch {
		case strings.HasPrefix(r.URL.Path, "/refused"):
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(r.URL.Path, "/moved"):
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/html"):
			fmt.Fprint(w, "<html>"+secret)
		case strings.HasPrefix(r.URL.Path, "/endless"):
			fmt.Fprint(w, `{"username": "`+strings.Repeat("a", largestProfile)+`"}`)
		case strings.HasPrefix(r.URL.Path, "/cut"):
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"user`)
		}
	}))
	t.Cleanup(server.Close)
	address := func(path string) string { return server.URL + path }
	young := func(c *v1alpha1.SpacesCredential) { published(c); c.Status.Token.IssueTime = atp(-30 * time.Second) }
	for sentence, c := range map[string]struct {
		namespace, api string
		status         func(*v1alpha1.SpacesCredential)
		calls          int
		says           string
	}{
		"a token that is refused":       {"whoami-refused", address("/refused"), published, 1, "error: the token is not accepted\n"},
		"a young token that is refused": {"whoami-young", address("/refused"), young, 1, "it is younger than a minute and the service may not know it yet"},
		"a redirect":                    {"whoami-moved", address("/moved"), published, 1, "answered with status 302"},
		"a web page":                    {"whoami-html", address("/html"), published, 1, "cannot be read"},
		"an answer without an end":      {"whoami-endless", address("/endless"), published, 1, "cannot be read"},
		"an answer that breaks off":     {"whoami-cut", address("/cut"), published, 1, "broke off"},
		"nobody there":                  {"whoami-away", "http://127.0.0.1:1", published, 0, "the Spaces API at 127.0.0.1:1 did not answer"},
		"a plain host":                  {"whoami-plain", "http://api.example.test", published, 0, "it does not begin with https://"},
		"a user in the address":         {"whoami-user", "https://me:pass@api.example.test", published, 0, "it names a user"},
		"no address":                    {"whoami-none", "", published, 0, "it is no address"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			seen = 0
			object := create(t, credential(t, withPassword, newNamespace(t, c.namespace), c.status))
			publish(t, object, key(v1alpha1.KeyAPIURL, c.api), key(v1alpha1.KeyAuthorization, "Bearer "+secret))
			g.Expect(s.run(t.Context(), object.Namespace, "whoami", object.Name)).To(Equal(exitFailed))
			g.Expect(s.out.String()).To(BeEmpty())
			g.Expect(s.err.String()).To(And(ContainSubstring(c.says), Not(ContainSubstring(secret)), Not(ContainSubstring("pass"))))
			g.Expect(strings.Count(s.err.String(), "\n")).To(Equal(1))
			g.Expect(seen).To(Equal(c.calls))
		})
	}
}
