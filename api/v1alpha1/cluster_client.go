// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// ClusterClientKind is the kind of a client that namespaces share, as it stands in YAML.
const ClusterClientKind = "ClusterSpacesClient"

// EffectiveEnvironment is the only environment that the client may be used in.
func (c *ClusterSpacesClient) EffectiveEnvironment() string {
	if c.Spec.Environment == "" {
		return DefaultEnvironment
	}
	return c.Spec.Environment
}

// EffectiveGrantTypes are the grant types that may use the client.
func (c *ClusterSpacesClient) EffectiveGrantTypes() []GrantType {
	if len(c.Spec.AllowedGrantTypes) == 0 {
		return []GrantType{GrantTypeAuthorizationCode}
	}
	return slices.Clone(c.Spec.AllowedGrantTypes)
}

// AllowsUse tells whether the client may be used as a SpacesCredential wants to use it, wherever
// that is: in its environment, with its grant type and scopes.
func (c *ClusterSpacesClient) AllowsUse(credential *SpacesCredential) bool {
	isAllowed := func(scope string) bool {
		return len(c.Spec.AllowedScopes) == 0 || slices.Contains(c.Spec.AllowedScopes, scope)
	}
	for _, scope := range credential.EffectiveScopes() {
		if !isAllowed(scope) {
			return false
		}
	}
	return credential.EffectiveEnvironment() == c.EffectiveEnvironment() && c.AllowsGrantType(credential.Spec.GrantType)
}

// AllowsGrantType tells whether the client may be used with a grant type.
func (c *ClusterSpacesClient) AllowsGrantType(t GrantType) bool {
	return slices.Contains(c.EffectiveGrantTypes(), t)
}

// NamesNamespace tells whether a namespace is allowed by its name.
func (c *ClusterSpacesClient) NamesNamespace(name string) bool {
	return c.Spec.AllowedNamespaces != nil && slices.Contains(c.Spec.AllowedNamespaces.Names, name)
}

// NamespaceSelector matches the namespaces that are allowed by their labels; nil where labels
// allow none. An empty one, or one that nobody can read, matches nothing.
func (c *ClusterSpacesClient) NamespaceSelector() (labels.Selector, error) {
	if c.Spec.AllowedNamespaces == nil || c.Spec.AllowedNamespaces.Selector == nil {
		return nil, nil
	}
	given := c.Spec.AllowedNamespaces.Selector
	selector := labels.NewSelector()
	require := func(key string, operator selection.Operator, values []string) error {
		requirement, err := labels.NewRequirement(key, operator, values)
		if err == nil {
			selector = selector.Add(*requirement)
		}
		return err
	}
	for key, value := range given.MatchLabels {
		if err := require(key, selection.In, []string{string(value)}); err != nil {
			return labels.Nothing(), err
		}
	}
	for _, expression := range given.MatchExpressions {
		operator, isKnown := operators[expression.Operator]
		if !isKnown {
			return labels.Nothing(), fmt.Errorf("the operator %q of the selector is not known", expression.Operator)
		}
		var values []string
		for _, value := range expression.Values {
			values = append(values, string(value))
		}
		if err := require(expression.Key, operator, values); err != nil {
			return labels.Nothing(), err
		}
	}
	if selector.Empty() {
		return labels.Nothing(), nil
	}
	return selector, nil
}

// Operators of a SelectorRequirement.
const (
	// SelectorIn matches a label that has one of the values.
	SelectorIn SelectorOperator = "In"

	// SelectorNotIn matches a label that has none of the values, or is not there.
	SelectorNotIn SelectorOperator = "NotIn"

	// SelectorExists matches a label that is there.
	SelectorExists SelectorOperator = "Exists"

	// SelectorDoesNotExist matches a label that is not there.
	SelectorDoesNotExist SelectorOperator = "DoesNotExist"
)

var operators = map[SelectorOperator]selection.Operator{
	SelectorIn: selection.In, SelectorNotIn: selection.NotIn, SelectorExists: selection.Exists, SelectorDoesNotExist: selection.DoesNotExist,
}
