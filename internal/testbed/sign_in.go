package testbed

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"

	"golang.org/x/oauth2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// SignIn plays a person with a browser, who signs in for a credential of the grant type
// AuthorizationCode: opens the sign-in page that status names, allows what is asked, and
// takes the code from where the browser is sent. It gives the Secret with code and verifier
// that kubectl spaces login would write, for the caller to create. It is an error if the
// operator has not told yet where to sign in, or if the service does not give a code.
func (s *Service) SignIn(user string, credential *v1alpha1.SpacesCredential) (*corev1.Secret, error) {
	grant, status := credential.Spec.AuthorizationCode, credential.Status
	if status.ClientID == "" || status.AuthorizationEndpoint == "" {
		return nil, errors.New("the operator has not told yet where to sign in")
	}
	verifier := oauth2.GenerateVerifier()
	asking := oauth2.Config{
		ClientID: status.ClientID, RedirectURL: grant.RedirectURI, Scopes: credential.EffectiveScopes(),
		Endpoint: oauth2.Endpoint{AuthURL: status.AuthorizationEndpoint},
	}
	// The state protects a listener, and nobody listens here.
	redirect, err := s.Consent(asking.AuthCodeURL("testbed", oauth2.AccessTypeOffline, oauth2.S256ChallengeOption(verifier)), user)
	if err != nil {
		return nil, err
	}
	sentTo, err := url.Parse(redirect)
	if err != nil {
		return nil, errors.New("the service sends the browser to no address") // which holds the code
	}
	code := sentTo.Query().Get("code")
	if code == "" {
		return nil, fmt.Errorf("the sign-in ended with the error %q", sentTo.Query().Get("error"))
	}
	ref := grant.SecretRef
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: credential.Namespace, Name: ref.Name},
		Type:       v1alpha1.SecretTypeAuthorizationCode,
		StringData: map[string]string{cmp.Or(ref.CodeKey, "code"): code, cmp.Or(ref.CodeVerifierKey, "code_verifier"): verifier},
	}, nil
}
