package main

import (
	"testing"

	. "github.com/onsi/gomega"
)

// Somebody who may read SpacesCredentials and no Secret sees what can be seen, and
// reads what is refused.
func TestSomebodyWhoMayReadNoSecretSeesTheRest(t *testing.T) {
	namespace := newNamespace(t, "viewer")
	object := create(t, credential(t, withPassword, namespace, published))
	clientSecret(t, namespace)
	publish(t, object)
	for sentence, c := range map[string]struct {
		arguments []string
		golden    string
	}{
		"in a list":         {[]string{"list"}, "viewer_list"},
		"in a status":       {[]string{"status", "meeting-bot"}, "viewer_status"},
		"in an explanation": {[]string{"explain", "meeting-bot"}, "viewer_explain"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newSession()
			NewWithT(t).Expect(s.run(t.Context(), namespace, append(c.arguments, "--as="+viewer)...)).To(Equal(exitDone), s.err.String())
			expectGolden(t, c.golden, s.out.String())
		})
	}
	for sentence, c := range map[string]struct {
		arguments []string
		says      string
	}{
		"a token":      {[]string{"token", "meeting-bot", "--show"}, `the token cannot be read: you may not get Secret "meeting-bot-token" in namespace "viewer"`},
		"whose it is":  {[]string{"whoami", "meeting-bot"}, `the token cannot be read: you may not get Secret "meeting-bot-token" in namespace "viewer"`},
		"a renewal":    {[]string{"renew", "meeting-bot"}, `you may not patch SpacesCredentials in namespace "viewer"`},
		"a revocation": {[]string{"revoke", "meeting-bot", "--yes"}, `you may not patch SpacesCredentials in namespace "viewer"`},
		"a pause":      {[]string{"suspend", "meeting-bot"}, `you may not patch SpacesCredentials in namespace "viewer"`},
	} {
		t.Run("and is refused "+sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			g.Expect(s.run(t.Context(), namespace, append(c.arguments, "--as="+viewer)...)).To(Equal(exitFailed))
			g.Expect(s.out.String()).To(BeEmpty())
			g.Expect(s.err.String()).To(Equal("error: " + c.says + "\n"))
		})
	}
}

func TestSomebodyWithoutAnyRightIsToldSo(t *testing.T) {
	g, s := NewWithT(t), newSession()
	g.Expect(s.run(t.Context(), "default", "list", "-A", "--as=nobody")).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(Equal("error: you may not list SpacesCredentials in all namespaces\n"))
}
