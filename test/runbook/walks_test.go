package runbook

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

// repository is where the commands of the pages are run, as a person runs them in a checkout.
const repository = "../.."

// walks are the pages whose blocks marked `sh run` are run one after another, as somebody does who reads
// the page from its beginning, and what there is before.
var walks = map[string]func(*world){
	"README.md":         func(*world) {},
	"docs/password.md":  func(*world) {},
	"docs/anonymous.md": func(*world) {},
	"docs/refresh-token.md": func(w *world) {
		w.variables = append(w.variables, "REFRESH_TOKEN="+w.spaces.IssueGrant(clientID, user))
	},
	"docs/authorization-code.md": func(w *world) { w.browser() },
	"docs/credential.md":         func(w *world) { w.has("staging"); w.isReady() },
	"docs/tasks.md":              func(w *world) { w.has("staging"); w.isReady() },
	"docs/moving.md": func(w *world) {
		w.has("staging")
		w.isReady()
		w.folder = w.TempDir()
		w.elsewhere(func() { w.has("staging") })
	},
}

// elsewhere does something in the namespace that stands for another cluster.
func (w *world) elsewhere(do func()) {
	w.Helper()
	here := w.namespace
	w.namespace += "-new"
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	do()
	w.namespace = here
}

// has makes meeting-bot, in an environment.
func (w *world) has(environment string) {
	w.Helper()
	w.secret("spaces-client", map[string]string{"client_id": clientID, "client_secret": clientCode})
	w.secret("bot-login", map[string]string{"username": user, "password": password})
	w.credential(func(c *v1alpha1.SpacesCredential) { c.Spec.Environment = environment })
}

var marked = regexp.MustCompile("(?s)```sh run\n(.*?)```\n")

func TestThePagesLeadToAToken(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" || os.Getenv("RUNBOOK") == "" {
		t.Skip("it takes minutes: make test-runbook")
	}
	g := NewWithT(t)
	spaces, err := testbed.StartService(fakespaces.WithClient(clientID, clientCode), fakespaces.WithUser(user, password), fakespaces.WithRedirectURI(clientID, "http://localhost:3000"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(spaces.Stop()).To(Succeed()) })
	c := start(t, []spacesauth.Environment{spaces.Environment("staging"), spaces.Environment("production")})
	t.Run("", func(t *testing.T) {
		for page, before := range walks {
			t.Run(page, func(t *testing.T) {
				t.Parallel()
				w := &world{T: t, Gomega: NewWithT(t), cluster: c, ctx: t.Context(), name: page, spaces: spaces, folder: repository}
				w.namespace = strings.NewReplacer(".md", "", "docs/", "").Replace(strings.ToLower(page))
				w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
				w.variables = []string{"BOT_NAME=" + user, "BOT_PASSWORD=" + password, "CLIENT_ID=" + clientID, "CLIENT_SECRET=" + clientCode}
				before(w)
				content, err := os.ReadFile(filepath.Join(repository, page))
				w.Expect(err).NotTo(HaveOccurred())
				blocks := marked.FindAllStringSubmatch(string(content), -1)
				w.Expect(blocks).NotTo(BeEmpty())
				for _, block := range blocks {
					w.run(block[1])
				}
			})
		}
	})
}
