package controllers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// expectLegal is the first watcher: after every pass it judges the status.
//
// A status is legal when
//
//  1. a pass of a living credential without an error says when to look again, at
//     least one second ahead;
//  2. the conditions are Ready, Reconciling, Stalled and GrantValid, each once, each
//     with a reason of the closed list, a message, and the observed generation;
//  3. observedGeneration is the generation of the object that was judged;
//  4. Ready True means an unexpired token in status, and the same token in the
//     published Secret;
//  5. Reconciling and Stalled are never both True (kstatus could not read that);
//  6. Ready False has a cause: Reconciling or Stalled is True, or an attempt is
//     scheduled, or the reason says WaitingForInput, Suspended, EnvironmentPaused, Expired
//     or Deleting;
//  7. a token's times are whole seconds and in order: issue, renewal, expiration;
//  8. no message tells a relative time or ends without a full stop.
func (w *world) expectLegal(name string, result ctrl.Result, err error) {
	GinkgoHelper()
	credential := w.find(name)
	if err != nil || credential == nil {
		return
	}
	if !credential.DeletionTimestamp.IsZero() && !slices.Contains(credential.Finalizers, v1alpha1.FinalizerRevoke) {
		return // it was released, and somebody else's finalizer holds it
	}
	Expect(result.RequeueAfter).To(BeNumerically(">=", time.Second), "1. the pass did not say when to look again")
	status := credential.Status
	if len(status.Conditions) == 0 {
		return // the first pass ended in a conflict
	}
	Expect(problems(credential, w.clock.Now())).To(BeEmpty(), "the status is not legal: %s", show(status))
	if result.RequeueAfter == afterConflict {
		return // the pass ended where somebody else had written first: the next one tells
	}
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); ready.Status == metav1.ConditionTrue && !credential.Spec.Suspend {
		published := w.secret(credential.EffectiveSecretName())
		if published != nil {
			Expect(published.Annotations[v1alpha1.AnnotationFingerprint]).To(Equal(status.Token.Fingerprint), "4. status tells of another token than the published one")
		}
	}
}

// problems lists what is not legal about a status, by the numbers above.
func problems(credential *v1alpha1.SpacesCredential, now time.Time) []string {
	var found []string
	bad := func(format string, arguments ...any) { found = append(found, fmt.Sprintf(format, arguments...)) }
	status := credential.Status
	conditions := map[string]metav1.Condition{}
	for _, c := range status.Conditions {
		if _, twice := conditions[c.Type]; twice {
			bad("2. %s stands twice", c.Type)
		}
		conditions[c.Type] = c
		if !slices.Contains(v1alpha1.Reasons(), c.Reason) {
			bad("2. %s has the unknown reason %s", c.Type, c.Reason)
		}
		if c.Message == "" || !strings.HasSuffix(c.Message, ".") {
			bad("8. the message of %s is no sentence: %q", c.Type, c.Message)
		}
		if c.ObservedGeneration > credential.Generation {
			bad("2. %s observed a generation that does not exist yet", c.Type)
		}
	}
	if len(conditions) != len(v1alpha1.ConditionTypes()) {
		bad("2. there are %d conditions", len(conditions))
	}
	if status.ObservedGeneration > credential.Generation {
		bad("3. observedGeneration is %d of %d", status.ObservedGeneration, credential.Generation)
	}
	is := func(kind string) bool { return conditions[kind].Status == metav1.ConditionTrue }
	token := status.Token
	if is(v1alpha1.ConditionReady) && (token == nil || !now.Before(token.ExpirationTime.Time)) {
		bad("4. Ready without an unexpired token")
	}
	if is(v1alpha1.ConditionReconciling) && is(v1alpha1.ConditionStalled) {
		bad("5. Reconciling and Stalled")
	}
	quiet := []string{v1alpha1.ReasonWaitingForInput, v1alpha1.ReasonSuspended, v1alpha1.ReasonEnvironmentPaused, v1alpha1.ReasonExpired, v1alpha1.ReasonDeleting}
	if !is(v1alpha1.ConditionReady) && !is(v1alpha1.ConditionReconciling) && !is(v1alpha1.ConditionStalled) &&
		status.NextAttemptTime == nil && !slices.Contains(quiet, conditions[v1alpha1.ConditionReady].Reason) {
		bad("6. Ready is False and nothing says why it will change")
	}
	isExported := conditions[v1alpha1.ConditionGrantValid].Reason == v1alpha1.ReasonExported
	if token != nil && token.IssueTime != nil && (token.RenewalTime == nil) != isExported {
		bad("7. a renewal is announced of a grant that is exported, or none of one that is not")
	}
	if token != nil && token.IssueTime != nil && token.RenewalTime != nil && (!token.IssueTime.Before(token.RenewalTime) || !token.RenewalTime.Before(token.ExpirationTime)) {
		bad("7. the token's times are not in order")
	}
	return found
}

