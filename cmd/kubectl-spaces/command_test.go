package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	. "github.com/onsi/gomega"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

func TestTheHelpOfTheRootListsEveryCommand(t *testing.T) {
	g, s := NewWithT(t), newSession()
	g.Expect(run(t.Context(), []string{"--help"}, s.tool)).To(Equal(exitDone))
	expectGolden(t, "help", s.out.String())
}

func TestEveryCommandHasAnExample(t *testing.T) {
	g := NewWithT(t)
	for _, command := range newSession().tool.rootCommand().Commands() {
		g.Expect(command.Example).To(ContainSubstring("kubectl spaces "+command.Name()), command.Name())
		g.Expect(command.ValidArgsFunction).NotTo(BeNil(), command.Name())
	}
}

func TestExitCodes(t *testing.T) {
	namespace := newNamespace(t, "exit-codes")
	create(t, credential(t, withPassword, namespace, published))
	for sentence, c := range map[string]struct {
		arguments []string
		code      int
		says      string
	}{
		"done":                       {[]string{"status", "meeting-bot"}, exitDone, ""},
		"the version":                {[]string{"version"}, exitDone, ""},
		"help":                       {nil, exitDone, ""},
		"failed":                     {[]string{"status", "nobody"}, exitFailed, "error: SpacesCredential \"nobody\" does not exist in namespace \"exit-codes\"\n"},
		"no such command":            {[]string{"lst"}, exitUsage, "error: there is no command \"lst\", did you mean list?\nSee 'kubectl spaces --help'.\n"},
		"no such flag":               {[]string{"renew", "meeting-bot", "--bogus"}, exitUsage, "error: unknown flag: --bogus\nSee 'kubectl spaces renew --help'.\n"},
		"a flag with a wrong value":  {[]string{"renew", "meeting-bot", "--timeout=soon"}, exitUsage, "See 'kubectl spaces renew --help'.\n"},
		"a form that is none":        {[]string{"list", "-o", "table"}, exitUsage, "must be one of wide, name, json, yaml\nSee 'kubectl spaces list --help'.\n"},
		"a selector that is none":    {[]string{"list", "-l", "a=(b"}, exitUsage, "error: --selector: "},
		"a name too few":             {[]string{"explain"}, exitUsage, "error: give the name of one SpacesCredential, not 0 arguments\nSee 'kubectl spaces explain --help'.\n"},
		"a name too many":            {[]string{"explain", "a", "b"}, exitUsage, "error: give the name of one SpacesCredential, not 2 arguments\n"},
		"a name where none is asked": {[]string{"list", "meeting-bot"}, exitUsage, "error: \"meeting-bot\" is one argument too many\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			g.Expect(s.run(t.Context(), namespace, c.arguments...)).To(Equal(c.code), s.err.String())
			g.Expect(s.err.String()).To(ContainSubstring(c.says))
			if c.code == exitDone {
				g.Expect(s.err.String()).To(BeEmpty())
			} else {
				g.Expect(s.out.String()).To(BeEmpty())
				g.Expect(s.err.String()).NotTo(ContainSubstring("Usage:"))
			}
		})
	}
}

func TestAClusterThatCannotBeUsedIsOneSentence(t *testing.T) {
	away := filepath.Join(t.TempDir(), "kubeconfig")
	NewWithT(t).Expect(os.WriteFile(away, []byte(`{"apiVersion": "v1", "kind": "Config", "current-context": "a",
		"clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}], "contexts": [{"name": "a", "context": {"cluster": "a"}}]}`), 0o600)).To(Succeed())
	for sentence, c := range map[string]struct{ kubeconfig, says string }{
		"no kubeconfig": {filepath.Join(t.TempDir(), "missing"), "error: the kubeconfig cannot be used: "},
		"nobody there":  {away, "error: the API server did not list SpacesCredentials in namespace \"default\": "},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			g.Expect(run(t.Context(), []string{"list", "--kubeconfig=" + c.kubeconfig}, s.tool)).To(Equal(exitFailed))
			g.Expect(s.err.String()).To(HavePrefix(c.says))
			g.Expect(strings.Count(s.err.String(), "\n")).To(Equal(1))
		})
	}
}

