// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

func TestDefaultsThatAreWritten(t *testing.T) {
	g := NewWithT(t)

	password := object(t, withPassword)
	create(t, password)
	g.Expect(password.Object["spec"]).To(Equal(map[string]any{
		"clientSecretRef":      map[string]any{"name": "spaces-client", "clientIDKey": "client_id", "clientSecretKey": "client_secret"},
		"grantType":            "Password",
		"password":             map[string]any{"secretRef": map[string]any{"name": "bot-login", "usernameKey": "username", "passwordKey": "password"}},
		"secretDeletionPolicy": "Delete",
		"revocation":           map[string]any{"policy": "OnDelete", "deadlineSeconds": int64(300)},
		"suspend":              false,
	}), "environment, scopes, secretName, secretTemplate and renewal are implied, never written")

	refresh := object(t, withRefreshToken, set("metadata.name", "other"), set("spec.secretTemplate", map[string]any{}), set("spec.renewal", map[string]any{}), set("spec.revocation.policy", "Never"))
	create(t, refresh)
	g.Expect(refresh.Object["spec"]).To(Equal(map[string]any{
		"clientSecretRef":      map[string]any{"name": "spaces-client", "clientIDKey": "client_id", "clientSecretKey": "client_secret"},
		"grantType":            "RefreshToken",
		"refreshToken":         map[string]any{"secretRef": map[string]any{"name": "seed", "key": "refresh_token"}},
		"secretDeletionPolicy": "Delete",
		"secretTemplate":       map[string]any{},
		"renewal":              map[string]any{},
		"revocation":           map[string]any{"policy": "Never", "deadlineSeconds": int64(300)},
		"suspend":              false,
	}), "empty sections stay empty")
}

func TestGoTypesWriteNoMoreThanYAML(t *testing.T) {
	g := NewWithT(t)
	typed := &v1alpha1.SpacesCredential{
		ObjectMeta: metav1.ObjectMeta{Name: "typed", Namespace: "default"},
		Spec: v1alpha1.SpacesCredentialSpec{
			ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "spaces-client"},
			GrantType:       v1alpha1.GrantTypePassword,
			Password:        &v1alpha1.PasswordGrant{SecretRef: v1alpha1.PasswordSecretReference{Name: "bot-login"}},
		},
	}
	written, err := json.Marshal(typed)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(written).To(MatchJSON(`{
		"metadata": {"name": "typed", "namespace": "default"},
		"spec": {"clientSecretRef": {"name": "spaces-client"}, "grantType": "Password", "password": {"secretRef": {"name": "bot-login"}}}
	}`))
	g.Expect(cluster.Create(t.Context(), typed, client.DryRunAll)).To(Succeed())
	g.Expect(typed.Spec.ClientSecretRef.ClientIDKey).To(Equal("client_id"), "the schema's default came back")
	g.Expect(typed.Spec.Revocation.DeadlineSeconds).To(HaveValue(BeEquivalentTo(300)))
}

// filledStatus is a status as the operator writes it, every field set.
func filledStatus() v1alpha1.SpacesCredentialStatus {
	at := func(text string) *metav1.Time {
		var parsed metav1.Time
		if err := json.Unmarshal([]byte(`"`+text+`"`), &parsed); err != nil {
			panic(err)
		}
		return &parsed
	}
	return v1alpha1.SpacesCredentialStatus{
		ObservedGeneration: 1,
		Environment:        "production",
		SecretName:         "meeting-bot",
		Binding:            &v1alpha1.Binding{Name: "meeting-bot"},
		ClientID:           "6702b20d",

		AuthorizationEndpoint: "https://accounts.example.com/oauth2/authorize",
		Identity:              &v1alpha1.Identity{Username: "bot@example.com", UserID: "5d1f"},
		Token: &v1alpha1.TokenStatus{
			Fingerprint: "5f0c9a1be2d4", ObtainedBy: v1alpha1.GrantTypeRefreshToken,
			IssueTime: at("2099-01-01T10:00:00Z"), RenewalTime: at("2099-01-01T10:40:00Z"), ExpirationTime: at("2099-01-01T11:00:00Z"),
		},
		Grant:                    &v1alpha1.GrantStatus{Present: true, Rotations: 41, StartTime: at("2098-12-31T10:00:00Z"), ExpirationTime: at("2099-02-01T10:00:00Z")},
		PendingRevocations:       1,
		FailedAttempts:           2,
		NextAttemptTime:          at("2099-01-01T10:41:00Z"),
		LastHandledRenewRequest:  "yesterday",
		LastHandledRevokeRequest: "never",
		Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonIssued,
			Message: "The token was published", ObservedGeneration: 1, LastTransitionTime: *at("2099-01-01T10:00:00Z"),
		}},
	}
}

