package controllers

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
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

// wrote forgets what was read of an object.
func (m *mirror) wrote(object client.Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.namespaces[object.GetNamespace()]; known != nil {
		known.writes++
		delete(known.objects, object.GetName())
		clear(known.lists)
	}
}

// counting returns a client whose writes the mirror learns of: before they are sent, since
// they may take effect at any time from then on, and after, since a read may lie between.
func (m *mirror) counting(server client.WithWatch) client.WithWatch {
	wrote := func(object client.Object, write func() error) error {
		m.wrote(object)
		defer m.wrote(object)
		return write()
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
			return wrote(object, func() error { return c.Delete(ctx, object, options...) })
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
	what := fmt.Sprintf("%T %s", object, object.GetObjectKind().GroupVersionKind().Kind)
	writes := known.writes
	last, shown := known.objects[key.Name][what]
	m.mu.Unlock()
	switch {
	case shown && last == nil:
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	case shown:
		reflect.ValueOf(object).Elem().Set(reflect.ValueOf(last.DeepCopyObject()).Elem())
		return nil
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
	known.objects[key.Name][what] = nil
	if err == nil {
		known.objects[key.Name][what] = object.DeepCopyObject().(client.Object)
	}
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
