package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/seal"
)

// host is a service of which only the address, the certificate and the clock matter.
func host(t *testing.T, ahead time.Duration) (url, authority string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", noon.Add(ahead).Format(http.TimeFormat))
		w.WriteHeader(http.StatusNotFound) // any answer is one
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// installed makes what the chart makes of an operator, as far as doctor looks at it, until the test
// ends. Its environment is the one of withPassword.
func installed(t *testing.T, namespace, url, authority string) *appsv1.Deployment {
	t.Helper()
	g := NewWithT(t)
	newNamespace(t, namespace)
	configuration := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "environments"}, Data: map[string]string{
		"environments.yaml": "builtIn: false\nenvironments:\n- {name: staging, accountsURL: " + url + ", apiURL: " + url + ", caFile: /etc/operator/ca.pem}\n",
		"ca.pem":            authority,
	}}
	labels := map[string]string{"app.kubernetes.io/instance": namespace}
	for name, value := range operatorLabels {
		labels[name] = value
	}
	labelled := metav1.ObjectMeta{Namespace: namespace, Name: "operator", Labels: map[string]string{"app.kubernetes.io/version": "0.0.0-test"}}
	for name, value := range labels {
		labelled.Labels[name] = value
	}
	deployment := &appsv1.Deployment{ObjectMeta: labelled, Spec: appsv1.DeploymentSpec{
		Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			ServiceAccountName: "operator",
			Containers: []corev1.Container{{Name: "manager", Image: "example.test/operator:v0.0.0-test", Args: []string{"--leader-elect", "--environments-file=/etc/operator/environments.yaml"},
				VolumeMounts: []corev1.VolumeMount{{Name: "environments", MountPath: "/etc/operator"}}}},
			Volumes: []corev1.Volume{{Name: "environments", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "environments"}}}}},
		}},
	}}
	key, err := seal.NewKey(bytes.NewReader(bytes.Repeat([]byte("chance by design"), 16)))
	g.Expect(err).NotTo(HaveOccurred())
	keys := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.StateKeySecretName}, Type: v1alpha1.SecretTypeStateKey, Data: seal.NewKeyring(key).Data()}
	rights := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "operator"}},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"}}
	for _, object := range []client.Object{configuration, deployment, keys, rights} {
		g.Expect(admin.Create(t.Context(), object)).To(Succeed())
		t.Cleanup(func() { g.Expect(client.IgnoreNotFound(admin.Delete(context.Background(), object))).To(Succeed()) })
	}
	expectMay(t, "system:serviceaccount:"+namespace+":operator", namespace, "update", "", "secrets")
	deployment.Status = appsv1.DeploymentStatus{Replicas: 1, ReadyReplicas: 1, UpdatedReplicas: 1}
	g.Expect(admin.Status().Update(t.Context(), deployment)).To(Succeed())
	holdLease(t, namespace, time.Second)
	return deployment
}

// alone makes a credential the only one that there is: doctor looks at all namespaces.
func alone(t *testing.T, namespace string, edits ...func(*v1alpha1.SpacesCredential)) *v1alpha1.SpacesCredential {
	t.Helper()
	g := NewWithT(t)
	var found v1alpha1.SpacesCredentialList
	g.Expect(admin.List(t.Context(), &found)).To(Succeed())
	for i := range found.Items {
		found.Items[i].Finalizers = nil
		g.Expect(admin.Update(t.Context(), &found.Items[i])).To(Succeed())
		g.Expect(client.IgnoreNotFound(admin.Delete(t.Context(), &found.Items[i]))).To(Succeed())
	}
	return create(t, credential(t, withPassword, newNamespace(t, namespace), edits...))
}

func TestDoctorFindsNothingWrongWhereAllIsWell(t *testing.T) {
	url, authority := host(t, 3*time.Second)
	installed(t, "doctor-well", url, authority)
	alone(t, "doctor-well-team", published)
	for golden, width := range map[string]int{"doctor_well": 0, "doctor_well_at_80": 80} {
		g, s := NewWithT(t), newSession()
		s.tool.width = func() int { return width }
		g.Expect(s.run(t.Context(), "default", "doctor")).To(Equal(exitDone), s.out.String()+s.err.String())
		expectGolden(t, golden, strings.ReplaceAll(s.out.String(), url, "https://accounts.example.test"))
	}
}

