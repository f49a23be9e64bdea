package main

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spaces-operator/spaces-credential-operator/api/v1alpha1"
)

// playOperator answers the first change of an object that asks for it: a goroutine
// that writes the status of a credential as the operator would. It ends with the test.
func playOperator(t *testing.T, kind client.ObjectList, asks func(client.Object) bool,
	of *v1alpha1.SpacesCredential, answer func(*v1alpha1.SpacesCredential)) {
	t.Helper()
	g := NewWithT(t)
	ctx := context.Background() // what the operator began it ends
	watching, err := admin.Watch(ctx, kind, client.InNamespace(of.Namespace))
	g.Expect(err).NotTo(HaveOccurred())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range watching.ResultChan() {
			seen, isObject := event.Object.(client.Object)
			if event.Type == watch.Error || !isObject || !asks(seen) {
				continue
			}
			acted := &v1alpha1.SpacesCredential{}
			if err := admin.Get(ctx, client.ObjectKeyFromObject(of), acted); err != nil {
				t.Errorf("the operator could not read: %v", err)
				return
			}
			answer(acted)
			if err := admin.Status().Update(ctx, acted); err != nil {
				t.Errorf("the operator could not write: %v", err)
			}
			return
		}
	}()
	t.Cleanup(func() {
		watching.Stop()
		<-ended
	})
}
