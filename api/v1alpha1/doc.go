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
// added later; it serves for a field that is always there. Rules that need
// metadata.name stand on the root; they must never be tightened, because the API
// server does not excuse old objects from them and then refuses every update, even
// the removal of a finalizer.
//
// Each write costs the API server for all of it, also one of the status alone:
// every rule is evaluated, and each look of a rule at a member copies the schema
// of all members beside it. So a rule stands as near to what it judges as it can,
// asks first what most objects answer, and looks at a member once. The list of
// managed fields is read and written a dozen times in a write: the status, which
// the operator alone writes, is one value in it (atomic). Sections of spec are not:
// the defaults within would then be a conflict for whoever applies, server-side, the
// very manifest that another one created.
//
// +kubebuilder:object:generate=true
// +groupName=auth.spaces-operator.io
package v1alpha1
