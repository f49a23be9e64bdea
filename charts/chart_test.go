// Package charts tests the chart as its users have it: by helm, against a real API server.
package charts

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/fakespaces"
	"github.com/spaces-operator/spaces-credential-operator/internal/testbed"
)

const (
	chart     = "spaces-credential-operator"
	release   = "spaces-credential-operator"
	namespace = "spaces-credential-operator-system"
)

// certificate is one of an authority that nobody needs.
var certificate = func() string {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}()

// plane is what all tests share: flow control, pod security and the authorizer among it.
var plane struct {
	config     *rest.Config
	kubernetes client.Client
	kubeconfig string
}

// helm is its command, which `make test-chart` builds.
var helm = os.Getenv("HELM")

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	if helm == "" {
		fmt.Println("skipped: HELM names no helm; make test-chart builds one")
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	environment := &envtest.Environment{BinaryAssetsDirectory: os.Getenv("KUBEBUILDER_ASSETS")}
	folder, err := os.MkdirTemp("", "chart-")
	if err == nil {
		defer func() { _ = os.RemoveAll(folder) }()
		plane.config, err = environment.Start()
	}
	if err == nil {
		defer func() { _ = environment.Stop() }()
		plane.kubernetes, err = testbed.NewClient(plane.config)
	}
	if err == nil {
		plane.kubeconfig, err = testbed.WriteKubeconfig(folder, plane.config)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return m.Run()
}

// values is a set of values, as a person writes it.
type values = map[string]any

// sets are the ways to install that the pages tell of.
var sets = map[string]values{
	"nothing chosen":          {},
	"two namespaces":          {"watch": values{"namespaces": []string{"team-a", "team-b"}}, "metrics": values{"secure": false}},
	"clients elsewhere":       {"clusterClients": values{"namespace": "spaces-clients"}},
	"no clients to share":     {"clusterClients": values{"enabled": false}},
	"namespaces with a label": {"watch": values{"namespaceSelector": "spaces=yes"}},
	"a shard":                 {"watch": values{"labelSelector": v1alpha1.LabelShard + " in (1, 2)"}, "flowControl": values{"enabled": true}},
	"environments and authorities": {
		"builtInEnvironments": false,
		"environments": []values{{"name": "local", "accountsURL": "https://accounts.example.test", "apiURL": "https://api.example.test",
			"caFile": "/etc/spaces-credential-operator/example.pem", "namespaces": []string{"team-a"}, "requestsPerSecond": 2.5, "burst": 5, "timeoutSeconds": 15,
			"grantLifetimeSeconds": 7_776_000, "paused": true}},
		"caBundles": values{"example.pem": certificate},
	},
	"a proxy and a closed network": {
		"proxy": values{"https": "http://proxy.example.test:3128"}, "networkPolicy": values{"enabled": true, "servicePorts": []int{443, 3128}},
	},
	"a certificate for the metrics": {"metrics": values{"certificateSecret": "metrics-tls"}},
	"as little as can be": {
		"replicaCount": 1, "metrics": values{"enabled": false}, "policies": values{"enabled": false}, "podDisruptionBudget": values{"enabled": false},
		"rbac": values{"aggregate": false}, "topologySpread": false, "resources": values{"limits": nil},
	},
	"everything else": {
		"image":            values{"repository": "example.test/operator", "digest": "sha256:" + strings.Repeat("0", 64), "pullPolicy": "Always"},
		"imagePullSecrets": []values{{"name": "pull"}}, "priorityClassName": "system-cluster-critical",
		"operator":  values{"denySecretMetadata": []string{"example.com/"}, "allowExport": true, "logLevel": 7, "kubeAPIQPS": 0.5},
		"extraArgs": []string{"--new-state-key"}, "extraEnv": []values{{"name": "A", "value": "b"}},
		"extraVolumes": []values{{"name": "tmp", "emptyDir": values{}}}, "extraVolumeMounts": []values{{"name": "tmp", "mountPath": "/tmp"}},
		"podAnnotations": values{"a": "b"}, "podLabels": values{"c": "d"}, "nodeSelector": values{"kubernetes.io/os": "linux"},
		"tolerations": []values{{"operator": "Exists"}}, "serviceAccount": values{"name": "own", "annotations": values{"e": "f"}},
		"affinity": values{"nodeAffinity": values{}},
		"policies": values{"operatorAccounts": []string{"system:serviceaccount:elsewhere:operator"}},
	},
}

// call runs helm against the shared plane.
func call(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	command := exec.Command(helm, append(arguments, "--kubeconfig="+plane.kubeconfig, "--namespace="+namespace)...)
	home := t.TempDir()
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	output, err := command.CombinedOutput()
	return string(output), err
}

func mustCall(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := call(t, arguments...)
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	return output
}

// file writes values for helm.
func file(t *testing.T, v values) string {
	t.Helper()
	content, err := json.Marshal(v)
	path := filepath.Join(t.TempDir(), "values.json")
	if err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := client.IgnoreAlreadyExists(plane.kubernetes.Create(t.Context(), object)); err != nil {
		t.Fatal(err)
	}
}

func createNamespaces(t *testing.T) {
	t.Helper()
	for _, name := range []string{"team-a", "team-b"} {
		create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}})
}

