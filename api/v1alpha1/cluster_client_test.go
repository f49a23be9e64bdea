// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// clusterClient is the smallest client that somebody may use.
const clusterClient = `
apiVersion: auth.spaces-operator.io/v1alpha1
kind: ClusterSpacesClient
metadata: {name: corporate}
spec:
  secretRef: {name: corporate-client}
  allowedNamespaces: {names: [team-a]}
`

func TestClusterSpacesClientRules(t *testing.T) {
	const (
		emptySelector = "an empty selector would match every namespace"
		badValues     = "In and NotIn need values, Exists and DoesNotExist have none"
		badLabelKey   = "a label's key is a name of at most 63 letters"
		badNamespace  = "a namespace's name has only lower-case letters, digits and '-'"
	)
	selector := func(members map[string]any) []edit { return []edit{set("spec.allowedNamespaces.selector", members)} }
	expression := func(members map[string]any) []edit {
		return selector(map[string]any{"matchExpressions": list(members)})
	}
	names := func(n int) []any {
		var all []any
		for i := range n {
			all = append(all, fmt.Sprintf("team-%d", i))
		}
		return all
	}
	judgeCreation(t, map[string]creation{
		"a client is complete with its Secret and a namespace": {clusterClient, nil, ""},
		"a client that nobody may use is complete, too":        {clusterClient, []edit{remove("spec.allowedNamespaces")}, ""},
		"an empty section allows nobody":                       {clusterClient, []edit{set("spec.allowedNamespaces", map[string]any{})}, ""},
		"the client's Secret must be named":                    {clusterClient, []edit{remove("spec.secretRef.name")}, "spec.secretRef.name: Required value"},
		"the client's Secret cannot be left out":               {clusterClient, []edit{remove("spec.secretRef")}, "spec.secretRef: Required value"},
		"the client's Secret cannot be a state Secret":         {clusterClient, []edit{set("spec.secretRef.name", "other-grant")}, operatorsOwnInput},
		"the client's Secret has a name without capitals":      {clusterClient, []edit{set("spec.secretRef.name", "Client")}, badSecretName},
		"the client's Secret is in no namespace of its choice": {clusterClient, []edit{set("spec.secretRef.namespace", "kube-system")}, `unknown field "spec.secretRef.namespace"`},
		"a host can nowhere be written":                        {clusterClient, []edit{set("spec.accountsURL", "https://collector.example.com")}, `unknown field "spec.accountsURL"`},
		"the keys may be named":                                {clusterClient, []edit{set("spec.secretRef.clientIDKey", "id"), set("spec.secretRef.clientSecretKey", "secret"), set("spec.secretRef.previousClientSecretKey", "old")}, ""},
		"no previous secret may be written":                    {clusterClient, []edit{set("spec.secretRef.previousClientSecretKey", "")}, ""},
		"the previous secret has a key of its own":             {clusterClient, []edit{set("spec.secretRef.previousClientSecretKey", "client_secret")}, "spec.secretRef.previousClientSecretKey: Invalid value: previousClientSecretKey and clientSecretKey name the same key"},
		"a key has no slash":                                   {clusterClient, []edit{set("spec.secretRef.previousClientSecretKey", "a/b")}, badSecretKey},
		"an environment may be named":                          {clusterClient, []edit{set("spec.environment", "staging")}, ""},
		"an environment is no URL":                             {clusterClient, []edit{set("spec.environment", "https://example.com")}, "an environment's name has only lower-case letters, digits and '-'"},
		"a namespace is named once":                            {clusterClient, []edit{set("spec.allowedNamespaces.names", list("team-a", "team-a"))}, "Duplicate value"},
		"a namespace's name has no capitals":                   {clusterClient, []edit{set("spec.allowedNamespaces.names", list("Team"))}, badNamespace},
		"a name is no pattern":                                 {clusterClient, []edit{set("spec.allowedNamespaces.names", list("*"))}, badNamespace},
		"1024 namespaces may be named":                         {clusterClient, []edit{set("spec.allowedNamespaces.names", names(1024))}, ""},
		"1025 namespaces may not":                              {clusterClient, []edit{set("spec.allowedNamespaces.names", names(1025))}, "spec.allowedNamespaces.names: Too many"},
		"labels may choose namespaces":                         {clusterClient, selector(map[string]any{"matchLabels": map[string]any{"spaces": "yes"}}), ""},
		"labels may choose namespaces beside names or alone":   {clusterClient, append(selector(map[string]any{"matchLabels": map[string]any{"example.com/spaces": ""}}), remove("spec.allowedNamespaces.names")), ""},
		"an empty selector is refused":                         {clusterClient, selector(map[string]any{}), emptySelector},
		"a selector of empty members is refused":               {clusterClient, selector(map[string]any{"matchLabels": map[string]any{}, "matchExpressions": list()}), emptySelector},
		"a label's key is no sentence":                         {clusterClient, selector(map[string]any{"matchLabels": map[string]any{"a b": "yes"}}), badLabelKey},
		"a label's value is no sentence":                       {clusterClient, selector(map[string]any{"matchLabels": map[string]any{"spaces": "a b"}}), "a label's value has at most 63 letters"},
		"a condition on a label":                               {clusterClient, expression(map[string]any{"key": "tier", "operator": "NotIn", "values": list("lab")}), ""},
		"a label that is there":                                {clusterClient, expression(map[string]any{"key": "tier", "operator": "Exists"}), ""},
		"In needs values":                                      {clusterClient, expression(map[string]any{"key": "tier", "operator": "In"}), badValues},
		"Exists has no values":                                 {clusterClient, expression(map[string]any{"key": "tier", "operator": "Exists", "values": list("lab")}), badValues},
		"an operator that does not exist is refused":           {clusterClient, expression(map[string]any{"key": "tier", "operator": "Gt", "values": list("1")}), `Unsupported value: "Gt"`},
		"a condition's key is a label's":                       {clusterClient, expression(map[string]any{"key": "a b", "operator": "Exists"}), badLabelKey},
		"grant types may be listed":                            {clusterClient, []edit{set("spec.allowedGrantTypes", list("AuthorizationCode", "Password", "RefreshToken"))}, ""},
		"a grant type that does not exist is refused":          {clusterClient, []edit{set("spec.allowedGrantTypes", list("DeviceCode"))}, `Unsupported value: "DeviceCode"`},
		"an empty list of grant types is not the same as none": {clusterClient, []edit{set("spec.allowedGrantTypes", list())}, "spec.allowedGrantTypes"},
		"a guest needs no client":                              {clusterClient, []edit{set("spec.allowedGrantTypes", list("Anonymous"))}, "spec.allowedGrantTypes: Forbidden: a guest signs in without a client"},
		"scopes may be listed":                                 {clusterClient, []edit{set("spec.allowedScopes", list("email", "spaces"))}, ""},
		"a scope is one word":                                  {clusterClient, []edit{set("spec.allowedScopes", list("a b"))}, badScope},
		"a refresh token's scopes could not be held":           {clusterClient, []edit{set("spec.allowedScopes", list("email")), set("spec.allowedGrantTypes", list("RefreshToken"))}, "spec.allowedScopes: Forbidden: a refresh token keeps the scopes it was issued with"},
		"a removal may revoke":                                 {clusterClient, []edit{set("spec.revokeOnRemoval", true)}, ""},
	})
}

