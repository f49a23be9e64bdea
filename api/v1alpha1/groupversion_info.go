// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group, and the prefix of our finalizers, labels and annotations.
const GroupName = "auth.spaces-operator.io"

// Kind is the kind of a credential, as it stands in YAML and in owner references.
const Kind = "SpacesCredential"

var (
	// GroupVersion names this version of the API.
	GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

	// GroupVersionKind names the kind, for owner references and unstructured objects.
	GroupVersionKind = GroupVersion.WithKind(Kind)

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme teaches a scheme the types of this package.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &SpacesCredential{}, &SpacesCredentialList{}, &ClusterSpacesClient{}, &ClusterSpacesClientList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
