package fakespaces

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// AddRedirectURI registers an address to which browsers may be sent back with
// a code for a client; see [WithRedirectURI]. It panics on an address that is
// not absolute or has a fragment (RFC 6749 section 3.1.2).
func (s *Service) AddRedirectURI(clientID, uri string) {
	mustBe(checkRedirectURI(uri))
	s.change(func() { s.redirectURIs[clientID] = append(s.redirectURIs[clientID], uri) })
}

// registered compares addresses byte by byte (RFC 9700 section 2.1): a slash
// more is another address.
func (s *Service) registered(client, uri string) bool {
	known := s.redirectURIs[client]
	return len(known) == 0 || slices.Contains(known, uri)
}

func checkRedirectURI(uri string) error {
	parsed, err := url.Parse(uri)
	switch {
	case uri == "":
		return errors.New("redirect_uri is missing")
	// An opaque one is host:port without its scheme, as a rule.
	case err != nil || !parsed.IsAbs() || parsed.Opaque != "" || strings.HasPrefix(parsed.Scheme, "http") && parsed.Host == "":
		return errors.New("redirect_uri is not absolute")
	case strings.Contains(uri, "#"):
		return errors.New("redirect_uri has a fragment")
	}
	return nil
}