// Each way to install is installed, upgraded, rolled back and removed by helm. The CRD stays: it
// would take every grant with it.
func TestTheChartIsInstalledAndRemoved(t *testing.T) {
	createNamespaces(t)
	for name, chosen := range sets {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			path := file(t, chosen)
			mustCall(t, "lint", chart, "--strict", "-f", path)
			mustCall(t, "install", release, chart, "-f", path)
			checkDeployment(t)
			mustCall(t, "upgrade", release, chart, "-f", path, "--set", "podAnnotations.upgraded=yes")
			mustCall(t, "rollback", release, "1")
			mustCall(t, "uninstall", release)
			g.Expect(left(t)).To(BeEmpty())
			crd := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}}
			g.Expect(plane.kubernetes.Get(t.Context(), client.ObjectKey{Name: "spacescredentials.auth.spaces-operator.io"}, crd)).To(Succeed())
			g.Expect(crd.GetDeletionTimestamp()).To(BeNil())
		})
	}
}

// checkDeployment tries what is installed.
func checkDeployment(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	var all appsv1.DeploymentList
	g.Expect(plane.kubernetes.List(t.Context(), &all, client.InNamespace(namespace))).To(Succeed())
	g.Expect(all.Items).To(HaveLen(1))
	var environments corev1.ConfigMap
	g.Expect(plane.kubernetes.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: release + "-environments"}, &environments)).To(Succeed())
	checkPods(t, all.Items[0].Spec.Template, environments.Data)
}

// checkPods tries the Pods of a Deployment: the operator knows its arguments and takes its
// environments, and a namespace of PodSecurity restricted takes them, also with a user ID that the
// cluster chose.
func checkPods(t *testing.T, template corev1.PodTemplateSpec, environments map[string]string) {
	t.Helper()
	g := NewWithT(t)
	folder := t.TempDir()
	away, err := testbed.WriteKubeconfig(folder, &rest.Config{Host: "http://127.0.0.1:1"})
	g.Expect(err).NotTo(HaveOccurred())
	arguments := append(argumentsFor(t, template, environments, folder), "--kubeconfig="+away, "--metrics-bind-address=0")
	output, err := exec.Command(operator(t), arguments...).CombinedOutput()
	g.Expect(err).To(HaveOccurred())
	g.Expect(string(output)).To(ContainSubstring("http://127.0.0.1:1 cannot be used"), "all before it was well")

	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tried", Labels: template.Labels}, Spec: template.Spec}
	pod.Spec.PriorityClassName = ""
	g.Expect(plane.kubernetes.Create(t.Context(), pod.DeepCopy(), client.DryRunAll)).To(Succeed())
	g.Expect(pod.Spec.SecurityContext.RunAsUser).To(BeNil())
	pod.Spec.SecurityContext.RunAsUser = ptr.To[int64](1000690000)
	g.Expect(plane.kubernetes.Create(t.Context(), pod, client.DryRunAll)).To(Succeed())
}

// left names what a release left behind.
func left(t *testing.T) (names []string) {
	t.Helper()
	for _, kind := range []string{
		"v1/ServiceAccount", "v1/Service", "v1/ConfigMap", "apps/v1/Deployment", "policy/v1/PodDisruptionBudget", "networking.k8s.io/v1/NetworkPolicy",
		"rbac.authorization.k8s.io/v1/Role", "rbac.authorization.k8s.io/v1/RoleBinding", "rbac.authorization.k8s.io/v1/ClusterRole",
		"rbac.authorization.k8s.io/v1/ClusterRoleBinding", "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
		"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding", "flowcontrol.apiserver.k8s.io/v1/FlowSchema",
		"flowcontrol.apiserver.k8s.io/v1/PriorityLevelConfiguration",
	} {
		at := strings.LastIndex(kind, "/")
		list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": kind[:at], "kind": kind[at+1:] + "List"}}
		if err := plane.kubernetes.List(t.Context(), list, client.MatchingLabels{"app.kubernetes.io/instance": release}); err != nil {
			t.Fatal(err)
		}
		for _, object := range list.Items {
			names = append(names, object.GetKind()+" "+object.GetName())
		}
	}
	return names
}

