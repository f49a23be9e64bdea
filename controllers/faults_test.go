package controllers

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// request names a call of the operator to the API server as stories know it:
// "claim" and "save" both are "write state".
type request string

const (
	createState     request = "create state"
	writeState      request = "write state"
	deleteState     request = "delete state"
	deletePublished request = "delete published"
	createPublished request = "create published"
	writePublished  request = "write published"
	readSecret      request = "read Secret"
	writeCredential request = "write credential"
	readCredential  request = "read credential"
	writeStatus     request = "write status"
	otherRequest    request = "other"
)

var errRefused = errors.New("the API server is away (a fault of the story)")

// faults is what stands between one operator and the API server. It counts and
// records the requests and lets chosen ones fail.
type faults struct {
	mu  sync.Mutex
	log []request
	// written are the verbs by which Secrets that were there were written.
	written []string
	planned map[request][]plannedFault
	// at is called with the number of each request, counted from 1.
	at func(number int, what request) plannedFault
	// after is called when the request with that number took effect.
	after func(number int, what request)
	// frozen stops the informers, or that of Secrets alone: they show what they showed last.
	frozen, frozenSecrets bool
	// onlyPatches is set where the role does not allow to replace a Secret. It is set before the first request.
	onlyPatches bool
	// coldClient is a ClusterSpacesClient that the informer does not show yet.
	coldClient string
	shown      map[string]client.Object
}

// freeze stops the informers, or lets them go on.
func (f *faults) freeze(frozen bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen, f.frozenSecrets = frozen, false
}

// freezeSecrets stops the informer of Secrets alone: one is late for longer than the other.
func (f *faults) freezeSecrets() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen, f.frozenSecrets = false, true
}

// freezeClients has the informer of ClusterSpacesClients not show one.
func (f *faults) freezeClients(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.coldClient = name
}

// informer wraps the client that stands for the manager's cache.
func (f *faults) informer(server client.WithWatch) client.WithWatch {
	return interceptor.NewClient(server, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			name := fmt.Sprintf("%T %s", object, key)
			_, secret := object.(*metav1.PartialObjectMetadata)
			f.mu.Lock()
			last, shown := f.shown[name]
			frozen := f.frozen || f.frozenSecrets && secret
			_, isClient := object.(*v1alpha1.ClusterSpacesClient)
			isCold := isClient && f.coldClient == key.Name
			f.mu.Unlock()
			if isCold {
				return showAgain(key, object, nil)
			}
			if frozen && shown {
				return showAgain(key, object, last)
			}
			err := c.Get(ctx, key, object, options...)
			if client.IgnoreNotFound(err) != nil {
				return err
			}
			if secret && object.GetObjectKind().GroupVersionKind().Kind == "Secret" {
				if err := strip(object); err != nil {
					return err
				}
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.shown == nil {
				f.shown = map[string]client.Object{}
			}
			f.shown[name] = seenAs(object, err)
			return err
		},
	})
}

// strip leaves of a Secret what the informer keeps.
func strip(object client.Object) error {
	stripped, err := StripSecretMetadata(object)
	if err == nil {
		stripped.(*metav1.PartialObjectMetadata).DeepCopyInto(object.(*metav1.PartialObjectMetadata))
	}
	return err
}

// seenAs is what a read found, to be shown again: nil where there was nothing.
func seenAs(object client.Object, err error) client.Object {
	if err != nil {
		return nil
	}
	return object.DeepCopyObject().(client.Object)
}

// showAgain answers a read with what an earlier one found.
func showAgain(key client.ObjectKey, into, seen client.Object) error {
	if seen == nil {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(seen.DeepCopyObject()).Elem())
	return nil
}

// plannedFault is what happens to one request.
type plannedFault struct {
	// before fails the request without effect.
	before error
	// after loses the answer of a request that took effect.
	after error
	// meanwhile runs before the request reaches the API server.
	meanwhile func()
}

// on plans faults for the next requests of a kind, in order. An empty one lets a
// request pass.
func (f *faults) on(what request, planned ...plannedFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.planned == nil {
		f.planned = map[request][]plannedFault{}
	}
	f.planned[what] = append(f.planned[what], planned...)
}

// requests returns what was asked so far.
func (f *faults) requests() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.log...)
}

// verbs returns how Secrets were written so far, those that were made apart.
func (f *faults) verbs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.written)
}

