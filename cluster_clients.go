package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/go-logr/logr"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// checkClusterClients settles whether ClusterSpacesClients are looked after. An operator of some
// namespaces has no rights in the whole cluster: it is without them, unless it was told otherwise,
// which cannot be.
func (s *settings) checkClusterClients(flags *flag.FlagSet) error {
	isAsked, namesNamespace := false, false
	flags.Visit(func(f *flag.Flag) {
		isAsked = isAsked || f.Name == "cluster-clients"
		namesNamespace = namesNamespace || f.Name == "client-namespace"
	})
	if s.watched.areAll() {
		if problems := validation.IsDNS1123Label(s.clientNamespace); s.clientNamespace != "" && len(problems) > 0 {
			return fmt.Errorf("--client-namespace %q is no name of a namespace: %s", s.clientNamespace, problems[0])
		}
		return nil
	}
	if isAsked && s.clusterClients || namesNamespace {
		return errors.New("--cluster-clients and --client-namespace need an operator of all namespaces: leave them out, or --watch-namespaces and --watch-namespace-selector")
	}
	s.clusterClients = false
	return nil
}

// findClientNamespace is where the Secrets of ClusterSpacesClients are; empty where none are looked
// after. Without the kind, or the right to list it, the informer would wait for it without a word:
// everything else goes on, and who names such a client is told.
func (s *settings) findClientNamespace(ctx context.Context, live client.Reader, log logr.Logger) (string, error) {
	if !s.clusterClients {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	found := &metav1.PartialObjectMetadataList{}
	found.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.ClusterClientKind + "List"))
	switch err := live.List(ctx, found, client.Limit(1)); {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		log.Error(err, "ClusterSpacesClients are not looked after: install their CRD, and bind the ClusterRole of config/rbac/cluster_client_role.yaml, "+
			"or run the operator with --cluster-clients=false; it looks again when it is started anew")
		return "", nil
	case err != nil:
		return "", fmt.Errorf("listing ClusterSpacesClients: %w", err)
	}
	if s.clientNamespace != "" {
		return s.clientNamespace, nil
	}
	return ownNamespace(), nil
}
