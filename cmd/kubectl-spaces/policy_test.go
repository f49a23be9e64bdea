package main

import (
	"context"
	"encoding/base64"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// hasTeam is what the policies of these tests want of a Secret.
const hasTeam = "'team' in object.metadata.?labels.orValue({})"

// enforce puts a policy on every Secret of a namespace that is made or changed, for the length of a test. It
// returns once the API server refuses a Secret without labels, which takes it a moment.
func enforce(t *testing.T, namespace string, rule admissionv1.Validation) {
	t.Helper()
	g := NewWithT(t)
	ctx := context.Background() // a browser may call this, and the end of the test
	meta := metav1.ObjectMeta{Name: namespace}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: meta, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
			},
		}}},
		Validations: []admissionv1.Validation{rule},
	}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta, Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: policy.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{corev1.LabelMetadataName: namespace},
		}},
	}}
	for _, object := range []client.Object{policy, binding} {
		g.Expect(admin.Create(ctx, object)).To(Succeed())
		t.Cleanup(func() { g.Expect(admin.Delete(ctx, object)).To(Succeed()) })
	}
	g.Eventually(func() error {
		return admin.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "without-labels"}}, client.DryRunAll)
	}).WithTimeout(patience).Should(MatchError(ContainSubstring("ValidatingAdmissionPolicy")))
}

// handedOver plays the operator, and keeps the Secret that a login handed to it.
func handedOver(t *testing.T, object *v1alpha1.SpacesCredential) *corev1.Secret {
	t.Helper()
	handed := &corev1.Secret{}
	playOperator(t, &corev1.SecretList{}, func(seen client.Object) bool {
		if codeArrives(seen) {
			seen.(*corev1.Secret).DeepCopyInto(handed)
		}
		return codeArrives(seen)
	}, object, func(acted *v1alpha1.SpacesCredential) {
		acted.Status.Conditions = nil
		published(acted)
		acted.Status.Grant.StartTime = atp(0)
	})
	return handed
}

func TestALoginBringsTheLabelsThatAPolicyAsksFor(t *testing.T) {
	for reason, namespace := range map[metav1.StatusReason]string{metav1.StatusReasonInvalid: "policy-invalid", metav1.StatusReasonForbidden: "policy-forbidden"} {
		t.Run("which says "+string(reason), func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			object := create(t, credential(t, withCode, newNamespace(t, namespace), pending("http://localhost:"+freePort(t))))
			enforce(t, namespace, admissionv1.Validation{Expression: hasTeam, Message: "every Secret says whose it is, by the label team", Reason: &reason})

			s.tool.openBrowser = func(_, _ string) error { t.Error("a browser was opened"); return nil }
			g.Expect(s.run(t.Context(), namespace, "login", object.Name)).To(Equal(exitFailed))
			g.Expect(s.err.String()).To(Equal(`error: the API server would not take Secret "meeting-bot-login", which hands the sign-in to the operator: ` +
				`secrets "meeting-bot-login" is forbidden: ValidatingAdmissionPolicy '` + namespace + `' with binding '` + namespace + `' denied request: ` +
				"every Secret says whose it is, by the label team; if a policy asks for labels, put them into spec.stateLabels\n"))
			expectNothingLeft(t, object)

			object.Spec.StateLabels = v1alpha1.Labels{"team": "a"}
			status := object.Status
			g.Expect(admin.Update(t.Context(), object)).To(Succeed())
			object.Status = status
			handed := handedOver(t, object)
			signsIn(t, s, withTheCode)
			s.err.Reset()
			g.Expect(s.run(t.Context(), namespace, "login", object.Name)).To(Equal(exitDone), s.err.String())
			g.Expect(handed.Labels).To(Equal(map[string]string{"team": "a"}))
			expectNothingLeft(t, object)
		})
	}
}

func TestALoginSetsLabelsOnASecretThatIsThere(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withCode, newNamespace(t, "labels-again"), pending("http://localhost:"+freePort(t)), func(c *v1alpha1.SpacesCredential) {
		c.Spec.StateLabels = v1alpha1.Labels{"team": "b", "tier": "test"}
	}))
	left := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: "meeting-bot-login", Labels: map[string]string{"team": "a", "withdrawn": "x", "taken": "x"}},
		Type:       v1alpha1.SecretTypeAuthorizationCode,
	}
	g.Expect(admin.Create(t.Context(), left, client.FieldOwner(fieldManager))).To(Succeed(), "as an earlier login left it")
	left.Labels["taken"], left.Labels["example.com/theirs"] = "y", "z"
	g.Expect(admin.Update(t.Context(), left, client.FieldOwner("somebody-else"))).To(Succeed())

	handed := handedOver(t, object)
	signsIn(t, s, withTheCode)
	g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitDone), s.err.String())
	g.Expect(handed.Labels).To(Equal(map[string]string{"team": "b", "tier": "test", "taken": "y", "example.com/theirs": "z"}))
	expectNothingLeft(t, object)
}

// Before the sign-in a policy can repeat nothing that is worth anything; afterwards it
// could repeat the code.
func TestARefusalAfterTheSignInIsToldWithoutItsText(t *testing.T) {
	g, s := NewWithT(t), newSession()
	object := create(t, credential(t, withCode, newNamespace(t, "policy-late"), pending("http://localhost:"+freePort(t))))
	begun, goOn := make(chan struct{}), make(chan struct{})
	signsIn(t, s, func(asked url.Values) url.Values {
		close(begun)
		<-goOn
		return withTheCode(asked)
	})
	ended := make(chan int, 1)
	go func() { ended <- s.run(t.Context(), object.Namespace, "login", object.Name) }()
	g.Eventually(begun).WithTimeout(patience).Should(BeClosed())
	enforce(t, object.Namespace, admissionv1.Validation{Expression: hasTeam, MessageExpression: "'no label on ' + string(object.data.code)"})
	encoded := base64.StdEncoding.EncodeToString([]byte(theCode))
	quoted := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: "quoted"}, StringData: map[string]string{"code": theCode}}
	g.Expect(admin.Create(t.Context(), quoted, client.DryRunAll)).To(MatchError(ContainSubstring(encoded)), "the policy quotes what it is shown")
	close(goOn)
	g.Eventually(ended).WithTimeout(patience).Should(Receive(Equal(exitFailed)))
	g.Expect(s.err.String()).To(HaveSuffix("error: the API server did not take Secret \"meeting-bot-login\", although it would have before the sign-in: begin again to be told why\n"))
	expectNoSecretIn(t, s, "")
	g.Expect(s.err.String()).NotTo(ContainSubstring(encoded))
	expectNothingLeft(t, object)
}
