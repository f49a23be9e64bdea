package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// lookLimit bounds a look at a namespace: one that takes longer tells no better.
const lookLimit = 10 * time.Second

// mayServe looks whether a namespace can be served, or all of them: whether what the informers
// list may be listed there. A missing right is an [*unreadableError]; other errors say nothing
// of rights.
func mayServe(ctx context.Context, live client.Reader, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	refused := &unreadableError{namespace: namespace}
	for _, kind := range []string{"SpacesCredential", "Secret"} {
		group := v1alpha1.GroupVersion
		if kind == "Secret" {
			group = corev1.SchemeGroupVersion
		}
		found := &metav1.PartialObjectMetadataList{}
		found.SetGroupVersionKind(group.WithKind(kind + "List"))
		err := live.List(ctx, found, client.InNamespace(namespace), client.Limit(1))
		switch {
		case err == nil:
		case apierrors.IsForbidden(err):
			refused.kinds, refused.answer = append(refused.kinds, kind+"s"), err
		case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
			return fmt.Errorf("the API server does not know %ss any more; install the CRD with make install: %w", kind, err)
		default:
			return fmt.Errorf("listing %ss in %s: %w", kind, where(namespace), err)
		}
	}
	if len(refused.kinds) > 0 {
		return refused
	}
	return nil
}

// unreadableError tells what may not be listed in a namespace.
type unreadableError struct {
	namespace string
	kinds     []string
	answer    error // the API server's to the last of them
}

// Error implements error.
func (e *unreadableError) Error() string { return e.finding() + " (" + oneLine(e.answer) + ")" }

// Unwrap gives the API server's answer.
func (e *unreadableError) Unwrap() error { return e.answer }

func (e *unreadableError) finding() string {
	return fmt.Sprintf("may not list %s in %s", strings.Join(e.kinds, " and "), where(e.namespace))
}

// nothingReadable is what a start says that finds nothing to serve.
func nothingReadable(refusals []*unreadableError) error {
	findings := make([]string, 0, len(refusals))
	for _, refusal := range refusals {
		findings = append(findings, refusal.finding())
	}
	first := refusals[0]
	remedy := "bind the ClusterRole of config/rbac/manager_role.yaml there by a RoleBinding"
	if first.namespace == metav1.NamespaceAll {
		remedy = "bind the ClusterRole of config/rbac/manager_role.yaml by a ClusterRoleBinding, or by RoleBindings in the namespaces that --watch-namespaces names"
	}
	return fmt.Errorf("the operator %s: %s (%s)", strings.Join(findings, ", "), remedy, oneLine(first.answer))
}

// asUnreadable returns the missing right that an error tells of, or nil.
func asUnreadable(err error) *unreadableError {
	var refused *unreadableError
	if errors.As(err, &refused) {
		return refused
	}
	return nil
}

func where(namespace string) string {
	if namespace == metav1.NamespaceAll {
		return "all namespaces"
	}
	return "the namespace " + namespace
}

// oneLine is the text of an error without its line breaks: what an authorizer says is up to it.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
