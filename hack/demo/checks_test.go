package main

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// published is the Secret of a credential with this token.
func published(token string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "s",
			Labels: map[string]string{v1alpha1.LabelSecret: v1alpha1.SecretPublished},
		},
		Data: map[string][]byte{v1alpha1.KeyAuthorization: []byte("Bearer " + token)},
	}
}

func TestChecks(t *testing.T) {
	to := newService(t)
	to.AddClient("app", "secret")
	to.AddUser("bot", "password")
	client, err := spacesauth.New(spacesauth.Environment{AccountsURL: to.URL, TimeoutSeconds: 15})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.Token(t.Context(), spacesauth.Application{ID: "app", Secret: spacesauth.NewSecret("secret")},
		spacesauth.PasswordGrant{Username: "bot", Password: spacesauth.NewSecret("password")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	alive := got.AccessToken.Reveal()

	for sentence, given := range map[string]struct {
		read, there  *corev1.Secret
		made, failed int
	}{
		"a token that works passes":                        {published(alive), published(alive), 1, 0},
		"a token that does not work fails":                 {published("dead"), published("dead"), 1, 1},
		"a dead token that was replaced by one that works": {published("dead"), published(alive), 1, 0},
		"a dead token that was replaced by a dead one":     {published("dead"), published("dead, too"), 1, 1},
		"a dead token whose Secret is gone proves nothing": {published("dead"), nil, 0, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			cluster := fake.NewClientBuilder()
			if given.there != nil {
				cluster = cluster.WithObjects(given.there)
			}
			c := newChecks(cluster.Build(), to.URL)
			c.check(t.Context(), given.read)
			if counted := c.count(); counted.made != given.made || counted.failed != given.failed || len(counted.failures) != given.failed {
				t.Errorf("counted %+v, want %d made and %d failed", counted, given.made, given.failed)
			}
		})
	}

	t.Run("a check that the end of the demo cuts off proves nothing", func(t *testing.T) {
		c := newChecks(fake.NewClientBuilder().WithObjects(published("dead")).Build(), to.URL)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		c.check(ended, published("dead"))
		if counted := c.count(); counted.made != 0 {
			t.Errorf("counted %+v", counted)
		}
	})
}