// What can be wrong, one at a time: each has its remedy, and an exit code that a script sees.
func TestDoctorFindsWhatIsWrong(t *testing.T) {
	ctx := context.Background()
	type bed struct {
		deployment *appsv1.Deployment
		object     *v1alpha1.SpacesCredential
	}
	change := func(b bed, edit func(*appsv1.Deployment)) error {
		edit(b.deployment)
		return admin.Update(ctx, b.deployment)
	}
	configuration := func(b bed, content string) error {
		found := &corev1.ConfigMap{}
		if err := admin.Get(ctx, client.ObjectKey{Namespace: b.deployment.Namespace, Name: "environments"}, found); err != nil {
			return err
		}
		found.Data["environments.yaml"] = content
		return admin.Update(ctx, found)
	}
	for sentence, c := range map[string]struct {
		namespace string
		// ahead is the service's clock, and passed what is over since the lease was renewed.
		ahead, passed time.Duration
		harm          func(bed) error
		code          int
		says          []string
	}{
		"no replica": {"doctor-none", 0, 0, func(b bed) error {
			b.deployment.Status.ReadyReplicas = 0
			return admin.Status().Update(ctx, b.deployment)
		}, exitFailed, []string{"wrong", "has 0 of 1 replicas ready", "see why: `kubectl describe deployment,pods -l "}},
		"scaled to none": {"doctor-scaled", 0, 0, func(b bed) error {
			return change(b, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](0) })
		}, exitFailed, []string{"`kubectl scale deployment operator --replicas=1 -n doctor-scaled`"}},
		"a holder that is gone": {"doctor-gone", 5 * time.Minute, 5 * time.Minute, func(bed) error { return nil }, exitFailed, []string{"Lease doctor-gone/a-shard was renewed 5m1s ago.", "`kubectl get pods -n doctor-gone`"}},
		"an operator that never led": {"doctor-leads", 0, 0, func(b bed) error {
			return admin.DeleteAllOf(ctx, &coordinationv1.Lease{}, client.InNamespace(b.deployment.Namespace))
		}, exitFailed, []string{"No operator has ever held a lease here.", "`kubectl logs deployment/operator -n doctor-leads`"}},
		"an operator that is somewhere else": {"doctor-else", 0, 0, func(b bed) error {
			return errors.Join(admin.Delete(ctx, b.deployment), admin.DeleteAllOf(ctx, &coordinationv1.Lease{}, client.InNamespace(b.deployment.Namespace)))
		}, exitDone, []string{"There is no Deployment with the labels of an operator.", "nothing, if one runs without --leader-elect"}},
		"no rights": {"doctor-rights", 0, 0, func(b bed) error {
			return admin.Delete(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: b.deployment.Namespace}})
		}, exitFailed, []string{"may not do what it has to in doctor-rights-team (list spacescredentials,", "patch spacescredentials/status", "ServiceAccount doctor-rights:operator"}},
		"no key": {"doctor-key", 0, 0, func(b bed) error {
			return admin.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.deployment.Namespace, Name: v1alpha1.StateKeySecretName}})
		}, exitFailed, []string{"Secret doctor-key/spaces-credential-operator-state-key, does not exist", "docs/backup.md"}},
		"another key": {"doctor-other", 0, 0, func(b bed) error {
			return change(b, func(d *appsv1.Deployment) {
				d.Spec.Template.Spec.Containers[0].Args = append(d.Spec.Template.Spec.Containers[0].Args, "--state-key-secret", "kube-system/keys")
			})
		}, exitFailed, []string{"Secret kube-system/keys, does not exist"}},
		"a file that does not parse": {"doctor-parse", 0, 0, func(b bed) error { return configuration(b, "builtIn: perhaps\n") },
			exitFailed, []string{"cannot use its environments: its file /etc/operator/environments.yaml:", "goes on with what it read before"}},
		"an environment that is unknown": {"doctor-unknown", 0, 0, func(b bed) error {
			return configuration(b, "builtIn: true\nenvironments:\n- {name: staging, namespaces: [other]}\n")
		},
			exitFailed, []string{"does not admit for their namespace: doctor-unknown-team/meeting-bot (staging).", "it knows production, staging"}},
		"a host that nobody reaches": {"doctor-host", 0, 0, func(b bed) error {
			b.object.Status.Conditions = nil
			waitingFor(v1alpha1.ReasonServiceUnavailable, "The service is not reached.", false)(b.object)
			if err := admin.Status().Update(ctx, b.object); err != nil {
				return err
			}
			return configuration(b, "builtIn: false\nenvironments:\n- {name: staging, accountsURL: \"https://127.0.0.1:1\", apiURL: \"https://127.0.0.1:1\"}\n")
		}, exitFailed, []string{"https://127.0.0.1:1 of environment \"staging\" does not answer this machine: dial tcp", "1 SpacesCredential of it cannot reach it from the operator", "NetworkPolicy"}},
		"a host that only the operator reaches": {"doctor-inside", 0, 0, func(b bed) error {
			return configuration(b, "builtIn: false\nenvironments:\n- {name: staging, accountsURL: \"https://127.0.0.1:1\", apiURL: \"https://127.0.0.1:1\"}\n")
		}, exitDone, []string{"look at it", "nothing, if only the operator's network reaches it"}},
		"a clock that is ahead": {"doctor-clock", 90 * time.Second, 0, func(bed) error { return nil },
			exitDone, []string{"The clock of environment \"staging\" differs from this machine's by 1m30s."}},
		"an operator whose clock is apart": {"doctor-apart", 0, 0, func(b bed) error {
			return admin.Patch(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: b.deployment.Namespace, Name: "a-shard"}},
				client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+v1alpha1.AnnotationClockSkew+`":"staging=-2m0s"}}}`)))
		}, exitDone, []string{"The clock of the service of environment \"staging\" is 2m0s behind the operator's.", "look at the clock of the operator's node first"}},
		"an environment that is paused": {"doctor-paused", 0, 0, func(b bed) error {
			return configuration(b, "builtIn: true\nenvironments:\n- {name: staging, paused: true}\n")
		}, exitDone, []string{"Environment \"staging\" is paused: nothing is sent there"}},
		"another version": {"doctor-version", 0, 0, func(b bed) error {
			return change(b, func(d *appsv1.Deployment) { d.Labels["app.kubernetes.io/version"] = "9.9.9" })
		}, exitDone, []string{"The operator doctor-version/operator is of version 9.9.9, this plugin of v0.0.0-test."}},
		"a credential that is not well": {"doctor-ill", 0, 0, func(b bed) error {
			b.object.Status.Conditions = nil
			waitingFor(v1alpha1.ReasonGrantRejected, "The service refused the login.", true)(b.object)
			return admin.Status().Update(ctx, b.object)
		}, exitFailed, []string{"0 of 1 SpacesCredential are well. These are not: doctor-ill-team/meeting-bot (GrantRejected).", "`kubectl spaces explain meeting-bot -n doctor-ill-team`"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			url, authority := host(t, c.ahead)
			b := bed{installed(t, c.namespace, url, authority), alone(t, c.namespace+"-team", published)}
			g.Expect(c.harm(b)).To(Succeed())
			s.clock.SetTime(noon.Add(c.passed))
			g.Expect(s.run(t.Context(), "default", "doctor")).To(Equal(c.code), s.out.String()+s.err.String())
			for _, words := range c.says {
				g.Expect(s.out.String()).To(ContainSubstring(words))
			}
			g.Expect(strings.Contains(s.out.String(), "Nothing is wrong")).To(Equal(c.code == exitDone))
		})
	}
}

