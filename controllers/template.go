package controllers

import (
	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
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

// unworkable is the finding about a template that cannot work with any token. While
// there is one nothing is spent: the token could not be published.
func unworkable(credential *v1alpha1.SpacesCredential) *finding {
	if err := secrettemplate.Check(templatesOf(credential)); err != nil {
		return templateInvalid(err)
	}
	return nil
}

// rendered fills the templates with the operator's own keys, and with the ID token if
// they ask for it.
func rendered(credential *v1alpha1.SpacesCredential, values map[string]string, idToken spacesauth.Secret, who identity) (map[string][]byte, *finding) {
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
	return data, nil
}

// templateInvalid is the finding about a template. Its errors hold no value of a token.
func templateInvalid(err error) *finding {
	return blocked(v1alpha1.ReasonTemplateInvalid, "In spec.secretTemplate.data, %s.", err)
}
