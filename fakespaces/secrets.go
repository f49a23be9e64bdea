package fakespaces

import "slices"

// secrets are all strings that must not leak, each once, in the order in which
// they came up.
type secrets struct {
	known map[string]struct{}
	order []string
}

func (s *secrets) note(secret string) {
	if secret == "" {
		return
	}
	if _, known := s.known[secret]; known {
		return
	}
	if s.known == nil {
		s.known = map[string]struct{}{}
	}
	s.known[secret] = struct{}{}
	s.order = append(s.order, secret)
}

// Secrets lists every secret the service ever issued or was given, each once,
// oldest first: client secrets and passwords, wrong ones presented included,
// access, refresh and ID tokens, those of guests, codes, code verifiers and the
// tickets of consent pages. A test that watches for leaks looks for these in
// what must not hold them.
func (s *Service) Secrets() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.secrets.order)
}
