package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	pages "github.com/spaces-operator/spaces-credential-operator/test/workloads"
)

const (
	// tokenFolder is where a workload has its token.
	tokenFolder = "/mounted/token"
	// authorityPath is where it has the certificate of the service's authority.
	authorityPath = "/mounted/authority/" + authorityFile
	// programFolder is where a program of docs/workloads.md has its own file.
	programFolder = "/mounted/program"
)

// workloads are the Pods that mount a token and call with it, in the order in which they were made.
var workloads []client.ObjectKey

// createWorkloads creates a Pod for each credential of the team, and one for each program of
// docs/workloads.md that this machine can run.
func createWorkloads(t *testing.T, url string, certificate []byte) {
	t.Helper()
	for _, namespace := range []string{team, languages} {
		create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "authority"}, Data: map[string]string{authorityFile: string(certificate)}})
	}
	for _, key := range credentials {
		if key.Namespace == team {
			startWorkload(t, workload(key, key.Name, "-url="+url, "-authority="+authorityPath))
		}
	}
	if assets == "" {
		say("skipped: the programs of docs/workloads.md run where the node is this machine")
		return
	}
	programs, err := pages.Page("../../docs/workloads.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		if pod := polyglotWorkload(t, program); pod != nil {
			startWorkload(t, pod)
		}
	}
}

// startWorkload waits until a workload has its token, too.
func startWorkload(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	create(t, pod)
	awaitReady(t, pod)
	workloads = append(workloads, client.ObjectKeyFromObject(pod))
}

// workload is a Pod that mounts the token of a credential and calls with it.
func workload(key client.ObjectKey, credential string, arguments ...string) *corev1.Pod {
	pod := inpod(key.Namespace, key.Name, append([]string{"workload", "-token=" + tokenFolder + "/" + v1alpha1.KeyAccessToken}, arguments...),
		secretVolume("token", credential),
		corev1.Volume{Name: "authority", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "authority"}}}})
	pod.Spec.Containers[0].ReadinessProbe = answers(corev1.URISchemeHTTP, workloadPort, "/")
	return pod
}

// polyglotWorkload is a workload in which a program of docs/workloads.md calls, by the interpreter of
// this machine. It is nil where there is none.
func polyglotWorkload(t *testing.T, program pages.Program) *corev1.Pod {
	t.Helper()
	folder := filepath.Join(folder, "programs", program.File)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, program.File)
	if err := os.WriteFile(file, []byte(program.Text), 0o644); err != nil {
		t.Fatal(err)
	}
	command := []string{programFolder + "/" + program.File}
	if program.Run[0] == "go" {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(folder, "program"), file)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if said, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		command = []string{programFolder + "/program"}
	} else {
		for _, needed := range []string{program.Run[0], program.Needs} {
			if _, err := os.Stat("/usr/bin/" + needed); err != nil {
				say("skipped: the program in %s: %v", program.Mark, err)
				return nil
			}
		}
		command = append([]string{"/usr/bin/" + program.Run[0]}, command...)
	}
	name, _, _ := strings.Cut(program.Mark, " ")
	pod := workload(client.ObjectKey{Namespace: languages, Name: name}, polyglot.Name, append([]string{"--"}, command...)...)
	container := &pod.Spec.Containers[0]
	container.Env = append(container.Env, corev1.EnvVar{Name: "SPACES_FOLDER", Value: tokenFolder}, corev1.EnvVar{Name: "PATH", Value: "/usr/bin"})
	for _, variable := range []string{"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"} { // Go and Python, Node, curl
		container.Env = append(container.Env, corev1.EnvVar{Name: variable, Value: authorityPath})
	}
	for at, path := range map[string]string{programFolder: folder, "/usr": "/usr", "/lib": "/lib", "/lib64": "/lib64"} {
		if _, err := os.Stat(path); err != nil {
			continue // not every machine has all of them
		}
		volume := "of" + strings.ReplaceAll(at, "/", "-")
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}}})
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: at, ReadOnly: true})
	}
	return pod
}
