package controllers

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// mirrors spares the API server the reads of what nobody wrote since it was read: nine of
// ten requests of a story were such reads, by informers and by the story itself. Every write
// of a story goes through admin, which counts it. Live reads of the operator do not come
// here, and nothing is mirrored where others write, too, such as a live manager.
var mirrors = &mirror{namespaces: map[string]*mirrored{}}

type mirror struct {
	mu         sync.Mutex
	namespaces map[string]*mirrored
}

// mirrored is what was read of one namespace: the objects by name, as one write changes
// one name. A nil object was not there.
type mirrored struct {
	writes  int
	objects map[string]map[string]client.Object
	lists   map[string]client.ObjectList
}

// begin mirrors a namespace.
func (m *mirror) begin(namespace string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.namespaces[namespace] = &mirrored{objects: map[string]map[string]client.Object{}, lists: map[string]client.ObjectList{}}
}

// end lets every read of a namespace through from now on.
func (m *mirror) end(namespace string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.namespaces, namespace)
}

// writing forgets what is known of an object that is about to be written, since the write may
// take effect at any time from now on, and counts it.
func (m *mirror) writing(object client.Object) (number int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.namespaces[object.GetNamespace()]
	if known == nil {
		return 0
	}
	known.forget(object.GetName())
	return known.writes
}

// forget counts a write of an object, and drops what was read of it.
func (known *mirrored) forget(name string) {
	known.writes++
	delete(known.objects, name)
	clear(known.lists)
}

// wrote knows what the API server answered to a write, if no other one was on its way
// meanwhile. What a write removed, or left in another form, is read again.
func (m *mirror) wrote(object client.Object, number int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.namespaces[object.GetNamespace()]
	if known == nil {
		return
	}
	alone := known.writes == number
	known.forget(object.GetName())
	if err != nil || !alone || object.GetUID() == "" || object.GetDeletionTimestamp() != nil {
		return
	}
	shown := map[string]client.Object{}
	switch written := object.(type) {
	case *v1alpha1.SpacesCredential:
		shown[form(written)] = written.DeepCopy()
	case *corev1.Secret:
		shown[form(written)] = written.DeepCopy()
		meta := &metav1.PartialObjectMetadata{ObjectMeta: *written.ObjectMeta.DeepCopy()}
		meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		shown[form(meta)] = meta
	}
	known.objects[object.GetName()] = shown
}

// form tells objects of one name apart by their kind, and by how much of them was asked for.
func form(object client.Object) string {
	if meta, ok := object.(*metav1.PartialObjectMetadata); ok {
		return "metadata of " + meta.Kind
	}
	return fmt.Sprintf("%T", object)
}

// counting returns a client whose writes the mirror learns of.
func (m *mirror) counting(server client.WithWatch) client.WithWatch {
	wrote := func(object client.Object, write func() error) error {
		number := m.writing(object)
		err := write()
		m.wrote(object, number, err)
		return err
	}
	return interceptor.NewClient(server, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return wrote(object, func() error { return c.Create(ctx, object, options...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return wrote(object, func() error { return c.Update(ctx, object, options...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return wrote(object, func() error { return c.Patch(ctx, object, patch, options...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			m.writing(object)
			defer m.writing(object)
			return c.Delete(ctx, object, options...)
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption) error {
			return wrote(object, func() error { return c.SubResource(name).Update(ctx, object, options...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			return wrote(object, func() error { return c.SubResource(name).Patch(ctx, object, patch, options...) })
		},
	})
}

// reading returns a client that reads through the mirror.
func (m *mirror) reading(server client.WithWatch) client.WithWatch {
	return interceptor.NewClient(server, interceptor.Funcs{Get: m.get, List: m.list})
}

func (m *mirror) get(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	m.mu.Lock()
	known := m.namespaces[key.Namespace]
	if known == nil {
		m.mu.Unlock()
		return c.Get(ctx, key, object, options...)
	}
	what := form(object)
	writes := known.writes
	last, shown := known.objects[key.Name][what]
	m.mu.Unlock()
	if shown {
		return showAgain(key, object, last)
	}
	err := c.Get(ctx, key, object, options...)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if known.writes != writes {
		return err
	}
	if known.objects[key.Name] == nil {
		known.objects[key.Name] = map[string]client.Object{}
	}
	known.objects[key.Name][what] = seenAs(object, err)
	return err
}

func (m *mirror) list(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	asked := (&client.ListOptions{}).ApplyOptions(options)
	m.mu.Lock()
	known := m.namespaces[asked.Namespace]
	if known == nil {
		m.mu.Unlock()
		return c.List(ctx, list, options...)
	}
	what := fmt.Sprintf("%T %s %v", list, list.GetObjectKind().GroupVersionKind().Kind, asked)
	writes, last := known.writes, known.lists[what]
	m.mu.Unlock()
	if last != nil {
		reflect.ValueOf(list).Elem().Set(reflect.ValueOf(last.DeepCopyObject()).Elem())
		return nil
	}
	if err := c.List(ctx, list, options...); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if known.writes == writes {
		known.lists[what] = list.DeepCopyObject().(client.ObjectList)
	}
	return nil
}
