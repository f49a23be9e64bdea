package main

import (
	"context"
	"fmt"
	"net/url"

	"golang.org/x/oauth2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// signedIn is what a sign-in by browser leaves.
type signedIn struct{ code, verifier string }

// signInAs plays a person with a browser: it opens the sign-in page with the usual
// parameters, allows what is asked, and takes the code from where it is sent.
func (s *service) signInAs(user, clientID, endpoint, redirectURI string, scopes []string) (signedIn, error) {
	verifier := oauth2.GenerateVerifier()
	asking := oauth2.Config{ClientID: clientID, RedirectURL: redirectURI, Scopes: scopes, Endpoint: oauth2.Endpoint{AuthURL: endpoint}}
	redirect, err := s.Consent(asking.AuthCodeURL("demo", oauth2.AccessTypeOffline, oauth2.S256ChallengeOption(verifier)), user)
	if err != nil {
		return signedIn{}, err
	}
	sentTo, err := url.Parse(redirect)
	if err != nil {
		return signedIn{}, err
	}
	code := sentTo.Query().Get("code")
	if code == "" {
		return signedIn{}, fmt.Errorf("the sign-in ended with the error %s", sentTo.Query().Get("error"))
	}
	return signedIn{code: code, verifier: verifier}, nil
}

// signIn signs a person in for the credential that waits for one, as kubectl spaces
// login does.
func (d *deeds) signIn(ctx context.Context) (said string, err error) {
	for _, sample := range d.samples.credentials {
		if sample.Spec.GrantType != v1alpha1.GrantTypeAuthorizationCode {
			continue
		}
		credential := &v1alpha1.SpacesCredential{}
		if err := d.cluster.Get(ctx, types.NamespacedName{Namespace: namespace, Name: sample.Name}, credential); err != nil {
			return "", client.IgnoreNotFound(err)
		}
		status, spec := credential.Status, credential.Spec.AuthorizationCode
		if status.ClientID == "" || status.AuthorizationEndpoint == "" {
			return "", nil // the operator has not looked at it yet
		}
		got, err := d.service.signInAs(person, status.ClientID, status.AuthorizationEndpoint, spec.RedirectURI, credential.EffectiveScopes())
		if err != nil {
			return "", err
		}
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: spec.SecretRef.Name},
			Type:       v1alpha1.SecretTypeAuthorizationCode,
			StringData: map[string]string{spec.SecretRef.CodeKey: got.code, spec.SecretRef.CodeVerifierKey: got.verifier},
		}
		if err := d.cluster.Create(ctx, secret); err != nil {
			return "", err
		}
		said = "signed in for " + credential.Name + ", like a person with a browser"
	}
	return said, nil
}
