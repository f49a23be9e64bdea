// Package gitops runs what GitOps tools make of a SpacesCredential: the Lua scripts of
// config/argocd in an interpreter that is as restricted as Argo CD's, kstatus and Flux's health
// checks from their libraries, and the policies and roles of config/samples on a real API server.
//
// It is a module of its own, so that its dependencies never lift one of the operator.
package gitops
