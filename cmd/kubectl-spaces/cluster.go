package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// fieldManager owns what this plugin writes.
const fieldManager = "kubectl-spaces"

// cluster is the API server as the flags name it, with one namespace.
type cluster struct {
	client.WithWatch
	namespace string
	clock     clock.Clock
	// reached are the flags by which a command that is pasted reaches the same one.
	reached string
}

// cluster connects with the person's own rights. Nothing is sent yet.
func (t *tool) cluster() (*cluster, error) {
	config, err := t.config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	namespace, _, err := t.config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig cannot be used: %w", err)
	}
	config.UserAgent = "kubectl-spaces/" + t.version
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, appsv1.AddToScheme, authorizationv1.AddToScheme, coordinationv1.AddToScheme, corev1.AddToScheme, eventsv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	connected, err := client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: knownKinds()})
	if err != nil {
		return nil, fmt.Errorf("the API server cannot be used: %w", err)
	}
	return &cluster{WithWatch: connected, namespace: namespace, clock: t.clock, reached: t.reached()}, nil
}

// knownKinds are the kinds this plugin asks for. They are known by heart, so nothing
// has to be discovered.
func knownKinds() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersionKind, appsv1.SchemeGroupVersion.WithKind("Deployment"), coordinationv1.SchemeGroupVersion.WithKind("Lease"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithKind("Secret"), eventsv1.SchemeGroupVersion.WithKind("Event"),
	} {
		mapper.Add(kind, meta.RESTScopeNamespace)
	}
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion.WithKind(v1alpha1.ClusterClientKind),
		authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"), authorizationv1.SchemeGroupVersion.WithKind("SubjectAccessReview"),
	} {
		mapper.Add(kind, meta.RESTScopeRoot)
	}
	return mapper
}

// in is the same API server with another namespace.
func (c *cluster) in(namespace string) *cluster {
	return &cluster{WithWatch: c.WithWatch, namespace: namespace, clock: c.clock, reached: c.reached}
}

// credential reads one SpacesCredential.
func (c *cluster) credential(ctx context.Context, name string) (*v1alpha1.SpacesCredential, error) {
	found := &v1alpha1.SpacesCredential{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, found); err != nil {
		return nil, c.aboutCredential(err, "get", name)
	}
	return found, nil
}

// secret reads one Secret. The error of the API server comes back as it is.
func (c *cluster) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	found := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, found); err != nil {
		return nil, err
	}
	return found, nil
}

// patchCredential changes a SpacesCredential by a merge patch, unless another one has
// taken its name meanwhile. The credential then holds what the API server has.
func (c *cluster) patchCredential(ctx context.Context, credential *v1alpha1.SpacesCredential, change map[string]any) error {
	metadata, _ := change["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		change["metadata"] = metadata
	}
	metadata["uid"] = credential.UID
	patch, err := mergePatch(change)
	if err != nil {
		return err
	}
	err = c.Patch(ctx, credential, patch, client.FieldOwner(fieldManager))
	return c.aboutCredential(err, "patch", credential.Name)
}

// mergePatch is a JSON merge patch (RFC 7396).
func mergePatch(change map[string]any) (client.Patch, error) {
	body, err := json.Marshal(change)
	if err != nil {
		return nil, err
	}
	return client.RawPatch(types.MergePatchType, body), nil
}

// aboutCredential says in one sentence what the API server answered about a
// SpacesCredential, or about all of them where name is empty.
func (c *cluster) aboutCredential(err error, verb, name string) error {
	where := fmt.Sprintf("in namespace %q", c.namespace)
	if c.namespace == metav1.NamespaceAll {
		where = "in all namespaces"
	}
	switch {
	case err == nil:
		return nil
	case isUnknownKind(err):
		return errors.New("this cluster does not know SpacesCredentials: install the operator's CRD first")
	case apierrors.IsNotFound(err):
		return because(err, "SpacesCredential %q does not exist %s", name, where)
	case apierrors.IsForbidden(err):
		return because(err, "you may not %s SpacesCredentials %s", verb, where)
	case apierrors.IsUnauthorized(err):
		return because(err, "the API server does not know you: sign in to the cluster again")
	case apierrors.IsConflict(err), isAboutUID(err):
		return fmt.Errorf("SpacesCredential %q was replaced by another of that name meanwhile: look at it and try again", name)
	}
	return fmt.Errorf("the API server did not %s SpacesCredentials %s: %w", verb, where, err)
}

// isUnknownKind tells that the API server has no such kind.
func isUnknownKind(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// isFinal tells whether asking again would get the same answer.
func isFinal(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}

// isAboutUID tells whether a patch met another object than it was meant for: a CRD's
// metadata.uid cannot be patched to another value.
func isAboutUID(err error) bool {
	var answer apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &answer) || answer.Status().Details == nil {
		return false
	}
	for _, cause := range answer.Status().Details.Causes {
		if cause.Field == "metadata.uid" {
			return true
		}
	}
	return false
}

// aboutSecret says in one sentence what the API server answered about a Secret.
func (c *cluster) aboutSecret(err error, verb, name string) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return fmt.Errorf("the Secret %q does not exist in namespace %q", name, c.namespace)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you may not %s Secret %q in namespace %q", verb, name, c.namespace)
	}
	return fmt.Errorf("the API server did not %s Secret %q in namespace %q: %w", verb, name, c.namespace, err)
}

// sentence is what a person reads in place of an answer of the API server, which stays
// its cause.
type sentence struct {
	text  string
	cause error
}

func because(cause error, format string, values ...any) error {
	return &sentence{text: fmt.Sprintf(format, values...), cause: cause}
}

func (s *sentence) Error() string { return s.text }
func (s *sentence) Unwrap() error { return s.cause }