// The samples beside the others are for two teams, and are accepted word for word.
func TestTheSamplesOfAClusterSpacesClientAreAccepted(t *testing.T) {
	g := NewWithT(t)
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "cluster-client", "*.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	kinds := map[string]*unstructured.Unstructured{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		obj := &unstructured.Unstructured{}
		g.Expect(yaml.Unmarshal(source, &obj.Object)).To(Succeed())
		if obj.GetKind() == "Kustomization" {
			continue
		}
		if obj.GetKind() != v1alpha1.ClusterClientKind {
			obj.SetNamespace("default")
		}
		g.Expect(cluster.Create(t.Context(), obj, client.DryRunAll)).To(Succeed(), file)
		kinds[obj.GetKind()] = obj
	}
	g.Expect(kinds).To(HaveLen(3))
	shared, credential := &v1alpha1.ClusterSpacesClient{}, &v1alpha1.SpacesCredential{}
	for kind, into := range map[string]any{v1alpha1.ClusterClientKind: shared, v1alpha1.Kind: credential} {
		raw, err := kinds[kind].MarshalJSON()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(yaml.UnmarshalStrict(raw, into)).To(Succeed(), "the Go types know every field")
	}
	g.Expect(shared.AllowsUse(credential)).To(BeTrue(), "the one may use the other")
	g.Expect(credential.Spec.ClientRef.Name).To(Equal(shared.Name))
	g.Expect(kinds["Secret"].GetName()).To(Equal(shared.Spec.SecretRef.Name))
}

