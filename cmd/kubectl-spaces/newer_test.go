package main

import (
	"context"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// ofANewerCRD asks for a grant type and a check that this version has never heard of.
const ofANewerCRD = `
apiVersion: auth.spaces-operator.io/v1alpha1
kind: SpacesCredential
metadata: {name: meeting-bot}
spec:
  clientSecretRef: {name: spaces-client}
  grantType: DeviceCode
  verification: [UserProfile, Horoscope]
  secretName: meeting-bot-token
`

// installNewerCRD lists a grant type and a check more in the CRD, for the length of a test.
func installNewerCRD(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	ctx := context.Background() // also at the end of the test
	crd := &unstructured.Unstructured{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	g.Expect(admin.Get(ctx, client.ObjectKey{Name: "spacescredentials." + v1alpha1.GroupName}, crd)).To(Succeed())
	old, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	g.Expect(err).NotTo(HaveOccurred())
	install := func(versions []any) {
		before := crd.DeepCopy()
		g.Expect(unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions")).To(Succeed())
		g.Expect(admin.Patch(ctx, crd, client.MergeFrom(before))).To(Succeed())
	}

	newer := (&unstructured.Unstructured{Object: map[string]any{"versions": old}}).DeepCopy().Object["versions"].([]any)
	for value, path := range map[string][]string{"DeviceCode": {"grantType", "enum"}, "Horoscope": {"verification", "items", "enum"}} {
		path = slices.Concat([]string{"schema", "openAPIV3Schema", "properties", "spec", "properties"}, path)
		values, found, err := unstructured.NestedSlice(newer[0].(map[string]any), path...)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(found).To(BeTrue())
		g.Expect(unstructured.SetNestedSlice(newer[0].(map[string]any), append(values, value), path...)).To(Succeed())
	}
	install(newer)
	t.Cleanup(func() { install(old) })
	// The API server takes a moment to serve a changed CRD.
	g.Eventually(func() error {
		return admin.Create(ctx, credential(t, ofANewerCRD, metav1.NamespaceDefault), client.DryRunAll)
	}).WithTimeout(patience).Should(Succeed())
}

// A plugin meets clusters that are newer than itself: it says what it does not know, and
// takes nothing of it for something that it knows.
func TestWhatANewerCRDAllowsIsTakenForNothingKnown(t *testing.T) {
	installNewerCRD(t)
	for golden, state := range map[string]func(*v1alpha1.SpacesCredential){
		"newer_waiting": waitingFor(v1alpha1.ReasonAuthorizationPending, "Open https://accounts.example.test/device and type WDJB-MJHT.", true),
		"newer_well":    published,
	} {
		t.Run(golden, func(t *testing.T) {
			g, s := NewWithT(t), newSession()
			s.tool.openBrowser = func(_, _ string) error { t.Error("a browser was opened"); return nil }
			object := create(t, credential(t, ofANewerCRD, newNamespace(t, dashed(golden)), state))
			// Where the CRD is as it was again, such an object would still stand there.
			t.Cleanup(func() { g.Expect(admin.Delete(context.Background(), object)).To(Succeed()) })
			clientSecret(t, object.Namespace)
			if object.Status.Token != nil {
				publish(t, object)
			}
			for _, command := range []string{"explain", "status"} {
				s.out.Reset()
				g.Expect(s.run(t.Context(), object.Namespace, command, object.Name)).To(Equal(exitDone), s.err.String())
				expectGolden(t, command+"_"+golden, s.out.String())
			}
			g.Expect(s.run(t.Context(), object.Namespace, "login", object.Name)).To(Equal(exitFailed))
			g.Expect(s.err.String()).To(Equal("error: this version does not know grant type DeviceCode: install a newer kubectl spaces\n"))
		})
	}
}

func TestHowToSignInIsNotGuessed(t *testing.T) {
	object := credential(t, ofANewerCRD, "default")
	for _, reason := range []string{v1alpha1.ReasonAuthorizationPending, v1alpha1.ReasonReauthorizationRequired, v1alpha1.ReasonGrantRejected, v1alpha1.ReasonGrantRevoked} {
		NewWithT(t).Expect((&cluster{}).remedy(reason, object)).To(HavePrefix("do what the message says; this version does not know grant type DeviceCode"), reason)
	}
}