func TestStatusIsWrittenApart(t *testing.T) {
	g := NewWithT(t)
	obj := object(t, withPassword, set("status", map[string]any{"environment": "forged"}))
	create(t, obj)
	g.Expect(obj.Object["status"]).To(Equal(map[string]any{"observedGeneration": int64(0)}),
		"whoever creates an object cannot set its status, and what has none yet is not taken for one that is ready")

	typed := &v1alpha1.SpacesCredential{}
	key := client.ObjectKeyFromObject(obj)
	g.Expect(cluster.Get(t.Context(), key, typed)).To(Succeed())
	before := typed.DeepCopy()
	typed.Status = filledStatus()
	typed.Spec.Environment = "staging"
	g.Expect(cluster.Status().Patch(t.Context(), typed, client.MergeFrom(before))).To(Succeed())
	g.Expect(typed.Status).To(BeComparableTo(filledStatus()))
	g.Expect(typed.Spec.Environment).To(BeEmpty(), "a status write does not change spec")
	g.Expect(typed.Generation).To(Equal(before.Generation))

	before = typed.DeepCopy()
	typed.Spec.Suspend = true
	typed.Status = v1alpha1.SpacesCredentialStatus{}
	g.Expect(cluster.Patch(t.Context(), typed, client.MergeFrom(before))).To(Succeed())
	g.Expect(typed.Status).To(BeComparableTo(filledStatus()), "a spec write does not change status")
	g.Expect(typed.Generation).To(Equal(before.Generation + 1))
}

// What is listed of the owners of fields is read and written a dozen times in each write.
func TestStatusHasOneOwner(t *testing.T) {
	g := NewWithT(t)
	obj := object(t, withPassword)
	create(t, obj)
	typed := &v1alpha1.SpacesCredential{}
	g.Expect(cluster.Get(t.Context(), client.ObjectKeyFromObject(obj), typed)).To(Succeed())
	before := typed.DeepCopy()
	typed.Status = filledStatus()
	g.Expect(cluster.Status().Patch(t.Context(), typed, client.MergeFrom(before), client.FieldOwner(v1alpha1.FieldManagerStatus))).To(Succeed())

	owned := map[string]string{}
	for _, entry := range typed.ManagedFields {
		owned[entry.Manager] = entry.FieldsV1.GetRawString()
	}
	g.Expect(owned).To(HaveKeyWithValue(v1alpha1.FieldManagerStatus, MatchJSON(`{"f:status": {}}`)))
}

func TestCountsOfZeroAreShown(t *testing.T) {
	written, err := json.Marshal(v1alpha1.SpacesCredentialStatus{Grant: &v1alpha1.GrantStatus{}})
	g := NewWithT(t)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(written).To(MatchJSON(`{"pendingRevocations": 0, "failedAttempts": 0, "grant": {"present": false, "rotations": 0}}`))
}

func TestColumns(t *testing.T) {
	g := NewWithT(t)
	obj := object(t, withPassword)
	create(t, obj)
	typed := &v1alpha1.SpacesCredential{}
	g.Expect(cluster.Get(t.Context(), client.ObjectKeyFromObject(obj), typed)).To(Succeed())
	typed.Status = filledStatus()
	g.Expect(cluster.Status().Update(t.Context(), typed)).To(Succeed())

	table := &metav1.Table{}
	getAs(t, "/apis/auth.spaces-operator.io/v1alpha1/namespaces/default/spacescredentials/meeting-bot", "application/json;as=Table;v=v1;g=meta.k8s.io", table)

	type column struct {
		Name, Type string
		Wide       bool
	}
	var columns []column
	for _, definition := range table.ColumnDefinitions {
		columns = append(columns, column{definition.Name, definition.Type, definition.Priority > 0})
	}
	g.Expect(columns).To(Equal([]column{
		{"Name", "string", false}, {"Ready", "string", false}, {"Reason", "string", false}, {"Grant", "string", false},
		{"Secret", "string", false}, {"Expires", "string", false}, {"Age", "date", false},
		{"Renews", "string", true}, {"Ends", "string", true}, {"Environment", "string", true}, {"Failures", "integer", true}, {"Suspended", "boolean", true},
	}))
	page, err := os.ReadFile("../../docs/conditions.md")
	g.Expect(err).NotTo(HaveOccurred())
	var told []string
	for _, column := range columns[1:] {
		told = append(told, column.Name)
	}
	g.Expect(firstColumn(string(page), "## Columns")).To(Equal(told))
	wide := slices.IndexFunc(columns, func(c column) bool { return c.Wide })
	g.Expect(string(page)).To(ContainSubstring("those from `%s` on with `-o wide`", columns[wide].Name))
	g.Expect(table.Rows).To(HaveLen(1))
	cells := table.Rows[0].Cells
	g.Expect(cells[:6]).To(Equal([]any{"meeting-bot", "True", "Issued", "Password", "meeting-bot", "2099-01-01T11:00:00Z"}))
	g.Expect(cells[7:]).To(Equal([]any{"2099-01-01T10:40:00Z", "2099-02-01T10:00:00Z", "production", float64(2), false}))
}

