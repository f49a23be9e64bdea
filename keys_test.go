package main

import (
	"bytes"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/seal"
)

// A key that is made where states are sealed with another one opens none of them, and hides
// that theirs is missing: a person has to say that their grants are given up.
func TestAKeyIsMadeWhereNoStateNeedsAnother(t *testing.T) {
	g := NewWithT(t)
	kubernetes, kubeconfig := connected(t)
	for _, name := range []string{"keys", "keys-sealed"} {
		g.Expect(kubernetes.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	}
	g.Expect(kubernetes.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "keys-sealed", Name: "bot-grant"}, Type: v1alpha1.SecretTypeGrantState,
	})).To(Succeed())
	arguments := []string{
		"--kubeconfig=" + kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=0",
		"--watch-namespaces=default,keys-sealed", "--state-key-secret=keys/ring",
	}
	key := func() (*corev1.Secret, error) {
		secret := &corev1.Secret{}
		return secret, kubernetes.Get(t.Context(), client.ObjectKey{Namespace: "keys", Name: "ring"}, secret)
	}

	expectOneLine(t, attempt(t, arguments...),
		"the Secret keys/ring with the keys of sealed states is gone, and there are such states (keys-sealed/bot-grant is one): "+
			"put it back from a backup, or start once with --new-state-key")
	_, err := key()
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "no key is made")

	s, err := parse(append(arguments, "--new-state-key"), &bytes.Buffer{})
	g.Expect(err).NotTo(HaveOccurred())
	s.clock = clock.RealClock{}
	_, err = s.loadKeys(t.Context(), kubernetes, []string{"default", "keys-sealed"})
	g.Expect(err).NotTo(HaveOccurred())
	made, err := key()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(made.Type).To(Equal(corev1.SecretType(v1alpha1.SecretTypeStateKey)))
	ring, err := seal.ParseKeyring(made.Data)
	g.Expect(err).NotTo(HaveOccurred())

	again, err := parse(arguments, &bytes.Buffer{})
	g.Expect(err).NotTo(HaveOccurred())
	again.clock = clock.RealClock{}
	_, err = again.loadKeys(t.Context(), kubernetes, []string{"keys-sealed"})
	g.Expect(err).NotTo(HaveOccurred(), "the flag was needed once")
	kept, err := key()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(kept.Data).To(Equal(made.Data))

	s.stateKeyFlag, s.newStateKey = "keys/other", false
	_, err = s.loadKeys(t.Context(), kubernetes, []string{"default"})
	g.Expect(err).NotTo(HaveOccurred(), "no state of what is served needs another key")
	g.Expect(ring.IsEmpty()).To(BeFalse())
}

// A Secret that is there and holds no keys ends the start; what it holds is not told.
func TestAKeySecretThatIsNoneIsSaidInOneLine(t *testing.T) {
	g := NewWithT(t)
	kubernetes, kubeconfig := connected(t)
	g.Expect(kubernetes.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "no-keys"}})).To(Succeed())
	key, err := seal.NewKey(strings.NewReader(strings.Repeat("t0k3n", 20)))
	g.Expect(err).NotTo(HaveOccurred())
	value := seal.NewKeyring(key).Data()[key.ID()]

	for name, c := range map[string]struct {
		kind corev1.SecretType
		data map[string][]byte
		says string
	}{
		"of-another": {corev1.SecretTypeOpaque, seal.NewKeyring(key).Data(), `is of type "Opaque", not "` + string(v1alpha1.SecretTypeStateKey) + `": it is somebody else's; name another one by --state-key-secret`},
		"short":      {v1alpha1.SecretTypeStateKey, map[string][]byte{seal.Current: []byte("short"), "short": value[1:]}, `the entry "short" has 31 bytes`},
		"misnamed":   {v1alpha1.SecretTypeStateKey, map[string][]byte{seal.Current: []byte("mine"), "mine": value}, `the entry "mine" is not named by the ID of the key in it`},
		"none":       {v1alpha1.SecretTypeStateKey, map[string][]byte{seal.Current: []byte(key.ID())}, `the entry "` + seal.Current + `" does not name a key that is there`},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(kubernetes.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "no-keys", Name: name}, Type: c.kind, Data: c.data})).To(Succeed())
			err := attempt(t, "--kubeconfig="+kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=0", "--state-key-secret=no-keys/"+name)
			expectOneLine(t, err, c.says) // which looks for t0k3n, too: that is the key
			g.Expect(err).To(MatchError(ContainSubstring("the Secret no-keys/" + name)))
		})
	}
}
