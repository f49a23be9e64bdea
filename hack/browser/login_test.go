// Package browser signs a person in by `kubectl spaces login` with a real browser, by the
// real operator and a real API server. Other tests play each of them to the others; that
// pages, redirects and the listener fit what a browser does and forbids shows only here.
//
// It is a module of its own, so that nothing else needs a browser's protocol.
package browser

import (
	"net/http"
	"net/url"
	"os"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// handTo is set where this program plays the command that opens a browser.
const handTo = "BROWSER_TEST_HAND_TO"

func TestMain(m *testing.M) {
	to := os.Getenv(handTo)
	if to == "" {
		os.Exit(m.Run())
	}
	// The test gets the address, and opens it in its own browser.
	response, err := http.PostForm(to, url.Values{"address": {os.Args[len(os.Args)-1]}})
	if err != nil || response.Body.Close() != nil {
		os.Exit(1)
	}
}

func TestLogin(t *testing.T) {
	stack := startStack(t)
	for sentence, want := range map[string]struct {
		name     string // of the credential
		mistyped string // a password that is tried before the right one
		forged   string // the state that is sent instead of the one that login drew
		button   string
		status   int64
		title    string
		exit     int
		says     string // what the terminal says in the end
	}{
		"a person who allows is signed in": {
			name: "allowed", button: "allow", status: http.StatusOK, title: "You are signed in",
			says: "allowed is signed in as " + person + ".\n",
		},
		"a person who mistypes the password tries again": {
			name: "mistyped", mistyped: "not-the-password-of-ann", button: "allow", status: http.StatusOK, title: "You are signed in",
			says: "mistyped is signed in as " + person + ".\n",
		},
		"a person who denies leaves nothing behind": {
			name: "denied", button: "deny", status: http.StatusOK, title: "The sign-in was denied",
			exit: 1, says: "error: the sign-in was denied\n",
		},
		"a code for a sign-in that somebody else began is not used": {
			name: "forged", forged: "begun-by-somebody-else", button: "allow",
			status: http.StatusBadRequest, title: "This is not the sign-in that was begun",
			exit: 1, says: "A browser brought what belongs to another sign-in. It was not used; the wait goes on.\nerror: interrupted\n",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := stack.story(t, want.name)
			s.apply()
			login, address := s.startLogin()
			query := address.Query()
			if want.forged != "" {
				query.Set("state", want.forged)
				address.RawQuery = query.Encode()
			}
			grants := s.spaces.Ledger().GrantsIssued

			s.signIn(address.String(), want.mistyped)
			status, title, html := s.decide(want.button)
			s.Expect(title).To(Equal(want.title))
			s.Expect(status).To(Equal(want.status))

			if want.forged != "" {
				s.Eventually(func() string { return string(login.Err.Contents()) }).WithContext(s.ctx).WithTimeout(patience).Should(ContainSubstring("the wait goes on"))
				login.Terminate()
			}
			s.Eventually(login).WithContext(s.ctx).WithTimeout(patience).Should(gexec.Exit(want.exit))
			out, problem := string(login.Out.Contents()), string(login.Err.Contents())
			if want.exit == 0 {
				s.Expect(out).To(HavePrefix(want.says))
				s.expect(v1alpha1.ReasonIssued, "client", s.name+"-grant", "token")
				s.expectToken()
			} else {
				s.Expect(out).To(BeEmpty())
				s.Expect(problem).To(MatchRegexp(`\ASign in with .+\n\n  .+\n\nWaiting for .+\n%s\z`, want.says))
				s.expect(v1alpha1.ReasonAuthorizationPending, "client")
				s.Expect(s.spaces.Ledger().GrantsIssued).To(Equal(grants))
			}
			for _, secret := range s.spaces.Secrets() {
				s.Expect(out + problem + html + s.log(t)).NotTo(ContainSubstring(secret))
			}
		})
	}
}