// getAs asks the API server for one representation of an object.
func getAs(t *testing.T, path, accept string, into any) {
	t.Helper()
	g := NewWithT(t)
	server, err := discovery.NewDiscoveryClientForConfig(config)
	g.Expect(err).NotTo(HaveOccurred())
	body, err := server.RESTClient().Get().AbsPath(path).SetHeader("Accept", accept).DoRaw(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(json.Unmarshal(body, into)).To(Succeed())
}

func TestSelectableFields(t *testing.T) {
	g := NewWithT(t)
	password := object(t, withPassword)
	create(t, password)
	create(t, object(t, withRefreshToken, set("metadata.name", "other")))
	typed := &v1alpha1.SpacesCredential{}
	g.Expect(cluster.Get(t.Context(), client.ObjectKeyFromObject(password), typed)).To(Succeed())
	typed.Status.Environment = "staging"
	g.Expect(cluster.Status().Update(t.Context(), typed)).To(Succeed())

	for selector, want := range map[string][]string{
		"spec.grantType=Password":     {"meeting-bot"},
		"spec.grantType=RefreshToken": {"other"},
		"status.environment=staging":  {"meeting-bot"},
		"status.environment!=staging": {"other"},
	} {
		t.Run(selector, func(t *testing.T) {
			g := NewWithT(t)
			found := &v1alpha1.SpacesCredentialList{}
			options := &client.ListOptions{Raw: &metav1.ListOptions{FieldSelector: selector}}
			g.Expect(cluster.List(t.Context(), found, options)).To(Succeed())
			var names []string
			for i := range found.Items {
				names = append(names, found.Items[i].Name)
			}
			g.Expect(names).To(Equal(want))
		})
	}
}

func TestAFinalizerCanAlwaysBeRemoved(t *testing.T) {
	for sentence, given := range map[string]string{"of a password grant": withPassword, "of a refresh token grant": withRefreshToken} {
		t.Run(sentence, func(t *testing.T) {
			g := NewWithT(t)
			obj := object(t, given, set("metadata.finalizers", list(v1alpha1.FinalizerRevoke)))
			create(t, obj)
			g.Expect(cluster.Delete(t.Context(), obj)).To(Succeed())

			dying := &v1alpha1.SpacesCredential{}
			g.Expect(cluster.Get(t.Context(), client.ObjectKeyFromObject(obj), dying)).To(Succeed())
			g.Expect(dying.DeletionTimestamp).NotTo(BeNil(), "the finalizer holds it")
			before := dying.DeepCopy()
			dying.Finalizers = nil
			patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
			g.Expect(cluster.Patch(t.Context(), dying, patch)).To(Succeed())
			g.Expect(client.IgnoreNotFound(cluster.Get(t.Context(), client.ObjectKeyFromObject(obj), dying))).To(Succeed())
		})
	}
}

func TestServerSideApplyMergesSets(t *testing.T) {
	g := NewWithT(t)
	apply := func(owner string, edits ...edit) {
		t.Helper()
		obj := object(t, withPassword, edits...)
		g.Expect(cluster.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(obj), client.FieldOwner(owner))).To(Succeed())
	}
	create(t, object(t, withPassword))
	apply("one", set("spec.scopes", list("email")), set("spec.secretTemplate.data", list(entry("a.txt"))))
	apply("two", set("spec.scopes", list("profile")), set("spec.secretTemplate.data", list(entry("b.txt"))))

	merged := &v1alpha1.SpacesCredential{}
	g.Expect(cluster.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "meeting-bot"}, merged)).To(Succeed())
	g.Expect(merged.Spec.Scopes).To(ConsistOf("email", "profile"))
	g.Expect(merged.Spec.SecretTemplate.Data).To(HaveLen(2))
	g.Expect(merged.Spec.Revocation.DeadlineSeconds).To(Equal(ptr.To[int32](300)))
}

// The API server fills in defaults. They must not make a difference between what was created and
// the same manifest applied.
func TestApplyingWhatAnotherCreatedIsNoConflict(t *testing.T) {
	for grant, given := range map[string]string{"Password": withPassword, "RefreshToken": withRefreshToken, "AuthorizationCode": withCode, "Anonymous": asGuest} {
		t.Run(grant, func(t *testing.T) {
			create(t, object(t, given))
			applied := client.ApplyConfigurationFromUnstructured(object(t, given))
			NewWithT(t).Expect(cluster.Apply(t.Context(), applied, client.FieldOwner("somebody-else"))).To(Succeed())
		})
	}
}