func TestNamesAreCompleted(t *testing.T) {
	namespace := newNamespace(t, "completion")
	create(t, credential(t, withPassword, namespace))
	create(t, credential(t, withRefreshToken, namespace, named("lobby")))
	create(t, credential(t, withCode, namespace, named("mine"), func(c *v1alpha1.SpacesCredential) { c.Spec.SecretName = "mine-token" }))
	for sentence, c := range map[string]struct {
		arguments []string
		want      []string
	}{
		"all of them":                    {[]string{"status", ""}, []string{"lobby", "meeting-bot", "mine"}},
		"those that begin so":            {[]string{"renew", "m"}, []string{"meeting-bot", "mine"}},
		"none for somebody without":      {[]string{"renew", "--as=nobody", ""}, nil},
		"none after the first":           {[]string{"renew", "lobby", ""}, nil},
		"none where no name is asked":    {[]string{"list", ""}, nil},
		"forms of output where they are": {[]string{"list", "-o", ""}, []string{"wide", "name", "json", "yaml"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			arguments := append([]string{"__complete", "--kubeconfig=" + kubeconfig, "--namespace=" + namespace}, c.arguments...)
			g.Expect(run(t.Context(), arguments, s.tool)).To(Equal(exitDone))
			lines := strings.Split(strings.TrimSpace(s.out.String()), "\n")
			g.Expect(lines[len(lines)-1]).To(Equal(":4"), "no names of files")
			g.Expect(lines[:len(lines)-1]).To(HaveExactElements(toAny(c.want)...))
		})
	}
}

func toAny(texts []string) []any {
	var result []any
	for _, text := range texts {
		result = append(result, text)
	}
	return result
}

func TestNobodySitsAtAFile(t *testing.T) {
	g := NewWithT(t)
	null, err := os.Open(os.DevNull)
	g.Expect(err).NotTo(HaveOccurred())
	file, err := os.Create(filepath.Join(t.TempDir(), "answers"))
	g.Expect(err).NotTo(HaveOccurred())
	reader, writer, err := os.Pipe()
	g.Expect(err).NotTo(HaveOccurred())
	for _, one := range []*os.File{null, file, reader, writer} {
		g.Expect(isTerminal(one)).To(BeFalse(), one.Name())
		g.Expect(one.Close()).To(Succeed())
	}
}

func TestThePageOfThePluginTellsOfEveryCommandAndFlag(t *testing.T) {
	g := NewWithT(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "kubectl-spaces.md"))
	g.Expect(err).NotTo(HaveOccurred())
	for _, command := range newSession().tool.rootCommand().Commands() {
		g.Expect(string(page)).To(ContainSubstring("kubectl spaces "+command.Name()), command.Name())
		for word := range strings.FieldsSeq(command.LocalNonPersistentFlags().FlagUsages()) {
			if strings.HasPrefix(word, "--") {
				g.Expect(string(page)).To(ContainSubstring(word), command.Name())
			}
		}
	}
}

func TestNothingSteersATerminal(t *testing.T) {
	for given, want := range map[string]string{
		"a\x1b[31mb\x07":      "a[31mb",
		"two\nlines\r\tof it": "two lines of it",
		"ümlaut…":             "ümlaut…",
		"\u202eright":         "right",
	} {
		NewWithT(t).Expect(plain(given)).To(Equal(want))
	}
}

// What a command is for fits a terminal of 80 columns; flags are wrapped by nobody.
func TestHelpFitsATerminal(t *testing.T) {
	for _, command := range newSession().tool.rootCommand().Commands() {
		for line := range strings.Lines(command.Long) {
			if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > 80 {
				t.Errorf("%s: %q", command.Name(), line)
			}
		}
	}
}
