// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is the API of the operator: the SpacesCredential kind and every
// name that people, workloads and tools may rely on.
//
// It holds no behaviour beyond the values that a SpacesCredential implies
// (implied.go); what the operator does with them stands in package controllers.
// Whoever watches or creates SpacesCredentials from Go imports this package alone.
//
// A field that looks at other fields, or that must not change, is guarded by a
// rule on spec that compares effective values: what is written, or else what its
// absence implies. A rule on the field itself would not run when the field is
// added later. Rules that need metadata.name stand on the root; they must never
// be tightened, because the API server does not excuse old objects from them and
// then refuses every update, even the removal of a finalizer.
//
// +kubebuilder:object:generate=true
// +groupName=auth.spaces-operator.io
package v1alpha1
