package fakespaces

import (
	"fmt"
	"net/http"
	"net/url"
)

// Decision is the body of POST /fakespaces/consents: the person User opens
// URL, signs in and allows what is asked, or denies it. See [Service.Consent].
type Decision struct {
	URL  string `json:"url"`
	User string `json:"user"`
	Deny bool   `json:"deny,omitempty"`
}

// DecisionAnswer is the answer to a Decision: where the browser is sent.
type DecisionAnswer struct {
	Redirect string `json:"redirect"`
}

// Consent plays a person without a browser: opens the address that a client
// made, signs in as a user, and allows what is asked. It gives the address to
// which the browser would be sent, with a code, or with an error if something
// is wrong with the request. Where the service would show a page instead,
// because it does not trust the redirect_uri or knows no such client or user,
// there is an error. It is not a call: nothing is counted, and no fault comes.
func (s *Service) Consent(authorizeURL, username string) (redirect string, err error) {
	return s.decide(authorizeURL, username, func(asked authorization) string {
		return asked.withCode(s.newCode(asked, username))
	})
}

// Refuse is [Service.Consent] with a person who denies what is asked.
func (s *Service) Refuse(authorizeURL, username string) (redirect string, err error) {
	return s.decide(authorizeURL, username, func(asked authorization) string {
		return asked.withObjection(denial)
	})
}

func (s *Service) decide(authorizeURL, username string, answer func(authorization) string) (string, error) {
	address, err := url.Parse(authorizeURL)
	if err != nil || address.Path != authorizePath {
		return "", fmt.Errorf("want an address whose path is %s", authorizePath)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err := s.mistrust(address.Query()); err != nil {
		return "", err
	}
	asked, wrong := s.readAuthorization(address.Query())
	if wrong != nil {
		return asked.withObjection(*wrong), nil
	}
	if _, known := s.users[username]; !known {
		return "", fmt.Errorf("unknown user %q", username)
	}
	return answer(asked), nil
}

func (s *Service) serveDecision(w http.ResponseWriter, r *http.Request) {
	var made Decision
	if !readJSON(w, r, &made) {
		return
	}
	decide := s.Consent
	if made.Deny {
		decide = s.Refuse
	}
	redirect, err := decide(made.URL, made.User)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, http.StatusOK, DecisionAnswer{Redirect: redirect})
}
