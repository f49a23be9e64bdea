package greeter

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces/expect"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces/operator"
)

const (
	// lifetime of a token. The operator renews it when a third is left.
	lifetime = 9 * time.Second
	// patience is how long anything may take.
	patience = time.Minute
	// lookInterval is how often it is looked whether it has come.
	lookInterval = 100 * time.Millisecond
)

// stack is what the tests of a suite share.
type stack struct {
	spaces   *fakespaces.Service
	client   client.Client
	operator *operator.Process
}

var suite stack

// TestMain starts a control plane, a service in memory and the operator, once for all tests.
func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	code, err := runSuite(m)
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "greeter-")
	if err != nil {
		return 0, err
	}
	// What ends the suite is an error of the suite, too.
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	installed, err := operator.Find(ctx)
	if err != nil {
		return 0, err
	}
	binary, err := installed.Binary(ctx, folder)
	if err != nil {
		return 0, err
	}
	environment := &envtest.Environment{CRDDirectoryPaths: []string{installed.CRDs}, ErrorIfCRDPathMissing: true}
	config, err := environment.Start()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, environment.Stop()) }()

	suite.spaces = fakespaces.New(fakespaces.WithClient("my-app", "app-secret"), fakespaces.WithUser("bot@example.test", "hunter2"), fakespaces.WithTokenLifetime(lifetime))
	server := httptest.NewServer(suite.spaces)
	defer server.Close()

	if suite.operator, err = operator.Start(ctx, operator.Settings{Binary: binary, Folder: folder, Kubeconfig: environment.KubeConfig, SpacesURL: server.URL}); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, suite.operator.Stop()) }()

	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return 0, err
	}
	if suite.client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// The application greets through a sign-in, through a renewal whose answer gets lost, and nothing is left of
// it in the end.
func TestTheGreeterGreetsAsTokensComeAndGo(t *testing.T) {
	credential := signIn(t)
	key := client.ObjectKeyFromObject(credential)
	greeter := &Greeter{Reader: suite.client, Secret: key, HTTP: &http.Client{Timeout: patience}}
	eventually(t, "a first token", func() string { return ready(t, credential) })
	greets(t, greeter)

	suite.spaces.Next(fakespaces.OperationRefresh, fakespaces.FaultLostAfter)
	first := credential.Status.Token.Fingerprint
	eventually(t, "a renewal, though its first answer was lost", func() string {
		if said := ready(t, credential); said != "" {
			return said
		}
		if credential.Status.Token.Fingerprint == first {
			return "the token is still the first one"
		}
		return ""
	})
	greets(t, greeter)
	var secret corev1.Secret
	if err := suite.client.Get(t.Context(), key, &secret); err != nil {
		t.Fatal(err)
	}
	expect.TokenWorks(t, suite.spaces, key.String(), secret.Data)

	if err := suite.client.Delete(t.Context(), credential); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the SpacesCredential", func() string {
		err := suite.client.Get(t.Context(), key, credential)
		if apierrors.IsNotFound(err) {
			return ""
		}
		return "it is still there"
	})
	expect.NoGrantLeft(t, suite.spaces.Ledger())
	expect.NothingSentAgain(t, suite.spaces.Ledger())
	said, err := os.ReadFile(suite.operator.Log)
	if err != nil {
		t.Fatal(err)
	}
	expect.NoSecretIn(t, suite.spaces, map[string]string{"the operator's log": string(said)})
}

// signIn creates a SpacesCredential and its inputs.
func signIn(t *testing.T) *v1alpha1.SpacesCredential {
	t.Helper()
	suite.spaces.SetReuseDetection(false) // so that a lost answer costs no grant
	at := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "default", Name: name} }
	credential := &v1alpha1.SpacesCredential{ObjectMeta: at("greeter"), Spec: v1alpha1.SpacesCredentialSpec{
		Environment:     operator.DefaultEnvironment,
		ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "spaces-client"},
		GrantType:       v1alpha1.GrantTypePassword,
		Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "bot-login"}},
	}}
	for _, object := range []client.Object{
		&corev1.Secret{ObjectMeta: at("spaces-client"), StringData: map[string]string{"client_id": "my-app", "client_secret": "app-secret"}},
		&corev1.Secret{ObjectMeta: at("bot-login"), Type: corev1.SecretTypeBasicAuth, StringData: map[string]string{"username": "bot@example.test", "password": "hunter2"}},
		credential,
	} {
		if err := suite.client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	return credential
}

// ready reads a SpacesCredential, and says why it is not ready.
func ready(t *testing.T, credential *v1alpha1.SpacesCredential) string {
	t.Helper()
	if err := suite.client.Get(t.Context(), client.ObjectKeyFromObject(credential), credential); err != nil {
		t.Fatal(err)
	}
	for _, condition := range credential.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReady {
			if condition.Status == metav1.ConditionTrue {
				return ""
			}
			return condition.Reason + ": " + condition.Message
		}
	}
	return "the operator has not looked at it yet"
}

func greets(t *testing.T, greeter *Greeter) {
	t.Helper()
	if said, err := greeter.Greet(t.Context()); err != nil || said != "Hello, bot" {
		t.Errorf("it says %q, error %v", said, err)
	}
}

// eventually waits until nothing is missing any more.
func eventually(t *testing.T, what string, missing func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		said := missing()
		if said == "" {
			return
		}
		if err := suite.operator.Failure(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come within %s: %s", what, patience, said)
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the test has ended")
		case <-time.After(lookInterval):
		}
	}
}
