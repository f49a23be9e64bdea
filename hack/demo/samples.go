package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	apiyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	samplesFolder = "config/samples"
	// namespace is where the samples are applied.
	namespace = "demo"
	// environment is the one that the samples name.
	environment = "staging"
	// seedUser is who has signed in with a browser, before the demo, for the
	// credentials that start from a refresh token.
	seedUser = "presenter@example.com"
	// person is who signs in with a browser while the demo runs, and personPassword what
	// opens the sign-in page to whoever watches.
	person         = "host@example.com"
	personPassword = "demo"
)

// samples are the objects to apply: those of config/samples, and a few credentials
// made after them that renew at other times or that something is done to.
type samples struct {
	secrets     map[string]*corev1.Secret
	credentials []*v1alpha1.SpacesCredential
	// rightPassword is what spoil took out of the login of the mistyped one.
	rightPassword string
}

// readSamples reads what `kubectl apply -k config/samples` would apply, strictly: an
// unknown or misspelled field is an error.
func readSamples() (*samples, error) {
	content, err := os.ReadFile(filepath.Join(samplesFolder, "kustomization.yaml"))
	if err != nil {
		return nil, err
	}
	var kustomization struct {
		Resources []string `json:"resources"`
	}
	if err := yaml.Unmarshal(content, &kustomization); err != nil {
		return nil, fmt.Errorf("%s: %w", samplesFolder, err)
	}
	decoder := serializer.NewCodecFactory(testbed.NewScheme(), serializer.EnableStrict).UniversalDeserializer()
	s := &samples{secrets: map[string]*corev1.Secret{}}
	for _, file := range kustomization.Resources {
		if err := s.read(decoder, filepath.Join(samplesFolder, file)); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	s.vary()
	return s, nil
}

func (s *samples) read(decoder runtime.Decoder, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	documents := apiyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return err
		}
		switch object := object.(type) {
		case *corev1.Secret:
			s.secrets[object.Name] = object
		case *v1alpha1.SpacesCredential:
			s.credentials = append(s.credentials, object)
		default:
			return fmt.Errorf("the demo does not know what to do with a %s", kind.Kind)
		}
	}
}

// vary adds credentials that differ from the samples in when they renew, and those
// that the demo does something to.
func (s *samples) vary() {
	for _, sample := range s.credentials {
		switch sample.Spec.GrantType {
		case v1alpha1.GrantTypePassword:
			half := s.copyOf(sample, "early-bird")
			half.Spec.Renewal = &v1alpha1.Renewal{RenewBeforePercent: new(int32(50))}
			last := s.copyOf(sample, "last-minute")
			last.Spec.Renewal = &v1alpha1.Renewal{RenewBeforeSeconds: new(int32(5))}
			s.copyOf(sample, onRequest).Spec.Renewal = last.Spec.Renewal.DeepCopy()
			s.copyOf(sample, comesBack)
			borrow(s.copyOf(sample, borrower))
			login := s.secrets[sample.Spec.Password.SecretRef.Name].DeepCopy()
			login.Name = mistyped + "-login"
			login.StringData["username"] = mistyped + "@example.com" // a user of its own
			s.secrets[login.Name] = login
			s.copyOf(sample, mistyped).Spec.Password.SecretRef.Name = login.Name
		case v1alpha1.GrantTypeRefreshToken:
			seed := s.secrets[sample.Spec.RefreshToken.SecretRef.Name].DeepCopy()
			seed.Name = "moderator-seed"
			s.secrets[seed.Name] = seed
			other := s.copyOf(sample, "moderator")
			other.Spec.RefreshToken.SecretRef.Name = seed.Name // a refresh token is good for one
			other.Spec.Renewal = &v1alpha1.Renewal{RenewBeforeSeconds: new(int32(8))}
		case v1alpha1.GrantTypeAuthorizationCode, v1alpha1.GrantTypeAnonymous: // one is enough
		}
	}
}

func (s *samples) copyOf(sample *v1alpha1.SpacesCredential, name string) *v1alpha1.SpacesCredential {
	made := sample.DeepCopy()
	made.Name, made.Spec.SecretName = name, ""
	s.credentials = append(s.credentials, made)
	return made
}

