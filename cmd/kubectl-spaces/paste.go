package main

import (
	"strings"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// reached are the flags of this call that name a cluster and a person, as the next call needs
// them. No secret is among them.
func (t *tool) reached() string {
	var words []string
	for _, flag := range []struct {
		name  string
		value *string
	}{
		{"--kubeconfig", t.config.KubeConfig}, {"--context", t.config.Context}, {"--cluster", t.config.ClusterName},
		{"--user", t.config.AuthInfoName}, {"--as", t.config.Impersonate},
	} {
		if flag.value != nil && *flag.value != "" {
			words = append(words, flag.name+"="+quoted(*flag.value))
		}
	}
	return strings.Join(words, " ")
}

// paste is a command of kubectl, in quotes, that does what it says where it is pasted: with the
// namespace, and the cluster as it was named. Flags come last: kubectl wants them behind the
// name of a plugin's command.
func (c *cluster) paste(words, namespace string) string {
	command := "kubectl " + words
	if namespace != "" {
		command += " -n " + namespace
	}
	if c.reached != "" {
		command += " " + c.reached
	}
	return "`" + command + "`"
}

// pasteSpaces is a command of this plugin about one credential.
func (c *cluster) pasteSpaces(verb string, credential *v1alpha1.SpacesCredential) string {
	return c.paste("spaces "+verb+" "+credential.Name, credential.Namespace)
}

// quoted is one word for a shell.
func quoted(word string) string {
	isPlain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%_+=:,./-", r)
	}
	if strings.IndexFunc(word, func(r rune) bool { return !isPlain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
