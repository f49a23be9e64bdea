package controllers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// content is what the published Secret is to hold.
type content struct {
	data        map[string][]byte
	labels      map[string]string
	annotations map[string]string
}

// ownValues are the operator's own keys of the published Secret.
func ownValues(token tokenRecord, environment spacesauth.Environment) map[string]string {
	socketTokenType := v1alpha1.SocketTokenOAuth
	if token.ObtainedBy == v1alpha1.GrantTypeAnonymous {
		socketTokenType = v1alpha1.SocketTokenJWT
	}
	return map[string]string{
		v1alpha1.KeyAccessToken:     token.AccessToken.Reveal(),
		v1alpha1.KeyTokenType:       token.TokenType,
		v1alpha1.KeyAuthorization:   token.TokenType + " " + token.AccessToken.Reveal(),
		v1alpha1.KeyExpiresAt:       token.ExpirationTime.UTC().Format(time.RFC3339),
		v1alpha1.KeyScope:           token.Scope,
		v1alpha1.KeyAPIURL:          environment.APIURL,
		v1alpha1.KeySocketURL:       environment.SocketURL,
		v1alpha1.KeySocketTokenType: socketTokenType,
		v1alpha1.KeyType:            v1alpha1.BindingType,
		v1alpha1.KeyProvider:        v1alpha1.BindingProvider,
	}
}

// publishedKeys are the keys that the content will have, whatever the token is.
func publishedKeys(credential *v1alpha1.SpacesCredential) []string {
	values := ownValues(tokenRecord{}, spacesauth.Environment{})
	keys := slices.Collect(maps.Keys(values))
	keys = slices.AppendSeq(keys, maps.Keys(formatsOf(credential, values)))
	for _, entry := range templatesOf(credential) {
		keys = append(keys, entry.Key)
	}
	return keys
}

// contentOf renders the published Secret from the state alone: nothing here asks
// the service or reads an input. It returns a finding if the templates of spec do not
// render.
func contentOf(credential *v1alpha1.SpacesCredential, current *previous, environment spacesauth.Environment) (content, *finding) {
	token := current.Token
	values := ownValues(token, environment)
	templated, problem := rendered(credential, values, token.IDToken.Secret, current.Identity)
	if problem != nil {
		return content{}, problem
	}
	c := content{
		data:        templated,
		labels:      map[string]string{},
		annotations: map[string]string{},
	}
	for key, value := range values {
		c.data[key] = []byte(value)
	}
	maps.Copy(c.data, formatsOf(credential, values))
	maps.Copy(c.labels, credential.SecretLabels())
	maps.Copy(c.annotations, credential.SecretAnnotations())
	c.labels[v1alpha1.LabelManagedBy] = v1alpha1.ManagedByValue
	c.labels[v1alpha1.LabelSecret] = v1alpha1.SecretPublished
	c.annotations[v1alpha1.AnnotationCredential] = credential.Name
	c.annotations[v1alpha1.AnnotationCredentialUID] = string(credential.UID)
	c.annotations[v1alpha1.AnnotationFingerprint] = token.AccessToken.Fingerprint()
	c.annotations[v1alpha1.AnnotationExpiresAt] = values[v1alpha1.KeyExpiresAt]
	return c, nil
}

// withoutAdoption are the annotations, and the end of an offer that was taken.
func (c content) withoutAdoption() map[string]any {
	annotations := map[string]any{v1alpha1.AnnotationAdoptableBy: nil}
	for key, value := range c.annotations {
		annotations[key] = value
	}
	return annotations
}

// digest identifies the content.
func (c content) digest() string {
	// Maps are marshalled in the order of their keys, so equal content is equal here.
	raw, _ := json.Marshal([]any{c.data, c.labels, c.annotations})
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// formatsOf renders the ready-made keys that spec.secretTemplate.formats asks for.
func formatsOf(credential *v1alpha1.SpacesCredential, values map[string]string) map[string][]byte {
	formatted := map[string][]byte{}
	if credential.Spec.SecretTemplate == nil {
		return formatted
	}
	for _, format := range credential.Spec.SecretTemplate.Formats {
		switch format {
		case v1alpha1.SecretFormatJSON:
			formatted[v1alpha1.KeyTokenJSON], _ = json.Marshal(values)
		case v1alpha1.SecretFormatDotenv:
			formatted[v1alpha1.KeyTokenEnv] = dotenv(values)
		case v1alpha1.SecretFormatCurl:
			formatted[v1alpha1.KeyCurlConf] = fmt.Appendf(nil, "header = %q\n", "Authorization: "+values[v1alpha1.KeyAuthorization])
		}
	}
	return formatted
}

// dotenv writes values as variables that a POSIX shell and the usual dotenv readers
// take alike.
func dotenv(values map[string]string) []byte {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")
	var text bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&text, "SPACES_%s=\"%s\"\n", strings.ToUpper(key), escape.Replace(values[key]))
	}
	return text.Bytes()
}

// denied is the finding about metadata that the operator's flags forbid on published
// Secrets; the rules of the CRD know nothing of them.
func (r *Reconciler) denied(credential *v1alpha1.SpacesCredential) *finding {
	for _, key := range slices.Sorted(maps.Keys(credential.SecretLabels())) {
		if r.isDenied(key) {
			return blocked(v1alpha1.ReasonSecretForbidden, "The label %q of spec.secretTemplate is not allowed by this operator's --deny-secret-metadata. Remove it.", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(credential.SecretAnnotations())) {
		if r.isDenied(key) {
			return blocked(v1alpha1.ReasonSecretForbidden, "The annotation %q of spec.secretTemplate is not allowed by this operator's --deny-secret-metadata. Remove it.", key)
		}
	}
	return nil
}

func (r *Reconciler) isDenied(key string) bool {
	return slices.ContainsFunc(r.DenySecretMetadata, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}
