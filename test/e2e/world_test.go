package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
)

// Namespaces: of the release, of the credentials with their workloads, of the programs in other
// languages with theirs, of the service.
const (
	operators, team, languages, services = "spaces-credential-operator-system", "team-a", "languages", "spaces"
	// servicePod is the Pod of the service; servedPort and workloadPort are where the service and
	// each workload listen.
	servicePod, servedPort, workloadPort = "spaces", "8443", "8080"
	// authorityFile is its authority, among the values of the chart and in workloads.
	authorityFile   = "e2e.pem"
	clientID        = "app"
	clientSecret    = "client-secret-c0de"
	password        = "password-c0de"
	tokenLookPeriod = 100 * time.Millisecond
)

// credentials are what the stories are told of: two that sign in by a password, one that goes on from
// a seed, and that of the programs. Each has the name of its user.
var credentials = []client.ObjectKey{{Namespace: team, Name: "bot-1"}, {Namespace: team, Name: "bot-2"}, {Namespace: team, Name: seeded}, polyglot}

const seeded = "bot-3"

var polyglot = client.ObjectKey{Namespace: languages, Name: "bot-4"}

// authority is a new one: its certificate, and its key for the service alone.
func authority(g *WithT) (certificate, key []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	g.Expect(err).NotTo(HaveOccurred())
	asked := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, asked, asked, private.Public(), private)
	g.Expect(err).NotTo(HaveOccurred())
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	g.Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := cluster.kubernetes.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// The policies of PodSecurity.
const restricted, privileged = "restricted", "privileged"

// createNamespace creates one that takes the Pods that a policy allows.
func createNamespace(t *testing.T, name, policy string) {
	t.Helper()
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": policy}}})
}

// createSecret creates one of a person.
func createSecret(t *testing.T, namespace, name string, data map[string]string) {
	t.Helper()
	create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data})
}

// inpod is a Pod of test/e2e/inpod, which mounts what volumes name under /mounted.
func inpod(namespace, name string, arguments []string, volumes ...corev1.Volume) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false), TerminationGracePeriodSeconds: ptr.To[int64](2),
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			Containers: []corev1.Container{{
				Name: "inpod", Image: inpodImage, ImagePullPolicy: corev1.PullNever, Args: arguments,
				Env:             []corev1.EnvVar{{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}},
				SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			}},
			Volumes: volumes,
		},
	}
	container := &pod.Spec.Containers[0]
	for _, volume := range volumes {
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volume.Name, MountPath: "/mounted/" + volume.Name, ReadOnly: true})
	}
	return pod
}

func secretVolume(name, secret string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}}
}

// answers is a probe: a Pod is ready when a path is served.
func answers(scheme corev1.URIScheme, port, path string) *corev1.Probe {
	return &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Scheme: scheme, Port: intstr.Parse(port), Path: path}}}
}

// startService runs the service in a Pod, and gives its URL and the certificate of its authority.
func startService(t *testing.T) (url string, certificate []byte) {
	t.Helper()
	g := NewWithT(t)
	createNamespace(t, services, restricted)
	certificate, key := authority(g)
	createSecret(t, services, "authority", map[string]string{corev1.TLSCertKey: string(certificate), corev1.TLSPrivateKeyKey: string(key)})
	arguments := []string{"service", "-token-lifetime=" + lifetime.String(), "-client=" + clientID + ":" + clientSecret, "-password=" + password, "-authority=/mounted/authority"}
	for _, credential := range credentials {
		arguments = append(arguments, credential.Name)
	}
	pod := inpod(services, servicePod, arguments, secretVolume("authority", "authority"))
	pod.Spec.Containers[0].ReadinessProbe = answers(corev1.URISchemeHTTPS, servedPort, fakespaces.ControlPath+"faults")
	create(t, pod)
	awaitReady(t, pod)
	return "https://" + pod.Status.PodIP + ":" + servedPort, certificate
}

// awaitReady waits until a Pod is ready, and reads it.
func awaitReady(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	NewWithT(t).Eventually(func() error {
		if err := cluster.kubernetes.Get(t.Context(), client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if !ready(pod) {
			return fmt.Errorf("%s is %s: %v", pod.Name, pod.Status.Phase, pod.Status.ContainerStatuses)
		}
		return nil
	}).WithTimeout(startLimit).WithPolling(tokenLookPeriod).Should(Succeed())
}

func ready(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

// ledger is what the service counted.
func ledger(t *testing.T) (l fakespaces.Ledger) {
	t.Helper()
	content, err := cluster.calls.CoreV1().Pods(services).ProxyGet("https", servicePod, servedPort, fakespaces.ControlPath+"ledger", nil).DoRaw(t.Context())
	if err == nil {
		err = json.Unmarshal(content, &l)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// seed is the refresh token of a sign-in by somebody else.
func seed(t *testing.T, user string) string {
	t.Helper()
	var answer fakespaces.SeedAnswer
	asked, err := json.Marshal(fakespaces.Seed{Client: clientID, User: user})
	if err != nil {
		t.Fatal(err)
	}
	content, err := cluster.calls.CoreV1().RESTClient().Post().Namespace(services).Resource("pods").SubResource("proxy").Name("https:" + servicePod + ":" + servedPort).
		Suffix(fakespaces.ControlPath + "grants").Body(asked).DoRaw(t.Context())
	if err == nil {
		err = json.Unmarshal(content, &answer)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer.RefreshToken
}

// createCredentials creates them with what they sign in by.
func createCredentials(t *testing.T) {
	t.Helper()
	for _, namespace := range []string{team, languages} {
		createSecret(t, namespace, "client", map[string]string{"client_id": clientID, "client_secret": clientSecret})
	}
	for _, key := range credentials {
		made := &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}, Spec: v1alpha1.SpacesCredentialSpec{
			Environment: "e2e", ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
		}}
		if key.Name == seeded {
			createSecret(t, key.Namespace, key.Name+"-seed", map[string]string{"refresh_token": seed(t, key.Name)})
			made.Spec.GrantType = v1alpha1.GrantTypeRefreshToken
			made.Spec.RefreshToken = &v1alpha1.RefreshTokenGrant{SecretRef: v1alpha1.SecretKeyReference{Name: key.Name + "-seed"}}
		} else {
			createSecret(t, key.Namespace, key.Name+"-login", map[string]string{"username": key.Name, "password": password})
			made.Spec.GrantType = v1alpha1.GrantTypePassword
			made.Spec.Password = &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: key.Name + "-login"}}
		}
		create(t, made)
	}
}
