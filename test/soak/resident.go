package main

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// resident is one life of a SpacesCredential, with a user of its own, so that every grant
// at the service tells whose it is.
type resident struct {
	index           int
	namespace, name string
	grant           v1alpha1.GrantType
	user, password  string      // the password is what the service knows
	never           bool        // revocation policy
	rival           bool        // wants a Secret that is somebody else's
	borrows         bool        // uses the client that the platform team lends
	left            bool        // deleted by now
	busy            bool        // a deed has not ended
	calm            time.Time   // when it had
	hurt            time.Time   // when a deed last ended, or may end, its token
	asked           []time.Time // for renewals
}

// askedFor tells that a renewal was asked for between two times.
func (r *resident) askedFor(from, to time.Time) bool {
	return slices.ContainsFunc(r.asked, func(at time.Time) bool { return at.After(from) && at.Before(to) })
}

// client is the ID of the client that it uses.
func (r *resident) client() string {
	if r.borrows {
		return lentClientID
	}
	return clientID
}

func (r *resident) String() string { return r.namespace + "/" + r.name }

// secretName is where it publishes.
func (r *resident) secretName() string {
	if r.index%4 == 0 && !r.rival {
		return r.name // the implied name
	}
	return r.name + "-token"
}

func (r *resident) object() *v1alpha1.SpacesCredential {
	return &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.name}}
}

func (r *resident) secret(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name}}
}

// login is its input, if it signs in by password.
func (r *resident) login() *corev1.Secret {
	input := r.secret(r.name + "-login")
	input.StringData = map[string]string{"username": r.user, "password": r.password}
	return input
}

func keyOf(r *resident) types.NamespacedName {
	return types.NamespacedName{Namespace: r.namespace, Name: r.name}
}

// vary gives the credentials of one kind different wishes.
func (r *resident) vary(spec *v1alpha1.SpacesCredentialSpec) {
	if r.never {
		spec.Revocation = &v1alpha1.Revocation{Policy: v1alpha1.RevocationNever}
	}
	if r.index%11 == 5 {
		spec.SecretDeletionPolicy = v1alpha1.SecretDeletionRetain
	}
	if r.index%5 == 0 {
		spec.SecretTemplate = &v1alpha1.SecretTemplate{
			Formats: []v1alpha1.SecretFormat{v1alpha1.SecretFormatJSON, v1alpha1.SecretFormatDotenv, v1alpha1.SecretFormatCurl},
			Data:    []v1alpha1.SecretTemplateEntry{{Key: "client.toml", Template: "token = {{ .AccessToken | quote }}"}},
		}
	}
	switch r.index % 6 {
	case 1:
		spec.Renewal = &v1alpha1.Renewal{RenewBeforePercent: new(int32(50))}
	case 2:
		spec.Renewal = &v1alpha1.Renewal{RenewBeforeSeconds: new(int32(8))}
	}
}
