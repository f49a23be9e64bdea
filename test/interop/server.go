package interop

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
)

// Scopes are those that clients may ask for, by their short names.
var Scopes = []string{"email", "profile", "spaces"}

// Server is an authorization server by fosite, with the service's paths and forms. It rotates
// refresh tokens and ends a grant of which a spent one comes again. It is an [http.Handler].
type Server struct {
	*http.ServeMux
	provider fosite.OAuth2Provider
	config   *fosite.Config
	store    *store
	signing  *signing
}

// New makes a server whose access tokens live for so long.
func New(tokenLifetime time.Duration) *Server {
	config := &fosite.Config{
		AccessTokenLifespan:         tokenLifetime,
		RefreshTokenScopes:          []string{}, // every grant gets one
		EnforcePKCEForPublicClients: true,
		ScopeStrategy:               fosite.ExactScopeStrategy,
		HashCost:                    4, // the least: nobody's secrets are kept here
	}
	s := &Server{ServeMux: http.NewServeMux(), config: config, store: newStore(), signing: &signing{Config: config, secret: newSecret()}}
	s.provider = compose.Compose(config, s.store, compose.NewOAuth2HMACStrategy(s.signing),
		compose.OAuth2AuthorizeExplicitFactory,
		compose.OAuth2ResourceOwnerPasswordCredentialsFactory, //nolint:staticcheck // nobody should use the grant, but the service has it
		compose.OAuth2RefreshTokenGrantFactory,
		compose.OAuth2TokenRevocationFactory,
		compose.OAuth2TokenIntrospectionFactory,
		compose.OAuth2PKCEFactory,
	)
	s.HandleFunc("GET /oauth2/authorize", s.authorize)
	s.HandleFunc("POST /oauth2/access_token", s.token)
	s.HandleFunc("POST /oauth2/revoke_token", s.revoke)
	s.HandleFunc("GET /api/users/me", s.profile)
	return s
}

// Client is an application. One without a secret is a public client.
type Client struct {
	ID, Secret  string
	RedirectURI string
	// GrantTypes are those that it may use; all that there are, where it names none.
	GrantTypes []string
}

// Add registers an application. It is done before the server serves.
func (s *Server) Add(client Client) error {
	known := &fosite.DefaultClient{
		ID: client.ID, Public: client.Secret == "", RedirectURIs: []string{client.RedirectURI},
		ResponseTypes: []string{"code"}, GrantTypes: client.GrantTypes, Scopes: Scopes,
	}
	if known.GrantTypes == nil {
		known.GrantTypes = []string{"password", "authorization_code", "refresh_token"}
	}
	if client.Secret != "" {
		hashed, err := s.config.GetSecretsHasher(context.Background()).Hash(context.Background(), []byte(client.Secret))
		if err != nil {
			return err
		}
		known.Secret = hashed
	}
	s.store.Clients[client.ID] = known
	return nil
}

// AddUser makes somebody who can sign in. It is done before the server serves.
func (s *Server) AddUser(name, password string) {
	s.store.Users[name] = storage.MemoryUserRelation{Username: name, Password: password}
}

// Fail has what stands behind the server fail so, until it is called with "".
func (s *Server) Fail(fault Fault) { s.store.fail(fault) }

// ReplaceSecret has the server sign with another secret, so that it knows no token that it gave.
// It returns a function that puts the former one back.
func (s *Server) ReplaceSecret() (putBack func()) {
	former := s.signing.replace(newSecret())
	return func() { s.signing.replace(former) }
}

// Grants counts the grants that live, and the refresh tokens that were replaced.
func (s *Server) Grants() (living, rotations int) {
	s.store.note(func() { living, rotations = len(s.store.living), s.store.rotations })
	return living, rotations
}

// authorize plays the person too: whoever opens the page is signed in and allows all.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	request, err := s.provider.NewAuthorizeRequest(r.Context(), r)
	if err != nil {
		s.provider.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	response, err := s.provider.NewAuthorizeResponse(r.Context(), request, &fosite.DefaultSession{Subject: "somebody"})
	if err != nil {
		s.provider.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	s.provider.WriteAuthorizeResponse(r.Context(), w, request, response)
}

// token is the service's POST /oauth2/access_token: its form is that of the RFCs.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	request, err := s.provider.NewAccessRequest(r.Context(), r, &fosite.DefaultSession{})
	if err != nil {
		s.provider.WriteAccessError(r.Context(), w, request, err)
		return
	}
	if request.GetGrantTypes().ExactOne("password") { // whose scopes nobody has granted yet
		for _, scope := range request.GetRequestedScopes() {
			request.GrantScope(scope)
		}
	}
	response, err := s.provider.NewAccessResponse(r.Context(), request)
	if err != nil {
		s.provider.WriteAccessError(r.Context(), w, request, err)
		return
	}
	s.provider.WriteAccessResponse(r.Context(), w, request, response)
}

// revoke is the service's POST /oauth2/revoke_token, whose form has the token in a field of
// another name.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err == nil && !r.PostForm.Has("token") {
		r.PostForm.Set("token", r.PostForm.Get("refresh_token"))
	}
	err := s.provider.NewRevocationRequest(r.Context(), r)
	s.provider.WriteRevocationResponse(r.Context(), w, err)
}

// profile tells whether a token works.
func (s *Server) profile(w http.ResponseWriter, r *http.Request) {
	token := fosite.AccessTokenFromRequest(r)
	_, request, err := s.provider.IntrospectToken(r.Context(), token, fosite.AccessToken, &fosite.DefaultSession{})
	if err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{
		"_id": request.GetSession().GetSubject(), "username": strings.Join(request.GetGrantedScopes(), " "),
	})
}

// signing is the configuration with a secret that can be replaced while the server serves.
type signing struct {
	*fosite.Config
	mutex  sync.Mutex
	secret []byte
}

// GetGlobalSecret implements fosite.GlobalSecretProvider.
func (s *signing) GetGlobalSecret(context.Context) ([]byte, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.secret, nil
}

func (s *signing) replace(secret []byte) (former []byte) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	former, s.secret = s.secret, secret
	return former
}

// newSecret is as long as fosite wants one.
func newSecret() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	return secret
}
