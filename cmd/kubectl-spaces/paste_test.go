package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// pastable finds the commands in a text.
var pastable = regexp.MustCompile("`(kubectl [^`]+)`")

// A remedy is pasted by somebody whose own namespace and context are others.
func TestEveryRemedyCanBePasted(t *testing.T) {
	g := NewWithT(t)
	file, err := clientcmd.LoadFromFile(kubeconfig)
	g.Expect(err).NotTo(HaveOccurred())
	file.Contexts["a far one"] = file.Contexts[file.CurrentContext].DeepCopy()
	file.Contexts["a far one"].Namespace = "default"
	file.CurrentContext = "nowhere"
	elsewhere := filepath.Join(t.TempDir(), "it's a kubeconfig")
	g.Expect(clientcmd.WriteToFile(*file, elsewhere)).To(Succeed())
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")

	namespace := newNamespace(t, "remedies")
	commands := map[string]bool{}
	for name, source := range map[string]string{"password": withPassword, "token": withRefreshToken, "code": withCode, "guest": asGuest} {
		object := create(t, credential(t, source, namespace, named(name), func(c *v1alpha1.SpacesCredential) { c.Spec.SecretName = name + "-published" }))
		g.Expect(admin.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-published"}})).To(Succeed())
		seen := newSession()
		*seen.tool.config.KubeConfig, *seen.tool.config.Context = elsewhere, "a far one"
		at, err := seen.tool.cluster()
		g.Expect(err).NotTo(HaveOccurred())
		for _, reason := range v1alpha1.Reasons() {
			text := at.remedy(reason, object)
			g.Expect(strings.ReplaceAll(pastable.ReplaceAllString(text, ""), "kubectl spaces", "kubectl ")).NotTo(ContainSubstring("kubectl "), "a command is in quotes: "+text)
			for _, found := range pastable.FindAllStringSubmatch(text, -1) {
				commands[found[1]] = true
			}
		}
	}
	g.Expect(len(commands)).To(BeNumerically(">", 10))
	for command := range commands {
		words := split(t, command)
		if words[1] != "spaces" {
			said, err := exec.Command(kubectl, append(words[1:], "--dry-run=server")...).CombinedOutput()
			g.Expect(err).NotTo(HaveOccurred(), command+": "+string(said))
			continue
		}
		g.Expect(words[2]).NotTo(HavePrefix("-"), "kubectl takes no flag before a plugin's command")
		if slices.Contains(words, "renew") {
			words = append(words, "--wait=false")
		}
		pasted := newSession()
		code := run(t.Context(), words[2:], pasted.tool)
		g.Expect(code).NotTo(Equal(exitUsage), command+": "+pasted.err.String())
		g.Expect(pasted.err.String()).NotTo(Or(ContainSubstring("does not exist"), ContainSubstring("kubeconfig")), command)
		if !slices.Contains(words, "login") { // which nobody has prepared here
			g.Expect(code).To(Equal(exitDone), command+": "+pasted.err.String())
		}
	}
}

// split has a shell say what the words of a command are.
func split(t *testing.T, command string) []string {
	t.Helper()
	said, err := exec.Command("sh", "-c", `printf '%s\n' `+command).Output()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return strings.Split(strings.TrimSuffix(string(said), "\n"), "\n")
}