func TestAClientIsNamedOnce(t *testing.T) {
	ref := map[string]any{"kind": "ClusterSpacesClient", "name": "corporate"}
	shared := []edit{remove("spec.clientSecretRef"), set("spec.clientRef", ref)}
	with := func(more ...edit) []edit { return append(append([]edit{}, shared...), more...) }
	judgeCreation(t, map[string]creation{
		"a ClusterSpacesClient takes the place of a Secret":   {withCode, shared, ""},
		"for a password, too, if the client allows it":        {withPassword, shared, ""},
		"for a refresh token, too, if the client allows it":   {withRefreshToken, shared, ""},
		"both at once are one too many":                       {withCode, []edit{set("spec.clientRef", ref)}, "spec.clientRef: Forbidden: clientSecretRef and clientRef are both given"},
		"neither is one too few":                              {withCode, []edit{remove("spec.clientSecretRef")}, needsClient},
		"a guest has none":                                    {asGuest, []edit{set("spec.clientRef", ref)}, "spec.clientRef: Forbidden: a guest signs in without a client: remove clientRef"},
		"its kind must be given":                              {withCode, with(remove("spec.clientRef.kind")), "spec.clientRef.kind: Required value"},
		"its name must be given":                              {withCode, with(remove("spec.clientRef.name")), "spec.clientRef.name: Required value"},
		"another kind is refused":                             {withCode, with(set("spec.clientRef.kind", "Secret")), `spec.clientRef.kind: Unsupported value: "Secret": supported values: "ClusterSpacesClient"`},
		"its name has no capitals":                            {withCode, with(set("spec.clientRef.name", "Corporate")), "a client's name has only lower-case letters"},
		"its name has 253 characters at most":                 {withCode, with(set("spec.clientRef.name", chars(254))), "spec.clientRef.name: Too long"},
		"it is in no namespace":                               {withCode, with(set("spec.clientRef.namespace", "kube-system")), `unknown field "spec.clientRef.namespace"`},
		"the token may be published under the name of it":     {withCode, with(set("spec.secretName", "corporate")), ""},
		"a password's login may have the client's name, too":  {withPassword, with(set("spec.password.secretRef.name", "corporate")), ""},
		"a token over the login is refused with it all alike": {withPassword, with(set("spec.secretName", "bot-login")), "over the Secret that password.secretRef names"},
	})
	t.Run("the two can be changed for each other", func(t *testing.T) {
		g := NewWithT(t)
		obj := object(t, withCode)
		create(t, obj)
		unstructured.RemoveNestedField(obj.Object, "spec", "clientSecretRef")
		g.Expect(unstructured.SetNestedMap(obj.Object, ref, "spec", "clientRef")).To(Succeed())
		g.Expect(cluster.Update(t.Context(), obj)).To(Succeed())
		g.Expect(unstructured.SetNestedMap(obj.Object, map[string]any{"name": "spaces-client"}, "spec", "clientSecretRef")).To(Succeed())
		expectVerdict(t, cluster.Update(t.Context(), obj), "clientSecretRef and clientRef are both given")
		unstructured.RemoveNestedField(obj.Object, "spec", "clientRef")
		g.Expect(cluster.Update(t.Context(), obj)).To(Succeed())
	})
}

func TestWhatIsWrittenIntoAClusterSpacesClient(t *testing.T) {
	g := NewWithT(t)
	obj := object(t, clusterClient)
	create(t, obj)
	g.Expect(obj.Object["spec"]).To(Equal(map[string]any{
		"secretRef":         map[string]any{"name": "corporate-client", "clientIDKey": "client_id", "clientSecretKey": "client_secret"},
		"allowedNamespaces": map[string]any{"names": list("team-a")},
		"revokeOnRemoval":   false,
	}), "environment, grant types and scopes are implied, never written")
	g.Expect(obj.Object["status"]).To(Equal(map[string]any{"observedGeneration": int64(0)}))
}