// A value that is mistyped is refused before anything is installed.
func TestValuesThatAreNoneAreRefused(t *testing.T) {
	for complaint, chosen := range map[string]values{
		"replicas":          {"replicas": 2},
		"namespace":         {"watch": values{"namespace": "team-a"}},
		"logLevel":          {"operator": values{"logLevel": 8}},
		"Team_A":            {"watch": values{"namespaces": []string{"Team_A"}}},
		"accountsUrl":       {"environments": []values{{"name": "local", "accountsUrl": "https://accounts.example.test"}}},
		"corp.pem":          {"caBundles": values{"corp.pem": "no certificate"}},
		"digest":            {"image": values{"digest": "latest"}},
		"1 hour":            {"operator": values{"defaultTokenLifetime": "1 hour"}},
		"certificateSecret": {"metrics": values{"certificateSecret": "metrics-tls", "secure": false}},
		"serviceMonitors":   {"metrics": values{"serviceMonitors": values{}}},
	} {
		output, err := call(t, "template", release, chart, "-f", file(t, chosen))
		if err == nil || !strings.Contains(output, complaint) && !strings.Contains(output, strings.ToLower(complaint)) {
			t.Errorf("%v: %v: %s", chosen, err, output)
		}
	}
}

// With namespaces named, the operator has no right on any Secret elsewhere, watches nothing of the
// whole cluster, and works: its own binary, by its service account, before the real authorizer.
func TestNamespacesAreEnough(t *testing.T) {
	g := NewWithT(t)
	createNamespaces(t)
	spaces := startSpaces(t)
	mustCall(t, "install", release, chart, "-f", file(t, valuesFor(spaces, "team-a")))
	t.Cleanup(func() { mustCall(t, "uninstall", release) })
	started := startInstalled(t)

	credential := signIn(t, started, "team-a")

	for _, elsewhere := range []client.ListOption{client.InNamespace("team-b"), client.InNamespace(metav1.NamespaceAll)} {
		g.Expect(started.own.List(t.Context(), &corev1.SecretList{}, elsewhere)).To(MatchError(apierrors.IsForbidden, "is forbidden"))
	}
	g.Expect(plane.kubernetes.Delete(t.Context(), credential)).To(Succeed())
	g.Eventually(func() bool {
		return apierrors.IsNotFound(plane.kubernetes.Get(t.Context(), client.ObjectKeyFromObject(credential), credential))
	}).WithTimeout(time.Minute).Should(BeTrue())
	g.Expect(spaces.Ledger().GrantsLive).To(BeZero())
}

// startSpaces starts a Spaces with one client and one user.
func startSpaces(t *testing.T) *testbed.Service {
	t.Helper()
	spaces, err := testbed.StartService(fakespaces.WithClient("app", "client-secret-c0de"), fakespaces.WithUser("bot@example.test", "password-c0de"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := spaces.Stop(); err != nil {
			t.Error(err)
		}
	})
	return spaces
}

// valuesFor are those of an operator that looks after some namespaces, or after all, and knows a
// Spaces as the environment local.
func valuesFor(spaces *testbed.Service, namespaces ...string) values {
	return values{
		"watch":        values{"namespaces": append([]string{}, namespaces...)},
		"metrics":      values{"enabled": false},
		"environments": []values{{"name": "local", "accountsURL": spaces.URL, "apiURL": spaces.URL}},
	}
}

// bot is a SpacesCredential that signs in at the environment local.
func bot(namespace string) *v1alpha1.SpacesCredential {
	return &v1alpha1.SpacesCredential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bot"}, Spec: v1alpha1.SpacesCredentialSpec{
		Environment: "local", GrantType: v1alpha1.GrantTypePassword, ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "client"},
		Password: &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "login"}},
	}}
}

// signIn makes a SpacesCredential, and returns when it is ready.
func signIn(t *testing.T, started installed, namespace string) *v1alpha1.SpacesCredential {
	t.Helper()
	credential := bot(namespace)
	makeReady(t, started, credential)
	return credential
}

