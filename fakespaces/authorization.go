package fakespaces

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// authorization is what a client asks for through a browser (RFC 6749 section
// 4.1.1).
type authorization struct {
	client, redirectURI, state string
	challenge, method          string // of PKCE (RFC 7636 section 4.3): both or neither
	scopes                     []string
}

// objection is what is wrong with an authorization, in words that the client
// may hear: RFC 6749 section 4.1.2.1.
type objection struct{ code, description string }

var denial = objection{codeAccessDenied, "the person did not allow it"}

// readAuthorization reads the query of an address that mistrust has let pass.
// The access_type is not looked at: every grant gets a refresh token, as if it
// were always offline.
func (s *Service) readAuthorization(query url.Values) (authorization, *objection) {
	asked := authorization{
		client:      query.Get("client_id"),
		redirectURI: query.Get("redirect_uri"),
		state:       query.Get("state"),
		challenge:   query.Get("code_challenge"),
		method:      query.Get("code_challenge_method"),
	}
	for _, name := range []string{"response_type", "scope", "state", "code_challenge", "code_challenge_method"} {
		if len(query[name]) > 1 {
			return asked, &objection{codeInvalidRequest, name + " is given twice"} // RFC 6749 section 3.1
		}
	}
	if query.Get("response_type") == "" {
		return asked, &objection{codeInvalidRequest, "response_type is missing"}
	}
	if query.Get("response_type") != "code" {
		return asked, &objection{codeUnsupportedResponseType, "response_type must be code"}
	}
	scopes, fine := chooseScopes(query.Get("scope"), allScopes())
	if !fine {
		return asked, &objection{codeInvalidScope, "unknown scope"}
	}
	asked.scopes = scopes
	if err := checkChallenge(asked.method, asked.challenge); err != nil {
		return asked, &objection{codeInvalidRequest, err.Error()}
	}
	if asked.challenge == "" && s.isPublic(asked.client) {
		return asked, &objection{codeInvalidRequest, "code_challenge is missing, which a public client needs"} // RFC 7636 section 4.4.1
	}
	return asked, nil
}

// isPublic tells whether a client has no secret (RFC 6749 section 2.1). What it has instead is
// PKCE: without that a code that somebody else got hold of would be enough (RFC 9700 section
// 2.1.1).
func (s *Service) isPublic(client string) bool {
	secret, known := s.clients[client]
	return known && secret == ""
}

// mistrust tells why the browser must not be sent to the redirect URI of a
// query. The person is told instead (RFC 6749 section 4.1.2.1).
func (s *Service) mistrust(query url.Values) error {
	client, uri := query.Get("client_id"), query.Get("redirect_uri")
	if len(query["client_id"]) > 1 || len(query["redirect_uri"]) > 1 {
		return errors.New("client_id or redirect_uri is given twice")
	}
	if _, known := s.clients[client]; !known {
		return errors.New("unknown client_id")
	}
	if err := checkRedirectURI(uri); err != nil {
		return err
	}
	if !s.registered(client, uri) {
		return errors.New("redirect_uri is not registered for this client")
	}
	return nil
}

// withCode is the address that brings a code back.
func (a authorization) withCode(code string) string {
	return a.returning(url.Values{"code": {code}})
}

// withObjection is the address that brings an error back.
func (a authorization) withObjection(o objection) string {
	return a.returning(url.Values{"error": {o.code}, "error_description": {o.description}})
}

// returning adds parameters, and the state if one came, to the redirect URI,
// whose own query is kept as it is (RFC 6749 section 3.1.2).
func (a authorization) returning(parameters url.Values) string {
	if a.state != "" {
		parameters.Set("state", a.state)
	}
	separator := "?"
	if strings.Contains(a.redirectURI, "?") {
		separator = "&"
	}
	return a.redirectURI + separator + parameters.Encode()
}

// sentBack sends the browser away. 303 has it forget the form that it posted
// (RFC 9700 section 4.12).
func sentBack(address string) *answer {
	away := plainAnswer(http.StatusSeeOther, "", "")
	away.header.Set("Location", address)
	away.header.Set("Cache-Control", "no-store")
	return away
}

func (a authorization) objectTo(o objection) *answer {
	away := sentBack(a.withObjection(o))
	away.refusal = o.code
	return away
}
