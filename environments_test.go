package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// An operator that runs follows its environments file and the CA files that it names. What a
// start would refuse leaves what was there in force.
func TestEnvironmentsAreReadAgainWhenTheirFilesChange(t *testing.T) {
	g := NewWithT(t)
	spaces := fakespaces.New(fakespaces.WithClient("app", "client-secret-5e1d"), fakespaces.WithUser("bot@example.test", "password-5e1d"))
	server := httptest.NewUnstartedServer(spaces)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what this is about
	server.StartTLS()
	t.Cleanup(server.Close)
	folder := t.TempDir()
	authorities := filepath.Join(folder, "ca.pem")
	g.Expect(os.WriteFile(authorities, aCertificate(t), 0o600)).To(Succeed())
	file := filepath.Join(folder, "environments.yaml")
	write := func(content string) {
		t.Helper()
		g.Expect(os.WriteFile(file, []byte(content), 0o600)).To(Succeed())
	}
	write("builtIn: false\nenvironments: [{name: another, accountsURL: http://127.0.0.1:1, apiURL: http://127.0.0.1:1}]\n")

	kubernetes, kubeconfig := connected(t)
	command, metrics, _ := operatorCommand(t, hurried, "--kubeconfig="+kubeconfig, "--leader-elect=false",
		"--environments-file="+file, "--metrics-secure=false", "--watch-namespaces=reload")
	g.Expect(kubernetes.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "reload"}})).To(Succeed())
	operator := startOperator(t, command)
	bot := passwordCredential("reload", "bot")
	for _, object := range append(loginOf("reload", "app", "client-secret-5e1d", "bot@example.test", "password-5e1d"), bot) {
		g.Expect(kubernetes.Create(t.Context(), object)).To(Succeed())
	}
	ready := func(reason string) func(Gomega) {
		return func(g Gomega) {
			g.Expect(kubernetes.Get(t.Context(), client.ObjectKeyFromObject(bot), bot)).To(Succeed())
			g.Expect(meta.FindStatusCondition(bot.Status.Conditions, v1alpha1.ConditionReady)).To(HaveField("Reason", reason))
		}
	}
	soon := func(what any) { t.Helper(); g.Eventually(what).WithTimeout(time.Minute).Should(Succeed()) }
	soon(ready(v1alpha1.ReasonUnknownEnvironment))

	entry := "builtIn: false\nenvironments: [{name: local, accountsURL: \"" + server.URL + "\", apiURL: \"" + server.URL + "\", caFile: " + authorities + "}]\n"
	write(entry)
	soon(ready(v1alpha1.ReasonServiceUnavailable)) // signed by another authority

	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	g.Expect(os.WriteFile(authorities, root, 0o600)).To(Succeed())
	soon(ready(v1alpha1.ReasonIssued))

	write(strings.ReplaceAll(entry, "{name", "{paused: true, name"))
	soon(ready(v1alpha1.ReasonEnvironmentPaused))
	write(entry)
	soon(ready(v1alpha1.ReasonIssued))

	write("environments: [{label: local}]\n")
	const refused = "spaces_environments_refused "
	g.Eventually(func() string { return textOf(t, "http://"+metrics+"/metrics") }).WithTimeout(time.Minute).Should(ContainSubstring(refused + "1"))
	g.Eventually(operator.Log).WithTimeout(time.Minute).Should(ContainSubstring("label"))
	bot.Annotations = map[string]string{v1alpha1.AnnotationRenewRequestedAt: "now"}
	g.Expect(kubernetes.Update(t.Context(), bot)).To(Succeed())
	soon(ready(v1alpha1.ReasonRenewed)) // by the environments of before

	write(entry)
	g.Eventually(func() string { return textOf(t, "http://"+metrics+"/metrics") }).WithTimeout(time.Minute).Should(ContainSubstring(refused + "0"))
	g.Expect(kubernetes.Delete(t.Context(), bot)).To(Succeed())
	awaitGone(t, kubernetes, bot)
	g.Expect(spaces.Ledger().GrantsLive).To(BeZero())
}

// aCertificate is that of an authority that signed nothing here.
func aCertificate(t *testing.T) []byte {
	t.Helper()
	g := NewWithT(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	g.Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

// passwordCredential is one that signs in with the Secrets that loginOf makes.
func passwordCredential(namespace, name string, change ...func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential {
	credential := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.SpacesCredentialSpec{
			Environment: "local", GrantType: v1alpha1.GrantTypePassword,
			ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
			Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "login"}},
		},
	}
	for _, f := range change {
		f(credential)
	}
	return credential
}

// loginOf are a client and a login.
func loginOf(namespace, clientID, clientSecret, username, password string) []client.Object {
	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	return []client.Object{
		&corev1.Secret{ObjectMeta: in("client"), StringData: map[string]string{"client_id": clientID, "client_secret": clientSecret}},
		&corev1.Secret{ObjectMeta: in("login"), StringData: map[string]string{"username": username, "password": password}},
	}
}
