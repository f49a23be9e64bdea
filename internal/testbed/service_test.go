package testbed_test

import (
	"maps"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

func startService(t *testing.T) *testbed.Service {
	t.Helper()
	service, err := testbed.StartService(fakespaces.WithClient("app", "app-secret"), fakespaces.WithUser("ann", "password"))
	must(t, err)
	t.Cleanup(func() { must(t, service.Stop()) })
	return service
}

// What stands in the file is all that an operator knows: the real service is not in it.
func TestEnvironmentsAreThoseThatWereWritten(t *testing.T) {
	path, err := testbed.WriteEnvironments(t.TempDir(), startService(t).Environment("local"))
	must(t, err)
	known, err := spacesauth.LoadEnvironments(path)
	must(t, err)
	if names := slices.Collect(maps.Keys(known)); !slices.Equal(names, []string{"local"}) {
		t.Errorf("known are %q", names)
	}
}

func TestASignInGivesACodeThatTheServiceTakes(t *testing.T) {
	service := startService(t)
	client, err := spacesauth.New(spacesauth.Environment{AccountsURL: service.URL, TimeoutSeconds: 15})
	must(t, err)
	const redirectURI = "http://localhost:3000"
	credential := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bot"},
		Spec: v1alpha1.SpacesCredentialSpec{AuthorizationCode: &v1alpha1.AuthorizationCodeGrant{
			RedirectURI: redirectURI,
			SecretRef:   v1alpha1.AuthorizationCodeSecretReference{Name: "login", CodeKey: "the-code"},
		}},
	}
	_, err = service.SignIn("ann", credential)
	expectError(t, err, "the operator has not told yet where to sign in")
	credential.Status.ClientID, credential.Status.AuthorizationEndpoint = "app", client.Environment().AuthorizationEndpoint()
	_, err = service.SignIn("nobody", credential)
	expectError(t, err, `unknown user "nobody"`)

	input, err := service.SignIn("ann", credential)
	must(t, err)
	if input.Namespace != namespace || input.Name != "login" || input.Type != v1alpha1.SecretTypeAuthorizationCode {
		t.Errorf("the Secret is %s/%s of type %s", input.Namespace, input.Name, input.Type)
	}
	_, err = client.Token(t.Context(), spacesauth.Application{ID: "app", Secret: spacesauth.NewSecret("app-secret")}, spacesauth.AuthorizationCodeGrant{
		Code:         spacesauth.NewSecret(input.StringData["the-code"]),
		CodeVerifier: spacesauth.NewSecret(input.StringData["code_verifier"]),
		RedirectURI:  redirectURI,
	}, nil)
	must(t, err)
}
