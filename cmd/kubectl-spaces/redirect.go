package main

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// longestCode bounds a code; no service documents more.
const longestCode = 4096

// knownErrors are the codes of RFC 6749 section 4.1.2.1. Others, and every free text
// of an answer, are not repeated.
var knownErrors = []string{
	"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type",
	"invalid_scope", "server_error", "temporarily_unavailable",
}

// signIn is one browser sign-in: RFC 6749 section 4.1 with PKCE (RFC 7636).
type signIn struct {
	state, verifier string
	request         oauth2.Config
	// redirects are where the browser may come back to, best first.
	redirects []*url.URL
	// redirect is the one of them that was chosen, and address is where the browser begins.
	redirect *url.URL
	address  string
}

// newSignIn draws state and verifier and composes the address of the sign-in.
func (t *tool) newSignIn(credential *v1alpha1.SpacesCredential, clientID string) (*signIn, error) {
	endpoint, err := safeURL(credential.Status.AuthorizationEndpoint)
	if err != nil {
		return nil, fmt.Errorf("status.authorizationEndpoint cannot be used: %w", err)
	}
	endpoint.Fragment = ""
	s := &signIn{verifier: oauth2.GenerateVerifier(), request: oauth2.Config{
		ClientID: clientID, Endpoint: oauth2.Endpoint{AuthURL: endpoint.String()}, Scopes: credential.EffectiveScopes(),
	}}
	for _, text := range credential.Spec.AuthorizationCode.AllRedirectURIs() {
		redirect, err := url.Parse(text)
		if err != nil || redirect.Host == "" {
			return nil, errors.New("a redirect URI in spec.authorizationCode is no address")
		}
		s.redirects = append(s.redirects, redirect)
	}
	if s.state, err = t.newState(); err != nil {
		return nil, err
	}
	s.comeBackTo(s.redirects[0])
	return s, nil
}

// comeBackTo chooses one of the redirect URIs, and composes the address with it.
func (s *signIn) comeBackTo(redirect *url.URL) {
	s.redirect, s.request.RedirectURL = redirect, redirect.String()
	s.address = s.request.AuthCodeURL(s.state, oauth2.AccessTypeOffline, oauth2.S256ChallengeOption(s.verifier))
}

// heard are the redirect URIs at which this machine can listen.
func (s *signIn) heard() []*url.URL {
	return slices.DeleteFunc(slices.Clone(s.redirects), func(redirect *url.URL) bool {
		return redirect.Scheme != "http" || !isLoopback(redirect.Hostname())
	})
}

// answer is what a browser brings back: a code, or what is wrong, for the terminal and
// for the page.
type answer struct {
	code    string
	problem error
	page    page
}

// isAnswer tells whether a request has anything of an answer. A browser asks for a
// page of its own accord, too.
func isAnswer(query url.Values) bool {
	return query.Has("code") || query.Has("error") || query.Has("state")
}

// isOurs tells that an answer belongs to this sign-in. Before that is known nothing of it
// counts: any page of the web can send a browser here.
func (s *signIn) isOurs(query url.Values) bool {
	return subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(s.state)) == 1
}

// judge reads an answer that is ours.
func (s *signIn) judge(query url.Values) answer {
	code := query.Get("code")
	switch {
	case query.Get("error") == "access_denied":
		return answer{page: pageDenied, problem: errors.New("the sign-in was denied")}
	case slices.Contains(knownErrors, query.Get("error")):
		return answer{page: pageFailed, problem: fmt.Errorf("the service refused the sign-in: %s", query.Get("error"))}
	case query.Has("error"):
		return answer{page: pageFailed, problem: errors.New("the service refused the sign-in with an error of its own")}
	case code == "" || len(code) > longestCode || strings.ContainsFunc(code, unprintable):
		return answer{page: pageFailed, problem: errors.New("the service sent no code that can be used")}
	}
	return answer{page: pageSignedIn, code: code}
}

// unprintable tells of what cannot stand in a code (RFC 6749 appendix A.11).
func unprintable(r rune) bool { return r < 0x20 || r > 0x7e }

// pasted reads an answer from the address that a person copied out of a browser. Its error
// is about the paste, which can be made again.
func (s *signIn) pasted(text string) (answer, error) {
	address, err := url.Parse(text)
	if err != nil || !samePlace(address, s.redirect) {
		return answer{}, fmt.Errorf("that is no address that begins with %s: paste the whole address from the browser", s.redirect)
	}
	switch {
	case !isAnswer(address.Query()):
		return answer{}, errors.New("that address holds no answer of the service: paste it whole, after the sign-in")
	case !s.isOurs(address.Query()):
		return answer{}, errors.New("that address belongs to another sign-in: use the one that was printed here")
	}
	return s.judge(address.Query()), nil
}

// samePlace tells whether two addresses differ in their queries at most. Browsers leave
// out a usual port.
func samePlace(one, other *url.URL) bool {
	port := func(address *url.URL) string {
		return orDefault(address.Port(), map[string]string{"http": plainPort, "https": "443"}[address.Scheme])
	}
	return one.Scheme == other.Scheme && strings.EqualFold(one.Hostname(), other.Hostname()) && port(one) == port(other) && pathOf(one) == pathOf(other)
}

// pathOf is the path that a browser asks for.
func pathOf(address *url.URL) string {
	return orDefault(address.EscapedPath(), "/")
}