// What is judged is what the rules let through: no selector is empty, and none cannot be read.
func TestWhoMayUseAClusterSpacesClient(t *testing.T) {
	team := labels.Set{"team": "a", "tier": "prod"}
	for sentence, c := range map[string]struct {
		allowed *v1alpha1.AllowedNamespaces
		want    bool
	}{
		"nothing allows nobody":           {nil, false},
		"an empty section allows nobody":  {&v1alpha1.AllowedNamespaces{}, false},
		"an empty selector allows nobody": {&v1alpha1.AllowedNamespaces{Selector: &v1alpha1.NamespaceSelector{}}, false},
		"a label that fits":               {&v1alpha1.AllowedNamespaces{Selector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.SelectorValue{"team": "a"}}}, true},
		"one of two labels fits": {&v1alpha1.AllowedNamespaces{Selector: &v1alpha1.NamespaceSelector{
			MatchLabels: map[string]v1alpha1.SelectorValue{"team": "a", "tier": "lab"}}}, false},
		"a condition that fits": {&v1alpha1.AllowedNamespaces{Selector: &v1alpha1.NamespaceSelector{
			MatchExpressions: []v1alpha1.SelectorRequirement{{Key: "tier", Operator: v1alpha1.SelectorIn, Values: []v1alpha1.SelectorValue{"prod", "lab"}}}}}, true},
		"a label that must not be there": {&v1alpha1.AllowedNamespaces{Selector: &v1alpha1.NamespaceSelector{
			MatchExpressions: []v1alpha1.SelectorRequirement{{Key: "tier", Operator: v1alpha1.SelectorDoesNotExist}}}}, false},
		"an operator from the future": {&v1alpha1.AllowedNamespaces{Selector: &v1alpha1.NamespaceSelector{
			MatchExpressions: []v1alpha1.SelectorRequirement{{Key: "tier", Operator: "Sounds"}}}}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			g := NewWithT(t)
			shared := &v1alpha1.ClusterSpacesClient{Spec: v1alpha1.ClusterSpacesClientSpec{AllowedNamespaces: c.allowed}}
			selector, _ := shared.NamespaceSelector()
			g.Expect(selector != nil && selector.Matches(team)).To(Equal(c.want))
		})
	}
}

func TestHowAClusterSpacesClientMayBeUsed(t *testing.T) {
	credential := func(change func(*v1alpha1.SpacesCredentialSpec)) *v1alpha1.SpacesCredential {
		c := &v1alpha1.SpacesCredential{Spec: v1alpha1.SpacesCredentialSpec{GrantType: v1alpha1.GrantTypeAuthorizationCode}}
		if change != nil {
			change(&c.Spec)
		}
		return c
	}
	for sentence, c := range map[string]struct {
		client v1alpha1.ClusterSpacesClientSpec
		change func(*v1alpha1.SpacesCredentialSpec)
		want   bool
	}{
		"a sign-in by browser, in production, with the implied scopes": {want: true},
		"no password unless it is listed":                              {change: func(s *v1alpha1.SpacesCredentialSpec) { s.GrantType = v1alpha1.GrantTypePassword }},
		"no refresh token unless it is":                                {change: func(s *v1alpha1.SpacesCredentialSpec) { s.GrantType = v1alpha1.GrantTypeRefreshToken }},
		"a password that is listed": {client: v1alpha1.ClusterSpacesClientSpec{AllowedGrantTypes: []v1alpha1.GrantType{v1alpha1.GrantTypePassword}},
			change: func(s *v1alpha1.SpacesCredentialSpec) { s.GrantType = v1alpha1.GrantTypePassword }, want: true},
		"no browser where only a password is": {client: v1alpha1.ClusterSpacesClientSpec{AllowedGrantTypes: []v1alpha1.GrantType{v1alpha1.GrantTypePassword}}},
		"no other environment":                {change: func(s *v1alpha1.SpacesCredentialSpec) { s.Environment = "staging" }},
		"its own environment, written out":    {change: func(s *v1alpha1.SpacesCredentialSpec) { s.Environment = "production" }, want: true},
		"no scope that is not listed":         {client: v1alpha1.ClusterSpacesClientSpec{AllowedScopes: []string{"email", "profile"}}},
		"scopes that are listed": {client: v1alpha1.ClusterSpacesClientSpec{AllowedScopes: []string{"email", "profile"}},
			change: func(s *v1alpha1.SpacesCredentialSpec) { s.Scopes = []string{"email"} }, want: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			shared := &v1alpha1.ClusterSpacesClient{Spec: c.client}
			NewWithT(t).Expect(shared.AllowsUse(credential(c.change))).To(Equal(c.want))
		})
	}
}