// introduce makes the samples and the service known to each other: the service
// learns the client and the user of the Secrets, the seeds become refresh tokens of
// the service.
func (s *samples) introduce(to *testbed.Service) error {
	for _, credential := range s.credentials {
		spec := credential.Spec
		if credential.EffectiveEnvironment() != environment {
			return fmt.Errorf("the sample %s is for another environment than %s", credential.Name, environment)
		}
		if spec.ClientSecretRef == nil {
			continue // neither a guest nor a client that is known from others needs an introduction
		}
		app := spec.ClientSecretRef
		clientID, err := s.value(app.Name, cmp.Or(app.ClientIDKey, "client_id"))
		if err != nil {
			return err
		}
		clientSecret, err := s.value(app.Name, cmp.Or(app.ClientSecretKey, "client_secret"))
		if err != nil {
			return err
		}
		to.AddClient(clientID, clientSecret)

		switch spec.GrantType {
		case v1alpha1.GrantTypePassword:
			login := spec.Password.SecretRef
			username, err := s.value(login.Name, cmp.Or(login.UsernameKey, "username"))
			if err != nil {
				return err
			}
			password, err := s.value(login.Name, cmp.Or(login.PasswordKey, "password"))
			if err != nil {
				return err
			}
			to.AddUser(username, password)
		case v1alpha1.GrantTypeRefreshToken:
			seed := spec.RefreshToken.SecretRef
			if _, err := s.value(seed.Name, cmp.Or(seed.Key, "refresh_token")); err != nil {
				return err
			}
			s.secrets[seed.Name].StringData[cmp.Or(seed.Key, "refresh_token")] = to.IssueGrant(clientID, seedUser)
		case v1alpha1.GrantTypeAuthorizationCode:
			for _, uri := range spec.AuthorizationCode.AllRedirectURIs() {
				to.AddRedirectURI(clientID, uri)
			}
			to.AddUser(person, personPassword)
		case v1alpha1.GrantTypeAnonymous:
		default:
			return fmt.Errorf("the demo cannot play the grant type %s of the sample %s", spec.GrantType, credential.Name)
		}
	}
	return nil
}

// spoil puts a wrong password into a login that the service knows already.
func (s *samples) spoil() {
	login := s.secrets[mistyped+"-login"].StringData
	s.rightPassword, login["password"] = login["password"], "not-the-password"
}

// value is what a Secret of the samples holds under key.
func (s *samples) value(name, key string) (string, error) {
	secret := s.secrets[name]
	if secret == nil || secret.StringData[key] == "" {
		return "", fmt.Errorf("no sample is a Secret %s with the key %s", name, key)
	}
	return secret.StringData[key], nil
}

func (s *samples) apply(ctx context.Context, cluster client.Client) error {
	strict := client.WithFieldValidation(cluster, metav1.FieldValidationStrict)
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := strict.Create(ctx, home); err != nil {
		return err
	}
	if err := s.lend(ctx, strict); err != nil {
		return err
	}
	for _, object := range s.objects() {
		object.SetNamespace(namespace)
		if err := strict.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// objects are all of them, inputs first.
func (s *samples) objects() []client.Object {
	var all []client.Object
	for _, secret := range s.secrets {
		all = append(all, secret)
	}
	for _, credential := range s.credentials {
		all = append(all, credential)
	}
	return all
}

// delete deletes the samples, and waits until the operator has let go of them.
func (s *samples) delete(ctx context.Context, cluster client.Client) error {
	inNamespace := client.InNamespace(namespace)
	if err := cluster.DeleteAllOf(ctx, &v1alpha1.SpacesCredential{}, inNamespace); err != nil {
		return err
	}
	for {
		left := &v1alpha1.SpacesCredentialList{}
		err := cluster.List(ctx, left, inNamespace)
		if err == nil && len(left.Items) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of the samples are not gone: %w", len(left.Items), ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := cluster.DeleteAllOf(ctx, &v1alpha1.ClusterSpacesClient{}); err != nil {
		return err
	}
	// Those of the samples, and the code of the sign-in.
	return cluster.DeleteAllOf(ctx, &corev1.Secret{}, inNamespace)
}