// expectNoLeak is the second watcher: at the end of a story no secret that the fake
// service ever issued or was given stands anywhere but in the data of a Secret that a person
// made, or of the published one. In a state Secret none can be read.
func (w *world) expectNoLeak() {
	GinkgoHelper()
	secrets := append(w.spaces.Secrets(), w.secrets...)
	secrets = append(secrets, clientSecret, password, codeVerifier)
	begins := map[string][]string{}
	for _, secret := range secrets {
		if len(secret) >= shortest {
			begins[secret[:shortest]] = append(begins[secret[:shortest]], secret)
		}
	}
	for place, text := range w.everythingSaid() {
		if holdsOne(text, begins) {
			Fail("a secret string stands in " + place)
		}
	}
}

// shortest is the length of a secret that is looked for; shorter ones stand anywhere.
const shortest = 8

// holdsOne tells whether a text holds one of many secrets, which are found by how they
// begin: with thousands of both, each against each takes minutes.
func holdsOne(text string, begins map[string][]string) bool {
	for i := range max(0, len(text)-shortest+1) {
		for _, secret := range begins[text[i:i+shortest]] {
			if strings.HasPrefix(text[i:], secret) {
				return true
			}
		}
	}
	return false
}

// everythingSaid collects what the operator told anybody: status, events, logs,
// metrics, the metadata of every object in the namespace, and what a state Secret shows.
func (w *world) everythingSaid() map[string]string {
	said := map[string]string{"logs": w.logs.text(), "events": w.events.text()}
	families, err := w.metrics.Gather()
	Expect(err).NotTo(HaveOccurred())
	said["metrics"] = fmt.Sprint(families)
	var credentials v1alpha1.SpacesCredentialList
	Expect(admin.List(w.ctx, &credentials, client.InNamespace(w.namespace))).To(Succeed())
	for _, credential := range credentials.Items {
		said["SpacesCredential "+credential.Name] = show(credential)
	}
	var shared v1alpha1.ClusterSpacesClientList
	Expect(admin.List(w.ctx, &shared)).To(Succeed())
	for _, one := range shared.Items {
		said["ClusterSpacesClient "+one.Name] = show(one)
	}
	var inputs corev1.SecretList
	Expect(admin.List(w.ctx, &inputs, client.InNamespace(w.namespace))).To(Succeed())
	for _, secret := range inputs.Items {
		said["metadata of Secret "+secret.Name] = show(secret.ObjectMeta)
		if secret.Type == v1alpha1.SecretTypeGrantState {
			said["data of Secret "+secret.Name] = string(secret.Data[v1alpha1.StateKey])
		}
		if secret.Type == v1alpha1.SecretTypeGrantExport {
			said["data of Secret "+secret.Name] = string(secret.Data[v1alpha1.ExportKey])
		}
	}
	return said
}

func show(value any) string {
	raw, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	return string(raw)
}
