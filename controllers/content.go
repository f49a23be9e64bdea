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

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/grantstate"
	"github.com/spaces-operator/spaces-credential-operator/internal/secrettemplate"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// content is what the published Secret is to hold.
type content struct {
	data        map[string][]byte
	labels      map[string]string
	annotations map[string]string
	// retained tells that it has no owner.
	retained bool
}

// ownValues are the operator's own keys of the published Secret.
func ownValues(token grantstate.Token, environment spacesauth.Environment) map[string]string {
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

// ownedBy is what the operator puts on the Secrets of a credential, whatever the token is.
func ownedBy(credential *v1alpha1.SpacesCredential) grantstate.Owned {
	values := ownValues(grantstate.Token{}, spacesauth.Environment{})
	keys := slices.Collect(maps.Keys(values))
	keys = slices.AppendSeq(keys, maps.Keys(formatsOf(credential, values)))
	for _, entry := range templatesOf(credential) {
		keys = append(keys, entry.Key)
	}
	return grantstate.Owned{
		Keys:        keys,
		Labels:      slices.Collect(maps.Keys(credential.SecretLabels())),
		Annotations: slices.Collect(maps.Keys(credential.SecretAnnotations())),
		StateLabels: slices.Collect(maps.Keys(credential.StateLabels())),
	}
}

// rendering is what was rendered last: what it was made from, and the digest of the content.
type rendering struct {
	from       [sha256.Size]byte
	generation int64
	digest     string
}

// renderedFrom is a digest of all that the content is made from: as long as it is the same, nothing is
// rendered again.
func (r *Reconciler) renderedFrom(s *scope, current *grantstate.Publishable, environment spacesauth.Environment) [sha256.Size]byte {
	token := current.Token
	return sha256.Sum256(fmt.Appendf(nil, "%q", []string{
		string(s.credential.UID), fmt.Sprint(s.credential.Generation), token.AccessToken.Fingerprint(), token.ExpirationTime.UTC().Format(time.RFC3339),
		token.TokenType, token.Scope, current.Identity.Username, current.Identity.UserID, environment.APIURL, environment.SocketURL,
		fmt.Sprint(current.Answered), string(s.state.uid), r.Keys.CurrentID(), // the claim annotation
	}))
}

// contentOf renders the published Secret from the state alone: nothing here asks
// the service or reads an input. It says what is in the way if the templates of spec do not
// render.
func contentOf(credential *v1alpha1.SpacesCredential, current *grantstate.Publishable, environment spacesauth.Environment) (content, outcome) {
	token := current.Token
	values := ownValues(token, environment)
	templated, problem := rendered(credential, values, token.IDToken.Secret, current.Identity)
	if problem.isTrouble() {
		return content{}, problem
	}
	c := content{
		data:        templated,
		labels:      map[string]string{},
		annotations: map[string]string{},
		retained:    isRetained(credential),
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
	return c, outcome{}
}

// isRetained tells that the published Secret outlives its credential. So it does under a policy
// that only a newer operator knows: what is deleted does not come back.
func isRetained(credential *v1alpha1.SpacesCredential) bool {
	policy := credential.Spec.SecretDeletionPolicy
	return policy != "" && policy != v1alpha1.SecretDeletionDelete
}

// digest identifies the content.
func (c content) digest() string {
	// Maps are marshalled in the order of their keys, so equal content is equal here.
	raw, _ := json.Marshal([]any{c.data, c.labels, c.annotations, c.retained})
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

// denied tells of metadata that the operator's flags forbid on published
// Secrets; the rules of the CRD know nothing of them.
func (r *Reconciler) denied(credential *v1alpha1.SpacesCredential) outcome {
	for _, key := range slices.Sorted(maps.Keys(credential.SecretLabels())) {
		if r.isDenied(key) {
			return metadataDenied("label", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(credential.StateLabels())) {
		if r.isDenied(key) {
			return stateLabelDenied(key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(credential.SecretAnnotations())) {
		if r.isDenied(key) {
			return metadataDenied("annotation", key)
		}
	}
	return outcome{}
}

func (r *Reconciler) isDenied(key string) bool {
	return slices.ContainsFunc(r.DenySecretMetadata, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

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

// tried is what the trial of the templates of one generation said.
type tried struct {
	uid        types.UID
	generation int64
	problem    outcome
}

// unworkable tells of a template that cannot work with any token. While
// there is one nothing is spent: the token could not be published. A generation is tried once.
func (r *Reconciler) unworkable(credential *v1alpha1.SpacesCredential) outcome {
	key := client.ObjectKeyFromObject(credential)
	if known := r.memory.of(key).tried; known.uid == credential.UID && known.generation == credential.Generation {
		return known.problem
	}
	now := tried{uid: credential.UID, generation: credential.Generation}
	if err := secrettemplate.Check(templatesOf(credential)); err != nil {
		now.problem = templateInvalid(err)
	}
	r.memory.change(key, func(known *recollection) { known.tried = now })
	return now.problem
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