// Who may see little is told what was not looked at, and nothing is taken for well because of it.
func TestDoctorLooksAsFarAsItMay(t *testing.T) {
	g, s := NewWithT(t), newSession()
	url, authority := host(t, 0)
	installed(t, "doctor-viewer", url, authority)
	alone(t, "doctor-viewer-team", published)
	g.Expect(s.run(t.Context(), "default", "doctor", "--as="+viewer)).To(Equal(exitDone), s.err.String())
	expectGolden(t, "doctor_viewer", s.out.String())
}

// The certificate of the service's authority lies beside the operator's environments: whoever may read
// it there needs no copy.
func TestWhoamiTrustsTheAuthorityOfTheEnvironment(t *testing.T) {
	g := NewWithT(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"username": "bot@example.test"}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it is refused once
	server.StartTLS()
	t.Cleanup(server.Close)
	installed(t, "authority", server.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	object := create(t, credential(t, withPassword, newNamespace(t, "authority-team"), published))
	publish(t, object, key(v1alpha1.KeyAPIURL, server.URL))
	s := newSession()
	g.Expect(s.run(t.Context(), object.Namespace, "whoami", object.Name)).To(Equal(exitDone), s.err.String())
	g.Expect(s.out.String()).To(ContainSubstring("bot@example.test"))

	// Whoever may not read it is told what to give.
	reader := "token-reader"
	g.Expect(admin.Create(t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: reader}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"spacescredentials"}, Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}},
	}})).To(Succeed())
	g.Expect(admin.Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: reader},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: reader}}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: reader}})).To(Succeed())
	expectMay(t, reader, object.Namespace, "get", v1alpha1.GroupName, "spacescredentials")
	s = newSession()
	g.Expect(s.run(t.Context(), object.Namespace, "whoami", object.Name, "--as="+reader)).To(Equal(exitFailed))
	g.Expect(s.err.String()).To(ContainSubstring("a caFile that you may not read in the cluster: --ca-file names a copy of it here"))
}