// makeReady makes a [bot] with its inputs, and returns when it is ready.
func makeReady(t *testing.T, started installed, credential *v1alpha1.SpacesCredential) {
	t.Helper()
	g := NewWithT(t)
	for _, object := range []client.Object{
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: credential.Namespace, Name: "client"}, StringData: map[string]string{"client_id": "app", "client_secret": "client-secret-c0de"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: credential.Namespace, Name: "login"}, StringData: map[string]string{"username": "bot@example.test", "password": "password-c0de"}},
		credential,
	} {
		create(t, object)
	}
	g.Eventually(func(g Gomega) {
		g.Expect(started.operator.Failure()).To(Succeed())
		g.Expect(plane.kubernetes.Get(t.Context(), client.ObjectKeyFromObject(credential), credential)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(credential.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
	}).WithTimeout(time.Minute).Should(Succeed())
}

// Namespaces are chosen by a label, and the rights there by a RoleBinding: nothing else may be read.
func TestALabelAndARoleBindingAreEnough(t *testing.T) {
	g := NewWithT(t)
	createNamespaces(t)
	labelled := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "labelled", Labels: map[string]string{"spaces": "yes"}}}
	create(t, labelled)
	spaces := startSpaces(t)
	chosen := valuesFor(spaces)
	chosen["watch"] = values{"namespaceSelector": "spaces=yes"}
	mustCall(t, "install", release, chart, "-f", file(t, chosen))
	t.Cleanup(func() { mustCall(t, "uninstall", release) })
	bound := kubectl("--kubeconfig="+plane.kubeconfig, "--namespace="+labelled.Name, "create", "rolebinding", release, // as docs/install.md has it
		"--clusterrole="+release+"-manager-role", "--serviceaccount="+namespace+":"+release+"-controller-manager")
	output, err := bound.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(output))
	g.Eventually(func(g Gomega) { // the operator would look again in a minute only
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + namespace + ":" + release + "-controller-manager",
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: labelled.Name, Verb: "list", Resource: "secrets"},
		}}
		g.Expect(plane.kubernetes.Create(t.Context(), review)).To(Succeed())
		g.Expect(review.Status.Allowed).To(BeTrue())
	}).WithTimeout(time.Minute).Should(Succeed())
	started := startInstalled(t)
	credential := signIn(t, started, labelled.Name)
	for _, elsewhere := range []client.ListOption{client.InNamespace("team-a"), client.InNamespace(metav1.NamespaceAll)} {
		g.Expect(started.own.List(t.Context(), &corev1.SecretList{}, elsewhere)).To(MatchError(apierrors.IsForbidden, "is forbidden"))
	}
	g.Expect(plane.kubernetes.Delete(t.Context(), credential)).To(Succeed())
	expectGone(t, credential)
	g.Expect(spaces.Ledger().GrantsLive).To(BeZero())
}

// installed is the operator of a release, in a process beside the plane that has no node.
type installed struct {
	operator *testbed.Operator
	own      client.Client // with its rights
}

// startInstalled runs what the Deployment says, with the rights of its service account.
func startInstalled(t *testing.T) installed { return startRelease(t, release) }

// startRelease is startInstalled for what has another name than the usual release.
func startRelease(t *testing.T, name string) installed {
	t.Helper()
	g := NewWithT(t)
	var deployment appsv1.Deployment
	g.Expect(plane.kubernetes.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name + "-controller-manager"}, &deployment)).To(Succeed())
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: deployment.Spec.Template.Spec.ServiceAccountName}}
	token := &authenticationv1.TokenRequest{}
	g.Expect(plane.kubernetes.SubResource("token").Create(t.Context(), account, token)).To(Succeed())
	config := rest.AnonymousClientConfig(plane.config)
	config.BearerToken = token.Status.Token
	own, err := testbed.NewClient(config)
	g.Expect(err).NotTo(HaveOccurred())
	folder := t.TempDir()
	kubeconfig, err := testbed.WriteKubeconfig(folder, config)
	g.Expect(err).NotTo(HaveOccurred())

	var environments corev1.ConfigMap
	g.Expect(plane.kubernetes.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name + "-environments"}, &environments)).To(Succeed())
	arguments := append([]string{"--kubeconfig=" + kubeconfig, "--leader-election-namespace=" + namespace},
		argumentsFor(t, deployment.Spec.Template, environments.Data, folder)...)
	running, err := testbed.StartOperator(exec.Command(operator(t), arguments...), filepath.Join(folder, "log"))
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(running.Stop()).To(Succeed()) })
	return installed{operator: running, own: own}
}

// argumentsFor are those of a Deployment for a process here, which finds its environments in a folder.
func argumentsFor(t *testing.T, template corev1.PodTemplateSpec, environments map[string]string, folder string) (arguments []string) {
	t.Helper()
	g := NewWithT(t)
	for _, argument := range template.Spec.Containers[0].Args {
		switch name, _, _ := strings.Cut(argument, "="); name {
		case "--health-probe-bind-address": // the port may be taken
			argument = "--health-probe-bind-address=0"
		case "--metrics-cert-path": // there is no such Secret
			continue
		}
		arguments = append(arguments, strings.ReplaceAll(argument, "/etc/spaces-credential-operator", folder))
	}
	for name, content := range environments {
		content = strings.ReplaceAll(content, "/etc/spaces-credential-operator", folder)
		g.Expect(os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600)).To(Succeed())
	}
	return arguments
}

// operator is its binary, which is built once.
func operator(t *testing.T) string {
	t.Helper()
	if err := testbed.Build(context.WithoutCancel(t.Context()), "../bin/chart/manager", "."); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs("../bin/chart/manager")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