// forget empties the record.
func (f *faults) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log, f.written = nil, nil
}

func (f *faults) next(what request) (plannedFault, int) {
	f.mu.Lock()
	f.log = append(f.log, what)
	number := len(f.log)
	var fault plannedFault
	if queue := f.planned[what]; len(queue) > 0 {
		fault, f.planned[what] = queue[0], queue[1:]
	}
	at := f.at
	f.mu.Unlock()
	if at != nil {
		fault = at(number, what)
	}
	return fault, number
}

// write sends the write of an object that is there.
func (f *faults) write(verb string, object client.Object, send func() error) error {
	what := kindOfSecret("write", object)
	if what != writeCredential {
		f.mu.Lock()
		f.written = append(f.written, verb)
		f.mu.Unlock()
	}
	return f.pass(what, send)
}

// pass sends a request through its fault.
func (f *faults) pass(what request, send func() error) error {
	fault, number := f.next(what)
	if fault.meanwhile != nil {
		fault.meanwhile()
	}
	if fault.before != nil {
		return fault.before
	}
	if err := send(); err != nil {
		return err
	}
	if f.after != nil {
		f.after(number, what)
	}
	return fault.after
}

// client wraps the real client.
func (f *faults) client(server client.WithWatch) client.WithWatch {
	return interceptor.NewClient(server, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if _, metadataOnly := object.(*metav1.PartialObjectMetadata); metadataOnly {
				return c.Get(ctx, key, object, options...) // the informer's cache, not a request
			}
			return f.pass(kindOfRead(object), func() error { return c.Get(ctx, key, object, options...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return f.pass(kindOfSecret("create", object), func() error { return c.Create(ctx, object, options...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return f.write("update", object, func() error {
				if f.onlyPatches {
					return forbidden()
				}
				return c.Update(ctx, object, options...)
			})
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return f.write("patch", object, func() error { return c.Patch(ctx, object, patch, options...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			return f.pass(kindOfSecret("delete", object), func() error { return c.Delete(ctx, object, options...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			return f.pass(writeStatus, func() error { return c.SubResource(name).Patch(ctx, object, patch, options...) })
		},
	})
}

func kindOfRead(object client.Object) request {
	switch object.(type) {
	case *corev1.Secret:
		return readSecret
	case *v1alpha1.SpacesCredential:
		return readCredential
	}
	return otherRequest
}

func kindOfSecret(verb string, object client.Object) request {
	if _, typed := object.(*v1alpha1.SpacesCredential); typed || object.GetObjectKind().GroupVersionKind().Kind == "SpacesCredential" {
		return writeCredential
	}
	if strings.HasSuffix(object.GetName(), v1alpha1.GrantSecretSuffix) {
		return request(verb + " state")
	}
	return request(verb + " published")
}

// forbidden is what a quota, an admission webhook or missing rights answer.
func forbidden() error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "some", errors.New("exceeded quota"))
}

// conflictError is what the API server answers to a write of an old version.
func conflictError() error {
	return apierrors.NewConflict(schema.GroupResource{Resource: "some"}, "some", errors.New("the object has been modified"))
}

// indexed answers what the manager's cache answers by its index.
func indexed(server client.WithWatch) client.WithWatch {
	return interceptor.NewClient(server, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			asked := (&client.ListOptions{}).ApplyOptions(options)
			if asked.FieldSelector == nil {
				return c.List(ctx, list, options...)
			}
			if err := c.List(ctx, list, client.InNamespace(asked.Namespace)); err != nil {
				return err
			}
			switch list := list.(type) {
			case *v1alpha1.SpacesCredentialList:
				list.Items = slices.DeleteFunc(list.Items, func(credential v1alpha1.SpacesCredential) bool {
					name, byClient := asked.FieldSelector.RequiresExactMatch(clientIndex)
					if byClient {
						return namedClient(&credential) != name
					}
					name, _ = asked.FieldSelector.RequiresExactMatch(secretIndex)
					return !slices.Contains(namedSecrets(&credential), name)
				})
			case *v1alpha1.ClusterSpacesClientList:
				name, _ := asked.FieldSelector.RequiresExactMatch(clientSecretIndex)
				list.Items = slices.DeleteFunc(list.Items, func(shared v1alpha1.ClusterSpacesClient) bool { return shared.Spec.SecretRef.Name != name })
			}
			return nil
		},
	})
}
