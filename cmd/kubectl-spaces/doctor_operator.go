package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
	"github.com/spaces-operator/spaces-credential-operator/internal/seal"
)

// mostNamespaces bounds in how many namespaces the operator's rights are looked at.
const mostNamespaces = 50

// needed are the rights without which the operator cannot serve a namespace: those of
// config/rbac/manager_role.yaml that a token needs.
var needed = []authorizationv1.ResourceAttributes{
	{Group: v1alpha1.GroupName, Resource: "spacescredentials", Verb: "list"},
	{Group: v1alpha1.GroupName, Resource: "spacescredentials", Verb: "watch"},
	{Group: v1alpha1.GroupName, Resource: "spacescredentials", Verb: "patch"},
	{Group: v1alpha1.GroupName, Resource: "spacescredentials", Subresource: "status", Verb: "patch"},
	{Resource: "secrets", Verb: "get"},
	{Resource: "secrets", Verb: "list"},
	{Resource: "secrets", Verb: "watch"},
	{Resource: "secrets", Verb: "create"},
	{Resource: "secrets", Verb: "patch"},
	{Resource: "secrets", Verb: "delete"},
}

// lookAtRights asks the API server what each operator may do where there are SpacesCredentials.
func (d *diagnosis) lookAtRights(ctx context.Context) []verdict {
	namespaces := d.namespaces()
	if len(d.installations) == 0 || len(namespaces) == 0 {
		return nil
	}
	// Shards serve a part each; only what nobody may serve is wrong.
	var missing []string
	for _, namespace := range namespaces[:min(len(namespaces), mostNamespaces)] {
		lacking, err := d.leastLacking(ctx, namespace)
		if err != nil {
			return []verdict{*notLookedAt("%s", lookedInVain(err, "the operator's rights (create on subjectaccessreviews)"))}
		}
		if len(lacking) > 0 {
			missing = append(missing, fmt.Sprintf("%s (%s)", namespace, strings.Join(lacking, ", ")))
		}
	}
	looked := fmt.Sprintf("in %s with SpacesCredentials", counted(min(len(namespaces), mostNamespaces), "namespace"))
	if len(missing) > 0 {
		return []verdict{*isWrong("The operator may not do what it has to in "+strings.Join(missing, "; ")+".",
			"bind the ClusterRole of the operator there, docs/install.md says how: a RoleBinding of ServiceAccount "+strings.TrimPrefix(d.installations[0].account(), "system:serviceaccount:"))}
	}
	return []verdict{*isFine("The operator may do all that it has to %s.", looked)}
}

// leastLacking are the rights that the operator lacks in a namespace which lacks fewest there.
func (d *diagnosis) leastLacking(ctx context.Context, namespace string) (least []string, err error) {
	for i := range d.installations {
		lacking := []string{}
		for _, right := range needed {
			right.Namespace = namespace
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: d.installations[i].account(), ResourceAttributes: &right,
				Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + d.installations[i].Namespace, "system:authenticated"}}}
			if err := d.Create(ctx, review); err != nil {
				return nil, err
			}
			if !review.Status.Allowed {
				lacking = append(lacking, right.Verb+" "+strings.TrimSuffix(right.Resource+"/"+right.Subresource, "/"))
			}
		}
		if least == nil || len(lacking) < len(least) {
			least = lacking
		}
	}
	return least, nil
}

// namespaces are those with SpacesCredentials.
func (d *diagnosis) namespaces() (names []string) {
	for i := range d.credentials {
		names = append(names, d.credentials[i].Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lookAtKeys looks at the Secret with the keys of states, of which it says only how many there are.
func (d *diagnosis) lookAtKeys(ctx context.Context) []verdict {
	var verdicts []verdict
	for i := range d.installations {
		verdicts = append(verdicts, *d.lookAtKey(ctx, &d.installations[i]))
	}
	return verdicts
}

func (d *diagnosis) lookAtKey(ctx context.Context, i *installation) *verdict {
	name := i.stateKey()
	secret, err := d.in(name.Namespace).secret(ctx, name.Name)
	switch {
	case apierrors.IsNotFound(err):
		return isWrong(fmt.Sprintf("The key of states, Secret %s, does not exist.", name), "put it back from a backup, or have the operator make one; what a lost key costs says docs/backup.md")
	case err != nil:
		return notLookedAt("%s", lookedInVain(err, "Secret "+name.String()+", the key of states"))
	case secret.Type != corev1.SecretType(v1alpha1.SecretTypeStateKey):
		return isWrong(fmt.Sprintf("Secret %s is of type %q, which is not that of a key of states.", name, secret.Type), "name another one by --state-key-secret")
	}
	if _, err := seal.ParseKeyring(secret.Data); err != nil {
		return isWrong(fmt.Sprintf("The key of states, Secret %s, cannot be used: %v.", name, err), "put it back from a backup: docs/backup.md")
	}
	return isFine("The key of states, Secret %s, is there: %s. Have it in your backup.", name, counted(len(secret.Data)-1, "key"))
}

// lookAtVersions compares the operators with this plugin.
func (d *diagnosis) lookAtVersions(context.Context) []verdict {
	var verdicts []verdict
	for i := range d.installations {
		its := d.installations[i].version()
		switch bare := strings.TrimPrefix(d.version, "v"); {
		case its == "":
			verdicts = append(verdicts, *notLookedAt("Deployment %s does not tell its version.", &d.installations[i]))
		case strings.TrimPrefix(its, "v") != bare:
			verdicts = append(verdicts, *isDoubtful(fmt.Sprintf("The operator %s is of version %s, this plugin of %s.", &d.installations[i], its, d.version),
				"install the plugin of the operator's version: what a newer one says is not known to an older one"))
		default:
			verdicts = append(verdicts, *isFine("Operator and plugin are of version %s.", its))
		}
	}
	return verdicts
}
