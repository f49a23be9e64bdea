package testbed

import (
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// Service is an Avaya Spaces that runs in memory and is served on loopback.
type Service struct {
	*fakespaces.Service
	*Server
}

// StartService starts one.
func StartService(options ...fakespaces.Option) (*Service, error) {
	spaces := fakespaces.New(options...)
	server, err := Serve(spaces)
	if err != nil {
		return nil, err
	}
	return &Service{Service: spaces, Server: server}, nil
}

// Environment is the service as an environment of the operator, under a name.
func (s *Service) Environment(name string) spacesauth.Environment {
	return spacesauth.Environment{Name: name, AccountsURL: s.URL, APIURL: s.URL}
}
