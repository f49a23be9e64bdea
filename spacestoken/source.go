package spacestoken

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// nearEnd is how long before its end a token is looked for anew even though the folder seems
// unchanged. The oauth2 package counts a token as expired by then.
const nearEnd = 10 * time.Second

// Source gives the token of a mounted folder. It is an [oauth2.TokenSource]. Make one with [New].
type Source struct {
	folder folder
	now    func() time.Time

	mutex sync.Mutex
	// held is the last token that was read, and version what the folder was then.
	held    *published
	version string
}

var _ oauth2.TokenSource = (*Source)(nil)

// Option changes a [Source].
type Option func(*Source)

// WithClock has the time told by a function instead of [time.Now].
func WithClock(now func() time.Time) Option { return func(s *Source) { s.now = now } }

// New makes a Source of the folder where a published Secret is mounted. Nothing is read before the
// first token is asked for.
func New(path string, options ...Option) *Source {
	s := &Source{folder: folder(path), now: time.Now} //nolint:forbidigo // the clock unless WithClock gives another
	for _, option := range options {
		option(s)
	}
	return s
}

// Token gives the newest token, which is not past its end, or an [*Error]. It reads the folder
// when that has changed or the token nears its end; do not cache what it gives.
func (s *Source) Token() (*oauth2.Token, error) {
	current, err := s.current()
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: current.token.reveal(), TokenType: current.scheme, Expiry: current.end}, nil
}

// APIURL is where the token is good for calls: the base URL of the REST API.
func (s *Source) APIURL() (string, error) {
	current, err := s.current()
	if err != nil {
		return "", err
	}
	if current.apiURL == "" {
		return "", &Error{Path: filepath.Join(string(s.folder), apiURLFile), Found: "it is empty", Remedy: "give apiURL in the operator's environments file"}
	}
	return current.apiURL, nil
}

// current is what may be used now.
func (s *Source) current() (*published, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	version := s.folder.version()
	if version != "" && version == s.version && s.held.livesAt(s.now().Add(nearEnd)) {
		return s.held, nil
	}
	return s.reread()
}

// renewed reads the folder whatever it seems to be, after the service has refused a token.
func (s *Source) renewed() (*published, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.reread()
}

// reread reads the folder. What was held before is kept while it lives and nothing better is there: a
// Secret that was put back must not bring an expired token, nor a moment without files an error.
func (s *Source) reread() (*published, error) {
	found, version, err := s.folder.read()
	now := s.now()
	switch {
	case found.livesAt(now):
		s.held, s.version = found, version
		return found, nil
	case s.held.livesAt(now):
		return s.held, nil
	case err != nil:
		return nil, err
	}
	return nil, &Error{
		Path:   filepath.Join(string(s.folder), expiresAtFile),
		Found:  fmt.Sprintf("the token ended at %s, and it is %s", found.end.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)),
		Remedy: "its renewal fails, or the volume lags behind the Secret: kubectl spaces explain says which, of the SpacesCredential that publishes it",
		Err:    ErrExpired,
	}
}

// String names the folder.
func (s *Source) String() string { return "spacestoken of " + string(s.folder) }

// Format implements [fmt.Formatter], so that no verb shows a token.
func (s *Source) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }
