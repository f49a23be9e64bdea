package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/spacesauth"
)

// environmentsFlag names the file of environments.
const environmentsFlag = "environments-file"

// operatorLabels are on the Deployment of an operator, by the chart and by the manifests of config.
var operatorLabels = client.MatchingLabels{"app.kubernetes.io/name": "spaces-credential-operator", "app.kubernetes.io/component": "controller-manager"}

// installation is the Deployment of an operator, of which a shard has one of its own.
type installation struct {
	cluster *cluster
	appsv1.Deployment
}

// installations are those of the cluster, as far as the person may list Deployments. The error of
// the API server comes back as it is.
func (c *cluster) installations(ctx context.Context) ([]installation, error) {
	var found appsv1.DeploymentList
	if err := c.List(ctx, &found, operatorLabels); err != nil {
		return nil, err
	}
	all := make([]installation, len(found.Items))
	for i := range found.Items {
		all[i] = installation{cluster: c, Deployment: found.Items[i]}
	}
	return all, nil
}

func (i *installation) String() string { return i.Namespace + "/" + i.Name }

// container is the one that the operator runs in.
func (i *installation) container() *corev1.Container {
	containers := i.Spec.Template.Spec.Containers
	for at := range containers {
		if containers[at].Name == "manager" {
			return &containers[at]
		}
	}
	return &containers[0] // a Deployment has at least one
}

// flag is the value of a flag of the operator, empty where it has none.
func (i *installation) flag(name string) string {
	arguments := slices.Concat(i.container().Command, i.container().Args)
	for at, argument := range arguments {
		given, value, hasValue := strings.Cut(argument, "=")
		switch {
		case strings.TrimLeft(given, "-") != name || !strings.HasPrefix(given, "-"):
		case hasValue:
			return value
		case at+1 < len(arguments):
			return arguments[at+1]
		}
	}
	return ""
}

// version is that of the image, as the label or the tag tells it.
func (i *installation) version() string {
	if version := i.Labels["app.kubernetes.io/version"]; version != "" {
		return version
	}
	_, tag, _ := strings.Cut(path.Base(i.container().Image), ":")
	return tag
}

// account is the user name of the operator.
func (i *installation) account() string {
	name := i.Spec.Template.Spec.ServiceAccountName
	if name == "" {
		name = "default"
	}
	return "system:serviceaccount:" + i.Namespace + ":" + name
}

// stateKey is the name of the Secret with the keys that seal states.
func (i *installation) stateKey() types.NamespacedName {
	namespace, name, isPair := strings.Cut(i.flag("state-key-secret"), "/")
	if !isPair {
		return types.NamespacedName{Namespace: i.Namespace, Name: v1alpha1.StateKeySecretName}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// environments are those that the operator was given.
func (i *installation) environments(ctx context.Context) (spacesauth.Environments, error) {
	name := i.flag(environmentsFlag)
	if name == "" {
		return spacesauth.LoadEnvironments("")
	}
	content, err := i.file(ctx, name)
	if err != nil {
		return nil, err
	}
	environments, err := spacesauth.ParseEnvironments(content)
	if err != nil {
		return nil, fmt.Errorf("its file %s: %w", name, err)
	}
	return environments, nil
}

// file is what stands in a file that the operator is mounted from a ConfigMap.
func (i *installation) file(ctx context.Context, name string) ([]byte, error) {
	var mount corev1.VolumeMount
	for _, candidate := range i.container().VolumeMounts {
		if strings.HasPrefix(name, candidate.MountPath+"/") && len(candidate.MountPath) > len(mount.MountPath) {
			mount = candidate
		}
	}
	for _, volume := range i.Spec.Template.Spec.Volumes {
		if volume.Name != mount.Name || volume.ConfigMap == nil {
			continue
		}
		key := strings.TrimPrefix(name, mount.MountPath+"/")
		for _, item := range volume.ConfigMap.Items {
			if item.Path == key {
				key = item.Key
			}
		}
		return i.configMapKey(ctx, volume.ConfigMap.Name, key)
	}
	return nil, fmt.Errorf("its file %s is mounted from no ConfigMap", name)
}

func (i *installation) configMapKey(ctx context.Context, name, key string) ([]byte, error) {
	var found corev1.ConfigMap
	err := i.cluster.Get(ctx, client.ObjectKey{Namespace: i.Namespace, Name: name}, &found)
	switch {
	case apierrors.IsForbidden(err):
		return nil, because(err, "you may not get ConfigMap %q in namespace %q", name, i.Namespace)
	case err != nil:
		return nil, fmt.Errorf("ConfigMap %q in namespace %q: %w", name, i.Namespace, err)
	}
	content, has := found.Data[key]
	if !has {
		return nil, fmt.Errorf("ConfigMap %q in namespace %q has no key %q", name, i.Namespace, key)
	}
	return []byte(content), nil
}

// authoritiesOf are the certificates of an environment's caFile, as one of some operators that knows the
// environment was given them. There are none where it has no such file, or where the person may not
// look.
func authoritiesOf(ctx context.Context, all []installation, environment string) []byte {
	for i := range all {
		environments, err := all[i].environments(ctx)
		if known, is := environments[environment]; err == nil && is && known.CAFile != "" {
			if content, err := all[i].file(ctx, known.CAFile); err == nil {
				return content
			}
		}
	}
	return nil
}
