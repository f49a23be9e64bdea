package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func newService(t *testing.T) *testbed.Service {
	t.Helper()
	s, err := startService()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// What the samples hold opens the service, for each of them and independently.
func TestSamplesAreKnownToTheService(t *testing.T) {
	t.Chdir("../..")
	s, err := readSamples()
	if err != nil {
		t.Fatal(err)
	}
	to := newService(t)
	if err := s.introduce(to); err != nil {
		t.Fatal(err)
	}
	client, err := spacesauth.New(spacesauth.Environment{AccountsURL: to.URL, APIURL: to.URL, TimeoutSeconds: 15})
	if err != nil {
		t.Fatal(err)
	}
	app := spacesauth.Application{
		ID:     s.secrets["spaces-client"].StringData["client_id"],
		Secret: spacesauth.NewSecret(s.secrets["spaces-client"].StringData["client_secret"]),
	}
	published := map[string]bool{}
	for _, credential := range s.credentials {
		grant := spacesauth.Grant(nil)
		switch credential.Spec.GrantType {
		case v1alpha1.GrantTypePassword:
			login := s.secrets[credential.Spec.Password.SecretRef.Name].StringData
			grant = spacesauth.PasswordGrant{Username: login["username"], Password: spacesauth.NewSecret(login["password"])}
		case v1alpha1.GrantTypeRefreshToken:
			seed := s.secrets[credential.Spec.RefreshToken.SecretRef.Name].StringData
			grant = spacesauth.RefreshTokenGrant{RefreshToken: spacesauth.NewSecret(seed["refresh_token"])}
		case v1alpha1.GrantTypeAuthorizationCode:
			credential.Status.ClientID, credential.Status.AuthorizationEndpoint = app.ID, client.Environment().AuthorizationEndpoint()
			code, err := to.SignIn(person, credential)
			if err != nil {
				t.Errorf("%s: %v", credential.Name, err)
				continue
			}
			grant = spacesauth.AuthorizationCodeGrant{
				Code: spacesauth.NewSecret(code.StringData["code"]), CodeVerifier: spacesauth.NewSecret(code.StringData["code_verifier"]),
				RedirectURI: credential.Spec.AuthorizationCode.RedirectURI,
			}
		case v1alpha1.GrantTypeAnonymous:
		}
		var got spacesauth.Answer
		if grant == nil {
			got, err = client.Guest(context.Background(), spacesauth.Guest(*credential.Spec.Anonymous), nil)
		} else {
			got, err = client.Token(context.Background(), app, grant, nil)
		}
		if err != nil {
			t.Errorf("%s: %v", credential.Name, err)
			continue
		}
		// A guest's expiry is a whole second of the service's clock.
		if got.Lifetime > tokenLifetime || got.Lifetime < tokenLifetime-time.Second {
			t.Errorf("%s: the token lives for %s", credential.Name, got.Lifetime)
		}
		if name := credential.EffectiveSecretName(); published[name] {
			t.Errorf("two samples publish the Secret %s", name)
		} else {
			published[name] = true
		}
	}
	if len(published) < 4 {
		t.Errorf("%d samples, want a table worth looking at", len(published))
	}
}

func TestServiceKnowsNobodyElse(t *testing.T) {
	response, err := http.Get(newService(t).URL + "/api/users/me")
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d (%v)", response.StatusCode, err)
	}
}
