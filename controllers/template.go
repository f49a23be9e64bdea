package controllers

import (
	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secrettemplate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// templatesOf are the entries of spec.secretTemplate.data.
func templatesOf(credential *v1alpha1.SpacesCredential) []secrettemplate.Entry {
	if credential.Spec.SecretTemplate == nil {
		return nil
	}
	var entries []secrettemplate.Entry
	for _, entry := range credential.Spec.SecretTemplate.Data {
		entries = append(entries, secrettemplate.Entry{Key: entry.Key, Text: entry.Template})
	}
	return entries
}

// unworkable tells of a template that cannot work with any token. While
// there is one nothing is spent: the token could not be published.
func unworkable(credential *v1alpha1.SpacesCredential) outcome {
	if err := secrettemplate.Check(templatesOf(credential)); err != nil {
		return templateInvalid(err)
	}
	return outcome{}
}

// rendered fills the templates with the operator's own keys, and with the ID token if
// they ask for it.
func rendered(credential *v1alpha1.SpacesCredential, values map[string]string, idToken spacesauth.Secret, who grantstate.Identity) (map[string][]byte, outcome) {
	set, err := secrettemplate.ParseSet(templatesOf(credential))
	if err != nil {
		return nil, templateInvalid(err)
	}
	data, err := set.Render(secrettemplate.Fields{
		AccessToken:   values[v1alpha1.KeyAccessToken],
		TokenType:     values[v1alpha1.KeyTokenType],
		Authorization: values[v1alpha1.KeyAuthorization],
		ExpiresAt:     values[v1alpha1.KeyExpiresAt],
		Scope:         values[v1alpha1.KeyScope],
		APIURL:        values[v1alpha1.KeyAPIURL],
		SocketURL:     values[v1alpha1.KeySocketURL],
		IDToken:       idToken.Reveal(),
		Identity:      secrettemplate.Identity(who),
	})
	if err != nil {
		return nil, templateInvalid(err)
	}
	return data, outcome{}
}
